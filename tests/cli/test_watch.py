"""``--watch``: a document is shown again after each save of an editor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest
from command import run
from documents import SMALL

from netbuilder.cli._watch import saves
from netbuilder.network.check import check_document

BLOCKS = "values: {width: 4}\n"


class Watcher:
    """A command that watches, with its output."""

    def __init__(self, *arguments: str, cwd: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "netbuilder", *arguments, "--watch"],
            cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            # A process in the background of a shell inherits that Ctrl-C is ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )  # fmt: skip

    def until(self, words: str) -> list[str]:
        """Return the lines up to the first that contains ``words``."""
        assert self._process.stdout is not None
        lines = []
        for line in self._process.stdout:
            lines.append(line.rstrip("\n"))
            if words in line:
                return lines
        raise AssertionError(f"{words!r} was not printed: {lines}")

    def end(self) -> tuple[int, str]:
        """Interrupt it, and return its exit code and its errors."""
        self._process.send_signal(signal.SIGINT)
        _, errors = self._process.communicate(timeout=300)
        return self._process.returncode, errors


def save(path: Path, text: str) -> None:
    """Replace a file atomically, so that no incomplete file is read."""
    aside = path.with_suffix(".new")
    aside.write_text(text)
    aside.replace(path)


@pytest.fixture
def document(tmp_path: Path) -> Path:
    """A document to edit."""
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return path


@pytest.fixture
def watcher(document: Path) -> Iterator[Watcher]:
    """A watching summary of the document after its first output."""
    watcher = Watcher("summarize", "small.yaml", cwd=document.parent)
    watcher.until("target receptive field")
    yield watcher
    assert watcher.end() == (130, "")


def test_every_kind_of_save_is_shown(document: Path, watcher: Watcher) -> None:
    """The file is written in place, replaced by a rename, or moved and written again."""
    texts = {n: SMALL.replace("below: 1500", f"below: {n}") for n in (1501, 1502, 1503)}
    document.write_text(texts[1501])
    watcher.until("below 1,501")
    aside = document.with_suffix(".swp")
    aside.write_text(texts[1502])
    aside.replace(document)
    watcher.until("below 1,502")
    document.rename(document.with_suffix(".yaml~"))
    document.write_text(texts[1503])
    watcher.until("below 1,503")


def test_an_incomplete_save_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is missing or still grows is read again before it is shown."""
    path = tmp_path / "small.yaml"
    path.write_text("first")
    steps: Iterator[Callable[[], object]] = iter(
        [
            path.unlink,
            lambda: path.write_text("sec"),
            lambda: path.write_text("second"),
            lambda: None,
        ]
    )
    monkeypatch.setattr("netbuilder.cli._watch.time.sleep", lambda _: next(steps)())
    monkeypatch.setattr("netbuilder.cli._watch.PATIENCE", 600)
    looks = saves(lambda: [path])
    assert [path.read_text() for _ in islice(looks, 2)] == ["first", "second"]
    assert list(steps) == []


def test_several_documents_are_separated(document: Path) -> None:
    """An empty line follows each document, as without --watch."""
    (document.parent / "other.yaml").write_text(SMALL.replace("name: small", "name: other"))
    watcher = Watcher("summarize", "small.yaml", "other.yaml", cwd=document.parent)
    watcher.until("target receptive field")
    assert watcher.until("other  A small one") == ["", "other  A small one"]
    assert watcher.end() == (130, "")


def test_an_invalid_document_shows_the_layers_before_the_fault(
    document: Path, watcher: Watcher
) -> None:
    """It shows the rows, the fault with its line, and the totals of the last valid version."""
    save(document, SMALL.replace("- ReLU", "- Relu"))
    lines = watcher.until("last valid version: ")
    assert any(line.startswith("1 BatchNorm2d") for line in lines)
    assert not any(line.startswith("2 ") for line in lines)
    assert "small.yaml:7:5: layers[2]: unknown layer 'Relu'; did you mean ReLU?" in lines
    assert lines[-1].startswith("last valid version: 1,494 parameters, ")
    save(document, SMALL.replace("MaxPool2d: 2", "MaxPool2d: 20"))
    lines = watcher.until("last valid version: ")
    assert sum("layers[3].MaxPool2d: window 20x20 is larger" in line for line in lines) == 1
    save(document, SMALL.replace("layers:", "layers: ["))
    lines = watcher.until("last valid version: ")
    assert "not YAML" in lines[-2]
    document.unlink()
    assert "no such file" in watcher.until("last valid version: ")[-2]
    save(document, SMALL)
    watcher.until("met with 6 to spare")


def test_an_included_file_is_watched(tmp_path: Path) -> None:
    """A changed value in the included file changes the check of the document."""
    (tmp_path / "blocks.yaml").write_text(BLOCKS)
    text = SMALL.replace("out_channels: 4", 'out_channels: "${width}"')
    (tmp_path / "small.yaml").write_text(text + "include: blocks.yaml\n")
    watcher = Watcher("check", "small.yaml", cwd=tmp_path)
    watcher.until("small.yaml: ok")
    save(tmp_path / "blocks.yaml", BLOCKS.replace("4", "8"))
    lines = watcher.until("target receptive field")
    assert any("target parameters below 1,500: 2,978, not met" in line for line in lines)
    assert watcher.end() == (130, "")


def test_an_invalid_included_file_is_watched(tmp_path: Path) -> None:
    """Its errors and its absence are reported until it is valid."""
    (tmp_path / "blocks.yaml").write_text("values: {width: 4")
    text = SMALL.replace("out_channels: 4", 'out_channels: "${width}"')
    (tmp_path / "small.yaml").write_text(text + "include: blocks.yaml\n")
    watcher = Watcher("check", "small.yaml", cwd=tmp_path)
    watcher.until("not YAML")
    (tmp_path / "blocks.yaml").unlink()
    watcher.until("'blocks.yaml': no such file")
    save(tmp_path / "blocks.yaml", BLOCKS)
    watcher.until("small.yaml: ok")
    assert watcher.end() == (130, "")


def test_a_watched_check_equals_a_check(document: Path) -> None:
    """It counts the classes of the data set and prints the advice with --advice."""
    train = "train: {dataset: mnist, epochs: 1, batch_size: 64, optimizer: {SGD: {lr: 0.1}}}\n"
    text = SMALL.replace("[1, 12, 12]", "[1, 28, 28]").replace("below: 1500", "below: 9000")
    document.write_text(text.replace("Linear: 10", "Linear: 7") + train)
    watcher = Watcher("check", "small.yaml", "--advice", cwd=document.parent)
    assert any("mnist has 10 classes" in line for line in watcher.until("target receptive field"))
    save(document, text.replace(", bias: false", "") + train)
    lines = watcher.until("small.yaml: ok")
    assert any(line.startswith("advice: small.yaml:5:5: ") for line in lines)
    assert (
        lines[1:]
        == run("check", "--advice", str(document))
        .out.replace(str(document), "small.yaml")
        .splitlines()
    )
    assert watcher.end() == (130, "")


def test_a_resized_terminal_is_drawn_again(document: Path) -> None:
    """A table that no longer fits leaves out columns and names them."""
    parent, child = os.openpty()
    termios.tcsetwinsize(child, (24, 120))
    with subprocess.Popen(
        [sys.executable, "-m", "netbuilder", "summarize", document, "--watch"],
        stdout=child, env={k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")},
    ) as process:  # fmt: skip
        output = b""
        while b"target receptive field" not in output:
            output += os.read(parent, 4096)
        assert b"too narrow" not in output
        termios.tcsetwinsize(child, (24, 70))
        while b"too narrow for memory" not in output:
            output += os.read(parent, 4096)
        process.kill()
    os.close(child)
    os.close(parent)


def test_only_text_is_watched(document: Path) -> None:
    """Formats for programs are refused."""
    for command in ("summarize", "check"):
        result = run(command, str(document), "--watch", "--format", "json")
        message = "--watch shows text; leave --format json out\n"
        assert (result.code, result.err) == (2, message)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (SMALL, 6),
        (SMALL.replace("Linear: 10", "Linear: ten"), 5),
        (SMALL.replace("name: small", "name: [1]"), 6),
        ("blocks: {b: {layers: [ReLU, Relu]}}\n" + SMALL.replace("- Flatten", "- b"), 4),
        ("blocks: {b: {layers: [ReLU]}}\n" + SMALL.replace("- Flatten", "- c"), None),
        (SMALL.replace("- Conv2d", "- Conv9d"), None),
        ("layers: 3\n", None),
        ("- 3\n", None),
        ("[", None),
    ],
)
def test_the_layers_before_a_mistake_are_analyzed(
    text: str, count: int | None, tmp_path: Path
) -> None:
    """The valid layers before it are analyzed; a document without any has no analysis."""
    path = tmp_path / "some.yaml"
    path.write_text(text)
    analysis = check_document(path).analysis
    assert (analysis and len(analysis.architecture.layers)) == count
    assert os.listdir(tmp_path) == ["some.yaml"]  # noqa: PTH208
