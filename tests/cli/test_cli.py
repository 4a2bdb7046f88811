"""The command line as a whole: usage, errors, exit codes and closed pipes."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command import COMMAND, PROBLEMS, run, write_documents
from documents import SMALL

import netbuilder
from netbuilder.cli import _app as cli
from netbuilder.errors import ConfigError, DataError, MachineError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a sound document, one with a shape error and an invalid one."""
    write_documents(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("summarise", "small.yaml"), "no such command summarise; did you mean summarize?"),
        (("summarize",), "PATH is missing; example: netbuilder summarize archs/iter10.yaml"),
        (
            ("summarize", "small.yaml", "--frmat", "json"),
            "no such option --frmat; did you mean --format?",
        ),
        (("runs", "small.yaml"), "small.yaml: it is a file; name a folder of runs"),
        (("import", "a:b"), "--input is missing; example: netbuilder import mynets.small:net"),
        (("new", "a", "b"), "unexpected argument b; example: netbuilder new iter11 --from"),
        (
            ("check", "small.yaml", "--format"),
            "requires an argument; see netbuilder COMMAND --help",
        ),
        (("train", "small.yaml", "--epochs", "two"), "allowed: a whole number of at least 1"),
        (("train", "small.yaml", "--device", "tpu"), "allowed: auto, cpu, cuda, mps"),
        (("lr-find", "small.yaml", "--to", "-1"), "--to: found '-1'; allowed: a number above 0"),
        (("summarize", "small.yaml", "--format", "xml"), "--format: found 'xml'; allowed: rich,"),
        (("check", "small.yaml", "--format", "xml"), "--format: found 'xml'; allowed: text, json"),
    ],
)
def test_a_wrong_command_line_exits_with_2(arguments: tuple[str, ...], message: str) -> None:
    """The message names the mistake and goes to stderr."""
    result = run(*arguments)
    assert (result.code, result.out) == (2, "")
    assert message in result.err


def test_a_line_without_a_command_prints_the_help() -> None:
    """The help goes to stderr, and the exit code is 2."""
    result = run()
    assert (result.code, result.out) == (2, "")
    assert "Example: netbuilder summarize archs/iter10.yaml" in result.err


def test_the_version_is_printed() -> None:
    """The line has the program's name and the package's version."""
    result = run("--version")
    assert (result.code, result.out) == (0, f"netbuilder {netbuilder.__version__}\n")


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ConfigError("so"), 2, "so\n"),
        (MachineError("so"), 3, "so\n"),
        (DataError("so"), 3, "so\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_an_error_exits_with_its_code(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, message: str
) -> None:
    """Its message is printed once without a traceback; Ctrl-C has no message."""

    def raises() -> None:
        raise error

    monkeypatch.setattr("netbuilder.config.json_schema.schema_text", raises)
    assert run("schema") == (code, "", message)


def test_a_fault_of_the_program_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the program keeps its traceback."""

    def broken() -> None:
        raise ZeroDivisionError("a fault of the program")

    monkeypatch.setattr("netbuilder.config.json_schema.schema_text", broken)
    # Where an earlier test loaded a plugin, a line of this file would count as a line of one.
    monkeypatch.setattr("netbuilder.components.foreign_code._packages", set())
    with pytest.raises(ZeroDivisionError, match="a fault of the program"):
        run("schema")


def test_a_title_beyond_the_encoding_is_escaped(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    """A character that the output's encoding lacks is printed as an escape."""
    (folder / "small.yaml").write_text(SMALL.replace("A small one", "Schön ☃"), encoding="utf-8")
    output = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(output, encoding="latin-1"))
    monkeypatch.setattr(sys, "argv", ["netbuilder", "summarize", "small.yaml"])
    with pytest.raises(SystemExit, match="0"):
        cli.main()
    assert output.getvalue().decode("latin-1").startswith("small  Schön \\u2603\n")


@pytest.mark.parametrize("arguments", [("schema",), ("check", "small.yaml")])
def test_a_closed_pipe_is_not_an_error(folder: Path, arguments: tuple[str, ...]) -> None:
    """No message is printed, for output that fills the pipe and for output in the buffer."""
    reader, writer = os.pipe()
    os.close(reader)
    result = subprocess.run(
        [*COMMAND, *arguments], cwd=folder, stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert (result.returncode, result.stderr) == (cli.PIPE_CLOSED, b"")


def test_the_package_runs_as_a_module(folder: Path) -> None:
    """``python -m netbuilder`` is the command line with its exit codes."""
    result = subprocess.run(
        [*COMMAND, "check", "wrong.yaml"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout.splitlines(), result.stderr) == (2, PROBLEMS, "")


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_an_option_with_one_value_is_refused_twice(name: str) -> None:
    """Every such option of every command is, in both forms; it would lose a value in silence."""
    command = cli.CommandGroup().get_command(None, name)
    assert command is not None
    options = [option for option in command.params if cli.is_single_valued(option)]
    assert options or name == "guide"
    for option in options:
        for spelling in option.opts:
            result = run(name, spelling, "1", option.opts[0], "1")
            assert (result.code, result.out) == (2, "")
            assert f"{option.opts[0]}: found 2 values; allowed: one; leave" in result.err
            assert len(result.err.splitlines()) == 1


def test_flags_and_lists_may_be_repeated() -> None:
    """A flag has no value to lose, and a list has all of them."""
    assert run("check", "small.yaml", "--advice", "--advice").code == 0
    result = run("train", "small.yaml", "--set", "a=1", "--set", "b=2", "-q", "-q")
    assert "found 2 values" not in result.err
