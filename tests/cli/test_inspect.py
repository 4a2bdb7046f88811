"""The commands that look at documents: their output and exit codes."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest
from command import COMMAND, FAULT, PROBLEMS, run, write_documents
from documents import SMALL

from netbuilder.config.json_schema import document_schema


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a sound document, one with a shape error and an invalid one."""
    write_documents(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


# --- summarize -----------------------------------------------------------------------------------


def test_a_pipe_gets_plain_text() -> None:
    """Without --format, the table in a pipe is ASCII, without lines."""
    result = run("summarize", "small.yaml")
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[0] == "small  A small one"
    assert lines[1].startswith("layer          window   output  receptive field  jump")
    assert lines[2].startswith("0 Conv2d       3x3 p1  4x12x12          3 of 12     1")
    assert result.out.isascii()


def test_a_terminal_gets_a_table_and_a_fault_once(folder: Path) -> None:
    """Without --format, the table on a terminal has lines and colors; the fault is not repeated."""
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, "summarize", "faulty.yaml"],
        cwd=folder,
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "200", "PYTHONUTF8": "1"},
    ) as process:
        os.close(follower)
        chunks = []
        while chunk := _read(leader):
            chunks.append(chunk)
    os.close(leader)
    text = b"".join(chunks).decode()
    assert process.returncode == 2
    assert "─────" in text
    assert "\x1b[1" in text
    assert text.count("kernel 3x3 is larger than its input 4x2x2") == 1


def _read(terminal: int) -> bytes:
    """Return the next output of a terminal, or nothing after the process has ended."""
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux's error after the other side is closed
        return b""


def test_one_document_is_one_json_object() -> None:
    """Several documents are a list, in the order of the command."""
    assert json.loads(run("summarize", "small.yaml", "--format", "json").out)["name"] == "small"
    several = run("summarize", "small.yaml", "small.yaml", "--format", "json")
    assert [each["name"] for each in json.loads(several.out)] == ["small", "small"]


def test_a_fault_is_printed_and_exits_with_2() -> None:
    """The rows before it and the fault go to stdout, the fault alone to stderr."""
    result = run("summarize", "faulty.yaml")
    assert (result.code, result.err) == (2, FAULT + "\n")
    assert "1 MaxPool2d" in result.out
    assert result.out.endswith(FAULT + "\n")


@pytest.mark.parametrize("output", ["json", "markdown", "csv", "torchsummary"])
def test_a_fault_is_reported_in_every_format(output: str) -> None:
    """The exit code and the message on stderr do not depend on the format."""
    result = run("summarize", "faulty.yaml", "--format", output)
    assert (result.code, result.err) == (2, FAULT + "\n")
    assert "MaxPool2d" in result.out


def test_an_invalid_document_does_not_hide_the_others() -> None:
    """Readable documents are printed and compared; every problem of all documents is reported."""
    result = run("summarize", "wrong.yaml", "faulty.yaml", "none.yaml", "small.yaml")
    assert result.code == 2
    assert result.err.splitlines() == [FAULT, "none.yaml: no such file; check the path", *PROBLEMS]
    assert [line for line in result.out.splitlines() if line.startswith(("faulty ", "small "))] == [
        "small  A small one",
        "faulty       3   4x2x2                7          40  3,600  1.6 KiB  fault",
        "small        6      10               14       1,494  6,624  7.9 KiB  2 of 2 met",
    ]


def test_an_invalid_document_has_no_summary() -> None:
    """Each problem goes to stderr with its place, and stdout is empty."""
    result = run("summarize", "wrong.yaml")
    assert (result.code, result.out, result.err.splitlines()) == (2, "", PROBLEMS)


def test_a_folder_is_not_a_document() -> None:
    """The message names a document in the folder."""
    result = run("summarize", ".")
    assert (result.code, result.out) == (2, "")
    assert result.err == ".: it is a folder; name a document in it, such as faulty.yaml\n"


def test_csv_has_one_header() -> None:
    """Two documents share it."""
    lines = run("summarize", "small.yaml", "small.yaml", "--format", "csv").out.splitlines()
    assert [line.split(",")[0] for line in lines] == ["name"] + ["small"] * 12


# --- check ---------------------------------------------------------------------------------------


def test_check_of_a_sound_document() -> None:
    """It prints each target with its margin, then ok; the exit code is 0."""
    result = run("check", "small.yaml")
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines() == [
        "small.yaml: target parameters below 1,500: 1,494, met with 6 to spare",
        "small.yaml: target receptive field at least 12: 14, met with 2 to spare",
        "small.yaml: ok",
    ]


def test_check_of_a_target_that_is_not_met(folder: Path) -> None:
    """The target is reported, the document is not ok, and the exit code is 1."""
    (folder / "small.yaml").write_text(SMALL.replace("1500", "1494"))
    result = run("check", "small.yaml")
    assert (result.code, result.err) == (1, "")
    assert "1,494, not met, the bound itself is not allowed" in result.out
    assert "ok" not in result.out


def test_check_reports_every_problem_of_every_document() -> None:
    """Invalid fields, missing files and shape errors are listed between sound documents; code 2."""
    result = run("check", "wrong.yaml", "none.yaml", "small.yaml", "faulty.yaml")
    assert (result.code, result.err) == (2, "")
    assert [line for line in result.out.splitlines() if ": target " not in line] == [
        *PROBLEMS,
        "none.yaml: no such file; check the path",
        "small.yaml: ok",
        FAULT,
    ]


def test_an_invalid_document_outweighs_a_missed_target(folder: Path) -> None:
    """The exit code of both together is 2, in either order."""
    (folder / "missed.yaml").write_text(SMALL.replace("1500", "1494"))
    assert run("check", "missed.yaml", "wrong.yaml").code == 2
    assert run("check", "wrong.yaml", "missed.yaml").code == 2


def test_check_counts_the_classes(folder: Path) -> None:
    """A network without one output per class has a problem at its last layer."""
    text = SMALL.replace("[1, 12, 12]", "[1, 28, 28]").replace("Linear: 10", "Linear: 9")
    train = "train: {dataset: mnist, epochs: 1, optimizer: SGD}\n"
    (folder / "nine.yaml").write_text(text[: text.index("targets")] + train)
    result = run("check", "nine.yaml")
    assert result.code == 2
    assert result.out.startswith(
        "nine.yaml:10:5: layers[5].Linear: the network ends with 9 values, but mnist has 10 classes"
    )


def test_check_as_json() -> None:
    """Each document has an entry with its file, its problems with their places, and its targets."""
    result = run("check", "small.yaml", "faulty.yaml", "wrong.yaml", "--format", "json")
    assert (result.code, result.err) == (2, "")
    small, faulty, invalid = json.loads(result.out)
    assert (small["file"], small["problems"]) == ("small.yaml", [])
    assert [target["left"] for target in small["targets"]] == [6, 2]
    [problem] = faulty["problems"]
    assert (problem["line"], problem["column"], problem["field"]) == (6, 5, "layers[2].Conv2d")
    assert [target["met"] for target in faulty["targets"]] == [None]
    assert [problem["line"] for problem in invalid["problems"]] == [4, 5]


# --- schema --------------------------------------------------------------------------------------


def test_schema_is_printed_or_written(folder: Path) -> None:
    """Both outputs have the same text, and a file is replaced."""
    printed = run("schema")
    assert json.loads(printed.out) == document_schema()
    (folder / "s.json").write_text('{"$schema": "old"}')
    assert run("schema", "--out", "s.json").out == "wrote s.json\n"
    assert (folder / "s.json").read_text() == printed.out


def test_a_schema_is_not_written_into_a_missing_folder() -> None:
    """The message names the missing folder, and the exit code is 2."""
    result = run("schema", "--out", "none/s.json")
    assert (result.code, result.out) == (2, "")
    assert result.err == "--out none/s.json: there is no folder none; make it, or name another\n"


def test_a_schema_is_not_written_over_a_folder() -> None:
    """The message suggests the name of a file."""
    result = run("schema", "--out", ".")
    assert (result.code, result.out) == (2, "")
    assert result.err == "--out .: it is a folder; name a file, such as netbuilder.schema.json\n"
