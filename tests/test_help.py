"""Help whose examples run, and what a shell completes."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from PIL import Image
from small import DOCUMENT, run_until_stopped
from test_imports import HEAVY

from netbuilder.cli import app
from netbuilder.data import open_dataset
from netbuilder.loader import parse_architecture
from netbuilder.recipe.datasets import Mnist5k
from netbuilder.runs import Run
from netbuilder.training import train

ROOT = Path(__file__).parents[1]
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
SHORT = ["--dataset", "mnist5k", "--set", "targets={}"]
STAND_IN = {"train": SHORT, "bench": ["--steps", "1", "--rounds", "1"]}
"""What makes an example short enough for a test."""
SCRIPT = Path(sys.executable).with_name("netbuilder")


def examples(text: str) -> list[str]:
    """The command lines that a help text shows."""
    return re.findall(r"Example: (netbuilder .*)", text)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder: the documents, a run, a Python module with a network, and a picture."""
    folder = tmp_path_factory.mktemp("help")
    (folder / "archs").symlink_to(ROOT / "archs")
    text = DOCUMENT.split("targets:")[0].replace("epochs: 3", "epochs: 1")
    architecture = parse_architecture(text, "small.yaml")
    run_until_stopped(train(architecture, out=folder / "runs"))
    (folder / "mynets").mkdir()
    source = "from torch import nn\n\ndef net():\n    return nn.Sequential(nn.Conv2d(1, 4, 3))\n"
    (folder / "mynets" / "small.py").write_text(source)
    (folder / "digits").mkdir()
    image = open_dataset(Mnist5k()).test_images[3, 0]
    Image.fromarray(image.numpy()).save(folder / "digits" / "three.png")
    return folder


def as_a_shell(word: str, folder: Path) -> list[str]:
    """What a shell makes of a path with a star."""
    found = folder.glob(word) if "*" in word and "/" in word else ()
    return sorted(str(path.relative_to(folder)) for path in found) or [word]


def test_every_command_has_an_example_and_so_has_the_whole() -> None:
    """One at least, in its help."""
    assert examples(app.info.help or "")
    for name, command in COMMANDS.items():
        assert examples(command.help or ""), name


@pytest.mark.parametrize("name", COMMANDS)
def test_an_example_runs(name: str, folder: Path) -> None:
    """As it is written, but for what makes it short, and for the name of a run."""
    [real] = (folder / "runs" / "small").iterdir()
    for example in examples(COMMANDS[name].help):
        words = shlex.split(example)[1:]
        words = [re.sub(r"^runs/\w+/\S+", str(real.relative_to(folder)), word) for word in words]
        words = [one for word in words for one in as_a_shell(word, folder)]
        done = subprocess.run(
            [sys.executable, "-m", "netbuilder", *words, *STAND_IN.get(name, [])],
            cwd=folder, capture_output=True, text=True, check=False, timeout=300,
            env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{folder}"},
        )  # fmt: skip
        assert done.returncode == 0, (example, done.stderr)


def completed(line: str, cwd: Path) -> list[str]:
    """What bash is told to offer at the end of a line."""
    words = line.split(" ")
    done = subprocess.run(
        [SCRIPT], cwd=cwd, capture_output=True, text=True, check=False,
        env=os.environ
        | {
            "_NETBUILDER_COMPLETE": "complete_bash",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
        },
    )  # fmt: skip
    return done.stdout.split()


@pytest.mark.skipif(not SCRIPT.exists(), reason="the package is not installed here")
def test_a_shell_completes_documents_and_runs(folder: Path) -> None:
    """Documents by their ending, run folders the newest first, and the commands."""
    assert "summarize" in completed("netbuilder su", folder)
    found = completed("netbuilder train archs/iter1", folder)
    assert found == ["archs/iter1.yaml", "archs/iter10.yaml"]
    assert "archs/zoo/" in completed("netbuilder check archs/", folder)
    [run] = (folder / "runs" / "small").iterdir()
    older = run.with_name("2020-01-01T00-00-00-seed0")
    older.mkdir()
    (older / "config.json").write_text("{}")
    expected = [f"runs/small/{run.name}", f"runs/small/{older.name}"]
    assert completed("netbuilder evaluate runs/small", folder) == expected
    assert completed("netbuilder export archs/iter9", folder) == ["archs/iter9.yaml"]
    assert completed("netbuilder train no/where", folder) == []
    assert Run.open(run)
    (older / "config.json").unlink()
    older.rmdir()


def test_completing_imports_nothing_heavy() -> None:
    """A key press is not to wait for torch."""
    code = (
        "import sys\n"
        "from netbuilder.cli import app, completion\n"
        "completion.either('archs/')\n"
        f"print(*sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "\n"
