"""Help whose examples run, and what a shell completes."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from command import run
from paths import ROOT
from PIL import Image
from small import DOCUMENT, run_until_stopped
from test_imports import HEAVY

from netbuilder.cli._app import COMMANDS as HELP_LINES
from netbuilder.cli._app import app
from netbuilder.cli.runs import VerdictName
from netbuilder.components.datasets import Mnist5k
from netbuilder.config.loader import parse_architecture
from netbuilder.data.open import open_dataset
from netbuilder.runs.listing import VERDICTS
from netbuilder.runs.run import Run
from netbuilder.training.loop import train

GROUP: Any = typer.main.get_command(app)
COMMANDS = {name: GROUP.get_command(None, name) for name in HELP_LINES}
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
def test_an_example_is_one_line_and_arguments_are_named_once(name: str) -> None:
    """As they come on a terminal of 80 columns, to be copied."""
    shown = run(name, "--help").out
    for example in examples(COMMANDS[name].help):
        assert f"  Example: {example}\n" in shown
    usage = shown.split("\n")[0]
    assert not re.search(r"\.\.\..*\.\.\.|\[\[", usage), usage


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
    words = re.split(r"(?<!\\) ", line)
    done = subprocess.run(
        [SCRIPT], cwd=cwd, capture_output=True, text=True, check=False,
        env=os.environ
        | {
            "_NETBUILDER_COMPLETE": "complete_bash",
            "COMP_WORDS": "\n".join(words),  # as typer's script joins them
            "COMP_CWORD": str(len(words) - 1),
        },
    )  # fmt: skip
    return done.stdout.strip().splitlines()


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


@pytest.mark.skipif(not SCRIPT.exists(), reason="the package is not installed here")
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("netbuilder export archs/iter10.yaml --to s", ["safetensors"]),
        ("netbuilder runs --verdict not", ["not-met", "not-judged"]),
        ("netbuilder new net --template ", ["plain", "residual", "mobile"]),
        ("netbuilder new net --from iter1", ["iter1", "iter10"]),
        ("netbuilder train --plugin nowhere --device c", ["cpu", "cuda"]),
        ("netbuilder train --epochs x --dataset mnist", ["mnist", "mnist5k"]),
        ("netbuilder bench --peers bound,ordinary-", ["bound,ordinary-0"]),
        ("netbuilder guide re", ["report", "reliability"]),
    ],
)
def test_a_shell_completes_what_an_option_allows(
    line: str, offered: list[str], folder: Path
) -> None:
    """Whatever stands before it, and without importing a plugin."""
    assert completed(line, folder) == offered


def test_every_option_that_names_its_values_offers_them() -> None:
    """A list in the help is a list for the shell."""
    listed = [
        (name, option)
        for name, command in COMMANDS.items()
        for option in command.params
        if option.type_descriptor.choices
    ]
    assert len(listed) > 20
    for name, option in listed:
        context = typer.Context(GROUP, info_name=name)
        offered = [item.value for item in option.shell_complete(context, "")]
        assert offered == list(option.type_descriptor.choices)
        assert f"<{'|'.join(offered)}>" in option.get_help_record(context)[0]


def test_verdicts_of_the_option_are_those_of_the_listing() -> None:
    """Each verdict of a run can be asked for, with a dash for the space."""
    assert [name.replace("-", " ") for name in get_args(VerdictName)] == list(VERDICTS)


def test_the_table_of_commands_is_complete() -> None:
    """It lists each module of the command line, with the first line of the command's help."""
    folder = ROOT / "netbuilder" / "cli"
    modules = {path.stem for path in folder.glob("*.py") if not path.stem.startswith("_")}
    assert {name.replace("-", "_") for name in HELP_LINES} == {name.rstrip("_") for name in modules}
    for name, line in HELP_LINES.items():
        assert COMMANDS[name].help.split("\n\n")[0] == line


def test_help_imports_no_command() -> None:
    """The list of commands needs none of their modules."""
    code = (
        "import sys\n"
        "from netbuilder.cli._app import app\n"
        "app(['--help'], standalone_mode=False)\n"
        "print(*sorted(name for name in sys.modules if name.startswith('netbuilder.cli.')))\n"
        "print('pydantic' in sys.modules, 'rich' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-2:] == [
        "netbuilder.cli._app netbuilder.cli._output",
        "False False",
    ]


@pytest.mark.parametrize("arguments", [(), *((name,) for name in HELP_LINES)], ids=" ".join)
def test_a_short_option_shows_the_help(arguments: tuple[str, ...]) -> None:
    """``-h`` is ``--help``, before a command and after it."""
    short, long = run(*arguments, "-h"), run(*arguments, "--help")
    assert short == long
    assert short.code == 0


@pytest.mark.skipif(not SCRIPT.exists(), reason="the package is not installed here")
def test_bash_gets_a_name_as_its_line_needs_it(tmp_path: Path) -> None:
    """Blanks and quotes are escaped where no quote is open; a single folder is looked into."""
    for name in ("two words.yaml", "it's.yaml", "pay$.yml", "other.txt"):
        (tmp_path / "nets" / "mine" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "nets" / "mine" / name).touch()
    names = [r"nets/mine/it\'s.yaml", r"nets/mine/pay\$.yml", r"nets/mine/two\ words.yaml"]
    assert completed("netbuilder check ne", tmp_path) == names
    assert completed('netbuilder check "nets/mine/tw', tmp_path) == ["nets/mine/two words.yaml"]


def test_completing_imports_nothing_heavy() -> None:
    """A key press is not to wait for torch."""
    code = (
        "import sys\n"
        "from netbuilder.cli import _app, _completion\n"
        "_completion.either('archs/')\n"
        f"print(*sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "\n"
