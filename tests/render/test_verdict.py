"""Verdicts have the same words and colors in every command."""

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


def terminal_output(*arguments: str, folder: Path = ROOT) -> str:
    """Return the output of a command on a wide terminal."""
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
        except OSError:  # Linux's error after the other side is closed
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
    """The reason follows the word."""
    assert verdict_cell(met, reason) == (met, text, style)


def test_several_verdicts_are_counted() -> None:
    """The count is green only if all are met."""
    assert tally_cell(5, 5) == (5, "5 of 5", "green")
    assert tally_cell(4, 5, " met") == (4, "4 of 5 met", "red")
    assert tally_cell(None, 5).text == "–"


@pytest.mark.parametrize(
    ("target", "value", "margin", "text"),
    [
        ("train_accuracy", 99.18666666, None, "99.19"),
        ("test_accuracy", 99.5, 0.1, "99.50"),
        ("train_accuracy", 99.3983333333, -0.0016666667, "99.39833333"),
        ("parameters", 7884, 116, "7,884"),
    ],
)
def test_accuracies_have_two_decimals_unless_they_hide_the_verdict(
    target: str, value: float, margin: float | None, text: str
) -> None:
    """99.3983 is not rounded to 99.40, which would meet the target."""
    assert measured_text(target, value, margin) == text


def test_commands_color_verdicts_alike(tmp_path: Path) -> None:
    """Summary, check, list of runs and results use the same colors."""
    small = tmp_path / "small.yaml"
    small.write_text(SMALL.replace("below: 1500", "below: 1494"))
    for command in ("summarize", "check"):
        output = terminal_output(command, "small.yaml", folder=tmp_path)
        lines = [line for line in output.splitlines() if "target " in line]
        assert [RED in line and "not met" in line for line in lines] == [True, False]
        assert [GREEN in line and "met with" in line for line in lines] == [False, True]
    assert f"{GREEN}met" in terminal_output("runs", "archs/results/iter10")
    assert f"{GREEN} 5 of 5" in terminal_output("results", "archs/results/iter10")


def test_json_has_only_finite_numbers() -> None:
    """NaN and infinity are null at every depth."""
    data = {"a": [float("nan"), {"b": (float("inf"), 1.5)}], "c": True}
    assert dumps(data) == '{"a": [null, {"b": [null, 1.5]}], "c": true}'
