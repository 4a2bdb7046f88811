"""What is not a regular file, or is far too large, is refused in one line by what reads it."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command import run
from run_folders import write_run
from small import DOCUMENT

from netbuilder.config.loader import parse_architecture

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there are no pipes among files")

TEXT = DOCUMENT.replace("epochs: 3", "epochs: 1").replace(
    "for_last_epochs: 2", "for_last_epochs: 1"
)

INCLUDING = TEXT.replace("layers:", "include: [part.yaml]\nlayers:")


def listen(path: Path) -> None:
    """Create a socket, whose path may have a hundred characters."""
    with socket.socket(socket.AF_UNIX) as server:
        before = Path.cwd()
        os.chdir(path.parent)
        try:
            server.bind(path.name)
        finally:
            os.chdir(before)


def inflate(path: Path) -> None:
    """Create a file of a terabyte that takes no space on the disk."""
    with path.open("wb") as file:
        file.truncate(1 << 40)


KINDS: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a folder": Path.mkdir,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a socket": listen,
    "a circle": lambda path: path.symlink_to(path.name),
    "nothing": lambda path: path.symlink_to("nothing"),
    "larger": inflate,
}

READERS = {
    "document": (
        "check document", "summarize document", "train document", "lr-find document",
        "diff document small.yaml", "compare document", "report document --out report",
        "new b --from document", "export document --to python",
    ),
    "part.yaml": ("check including.yaml", "new b --from including.yaml"),
    "runs/small/R/config.json": (
        "runs runs", "compare runs", "results runs", "report runs --out report",
        "predict runs/small/R .", "evaluate runs/small/R", "export runs/small/R",
        "train --resume runs/small/R", "check small.yaml --advice",
    ),
    "runs/small/R/environment.json": ("runs runs", "compare runs", "train --resume runs/small/R"),
    "runs/small/R/metrics.jsonl": ("runs runs", "compare runs", "check small.yaml --advice"),
    "runs/small/R/result.json": ("runs runs", "results runs", "diff small.yaml runs/small/R"),
    "runs/small/R/evaluation.json": ("report runs --out report",),
    "runs/small/lr-find.json": ("check small.yaml --advice",),
    "runs/small/R/best.safetensors": (
        "predict runs/small/R small.yaml", "evaluate runs/small/R",
        "export runs/small/R --to safetensors --out weights",
    ),
    "runs/small/R/misclassified.png": ("report runs --out report",),
    "report/report.md": ("report small.yaml --out report",),
    "data/netbuilder/mnist.safetensors": ("train mnist.yaml --data-dir data",),
}  # fmt: skip


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with documents and a finished run."""
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(TEXT)
    Path("including.yaml").write_text(INCLUDING)
    Path("mnist.yaml").write_text(TEXT.replace("mnist5k", "mnist"))
    architecture = parse_architecture(TEXT, "small.yaml")
    write_run(Path("runs"), architecture, [(90, 90)], confused=[]).path.rename("runs/small/R")
    return tmp_path


def require_one_line(place: str, kind: str, command: str) -> None:
    """Require an answer, and no more than lines of text."""
    result = run(*command.split())
    label = (kind, place, command, result)
    assert result.code in (0, 1, 2, 3), label
    lines = (result.err + result.out * command.startswith("check")).splitlines()
    assert all(line.isprintable() and len(line) < 500 for line in lines), label
    assert lines or result.code in (0, 1), label
    for line in lines:
        assert "Traceback" not in line, label
        if kind in ("a pipe", "a device", "a socket") and line.startswith(f"{place}: "):
            assert "not a file" in line or "not a regular file" in line, label


def replaced(place: str) -> Iterator[str]:
    """Replace a path by each kind in turn, and yield the kind."""
    path = Path(place)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    for kind, create in KINDS.items():
        create(path)
        yield kind
        path.rmdir() if kind == "a folder" else path.unlink()


@pytest.mark.parametrize("place", READERS)
def test_a_place_that_is_not_a_file_is_refused(place: str, work: Path) -> None:
    """No command waits, ends in a traceback or prints more than its own lines."""
    for number, kind in enumerate(replaced(place)):
        command = READERS[place][number % len(READERS[place])]
        if not command.startswith("report runs") or kind == "a pipe":  # to draw plots takes time
            require_one_line(place, kind, command)


@pytest.mark.long
@pytest.mark.parametrize("place", READERS)
def test_every_command_refuses_a_place_that_is_not_a_file(place: str, work: Path) -> None:
    """All commands with all kinds."""
    for kind in replaced(place):
        for command in READERS[place]:
            require_one_line(place, kind, command)


def test_a_document_can_be_an_open_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell passes the output of a command by the path of a descriptor."""
    monkeypatch.chdir(tmp_path)
    reader, writer = os.pipe()
    os.write(writer, TEXT.encode())
    os.close(writer)
    try:
        assert run("check", f"/dev/fd/{reader}").code == 0
    finally:
        os.close(reader)
