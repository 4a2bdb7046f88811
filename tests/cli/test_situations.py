"""Each command in an empty folder, on an incomplete run, a changed document and a read-only disk.

A row of a table has a command line, its exit code, words of exactly one line of its output, and
optionally the path that it creates. Apart from that path the folder stays unchanged.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from command import Result, run
from PIL import Image
from small import DOCUMENT

from netbuilder._files import exclusive_lock
from netbuilder.components.datasets import Mnist5k
from netbuilder.data.open import open_dataset

TEXT = DOCUMENT.replace("epochs: 3", "epochs: 1").split("targets:")[0]
RUN = Path("runs/small/R")
CODE = "from torch import nn\n\nnet = nn.Sequential(nn.Conv2d(1, 4, 3))\n"
NEEDED = {"onnx": "onnxruntime", "tensorboard": "tensorboard"}
"""Packages of extras that some rows need, by a word of the command line."""


def rows(table: str) -> list[tuple[str, ...]]:
    """Return the cells of a table's lines."""
    lines = [line for line in table.splitlines() if line.strip()]
    return [tuple(cell.strip() for cell in line.split(" | ")) for line in lines]


def tree(folder: Path) -> dict[str, str]:
    """Return each path below a folder with a hash of its content."""
    digests = {}
    for path in folder.rglob("*"):
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        digests[str(path.relative_to(folder))] = content
    return digests


def check_row(line: str, code: str, words: str, created: str = "") -> Result:
    """Run a command line in the current folder and compare it with its row."""
    for word, package in NEEDED.items():
        if word in line and find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    before, work = tree(Path()), Path(os.environ["TMPDIR"])
    result = run(*line.split())
    after = tree(Path())
    assert result.code == int(code), result
    lines = (result.out + result.err).splitlines()
    assert sum(words in text for text in lines) == 1, result
    if result.code in (2, 3) and not line.startswith("bench"):  # which prints its rounds
        lines = (result.err or result.out).splitlines()
        assert len([text for text in lines if "left out, not finished" not in text]) == 1, result
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert {name for name in changed if not (created and name.startswith(created))} == set()
    assert changed or not created
    assert list(work.iterdir()) == []
    return result


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with documents, a run, an empty folder, a picture and a module."""
    base = tmp_path_factory.mktemp("base")
    (base / "small.yaml").write_text(TEXT)
    assert run("train", str(base / "small.yaml"), "-q", "--out", str(base / "runs")).code == 0
    [folder] = (base / "runs" / "small").iterdir()
    folder.rename(base / RUN)
    (base / "two.yaml").write_text(TEXT.replace("epochs: 1", "epochs: 2"))
    (base / "nets.py").write_text(CODE)
    (base / "empty").mkdir()
    Image.fromarray(open_dataset(Mnist5k()).test_images[3, 0].numpy()).save(base / "digit.png")
    return base


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files, which must be empty after a command."""
    work = tmp_path / "tmp"
    work.mkdir()
    monkeypatch.setenv("TMPDIR", str(work))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setitem(sys.modules, "nets", None)
    del sys.modules["nets"]  # a module of the folder, which an earlier row may have imported
    return work


@pytest.fixture
def folder(base: Path, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the base as the working folder."""
    folder = tmp_path / "copy"
    shutil.copytree(base, folder)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    return folder


# --- an empty folder -----------------------------------------------------------------------------

NOTHING = """
new b --from small                  | 2 | no such document; . and archs have none
new ../b --template plain           | 2 | allowed: at most 64 of a to z, A to Z, digits, dots
summarize small.yaml                | 2 | small.yaml: no such file; check the path
summarize .                         | 2 | .: it is a folder; name a document; it has none
check small.yaml --advice           | 2 | small.yaml: no such file; check the path
draw small.yaml --out none/s.svg    | 2 | there is no folder none; make it, or name another
draw runs/small/R                   | 2 | runs/small/R: no such file; check the path
train small.yaml                    | 2 | small.yaml: no such file; check the path
train small.yaml --resume auto      | 2 | small.yaml: no such file; check the path
train --resume auto                 | 2 | name a document, such as archs/iter10.yaml
train --resume .                    | 2 | .: not a run folder: it has no config.json; name a folder
train --resume runs/small/R         | 2 | no such folder; name a folder that `train` created
evaluate runs/small/R               | 2 | no such folder; name a folder that `train` created
predict runs/small/R digit.png      | 2 | no such folder; name a folder that `train` created
lr-find small.yaml                  | 2 | small.yaml: no such file; check the path
diff small.yaml small.yaml          | 2 | small.yaml: no such file; check the path
runs                                | 2 | runs: no such folder; `netbuilder train` creates it
compare runs                        | 2 | runs: no such file; check the path
results runs                        | 2 | runs: no such folder; `netbuilder train` creates them
report runs                         | 2 | runs: no such file; check the path
bench                               | 2 | archs/iter10.yaml: no such file; check the path
import nets:net --input 1,28,28     | 2 | cannot be imported: ModuleNotFoundError: No module named
export small.yaml                   | 2 | small.yaml: no such file; check the path
export runs/small/R --to onnx       | 2 | no such folder; name a folder that `train` created
schema --out none/s.json            | 2 | there is no folder none; make it, or name another
"""


@pytest.mark.parametrize("row", rows(NOTHING), ids=lambda row: row[0])
def test_a_command_in_an_empty_working_folder(
    row: tuple[str, ...], work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the missing path and the one to give; nothing is created."""
    (tmp_path / "nothing").mkdir()
    monkeypatch.chdir(tmp_path / "nothing")
    check_row(*row)


EMPTY = """
new b --from empty                            | 2 | --from empty: no such document
new b --from small.yaml --out empty           | 2 | --out empty: it is a folder; name a file in it
new b --from small.yaml --out none/b.yaml     | 2 | there is no folder none; make it, or name another
summarize empty                               | 2 | empty: it is a folder; name a document; it has none
check empty                                   | 2 | empty: it is a folder; name a document; it has none
check small.yaml --advice --runs empty        | 0 | small.yaml: ok
check small.yaml --advice --runs none         | 2 | --runs none: no such folder; name the one that
train empty                                   | 2 | empty: it is a folder; name a document; it has none
train --resume empty                          | 2 | empty: not a run folder: it has no config.json
train small.yaml --out digit.png              | 2 | --out digit.png: it is a file; name a folder
train small.yaml -q --resume auto --out empty | 0 | best test accuracy | empty/
evaluate empty                                | 2 | empty: not a run folder: it has no config.json
evaluate digit.png                            | 2 | digit.png: a file, not a run folder; name a folder
predict empty digit.png                       | 2 | empty: not a run folder: it has no config.json
predict runs/small/R empty                    | 2 | empty: no image in it; allowed: files that end
lr-find empty                                 | 2 | empty: it is a folder; name a document; it has none
lr-find small.yaml --out digit.png            | 2 | --out digit.png: it is a file; name a folder
diff small.yaml empty                         | 2 | empty: not a run folder: it has no config.json
runs empty                                    | 0 | no run in it; `netbuilder train` creates them
runs empty --verdict met                      | 0 | empty: no run in it; `netbuilder train` creates them
compare empty                                 | 2 | empty: no run folder in it; `netbuilder train` creates them
compare small.yaml --runs empty               | 0 | no runs of small in empty; train them, or name the folder of their runs
compare small.yaml --runs none                | 2 | --runs none: no such folder; name the one that
compare small.yaml --out empty                | 2 | --out empty: it is a folder; name a file in it
compare small.yaml --out none/c.png           | 2 | there is no folder none; make it, or name another
results empty                                 | 2 | empty: no run folder in it; `netbuilder train` creates them
report empty                                  | 2 | empty: no run folder in it; `netbuilder train` creates them
report small.yaml --out digit.png             | 2 | --out digit.png: it is a file; name a folder
report small.yaml --out empty                 | 0 | 1 finished run | empty/
bench empty                                   | 2 | empty: it is a folder; name a document; it has none
bench small.yaml --steps 1 --peers netbuilder | 2 | but the document has 42 on mnist5k; use fewer --steps
import nets:net --input 1,28,28 --out empty   | 2 | --out empty: it is a folder; name a file in it
draw empty                                    | 2 | empty: not a run folder: it has no config.json
draw small.yaml --out empty                   | 2 | --out empty: it is a folder; name a file in it
draw runs/small/R --set train.epochs=2        | 2 | runs/small/R is a run folder; name a document
export empty                                  | 2 | empty: not a run folder: it has no config.json
export empty --to safetensors                 | 2 | empty: not a run folder: it has no config.json
export small.yaml --out empty                 | 2 | --out empty: it is a folder; name a file in it
export runs/small/R --to onnx --out none/o    | 2 | there is no folder none; make it, or name another
schema --out empty                            | 2 | --out empty: it is a folder; name a file, such as
"""  # noqa: E501  # one line per row


@pytest.mark.parametrize("row", rows(EMPTY), ids=lambda row: row[0])
def test_a_command_on_an_empty_folder(row: tuple[str, ...], folder: Path) -> None:
    """It is neither a document nor a run nor a file to replace, but a place to write into."""
    check_row(*row)


# --- an incomplete run ---------------------------------------------------------------------------


def without(*names: str) -> Callable[[Path], None]:
    """Remove files of the run."""

    def change(folder: Path) -> None:
        for name in names:
            path = folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return change


def cut(*names: str) -> Callable[[Path], None]:
    """Truncate files to their first half."""

    def change(folder: Path) -> None:
        for pattern in names:
            for path in folder.glob(pattern):
                path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return change


def chain(*changes: Callable[[Path], None]) -> Callable[[Path], None]:
    """Apply changes in turn."""

    def change(folder: Path) -> None:
        for each in changes:
            each(folder)

    return change


def hidden(folder: Path) -> None:
    """Rename the run to its name during creation; no process has this number."""
    folder.rename(folder.with_name(".R.999999999.tmp"))


def emptied(folder: Path) -> None:
    """Remove the checkpoints, as in records without large files."""
    for path in (folder / "checkpoints").iterdir():
        path.unlink()


UNFINISHED = without("result.json", "evaluation.json", "curves.png", "misclassified.png")
STAGES: dict[str, Callable[[Path], None]] = {
    "in creation": hidden,
    "started": chain(UNFINISHED, without("metrics.jsonl", "best.safetensors", "last.safetensors")),
    "unfinished": UNFINISHED,
    "no environment": without("environment.json"),
    "config cut": cut("config.json"),
    "metrics lost": without("metrics.jsonl"),
    "metrics cut": cut("metrics.jsonl"),
    "result cut": cut("result.json"),
    "evaluation cut": cut("evaluation.json"),
    "weights lost": without("best.safetensors", "last.safetensors"),
    "best cut": cut("best.safetensors"),
    "checkpoints lost": chain(UNFINISHED, without("checkpoints")),
    "checkpoints empty": emptied,
    "checkpoints cut": chain(UNFINISHED, cut("checkpoints/*")),
}


HALF = """
in creation       | train --resume runs/small/R -q     | 2 | no such folder; name a folder that `train` created
in creation       | runs                               | 0 | no run in it; `netbuilder train` creates them
in creation       | compare small.yaml                 | 0 | no runs of small in runs; train them, or name the folder of their runs
in creation       | results runs                       | 2 | runs: no run folder in it; `netbuilder train` creates them
started           | train --resume runs/small/R -q     | 0 | best test accuracy | runs/small/R/
started           | train small.yaml --resume auto -q  | 0 | best test accuracy | runs/small/R/
started           | evaluate runs/small/R              | 3 | the run has not finished an epoch. Resume it with: netbuilder train --resume
started           | predict runs/small/R digit.png     | 3 | the run has not finished an epoch
started           | export runs/small/R --to onnx      | 3 | the run has not finished an epoch
started           | runs                               | 0 | unfinished
started           | results runs                       | 0 | no finished run in it; resume one: netbuilder train --resume
started           | compare runs --out c.png           | 2 | --out: no network has a finished run to draw; train one first
started           | diff small.yaml runs/small/R       | 0 | no difference
started           | check small.yaml --advice          | 0 | small.yaml: ok
started           | report runs --out rep              | 0 | 0 finished runs, 2 remarks on missing results | rep
unfinished        | evaluate runs/small/R              | 0 | best weights of runs/small/R
unfinished        | results runs                       | 0 | no finished run in it
no environment    | train --resume runs/small/R -q     | 2 | environment.json: cannot be read: no such file; put back the one that `train` wrote, or train again
no environment    | train small.yaml --resume auto -q  | 0 | skipped: runs/small/R/environment.json: cannot be read | runs/small/2
no environment    | predict runs/small/R digit.png     | 2 | environment.json: cannot be read: no such file; put back
no environment    | results runs                       | 2 | environment.json: cannot be read: no such file; put back
no environment    | runs                               | 0 | runs/small/R/environment.json: cannot be read: no such file; put back
no environment    | check small.yaml --advice          | 0 | the run is left out
config cut        | train --resume runs/small/R -q     | 2 | config.json: cannot be read
config cut        | evaluate runs/small/R              | 2 | or train again
config cut        | diff small.yaml runs/small/R       | 2 | config.json: cannot be read
config cut        | compare small.yaml                 | 0 | config.json: cannot be read
config cut        | export runs/small/R                | 2 | config.json: cannot be read
metrics lost      | train --resume runs/small/R -q     | 0 | best test accuracy | runs/small/R/
metrics lost      | runs                               | 0 | metrics.jsonl: cannot be read: it has 0 of 1 epochs; delete it, and `train --resume` writes it again
metrics lost      | compare small.yaml                 | 0 | metrics.jsonl: cannot be read: it has 0 of 1 epochs
metrics cut       | train --resume runs/small/R -q     | 0 | best test accuracy | runs/small/R/
metrics cut       | diff small.yaml runs/small/R       | 2 | metrics.jsonl: line 1: cannot be read
metrics cut       | results runs                       | 2 | delete it, and `train --resume` writes it again
result cut        | train --resume runs/small/R -q     | 2 | result.json: cannot be read
result cut        | results runs                       | 2 | result.json: cannot be read
evaluation cut    | train --resume runs/small/R -q     | 2 | evaluation.json: cannot be read
evaluation cut    | report runs --out rep              | 0 | remarks on missing results | rep
weights lost      | evaluate runs/small/R              | 3 | has the run's records without its weights. Train it again with: netbuilder train runs/small/R/architecture.yaml
best cut          | evaluate runs/small/R              | 3 | use --weights last
best cut          | export runs/small/R --to onnx      | 3 | use --weights last
best cut          | evaluate runs/small/R --weights last | 0 | last weights of runs/small/R
checkpoints lost  | train --resume runs/small/R -q     | 3 | checkpoints: no such folder; put it back, or train again
checkpoints empty | train --resume runs/small/R -q     | 3 | no checkpoint in it, though epochs are recorded; put one back, or train again
"""  # noqa: E501  # one line per row


@pytest.mark.parametrize("row", rows(HALF), ids=lambda row: f"{row[0]}: {row[1]}")
def test_a_command_on_an_incomplete_run(row: tuple[str, ...], folder: Path) -> None:
    """Complete parts are used; a missing part is named with the way out; other files stay."""
    stage, *cells = row
    STAGES[stage](folder / RUN)
    check_row(*cells)


@pytest.mark.parametrize("more", ["", " --epochs 2"])
def test_a_run_without_a_sound_checkpoint_stays_unchanged(folder: Path, more: str) -> None:
    """Each damaged file is named; neither a session nor more epochs are recorded."""
    STAGES["checkpoints cut"](folder / RUN)
    before = tree(folder)
    result = run("train", "--resume", str(RUN), "-q", *more.split())
    assert (result.code, result.out) == (3, "")
    first, *damaged = result.err.splitlines()
    assert first == f"{RUN}/checkpoints: no checkpoint can be loaded; train again"
    assert len(damaged) == 2
    assert tree(folder) == before


def test_lost_metrics_are_restored_from_the_checkpoint(folder: Path) -> None:
    """A finished run that is resumed has the same metrics.jsonl."""
    metrics = (RUN / "metrics.jsonl").read_bytes()
    STAGES["metrics lost"](folder / RUN)
    assert run("train", "--resume", str(RUN), "-q").code == 0
    assert (RUN / "metrics.jsonl").read_bytes() == metrics


IN_USE = """
train --resume runs/small/R -q    | 2 | another process trains this run; let it end, or stop it first
train small.yaml --resume auto -q | 2 | another process trains this run; let it end, or stop it first
evaluate runs/small/R             | 0 | best weights of runs/small/R
predict runs/small/R digit.png    | 0 | digit.png
runs                              | 0 | small/R
compare small.yaml                | 0 | small    mnist5k
"""  # noqa: E501  # one line per row


@pytest.mark.parametrize("row", rows(IN_USE), ids=lambda row: row[0])
def test_a_command_on_a_run_in_use(row: tuple[str, ...], folder: Path) -> None:
    """Commands may read the run; only the other process writes it."""
    with exclusive_lock(RUN):
        check_row(*row)


# --- another document ----------------------------------------------------------------------------

CHANGED = """
summarize small.yaml                 | 0 | small  Wider
check small.yaml --advice            | 0 | small.yaml: ok
train --resume runs/small/R -q       | 0 | best test accuracy
train small.yaml --resume auto -q    | 0 | best test accuracy | runs/small/2
evaluate runs/small/R                | 0 | best weights of runs/small/R
predict runs/small/R digit.png       | 0 | digit.png
diff small.yaml runs/small/R         | 0 | small (small.yaml) -> small (runs/small/R)
runs                                 | 0 | small/R
compare small.yaml                   | 0 | 1 run of its name left out, trained from another text or with other settings
results runs                         | 0 | small on mnist5k
report small.yaml --out rep          | 0 | 0 finished runs | rep
report runs --out rep                | 0 | 1 finished run | rep
export runs/small/R                  | 0 | nn.Conv2d(1, 4,
export small.yaml                    | 0 | nn.Conv2d(1, 8,
export runs/small/R --to safetensors | 0 | wrote small.safetensors | small.safetensors
new b --from small.yaml              | 0 | wrote b.yaml | b.yaml
"""  # noqa: E501  # one line per row


@pytest.mark.parametrize("row", rows(CHANGED), ids=lambda row: row[0])
def test_a_command_on_a_changed_document(row: tuple[str, ...], folder: Path) -> None:
    """A run has the architecture that was trained; the document has the current one."""
    text = TEXT.replace("out_channels: 4", "out_channels: 8").replace("Small $enough", "Wider")
    (folder / "small.yaml").write_text(text)
    check_row(*row)


# --- a read-only disk ----------------------------------------------------------------------------


def _mount(*arguments: str) -> bool:
    if (tool := shutil.which("mount")) is None:
        return False
    process = subprocess.run([tool, *arguments], capture_output=True, check=False)
    return process.returncode == 0


@pytest.fixture(scope="module")
def read_only(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the base without write permission: by its modes, and for root by a mount."""
    folder = tmp_path_factory.mktemp("disk") / "disk"
    shutil.copytree(base, folder)
    half = folder / "runs" / "small" / "U"
    shutil.copytree(folder / RUN, half)
    UNFINISHED(half)
    if os.geteuid():
        paths = [folder, *folder.rglob("*")]
        for path in paths:
            path.chmod(0o555 if path.is_dir() else 0o444)
        yield folder
        for path in paths:
            path.chmod(0o755)
        return
    if not _mount("--bind", str(folder), str(folder)):
        pytest.skip("modes do not restrict root, and it may not mount")
    try:
        if not _mount("-o", "remount,ro,bind", str(folder)):
            pytest.skip("modes do not restrict root, and a read-only mount fails")
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


READ_ONLY = """
summarize small.yaml                          | 0 | 2,678 parameters
check small.yaml --advice                     | 0 | small.yaml: ok
evaluate runs/small/R                         | 0 | best weights of runs/small/R
predict runs/small/R digit.png                | 0 | digit.png
diff small.yaml runs/small/R                  | 0 | no difference
runs                                          | 0 | small/R
compare small.yaml                            | 0 | small    mnist5k
results runs                                  | 0 | small on mnist5k
import nets:net --input 1,28,28               | 0 | # Read from nets:net.
export small.yaml                             | 0 | from torch import nn
draw runs/small/R --out -                     | 0 | <svg xmlns="http://www.w3.org/2000/svg"
schema                                        | 0 | "$schema"
bench two.yaml --steps 1 --rounds 1 --peers netbuilder | 0 | importing torch alone takes
new b --from small.yaml                       | 3 | b.yaml: cannot be written: REASON; choose another path with --out
new b --from small.yaml --out small.yaml --force | 3 | small.yaml: cannot be written: REASON; choose another path
train small.yaml -q                           | 3 | REASON; choose another path with --out
train small.yaml -q --logger tensorboard      | 3 | REASON; choose another path with --out
train small.yaml -q --resume auto             | 3 | runs/small/U/environment.json: REASON; the last checkpoint is intact
train -q --resume runs/small/U                | 3 | runs/small/U/environment.json: REASON; the last checkpoint is intact
train -q --resume runs/small/R                | 3 | runs/small/R/curves.png: REASON; the run itself is recorded
train -q --resume runs/small/R --epochs 2     | 3 | runs/small/R/config.json: REASON; the last checkpoint is intact
lr-find small.yaml --steps 3                  | 3 | runs/small: cannot be written: REASON; choose another path with --out
compare small.yaml --out c.png                | 3 | c.png: cannot be written: REASON; choose another path with --out
report small.yaml --out empty                 | 3 | empty/report.md: cannot be written: REASON; choose another path with --out
import nets:net --input 1,28,28 --out n.yaml  | 3 | n.yaml: cannot be written: REASON; choose another path with --out
export small.yaml --out s.py                  | 3 | s.py: cannot be written: REASON; choose another path with --out
export runs/small/R --to onnx                 | 3 | small.onnx: cannot be written: REASON; choose another path with --out
export runs/small/R --to torch-export         | 3 | small.pt2: cannot be written: REASON; choose another path with --out
export runs/small/R --to safetensors          | 3 | small.safetensors: cannot be written: REASON; choose another path
draw small.yaml                               | 3 | small.svg: cannot be written: REASON; choose another path with --out
schema --out s.json                           | 3 | s.json: cannot be written: REASON; choose another path with --out
"""  # noqa: E501  # one line per row


@pytest.mark.parametrize("row", rows(READ_ONLY), ids=lambda row: row[0])
def test_a_command_on_a_read_only_disk(
    row: tuple[str, ...], read_only: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading works; a write is refused with the path, the reason and an alternative."""
    monkeypatch.chdir(read_only)
    monkeypatch.syspath_prepend(read_only)
    line, code, words = row
    reason = "the folder is not writable" if os.geteuid() else "the folder is read-only"
    check_row(line, code, words.replace("REASON", reason))


def test_a_range_test_prints_its_result_before_the_error_of_the_disk(
    read_only: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The result is on stdout even if it cannot be saved."""
    monkeypatch.chdir(read_only)
    assert "small on mnist5k: 3 of 3 steps" in run("lr-find", "small.yaml", "--steps", "3").out
