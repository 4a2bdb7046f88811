"""No text of a record reaches a terminal as it is: each is planted at once, for every command."""

from __future__ import annotations

import io
import json
import re
import shutil
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from command import Result
from PIL import Image
from small import DOCUMENT, after, run_until_stopped

import netbuilder.cli._app as cli
from netbuilder.config.loader import parse_architecture
from netbuilder.runs.lr_curve import RangeTest
from netbuilder.training.loop import resume, train

PLANT = "\x1b]0;owned\x07\x9b2J\u202e\r\x00\nPLANTED\u2028"
"""A title for the window, an erased screen, text that runs backwards, and lines of its own.

The last sign cannot be printed either, so that a line of its own shows itself.
"""

STYLE = re.compile(r"(\r?\x1b\[[0-9;?]*[A-Za-z])+\r?")
"""The sequences that rich prints on a terminal, for styles, the cursor and its line."""

TEXT = DOCUMENT.replace("epochs: 3", "epochs: 2")

CHECKED = ("kind", "device", "precision", "started", "sha256", "schedule", "classes", "label",
           "guess")  # fmt: skip
"""Texts with values of their own: another text is refused, in a message that quotes it."""


def plant(value: Any, spared: tuple[str, ...], key: str = "") -> Any:
    """Return a record with the plant at the end of each text and of each free key."""
    if isinstance(value, dict):
        return {
            name + PLANT if key == "versions" else name: plant(part, spared, name)
            for name, part in value.items()
        } | {f"new{PLANT}": PLANT}
    if isinstance(value, list):
        return [plant(part, spared, key) for part in value]
    if isinstance(value, str) and key not in spared:
        return value + PLANT
    return value


def planted(folder: Path, spared: tuple[str, ...] = CHECKED) -> None:
    """Plant into every record of a run but the document in its configuration."""
    for name in ("environment.json", "evaluation.json", "result.json"):
        path = folder / name
        content = plant(json.loads(path.read_text()), spared)
        path.write_text(json.dumps(content))
    config = json.loads((folder / "config.json").read_text())
    for name in ("title", "notes"):
        config["architecture"][name] = plant(config["architecture"][name], ())
    config["architecture"]["notes"].pop(f"new{PLANT}")
    (folder / "config.json").write_text(json.dumps(config | {f"new{PLANT}": PLANT}))
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    records = [json.dumps(plant(json.loads(line), ())) for line in lines]
    (folder / "metrics.jsonl").write_text("\n".join(records) + "\n")


class Terminal(io.StringIO):
    """A text that is shown on a terminal."""

    def isatty(self) -> bool:
        """Return that it is one."""
        return True


def run_on(stream: type[io.StringIO], *arguments: str) -> Result:
    """Run a command in this process, with this kind of output."""
    code: object = 0
    with (
        patch.object(sys, "argv", ["netbuilder", *arguments]),
        redirect_stdout(stream()) as out,
        redirect_stderr(stream()) as err,
    ):
        try:
            cli.main()
        except SystemExit as stop:
            code = stop.code
    return Result(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run that was resumed once, a stopped one, and a range test."""
    base = tmp_path_factory.mktemp("escapes")
    architecture = parse_architecture(TEXT, "small.yaml")
    folder, _ = run_until_stopped(train(architecture, out=base / "runs", stop=after(3)))
    run_until_stopped(resume(folder))
    folder.rename(base / "runs" / "small" / "R")
    RangeTest(
        architecture=architecture.model_dump(mode="json"), dataset="mnist5k", seed=0,
        device="cpu", precision="fp32", learning_rates=(0.01, 0.1), losses=(2.0, 9.0),
        smoothed=(2.0, 9.0), field="train.optimizer.SGD.lr", suggestion=0.01, diverged_at=0.1,
        steps=40,
    ).save(base / "runs" / "small" / "lr-find.json")  # fmt: skip
    (base / "small.yaml").write_text(TEXT)
    Image.linear_gradient("L").resize((28, 28)).save(base / "digit.png")
    return base


@pytest.fixture
def work(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the base with planted records, as the working folder."""
    folder = Path(shutil.copytree(base, tmp_path / "work"))
    planted(folder / "runs" / "small" / "R")
    monkeypatch.chdir(folder)
    return folder


def require_harmless(stream: type[io.StringIO], command: str) -> Result:
    """Run a command, and require that all its output is text."""
    result = run_on(stream, *command.split())
    assert result.code in (0, 1, 2, 3), (command, result)
    for text in (result.out, result.err):
        for line in STYLE.sub("", text).split("\n"):
            assert line.isprintable(), (command, ascii(line))
    return result


FORMATS = ("rich", "plain", "markdown", "json")

CHEAP = (
    *(f"runs runs --format {name}" for name in FORMATS),
    "runs runs --name nothing", "runs runs --dataset nothing",
    *(f"results runs --format {name}" for name in FORMATS),
    *(f"compare runs --format {name}" for name in FORMATS),
    "compare small.yaml --runs runs",
    "diff small.yaml runs/small/R", "diff small.yaml runs/small/R --format json",
    "diff runs/small/R small.yaml --format markdown",
    "check small.yaml --advice --runs runs", "check small.yaml --advice --format json",
    "export runs/small/R --to python",
    "summarize small.yaml",
)  # fmt: skip

COSTLY = (
    "report runs --out report",
    "evaluate runs/small/R",
    "evaluate runs/small/R --format json",
    "predict runs/small/R digit.png",
    "predict runs/small/R digit.png --format json",
    "train --resume runs/small/R",
    "export runs/small/R --to safetensors --out x.safetensors",
)


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_texts_of_records_are_harmless(stream: type[io.StringIO], work: Path) -> None:
    """All texts at once, in every format, on a terminal and in a pipe."""
    for command in CHEAP:
        result = require_harmless(stream, command)
        assert result.code in (0, 1), (command, result)


@pytest.mark.parametrize("command", COSTLY)
def test_texts_of_records_are_harmless_with_torch(command: str, work: Path) -> None:
    """Commands that load torch or draw, on a terminal."""
    result = require_harmless(Terminal, command)
    assert result.code in (0, 1), (command, result)
    if command.startswith("train"):
        assert result.out.count("PLANTED") > 2  # the first line, a note and the verdicts


@pytest.mark.parametrize("field", CHECKED)
def test_refused_texts_are_harmless(field: str, work: Path) -> None:
    """A message that quotes a text escapes it."""
    planted(work / "runs" / "small" / "R", tuple(name for name in CHECKED if name != field))
    for command in (CHEAP[0], CHEAP[6], CHEAP[10], "train --resume runs/small/R"):
        require_harmless(Terminal, command)


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_names_in_records_are_harmless(stream: type[io.StringIO], work: Path) -> None:
    """The names of a network and of its data set, which a list takes from the records alone."""
    folder = work / "runs" / "small" / "R"
    config = json.loads((folder / "config.json").read_text())
    config["architecture"]["name"] += PLANT
    config["architecture"]["train"]["dataset"] = {f"mnist5k{PLANT}": {}}
    (folder / "config.json").write_text(json.dumps(config))
    environment = json.loads((folder / "environment.json").read_text())
    environment["data"]["kind"] += PLANT
    (folder / "environment.json").write_text(json.dumps(environment))
    for command in CHEAP:
        require_harmless(stream, command)
    shutil.copytree(folder, work / "runs" / "small" / "R2")
    for command in (CHEAP[1], CHEAP[4]):
        assert "PLANTED" in "".join(require_harmless(stream, command)[1:])


def spoil_keys(content: Any) -> Any:
    """Return a record whose texts are replaced by the plant alone."""
    if isinstance(content, dict):
        return {f"{key}{PLANT}": spoil_keys(value) for key, value in content.items()}
    return PLANT


SPOILED: dict[str, Callable[[Any], Any]] = {
    "keys": spoil_keys,
    "text": lambda content: PLANT,
    "list": lambda content: [PLANT],
    "nested": lambda content: {key: {PLANT: [PLANT]} for key in content},
}


@pytest.mark.parametrize("spoil", SPOILED)
def test_damaged_records_are_harmless(spoil: str, work: Path) -> None:
    """The messages about each record, and about each part of the document in one."""
    folder = work / "runs" / "small" / "R"
    for name in ("config.json", "environment.json", "evaluation.json", "result.json"):
        before = (folder / name).read_text()
        (folder / name).write_text(json.dumps(SPOILED[spoil](json.loads(before))))
        for command in (CHEAP[0], CHEAP[6], "check small.yaml --advice --runs runs"):
            require_harmless(Terminal, command)
        (folder / name).write_text(before)
    config = json.loads((folder / "config.json").read_text())
    for field in config["architecture"]:
        changed = {**config["architecture"], field: PLANT}
        (folder / "config.json").write_text(json.dumps({**config, "architecture": changed}))
        for command in ("compare runs", "diff small.yaml runs/small/R"):
            require_harmless(Terminal, command)
    curve = work / "runs" / "small" / "lr-find.json"
    content = json.loads(curve.read_text())
    for field in content:
        curve.write_text(json.dumps({**content, field: PLANT}))
        require_harmless(Terminal, "check small.yaml --advice --runs runs")
