"""Every command that netbuilder prints works as printed, in a shell."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from budgets import examples
from command import Result, run
from hypothesis import given
from hypothesis import strategies as st
from paths import ROOT
from run_folders import write_run
from small import DOCUMENT

from netbuilder._text.commands import (
    REPEATED,
    command,
    command_line,
    repeat,
    resume_command,
    shell_word,
)
from netbuilder.cli import train as train_command
from netbuilder.cli._app import COMMANDS, CommandGroup
from netbuilder.cli._signals import Stop
from netbuilder.config.loader import load

PLUGIN = '''
from netbuilder.plugin import Elementwise

class Unchanged(Elementwise):
    """x."""

    def build(self, x):
        from torch import nn

        return nn.Identity()
'''
NET = """\
name: small
include: parts/blocks.yaml
input: [1, 28, 28]
layers: [{MaxPool2d: 4}, Unchanged, Flatten, head]
train: {dataset: mnist5k, epochs: 1, batch_size: 1000, optimizer: {SGD: 0.1}}
"""
PARTS = "blocks: {head: {layers: [{Linear: 10}]}}\n"
HARD = 'it\'s my "ünï→"; $HOME\n~\x1b[31m'
"""A name of a folder with what a shell treats specially."""
COMMAND = re.compile(r"netbuilder [a-z-]+ .*")


def arguments(line: str) -> list[list[str]]:
    """The arguments of each command of a line, as a shell passes them on."""
    function = 'netbuilder() { printf "%s\\0" "$@" "end of command"; }'
    result = subprocess.run(
        ["bash", "-c", f"{function}; {line}"], capture_output=True, check=True
    )  # fmt: skip
    assert result.stderr == b""
    words = os.fsdecode(result.stdout).split("\0")[:-1]
    parts: list[list[str]] = [[]]
    for word in words:
        if word == "end of command":
            parts.append([])
        else:
            parts[-1].append(word)
    return parts[:-1]


def run_line(text: str) -> list[Result]:
    """Run the commands in a line of output; the last word may end a sentence."""
    match = COMMAND.search(text)
    assert match, text
    return [run(*words) for words in arguments(match[0])]


def line_with(text: str, start: str) -> str:
    """The line of an output that has a text."""
    [line] = [line for line in text.splitlines() if start in line]
    return line


@pytest.fixture
def folder(plugin_folder: Path) -> Path:
    """A folder with a plugin and a document that includes another and uses the plugin."""
    (plugin_folder / "kinds.py").write_text(PLUGIN)
    (plugin_folder / "parts").mkdir()
    (plugin_folder / "parts" / "blocks.yaml").write_text(PARTS)
    (plugin_folder / "net.yaml").write_text(NET)
    return plugin_folder


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C stops the first training at its second step."""
    sessions: list[Stop] = []

    class First(Stop):
        def __init__(self) -> None:
            super().__init__()
            sessions.append(self)
            self.calls = 0

        def __call__(self) -> int:
            self.calls += 1
            return 2 if self is sessions[0] and self.calls > 1 else 0

    monkeypatch.setattr(train_command, "Stop", First)


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))))
@examples(20, 500)
def test_a_word_reaches_the_command_unchanged(words: list[str]) -> None:
    """Whatever characters it has; the line has only printable ones."""
    line = " ".join(["netbuilder", *map(shell_word, words)])
    assert line.isprintable()
    assert arguments(line) == [words]


@pytest.mark.parametrize("option", list(REPEATED))
def test_an_option_is_repeated_where_it_is_accepted(option: str) -> None:
    """The table has exactly the commands that have the option."""
    group = CommandGroup(name="netbuilder")
    accepting = set()
    for name in COMMANDS:
        parsed = group.get_command(None, name)
        assert parsed is not None
        if any(option in parameter.opts for parameter in parsed.params):
            accepting.add(name)
    assert accepting == set(REPEATED[option])


def test_no_command_is_printed_by_hand() -> None:
    """One function quotes the paths in commands."""
    names = "|".join(COMMANDS)
    for path in (ROOT / "netbuilder").rglob("*.py"):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            by_hand = re.search(rf"netbuilder ({names})\b [^`\"]*{{", line)
            assert not by_hand, f"{path}:{number}: {line}"


def test_options_end_with_their_command_line() -> None:
    """The next command line starts without them, and no option is repeated twice."""
    with command_line():
        repeat("--plugin", "a")
        repeat("--plugin", "a")
        repeat("--data-dir", Path("-d"))
        assert command("check", Path("-x")) == "netbuilder check ./-x --plugin a"
        assert resume_command(Path("r"), data_dir="e").endswith(
            "--resume r --data-dir e --plugin a"
        )
        assert command("train").endswith("--data-dir ./-d")
    assert command("train", Path("x")) == "netbuilder train x"


@pytest.mark.usefixtures("stopped")
def test_a_stopped_training_is_resumed(folder: Path) -> None:
    """The command has the plugin, the logger and the folder of data sets."""
    out, data = folder / HARD / "out", folder / HARD / "data"
    data.mkdir(parents=True)
    options = ["--plugin", "kinds", "--logger", "tensorboard", "--data-dir", str(data)]
    result = run("train", "net.yaml", "-q", "--out", str(out), *options)
    assert result.code == 130, result.err
    line = line_with(result.err, "resume with: ")
    [words] = arguments(line.partition("resume with: ")[2])
    assert words[:2] == ["train", "--resume"]
    assert sorted(words[3:]) == sorted(options)
    [resumed] = run_line(line)
    assert resumed.code == 0, resumed.err
    assert (next((out / "small").iterdir()) / "tensorboard").is_dir()


@pytest.mark.usefixtures("stopped")
def test_an_unfinished_run_is_resumed(folder: Path) -> None:
    """`results`, `evaluate` and `diff` print the command, which finishes the run."""
    assert run("train", "net.yaml", "-q", "--plugin", "kinds", "--out", "-o p").code == 130
    [unfinished] = (folder / "-o p" / "small").iterdir()
    path = f"./{unfinished.relative_to(folder)}"
    for line in (
        run("results", "./-o p", "--plugin", "kinds").err,
        run("evaluate", path, "--plugin", "kinds").err,
        run("diff", path, path, "--plugin", "kinds").out,
    ):
        [words] = {tuple(*arguments(match[0])) for match in COMMAND.finditer(line)}
        assert words == ("train", "--resume", path, "--plugin", "kinds"), line
    [resumed] = run_line(line)
    assert resumed.code == 0, resumed.err
    assert run("results", "./-o p", "--plugin", "kinds").err == ""


def test_an_untrained_document_is_trained(folder: Path) -> None:
    """`diff` prints the command, which trains it where the next `diff` looks."""
    (folder / "it's mine").mkdir()
    document = Path("it's mine/a b.yaml")
    (folder / document).write_text(DOCUMENT.replace("epochs: 3", "epochs: 1"))
    (folder / "-r s").mkdir()
    look = ("diff", str(document), str(document), "--runs", "./-r s")
    line = run(*look).out.splitlines()[-1]
    assert "no finished run; to train it: " in line
    [result] = run_line(line)
    assert result.code in (0, 1), result.err
    assert "no finished run" not in run(*look).out


def test_records_without_weights_are_trained_again(folder: Path) -> None:
    """The document of the run folder finds the files that it includes."""
    run("train", "net.yaml", "-q", "--plugin", "kinds", "--seed", "3", "--out", "a b")
    [trained] = (folder / "a b" / "small").iterdir()
    for weights in trained.glob("*.safetensors"):
        weights.unlink()
    (folder / "parts" / "blocks.yaml").unlink()
    result = run("evaluate", str(trained.relative_to(folder)), "--plugin", "kinds")
    assert result.code == 3
    [words] = arguments(result.err[result.err.index("netbuilder train") :])
    assert words[2:] == ["--seed", "3", "--plugin", "kinds"]
    [again] = run_line(result.err)
    assert again.code == 0, again.err


@pytest.mark.parametrize("hard", [HARD, "-dash"])
def test_a_draft_is_checked_and_trained(hard: str, folder: Path) -> None:
    """`new` prints both commands, and that for the schema."""
    (folder / hard).mkdir()
    (folder / "small.yaml").write_text(DOCUMENT.replace("epochs: 3", "epochs: 1"))
    out = f"{hard}/next.yaml" if hard[0] != "-" else f"./{hard}/next.yaml"
    result = run("new", "next", "--from", "small.yaml", "--out", out, "--plugin", "kinds")
    assert result.code == 0, result.err
    commands = arguments(line_with(result.out, "then: ").partition("then: ")[2])
    assert [words[0] for words in commands] == ["check", "train"]
    for words in commands:
        assert words[2:] == ["--plugin", "kinds"]
        assert load(words[1]).name == "next"
    assert run(*commands[0]).code in (0, 1)


def test_the_guide_that_messages_name_exists() -> None:
    """`netbuilder guide PAGE` is a page."""
    texts = "".join(path.read_text() for path in (ROOT / "netbuilder").rglob("*.py"))
    for page in set(re.findall(r"netbuilder guide ([a-z-]+)", texts)):
        assert run("guide", page).code == 0, page


def test_force_replaces_the_file_that_it_is_named_for(folder: Path) -> None:
    """The command that was refused works with the option that the refusal names."""
    (folder / "small.yaml").write_text(DOCUMENT)
    write_run(folder / "runs", load("small.yaml"), [(90, 90)] * 3)
    (folder / "x.png").write_text("")
    (folder / "x.yaml").write_text("")
    for words in (
        ("new", "x", "--from", "small.yaml", "--out", "x.yaml"),
        ("export", "small.yaml", "--out", "x.yaml"),
        ("compare", "small.yaml", "--out", "x.png"),
    ):
        refused = run(*words)
        assert (refused.code, "--force" in refused.err) == (2, True), refused
        assert run(*words, "--force").code == 0
