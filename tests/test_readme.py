"""The README's examples, run; ``python tests/test_readme.py`` writes their output into it anew."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from small import small

from netbuilder.analysis import analyse
from netbuilder.layers import activation
from netbuilder.live import HEADER, closing_line, epoch_row, opening_line, verdict_table
from netbuilder.loader import parse_architecture
from netbuilder.runs import Run

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
TEXT = README.read_text(encoding="utf-8")
TRAIN = "netbuilder train archs/iter10.yaml"


def blocks(language: str) -> list[str]:
    """The contents of the README's blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def run(command: str, cwd: Path = ROOT) -> str:
    """What a command of this package prints, without the colours of a terminal."""
    arguments = shlex.split(command)
    assert arguments[0] == "netbuilder"
    done = subprocess.run(
        [sys.executable, "-m", "netbuilder", *arguments[1:]],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def transcripts() -> dict[str, str]:
    """Each command shown with its output."""
    return dict(
        re.match(r"\$ (.*)\n((?:.|\n)*)", block).groups()  # type: ignore[union-attr,misc]
        for block in blocks("console")
    )


QUICK = [command for command in transcripts() if command != TRAIN]


@pytest.mark.parametrize("command", QUICK)
def test_a_command_prints_what_the_readme_shows(command: str) -> None:
    """The output in the README is the command's own, character for character."""
    assert transcripts()[command] == run(command)


def recorded_training() -> str:
    """What the training of the tenth iteration printed behind its summary, from its record."""
    [folder] = (ROOT / "archs/results/iter10").glob("*-seed0")
    run = Run.open(folder)
    best, lines = 0.0, [opening_line(run), HEADER]
    for epoch in run.metrics:
        lines.append(epoch_row(epoch, best=epoch["test_accuracy"] > best))
        best = max(best, epoch["test_accuracy"])
    console = Console(color_system=None, width=200)
    assert run.result is not None
    with console.capture() as capture:
        console.print(verdict_table(run.result, plain=True))
    lines += [line.rstrip() for line in capture.get().splitlines()]
    shown = "\n".join([*lines, closing_line(run)]) + "\n"
    return "…\n" + shown.replace(str(folder.parent.parent), "runs")


def test_the_training_shown_is_the_recorded_one() -> None:
    """Every figure of the training in the README is that of the record in archs/results."""
    assert transcripts()[TRAIN] == recorded_training()


RESULTS = "netbuilder results archs/results --format markdown"
TABLE = re.compile(r"(?<=<!-- results -->\n).*?(?=<!-- /results -->)", re.S)


def test_the_table_of_the_iterations_is_made_from_the_records() -> None:
    """The command that the README names prints its table."""
    assert f"`{RESULTS}`" in TEXT
    assert TABLE.findall(TEXT) == [run(RESULTS)]


def test_the_training_command_works(tmp_path: Path) -> None:
    """The README's first command trains: here one epoch of the data inside the package."""
    printed = run(f"{TRAIN} --dataset mnist5k --epochs 1 --out {tmp_path}")
    assert HEADER in printed
    assert (next((tmp_path / "iter10").iterdir()) / "result.json").exists()


def test_other_commands_work(tmp_path: Path) -> None:
    """The commands that are named without their output run, on the small data set."""
    commands = [line for block in blocks("bash") for line in block.splitlines()]
    shown = [line for line in commands if line.startswith("netbuilder")]
    assert shown
    for command in shown:
        printed = run(f"{command} --dataset mnist5k --out {tmp_path}")
        assert "best test accuracy" in printed, printed


def test_every_document_is_sound() -> None:
    """The YAML in the README loads, fits together, and keeps the targets that need no training."""
    [document] = blocks("yaml")
    analysis = analyse(parse_architecture(document, "README.md"))
    assert analysis.fault is None
    assert analysis.parameters < 62_000


def test_the_python_examples_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first drives the public interface, the second makes a layer kind."""
    using, adding = blocks("python")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "archs").mkdir()
    document = json.dumps(small("train.epochs=1").model_dump(mode="json"))
    (tmp_path / "archs" / "iter10.yaml").write_text(document)
    exec(compile(using, "README.md", "exec", dont_inherit=True), {})
    assert (next((tmp_path / "runs" / "small").iterdir()) / "result.json").exists()

    made: dict[str, type[activation.ReLU]] = {}
    exec(compile(adding, "README.md", "exec", dont_inherit=True), made)
    kind = made["ChannelShuffle"].model_validate({"groups": 3})
    assert kind.build((6, 2, 2)).groups == 3
    assert kind.output_shape((6, 2, 2)) == (6, 2, 2)


def test_the_machine_check_runs_the_readmes_test_command() -> None:
    """.ci/run calls the very line that the README gives for the tests."""
    [_, tests] = [
        line for line in "".join(blocks("bash")).splitlines() if line.startswith("python3")
    ]
    assert tests.endswith(".venv/bin/pytest")
    assert tests in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def refreshed() -> str:
    """The README with the output of its quick commands made anew."""
    os.environ.setdefault("COLUMNS", "100")
    text = TEXT
    for command in (TRAIN, *QUICK):
        block = re.compile(rf"(```console\n\$ {re.escape(command)}\n).*?(?=^```$)", re.M | re.S)
        output = recorded_training() if command == TRAIN else run(command)
        text = block.sub(lambda match, output=output: match[1] + output, text)  # type: ignore[misc]
    return TABLE.sub(lambda _: run(RESULTS), text)


if __name__ == "__main__":
    README.write_text(refreshed(), encoding="utf-8")
