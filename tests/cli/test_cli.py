"""The frame of the command line: usage, errors, exit codes, output that nobody reads."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command import COMMAND, WRONGS, run, write_documents
from documents import SMALL

import netbuilder
from netbuilder.cli import _app as cli
from netbuilder.errors import ConfigError, DataError, MachineError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a document that is sound, one with a fault and one that is wrong."""
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
    """The message names what is wrong and goes to stderr."""
    done = run(*arguments)
    assert (done.code, done.out) == (2, "")
    assert message in done.err


def test_a_line_without_a_command_shows_the_help() -> None:
    """On stderr, for nothing was done."""
    done = run()
    assert (done.code, done.out) == (2, "")
    assert "Example: netbuilder summarize archs/iter10.yaml" in done.err


def test_the_version_is_told() -> None:
    """The program's name and the package's version."""
    done = run("--version")
    assert (done.code, done.out) == (0, f"netbuilder {netbuilder.__version__}\n")


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
    """Its message is printed as it is, once, and no traceback; Ctrl-C needs no words."""

    def raises() -> None:
        raise error

    monkeypatch.setattr("netbuilder.config.json_schema.schema_text", raises)
    assert run("schema") == (code, "", message)


def test_a_fault_of_the_program_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that no user made comes out as it is, for whoever has to find it."""

    def broken() -> None:
        raise ZeroDivisionError("a fault of the program")

    monkeypatch.setattr("netbuilder.config.json_schema.schema_text", broken)
    with pytest.raises(ZeroDivisionError, match="a fault of the program"):
        run("schema")


def test_a_title_beyond_the_encoding_is_shown_all_the_same(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    """What the output's encoding lacks is escaped."""
    (folder / "small.yaml").write_text(SMALL.replace("A small one", "Schön ☃"), encoding="utf-8")
    output = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(output, encoding="latin-1"))
    monkeypatch.setattr(sys, "argv", ["netbuilder", "summarize", "small.yaml"])
    with pytest.raises(SystemExit, match="0"):
        cli.main()
    assert output.getvalue().decode("latin-1").startswith("small  Schön \\u2603\n")


@pytest.mark.parametrize("arguments", [("schema",), ("check", "small.yaml")])
def test_a_reader_that_goes_away_is_no_error(folder: Path, arguments: tuple[str, ...]) -> None:
    """Nothing is said, whether the output fills the pipe or waits in the buffer till the end."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*COMMAND, *arguments], cwd=folder, stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (cli.PIPE_CLOSED, b"")


def test_it_runs_as_a_module(folder: Path) -> None:
    """``python -m netbuilder`` is the command line, exit codes included."""
    done = subprocess.run(
        [*COMMAND, "check", "wrong.yaml"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.splitlines(), done.stderr) == (2, WRONGS, "")
