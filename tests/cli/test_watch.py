"""A look that is taken again at each save, as an editor would make it."""

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
    """A command that watches, and what it prints."""

    def __init__(self, *arguments: str, cwd: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "netbuilder", *arguments, "--watch"],
            cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            # What runs in a shell's background hands on that it ignores Ctrl-C.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )  # fmt: skip

    def until(self, words: str) -> list[str]:
        """The lines up to the one with ``words`` in it."""
        assert self._process.stdout is not None
        lines = []
        for line in self._process.stdout:
            lines.append(line.rstrip("\n"))
            if words in line:
                return lines
        raise AssertionError(f"{words!r} was not printed: {lines}")

    def end(self) -> tuple[int, str]:
        """Interrupt it; its exit code and what it complained of."""
        self._process.send_signal(signal.SIGINT)
        _, errors = self._process.communicate(timeout=300)
        return self._process.returncode, errors


def save(path: Path, text: str) -> None:
    """Replace a file at once, so that no look finds half of it."""
    aside = path.with_suffix(".new")
    aside.write_text(text)
    aside.replace(path)


@pytest.fixture
def document(tmp_path: Path) -> Path:
    """A document to be edited."""
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return path


@pytest.fixture
def watcher(document: Path) -> Iterator[Watcher]:
    """The document's summary, drawn once."""
    watcher = Watcher("summarize", "small.yaml", cwd=document.parent)
    watcher.until("target receptive field")
    yield watcher
    assert watcher.end() == (130, "")


def test_each_save_is_drawn_however_it_is_made(document: Path, watcher: Watcher) -> None:
    """Written in place, renamed over, moved aside and written anew."""
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


def test_a_save_that_is_half_written_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is away, or still grows, is looked at again before it is drawn."""
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


def test_several_documents_stand_apart(document: Path) -> None:
    """An empty line behind each, as without --watch."""
    (document.parent / "other.yaml").write_text(SMALL.replace("name: small", "name: other"))
    watcher = Watcher("summarize", "small.yaml", "other.yaml", cwd=document.parent)
    watcher.until("target receptive field")
    assert watcher.until("other  A small one") == ["", "other  A small one"]
    assert watcher.end() == (130, "")


def test_a_broken_document_shows_what_stands_before_the_fault(
    document: Path, watcher: Watcher
) -> None:
    """Its rows up to there, the fault with its line, and the totals when it was last right."""
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


def test_what_a_document_includes_is_watched_too(tmp_path: Path) -> None:
    """A value in another file changes the check of this one."""
    (tmp_path / "blocks.yaml").write_text(BLOCKS)
    text = SMALL.replace("out_channels: 4", 'out_channels: "${width}"')
    (tmp_path / "small.yaml").write_text(text + "include: blocks.yaml\n")
    watcher = Watcher("check", "small.yaml", cwd=tmp_path)
    watcher.until("small.yaml: ok")
    save(tmp_path / "blocks.yaml", BLOCKS.replace("4", "8"))
    lines = watcher.until("target receptive field")
    assert any("target parameters below 1,500: 2,978, not met" in line for line in lines)
    assert watcher.end() == (130, "")


def test_a_wrong_included_file_is_watched_from_the_start(tmp_path: Path) -> None:
    """Whether it is wrong or not there."""
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


def test_a_watched_check_says_what_a_check_says(document: Path) -> None:
    """The classes that the data set has, and the advice where it is asked for."""
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


def test_a_terminal_that_changes_its_size_is_drawn_anew(document: Path) -> None:
    """For a table that no longer fits leaves columns out, and says which."""
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, 120))
    with subprocess.Popen(
        [sys.executable, "-m", "netbuilder", "summarize", document, "--watch"],
        stdout=theirs, env={k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")},
    ) as process:  # fmt: skip
        shown = b""
        while b"target receptive field" not in shown:
            shown += os.read(ours, 4096)
        assert b"too narrow" not in shown
        termios.tcsetwinsize(theirs, (24, 70))
        while b"too narrow for memory" not in shown:
            shown += os.read(ours, 4096)
        process.kill()
    os.close(theirs)
    os.close(ours)


def test_only_text_is_watched(document: Path) -> None:
    """Other formats are for programs, which ask again themselves."""
    for command in ("summarize", "check"):
        ran = run(command, str(document), "--watch", "--format", "json")
        told = "--watch shows text; leave --format json out\n"
        assert (ran.code, ran.err) == (2, told)


@pytest.mark.parametrize(
    ("text", "kept"),
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
def test_the_layers_before_a_mistake_are_kept(text: str, kept: int | None, tmp_path: Path) -> None:
    """As many as are right; none where nothing can be told."""
    path = tmp_path / "some.yaml"
    path.write_text(text)
    analysis = check_document(path).analysis
    assert (analysis and len(analysis.architecture.layers)) == kept
    assert os.listdir(tmp_path) == ["some.yaml"]  # noqa: PTH208
