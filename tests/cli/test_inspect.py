"""The commands that look at documents: what they print, and what they exit with."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest
from command import COMMAND, FAULT, WRONGS, run, write_documents
from documents import SMALL

from netbuilder.config.json_schema import document_schema


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a document that is sound, one with a fault and one that is wrong."""
    write_documents(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


# --- summarize -----------------------------------------------------------------------------------


def test_a_pipe_gets_plain_text() -> None:
    """Without --format, and where no terminal reads: no line below the header, no bars."""
    done = run("summarize", "small.yaml")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == "small  A small one"
    assert lines[1].startswith("layer          window   output  receptive field  jump")
    assert lines[2].startswith("0 Conv2d       3x3 p1  4x12x12          3 of 12     1")
    assert done.out.isascii()


def test_a_terminal_gets_a_table_and_a_fault_once(folder: Path) -> None:
    """Without --format, on a terminal: lines, colours, and no second message below the table."""
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
    shown = b"".join(chunks).decode()
    assert process.returncode == 2
    assert "─────" in shown
    assert "\x1b[1" in shown
    assert shown.count("kernel 3x3 is larger than its input 4x2x2") == 1


def _read(terminal: int) -> bytes:
    """What a terminal shows next; nothing once the process has gone."""
    try:
        return os.read(terminal, 65536)
    except OSError:  # how Linux says that the other side is closed
        return b""


def test_one_document_is_one_json_object() -> None:
    """Several are a list, in the order of the command."""
    assert json.loads(run("summarize", "small.yaml", "--format", "json").out)["name"] == "small"
    several = run("summarize", "small.yaml", "small.yaml", "--format", "json")
    assert [each["name"] for each in json.loads(several.out)] == ["small", "small"]


def test_a_fault_is_shown_and_exits_with_2() -> None:
    """The rows before it and the fault on stdout, the fault alone on stderr."""
    done = run("summarize", "faulty.yaml")
    assert (done.code, done.err) == (2, FAULT + "\n")
    assert "1 MaxPool2d" in done.out
    assert done.out.endswith(FAULT + "\n")


@pytest.mark.parametrize("output", ["json", "markdown", "csv", "torchsummary"])
def test_a_fault_is_told_in_every_format(output: str) -> None:
    """Scripts see the exit code and the message on stderr, whatever they read on stdout."""
    done = run("summarize", "faulty.yaml", "--format", output)
    assert (done.code, done.err) == (2, FAULT + "\n")
    assert "MaxPool2d" in done.out


def test_one_wrong_document_hides_no_other() -> None:
    """What can be read is shown and compared; every problem of all documents is told."""
    done = run("summarize", "wrong.yaml", "faulty.yaml", "none.yaml", "small.yaml")
    assert done.code == 2
    assert done.err.splitlines() == [FAULT, "none.yaml: no such file; check the path", *WRONGS]
    assert [line for line in done.out.splitlines() if line.startswith(("faulty ", "small "))] == [
        "small  A small one",
        "faulty       3   4x2x2                7          40  3,600  1.6 KiB  fault",
        "small        6      10               14       1,494  6,624  7.9 KiB  2 of 2 met",
    ]


def test_nothing_is_shown_of_a_document_that_cannot_be_read() -> None:
    """Its problems go to stderr, each with its place."""
    done = run("summarize", "wrong.yaml")
    assert (done.code, done.out, done.err.splitlines()) == (2, "", WRONGS)


def test_a_folder_is_no_document() -> None:
    """The message says so and what to do instead."""
    done = run("summarize", ".")
    assert (done.code, done.out) == (2, "")
    assert done.err == ".: it is a folder; name a document in it, such as faulty.yaml\n"


def test_csv_has_one_header() -> None:
    """However many documents there are."""
    lines = run("summarize", "small.yaml", "small.yaml", "--format", "csv").out.splitlines()
    assert [line.split(",")[0] for line in lines] == ["name"] + ["small"] * 12


# --- check ---------------------------------------------------------------------------------------


def test_check_of_a_sound_document() -> None:
    """Each target with what is left, then ok, and exit code 0."""
    done = run("check", "small.yaml")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "small.yaml: target parameters below 1,500: 1,494, met with 6 to spare",
        "small.yaml: target receptive field at least 12: 14, met with 2 to spare",
        "small.yaml: ok",
    ]


def test_check_of_a_target_that_is_not_met(folder: Path) -> None:
    """It is said, the document is not ok, and the exit code is 1."""
    (folder / "small.yaml").write_text(SMALL.replace("1500", "1494"))
    done = run("check", "small.yaml")
    assert (done.code, done.err) == (1, "")
    assert "1,494, not met, the bound itself is not allowed" in done.out
    assert "ok" not in done.out


def test_check_tells_every_problem_of_every_document() -> None:
    """Wrong fields, missing files and faults of shape, sound documents between them; code 2."""
    done = run("check", "wrong.yaml", "none.yaml", "small.yaml", "faulty.yaml")
    assert (done.code, done.err) == (2, "")
    assert [line for line in done.out.splitlines() if ": target " not in line] == [
        *WRONGS,
        "none.yaml: no such file; check the path",
        "small.yaml: ok",
        FAULT,
    ]


def test_a_wrong_document_outweighs_a_missed_target(folder: Path) -> None:
    """The exit code is 2 where both are found, in either order."""
    (folder / "missed.yaml").write_text(SMALL.replace("1500", "1494"))
    assert run("check", "missed.yaml", "wrong.yaml").code == 2
    assert run("check", "wrong.yaml", "missed.yaml").code == 2


def test_check_counts_the_classes(folder: Path) -> None:
    """A network that does not end with one value a class is wrong, at its last layer."""
    text = SMALL.replace("[1, 12, 12]", "[1, 28, 28]").replace("Linear: 10", "Linear: 9")
    train = "train: {dataset: mnist, epochs: 1, optimizer: SGD}\n"
    (folder / "nine.yaml").write_text(text[: text.index("targets")] + train)
    done = run("check", "nine.yaml")
    assert done.code == 2
    assert done.out.startswith(
        "nine.yaml:10:5: layers[5].Linear: the network ends with 9 values, but mnist has 10 classes"
    )


def test_check_as_json() -> None:
    """An entry a document: its file, its problems with their places, its targets."""
    done = run("check", "small.yaml", "faulty.yaml", "wrong.yaml", "--format", "json")
    assert (done.code, done.err) == (2, "")
    small, faulty, wrong = json.loads(done.out)
    assert (small["file"], small["problems"]) == ("small.yaml", [])
    assert [target["left"] for target in small["targets"]] == [6, 2]
    [problem] = faulty["problems"]
    assert (problem["line"], problem["column"], problem["field"]) == (6, 5, "layers[2].Conv2d")
    assert [target["met"] for target in faulty["targets"]] == [None]
    assert [problem["line"] for problem in wrong["problems"]] == [4, 5]


# --- schema --------------------------------------------------------------------------------------


def test_schema_is_printed_or_written(folder: Path) -> None:
    """To stdout, or to a file in its place; the same text."""
    printed = run("schema")
    assert json.loads(printed.out) == document_schema()
    (folder / "s.json").write_text("old")
    assert run("schema", "--out", "s.json").out == "wrote s.json\n"
    assert (folder / "s.json").read_text() == printed.out


def test_a_schema_has_no_folder_to_go_to() -> None:
    """A path through nothing is told in one line, with code 2."""
    done = run("schema", "--out", "none/s.json")
    assert (done.code, done.out) == (2, "")
    assert done.err == "--out none/s.json: there is no folder none; make it, or name another\n"


def test_a_schema_is_not_written_over_a_folder() -> None:
    """The message names a file that would do."""
    done = run("schema", "--out", ".")
    assert (done.code, done.out) == (2, "")
    assert done.err == "--out .: it is a folder; name a file, such as netbuilder.schema.json\n"
