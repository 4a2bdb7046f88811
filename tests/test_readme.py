"""The README's examples, run; ``python tests/test_readme.py`` writes their output into it anew."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from itertools import groupby
from pathlib import Path

import pytest
from documents import SMALL
from PIL import Image
from rich.console import Console
from small import run_until_stopped, small
from test_catalogue import LEFT_OUT

from netbuilder.components.datasets import Mnist5k
from netbuilder.components.layers import KINDS, reshape
from netbuilder.components.shapes import format_shape
from netbuilder.config.loader import load, parse_architecture
from netbuilder.data.open import open_dataset
from netbuilder.network.analysis import analyse
from netbuilder.network.testing import check_layer
from netbuilder.render.progress import HEADER, closing_line, epoch_row, opening_line, verdict_table
from netbuilder.runs.run import Run
from netbuilder.training.loop import train

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
    best, lines = 0.0, [opening_line(run.environment, run.path), HEADER]
    for epoch in run.metrics:
        lines.append(epoch_row(epoch, best=epoch.test_accuracy > best))
        best = max(best, epoch.test_accuracy)
    console = Console(color_system=None, width=200)
    assert run.result is not None
    with console.capture() as capture:
        console.print(verdict_table(run.result, plain=True))
    lines += [line.rstrip() for line in capture.get().splitlines()]
    shown = "\n".join([*lines, closing_line(run.result, run.path)]) + "\n"
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


CATALOGUE = re.compile(r"(?<=<!-- catalogue -->\n).*?(?=<!-- /catalogue -->)", re.S)
ZOO = re.compile(r"(?<=<!-- zoo -->\n).*?(?=<!-- /zoo -->)", re.S)


def catalogue() -> str:
    """Every kind by its family, and what is missing on purpose."""
    lines = ["| family | kinds |", "| --- | --- |"]
    for module, kinds in groupby(KINDS, key=lambda kind: kind.__module__):
        family = module.rpartition(".")[2]
        lines.append(f"| {family} | {', '.join(f'`{kind.kind}`' for kind in kinds)} |")
    reasons: dict[str, list[str]] = {}
    for name, reason in LEFT_OUT.items():
        reasons.setdefault(reason, []).append(f"`{name}`")
    missing = [f"| {reason} | {', '.join(names)} |" for reason, names in reasons.items()]
    what = "What `torch.nn` has beside these is left out for a reason:"
    return "\n".join([*lines, "", what, "", "| reason | left out |", "| --- | --- |", *missing, ""])


def zoo() -> str:
    """What the documents in archs/zoo are."""
    lines = [
        "| network | lines | parameters | MACs | input |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for path in sorted((ROOT / "archs/zoo").glob("*.yaml")):
        analysis = analyse(load(path))
        shape = format_shape(analysis.architecture.input)
        lines.append(
            f"| [{analysis.architecture.name}](archs/zoo/{path.name}) "
            f"| {len(path.read_text().splitlines())} | {analysis.parameters:,} "
            f"| {analysis.macs:,} | {shape} |"
        )
    return "\n".join([*lines, ""])


def test_the_catalogue_is_what_there_is() -> None:
    """The README's tables of kinds and of known networks are made from them."""
    assert CATALOGUE.findall(TEXT) == [catalogue()]
    assert ZOO.findall(TEXT) == [zoo()]


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
    lenet, resnet = (analyse(parse_architecture(text, "README.md")) for text in blocks("yaml"))
    assert lenet.fault is None
    assert lenet.parameters < 62_000
    assert resnet.fault is None
    assert resnet.output_shape == (10,)
    assert [row.title for row in resnet.folded(0)][2] == "Repeat 3"


def python(start: str) -> str:
    """The README's Python that begins with ``start``."""
    [text] = [block for block in blocks("python") if block.startswith(start)]
    return text


def test_the_public_interface_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the README does from Python loads, analyses, builds and trains."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "archs").mkdir()
    document = json.dumps(small("train.epochs=1").model_dump(mode="json"))
    (tmp_path / "archs" / "iter10.yaml").write_text(document)
    exec(compile(python("import netbuilder"), "README.md", "exec", dont_inherit=True), {})
    assert (next((tmp_path / "runs" / "small").iterdir()) / "result.json").exists()


def test_an_exported_file_is_read_without_netbuilder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The README's few lines give the class that `predict` gives."""
    monkeypatch.chdir(tmp_path)
    folder, _ = run_until_stopped(train(small("train.epochs=1"), out=tmp_path))
    image = open_dataset(Mnist5k()).test_images[7, 0]
    Image.fromarray(image.numpy()).save("digit.png")
    assert "wrote" in run(f"netbuilder export {folder} --to onnx --out iter10.onnx", tmp_path)
    exec(compile(python("# classify.py"), "README.md", "exec", dont_inherit=True), {})
    told = json.loads(run(f"netbuilder predict {folder} digit.png --format json", tmp_path))
    assert capsys.readouterr().out.strip() == told["predictions"][0]["class"]


def test_the_kind_that_is_added_works() -> None:
    """The class in the README is a layer kind like the one of its name."""
    made: dict[str, type[reshape.ChannelShuffle]] = {}
    text = python("from netbuilder.strict import Size")
    exec(compile(text, "README.md", "exec", dont_inherit=True), made)
    layer = made["ChannelShuffle"].model_validate({"groups": 3})
    assert layer.build((6, 2, 2)).groups == 3
    check_layer(layer, (6, 4, 5))


def test_a_layer_of_ones_own_keeps_the_contract(tmp_path: Path) -> None:
    """The package in the README passes the contract from outside, and trains as a plugin."""
    for text in blocks("python"):
        if named := re.match(r"# (scale/\w+\.py)\n", text):
            (tmp_path / "scale").mkdir(exist_ok=True)
            (tmp_path / named[1]).write_text(text)
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "scale"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed" in tested.stdout, tested.stdout
    document = SMALL.replace("layers:\n", "layers:\n  - Scale: 0.5\n", 1)
    (tmp_path / "net.yaml").write_text(document)
    printed = run("netbuilder summarize net.yaml --plugin scale.layers", cwd=tmp_path)
    assert "0 Scale" in printed


def test_every_room_of_the_house_is_named() -> None:
    """The table of where things are has each module and folder of the package, and no other."""
    table = TEXT.partition("## Where things are")[2].partition("Benchmarks:")[0]
    inside = (ROOT / "netbuilder").iterdir()
    rooms = {f"{path.name}/" if path.is_dir() else path.name for path in inside}
    rooms = {room for room in rooms if room.endswith((".py", "/")) and not room.startswith("__")}
    assert set(re.findall(r"`([a-z_0-9]+(?:\.py|/))`", table)) == rooms


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
    text = CATALOGUE.sub(lambda _: catalogue(), text)
    text = ZOO.sub(lambda _: zoo(), text)
    return TABLE.sub(lambda _: run(RESULTS), text)


if __name__ == "__main__":
    README.write_text(refreshed(), encoding="utf-8")
