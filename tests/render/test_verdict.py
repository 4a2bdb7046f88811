"""Verdicts: the same words and colors everywhere."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest
from command import COMMAND
from documents import SMALL
from paths import ROOT

from netbuilder.render.json import dumps
from netbuilder.render.verdict import measured_text, tally_cell, verdict_cell

GREEN, RED = "\x1b[32m", "\x1b[31m"


def on_a_terminal(*arguments: str, folder: Path = ROOT) -> str:
    """What a command prints to a terminal that is wide enough."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "200", "PYTHONUTF8": "1"}
    with subprocess.Popen(
        [*COMMAND, *arguments], cwd=folder, stdin=follower, stdout=follower, env=environment
    ):
        os.close(follower)
        chunks = []
        try:
            while chunk := os.read(leader, 65536):
                chunks.append(chunk)
        except OSError:  # the other side is closed
            pass
    os.close(leader)
    return b"".join(chunks).decode()


@pytest.mark.parametrize(
    ("met", "reason", "text", "style"),
    [
        (True, "", "met", "green"),
        (False, "parameters", "not met: parameters", "red"),
        (None, "no data", "not judged: no data", "yellow"),
    ],
)
def test_a_verdict_is_a_word_in_a_color(
    met: bool | None, reason: str, text: str, style: str
) -> None:
    """And its reason."""
    assert verdict_cell(met, reason) == (met, text, style)


def test_several_verdicts_are_counted() -> None:
    """Green only where all are met."""
    assert tally_cell(5, 5) == (5, "5 of 5", "green")
    assert tally_cell(4, 5, " met") == (4, "4 of 5 met", "red")
    assert tally_cell(None, 5).text == "–"


@pytest.mark.parametrize(
    ("target", "value", "left", "text"),
    [
        ("train_accuracy", 99.18666666, None, "99.19"),
        ("test_accuracy", 99.5, 0.1, "99.50"),
        ("train_accuracy", 99.3983333333, -0.0016666667, "99.39833333"),
        ("parameters", 7884, 116, "7,884"),
    ],
)
def test_accuracies_have_two_decimals_unless_these_hide_the_verdict(
    target: str, value: float, left: float | None, text: str
) -> None:
    """99.3983 is not rounded into 99.40, which would be met."""
    assert measured_text(target, value, left) == text


def test_commands_color_verdicts_alike(tmp_path: Path) -> None:
    """In a summary, a check, a list of runs and results."""
    small = tmp_path / "small.yaml"
    small.write_text(SMALL.replace("below: 1500", "below: 1494"))
    for command in ("summarize", "check"):
        shown = on_a_terminal(command, "small.yaml", folder=tmp_path)
        lines = [line for line in shown.splitlines() if "target " in line]
        assert [RED in line and "not met" in line for line in lines] == [True, False]
        assert [GREEN in line and "met with" in line for line in lines] == [False, True]
    assert f"{GREEN}met" in on_a_terminal("runs", "archs/results/iter10")
    assert f"{GREEN} 5 of 5" in on_a_terminal("results", "archs/results/iter10")


def test_json_has_no_numbers_that_are_not_finite() -> None:
    """However deep they are."""
    data = {"a": [float("nan"), {"b": (float("inf"), 1.5)}], "c": True}
    assert dumps(data) == '{"a": [null, {"b": [null, 1.5]}], "c": true}'
