"""The examples of the help, and the completion of a shell."""

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
"""Options that make an example short enough for a test."""
SCRIPT = Path(sys.executable).with_name("netbuilder")


def examples(text: str) -> list[str]:
    """Return the example command lines of a help text."""
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


def expand(word: str, folder: Path) -> list[str]:
    """Expand a path with a star like a shell."""
    paths = folder.glob(word) if "*" in word and "/" in word else ()
    return sorted(str(path.relative_to(folder)) for path in paths) or [word]


def test_every_help_text_has_an_example() -> None:
    """The help of each command, and that of the program, has at least one example."""
    assert examples(app.info.help or "")
    for name, command in COMMANDS.items():
        assert examples(command.help or ""), name


@pytest.mark.parametrize("name", COMMANDS)
def test_an_example_is_one_line_and_each_argument_is_listed_once(name: str) -> None:
    """An example can be copied from a terminal of 80 columns, and the usage repeats no argument."""
    help_text = run(name, "--help").out
    for example in examples(COMMANDS[name].help):
        assert f"  Example: {example}\n" in help_text
    usage = help_text.split("\n")[0]
    assert not re.search(r"\.\.\..*\.\.\.|\[\[", usage), usage


@pytest.mark.parametrize("name", COMMANDS)
def test_an_example_runs(name: str, folder: Path) -> None:
    """It runs with options that make it short, and with the name of a real run."""
    [real] = (folder / "runs" / "small").iterdir()
    for example in examples(COMMANDS[name].help):
        words = shlex.split(example)[1:]
        words = [re.sub(r"^runs/\w+/\S+", str(real.relative_to(folder)), word) for word in words]
        words = [path for word in words for path in expand(word, folder)]
        process = subprocess.run(
            [sys.executable, "-m", "netbuilder", *words, *STAND_IN.get(name, [])],
            cwd=folder, capture_output=True, text=True, check=False, timeout=300,
            env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{folder}"},
        )  # fmt: skip
        assert process.returncode == 0, (example, process.stderr)


def completions(line: str, cwd: Path) -> list[str]:
    """Return the completions of bash at the end of a line."""
    words = re.split(r"(?<!\\) ", line)
    process = subprocess.run(
        [SCRIPT], cwd=cwd, capture_output=True, text=True, check=False,
        env=os.environ
        | {
            "_NETBUILDER_COMPLETE": "complete_bash",
            "COMP_WORDS": "\n".join(words),  # the format of typer's script
            "COMP_CWORD": str(len(words) - 1),
        },
    )  # fmt: skip
    return process.stdout.strip().splitlines()


@pytest.mark.skipif(not SCRIPT.exists(), reason="the package is not installed")
def test_a_shell_completes_documents_and_runs(folder: Path) -> None:
    """It completes commands, documents by their ending, and run folders from the newest on."""
    assert "summarize" in completions("netbuilder su", folder)
    documents = completions("netbuilder train archs/iter1", folder)
    assert documents == ["archs/iter1.yaml", "archs/iter10.yaml"]
    assert "archs/zoo/" in completions("netbuilder check archs/", folder)
    [run] = (folder / "runs" / "small").iterdir()
    older = run.with_name("2020-01-01T00-00-00-seed0")
    older.mkdir()
    (older / "config.json").write_text("{}")
    expected = [f"runs/small/{run.name}", f"runs/small/{older.name}"]
    assert completions("netbuilder evaluate runs/small", folder) == expected
    assert completions("netbuilder export archs/iter9", folder) == ["archs/iter9.yaml"]
    assert completions("netbuilder train no/where", folder) == []
    assert Run.open(run)
    (older / "config.json").unlink()
    older.rmdir()


@pytest.mark.skipif(not SCRIPT.exists(), reason="the package is not installed")
@pytest.mark.parametrize(
    ("line", "expected"),
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
def test_a_shell_completes_the_values_of_an_option(
    line: str, expected: list[str], folder: Path
) -> None:
    """Mistakes before it do not matter, and no plugin is imported."""
    assert completions(line, folder) == expected


def test_every_option_with_choices_completes_them() -> None:
    """The choices of the help are those of the shell."""
    options = [
        (name, option)
        for name, command in COMMANDS.items()
        for option in command.params
        if option.type_descriptor.choices
    ]
    assert len(options) > 20
    for name, option in options:
        context = typer.Context(GROUP, info_name=name)
        expected = [item.value for item in option.shell_complete(context, "")]
        assert expected == list(option.type_descriptor.choices)
        assert f"<{'|'.join(expected)}>" in option.get_help_record(context)[0]


def test_verdicts_of_the_option_are_those_of_the_listing() -> None:
    """Each verdict of a run is a value of the option, with a dash for the space."""
    assert [name.replace("-", " ") for name in get_args(VerdictName)] == list(VERDICTS)


def test_the_table_of_commands_is_complete() -> None:
    """It lists each module of the command line, with the first line of the command's help."""
    folder = ROOT / "netbuilder" / "cli"
    modules = {path.stem for path in folder.glob("*.py") if not path.stem.startswith("_")}
    assert {name.replace("-", "_") for name in HELP_LINES} == {name.rstrip("_") for name in modules}
    for name, line in HELP_LINES.items():
        assert COMMANDS[name].help.split("\n\n")[0] == line


def test_help_imports_no_command() -> None:
    """The list of commands loads none of their modules, pydantic or rich."""
    code = (
        "import sys\n"
        "from netbuilder.cli._app import app\n"
        "app(['--help'], standalone_mode=False)\n"
        "print(*sorted(name for name in sys.modules if name.startswith('netbuilder.cli.')))\n"
        "print('pydantic' in sys.modules, 'rich' in sys.modules)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert process.stdout.splitlines()[-2:] == [
        "netbuilder.cli._app netbuilder.cli._output",
        "False False",
    ]


@pytest.mark.parametrize("arguments", [(), *((name,) for name in HELP_LINES)], ids=" ".join)
def test_a_short_option_prints_the_help(arguments: tuple[str, ...]) -> None:
    """``-h`` equals ``--help``, with and without a command."""
    short, long = run(*arguments, "-h"), run(*arguments, "--help")
    assert short == long
    assert short.code == 0


@pytest.mark.skipif(not SCRIPT.exists(), reason="the package is not installed")
def test_bash_completions_are_quoted(tmp_path: Path) -> None:
    """Blanks and quotes are escaped outside quotes; a single folder is expanded."""
    for name in ("two words.yaml", "it's.yaml", "pay$.yml", "other.txt"):
        (tmp_path / "nets" / "mine" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "nets" / "mine" / name).touch()
    names = [r"nets/mine/it\'s.yaml", r"nets/mine/pay\$.yml", r"nets/mine/two\ words.yaml"]
    assert completions("netbuilder check ne", tmp_path) == names
    assert completions('netbuilder check "nets/mine/tw', tmp_path) == ["nets/mine/two words.yaml"]


def test_completion_imports_nothing_heavy() -> None:
    """Completing a path loads no heavy package."""
    code = (
        "import sys\n"
        "from netbuilder.cli import _app, _completion\n"
        "_completion.either('archs/')\n"
        f"print(*sorted({HEAVY!r} & set(sys.modules)))"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert process.stdout == "\n"
