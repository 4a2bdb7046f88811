"""Each command where there is nothing, half a run, a changed document, or a read-only disk.

The tables are the documentation: a command line, its exit code, and the words of the one line that
tells. Whatever the command, the folder is the same behind it, but for what the row says it made.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from command import Ran, run
from PIL import Image
from small import DOCUMENT

from netbuilder._files import exclusive_lock
from netbuilder.components.datasets import Mnist5k
from netbuilder.data.open import open_dataset

TEXT = DOCUMENT.replace("epochs: 3", "epochs: 1").split("targets:")[0]
RUN = Path("runs/small/R")
CODE = "from torch import nn\n\nnet = nn.Sequential(nn.Conv2d(1, 4, 3))\n"
NEEDED = {"onnx": "onnxruntime", "tensorboard": "tensorboard"}
"""What a row needs that is in no plain installation."""


def rows(table: str) -> list[tuple[str, ...]]:
    """The cells of a table's lines."""
    lines = [line for line in table.splitlines() if line.strip()]
    return [tuple(cell.strip() for cell in line.split(" | ")) for line in lines]


def tree(folder: Path) -> dict[str, str]:
    """Everything below a folder, with a hash of what is in it."""
    found = {}
    for path in folder.rglob("*"):
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        found[str(path.relative_to(folder))] = content
    return found


def told(line: str, code: str, words: str, made: str = "") -> Ran:
    """Run a command line here, and hold it against its row."""
    for word, package in NEEDED.items():
        if word in line and find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    before, work = tree(Path()), Path(os.environ["TMPDIR"])
    ran = run(*line.split())
    after = tree(Path())
    assert ran.code == int(code), ran
    said = (ran.out + ran.err).splitlines()
    assert sum(words in text for text in said) == 1, ran
    if ran.code in (2, 3) and not line.startswith("bench"):  # which tells of its rounds
        lines = (ran.err or ran.out).splitlines()
        assert len([one for one in lines if "left out, not finished" not in one]) == 1, ran
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert {name for name in changed if not (made and name.startswith(made))} == set()
    assert changed or not made
    assert list(work.iterdir()) == []
    return ran


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A document, a run of it, an empty folder, a picture and a module."""
    base = tmp_path_factory.mktemp("base")
    (base / "small.yaml").write_text(TEXT)
    assert run("train", str(base / "small.yaml"), "-q", "--out", str(base / "runs")).code == 0
    [made] = (base / "runs" / "small").iterdir()
    made.rename(base / RUN)
    (base / "two.yaml").write_text(TEXT.replace("epochs: 1", "epochs: 2"))
    (base / "nets.py").write_text(CODE)
    (base / "empty").mkdir()
    Image.fromarray(open_dataset(Mnist5k()).test_images[3, 0].numpy()).save(base / "digit.png")
    return base


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go; what is left there is left over."""
    work = tmp_path / "tmp"
    work.mkdir()
    monkeypatch.setenv("TMPDIR", str(work))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))
    monkeypatch.setattr("tempfile.tempdir", None)
    return work


@pytest.fixture
def here(base: Path, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the base as the working folder."""
    here = tmp_path / "here"
    shutil.copytree(base, here)
    monkeypatch.chdir(here)
    monkeypatch.syspath_prepend(here)
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    return here


# --- nothing there -------------------------------------------------------------------------------

NOTHING = """
new b --from small                  | 2 | no such document; . and archs have none
new ../b --template plain           | 2 | allowed: at most 64 of a to z, A to Z, digits, dots
summarize small.yaml                | 2 | small.yaml: no such file; check the path
summarize .                         | 2 | .: it is a folder; name a document in it
check small.yaml --advice           | 2 | small.yaml: no such file; check the path
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
def test_an_empty_working_folder(
    row: tuple[str, ...], work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user is told what is missing and what to name; nothing is made."""
    (tmp_path / "nothing").mkdir()
    monkeypatch.chdir(tmp_path / "nothing")
    told(*row)


EMPTY = """
new b --from empty                            | 2 | --from empty: no such document
new b --from small.yaml --out empty           | 2 | --out empty: it is a folder; name a file in it
new b --from small.yaml --out none/b.yaml     | 2 | there is no folder none; make it, or name another
summarize empty                               | 2 | empty: it is a folder; name a document in it
check empty                                   | 2 | empty: it is a folder; name a document in it
check small.yaml --advice --runs empty        | 0 | small.yaml: ok
check small.yaml --advice --runs none         | 2 | --runs none: no such folder; name the one that
train empty                                   | 2 | empty: it is a folder; name a document in it
train --resume empty                          | 2 | empty: not a run folder: it has no config.json
train small.yaml --out digit.png              | 2 | digit.png is a file; name a folder
train small.yaml -q --resume auto --out empty | 0 | best test accuracy | empty/
evaluate empty                                | 2 | empty: not a run folder: it has no config.json
evaluate digit.png                            | 2 | digit.png: a file, not a run folder; name a folder
predict empty digit.png                       | 2 | empty: not a run folder: it has no config.json
predict runs/small/R empty                    | 2 | empty: no image in it; allowed: files that end
lr-find empty                                 | 2 | empty: it is a folder; name a document in it
lr-find small.yaml --out digit.png            | 2 | digit.png is a file; name a folder
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
bench empty                                   | 2 | empty: it is a folder; name a document in it
bench small.yaml --steps 1 --peers netbuilder | 2 | but the document has 42 on mnist5k; use fewer --steps
import nets:net --input 1,28,28 --out empty   | 2 | --out empty: it is a folder; name a file in it
export empty                                  | 2 | empty: not a run folder: it has no config.json
export empty --to safetensors                 | 2 | empty: not a run folder: it has no config.json
export small.yaml --out empty                 | 2 | --out empty: it is a folder; name a file in it
export runs/small/R --to onnx --out none/o    | 2 | there is no folder none; make it, or name another
schema --out empty                            | 2 | --out empty: it is a folder; name a file, such as
"""  # noqa: E501  # a line a row


@pytest.mark.parametrize("row", rows(EMPTY), ids=lambda row: row[0])
def test_an_empty_folder_that_a_command_is_pointed_at(row: tuple[str, ...], here: Path) -> None:
    """It is no document, no run, no file to replace, and a fine place to write into."""
    told(*row)


# --- half a run ----------------------------------------------------------------------------------


def without(*names: str) -> Callable[[Path], None]:
    """Take files out of the run."""

    def change(folder: Path) -> None:
        for name in names:
            path = folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return change


def cut(*names: str) -> Callable[[Path], None]:
    """Leave the first half of files."""

    def change(folder: Path) -> None:
        for pattern in names:
            for path in folder.glob(pattern):
                path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return change


def both(*changes: Callable[[Path], None]) -> Callable[[Path], None]:
    """One after the other."""

    def change(folder: Path) -> None:
        for each in changes:
            each(folder)

    return change


def hidden(folder: Path) -> None:
    """As it is called until all of its first files are there; no process has such a number."""
    folder.rename(folder.with_name(".R.999999999.tmp"))


def emptied(folder: Path) -> None:
    """As records are kept without what is large."""
    for path in (folder / "checkpoints").iterdir():
        path.unlink()


UNFINISHED = without("result.json", "evaluation.json", "curves.png", "misclassified.png")
STAGES: dict[str, Callable[[Path], None]] = {
    "being made": hidden,
    "begun": both(UNFINISHED, without("metrics.jsonl", "best.safetensors", "last.safetensors")),
    "unfinished": UNFINISHED,
    "no environment": without("environment.json"),
    "config cut": cut("config.json"),
    "metrics lost": without("metrics.jsonl"),
    "metrics cut": cut("metrics.jsonl"),
    "result cut": cut("result.json"),
    "evaluation cut": cut("evaluation.json"),
    "weights lost": without("best.safetensors", "last.safetensors"),
    "best cut": cut("best.safetensors"),
    "checkpoints lost": both(UNFINISHED, without("checkpoints")),
    "checkpoints empty": emptied,
    "checkpoints cut": both(UNFINISHED, cut("checkpoints/*")),
}


HALF = """
being made        | train --resume runs/small/R -q     | 2 | no such folder; name a folder that `train` created
being made        | runs                               | 0 | no run in it; `netbuilder train` creates them
being made        | compare small.yaml                 | 0 | no runs of small in runs; train them, or name the folder of their runs
being made        | results runs                       | 2 | runs: no run folder in it; `netbuilder train` creates them
begun             | train --resume runs/small/R -q     | 0 | best test accuracy | runs/small/R/
begun             | train small.yaml --resume auto -q  | 0 | best test accuracy | runs/small/R/
begun             | evaluate runs/small/R              | 3 | the run has not finished an epoch. Resume it with: netbuilder train --resume
begun             | predict runs/small/R digit.png     | 3 | the run has not finished an epoch
begun             | export runs/small/R --to onnx      | 3 | the run has not finished an epoch
begun             | runs                               | 0 | unfinished
begun             | results runs                       | 0 | no finished run in it; resume one: netbuilder train --resume
begun             | compare runs --out c.png           | 2 | --out: no network has a finished run to draw; train one first
begun             | diff small.yaml runs/small/R       | 0 | no difference
begun             | check small.yaml --advice          | 0 | small.yaml: ok
begun             | report runs --out rep              | 0 | 0 finished runs, 2 remarks on missing results | rep
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
"""  # noqa: E501  # a line a row


@pytest.mark.parametrize("row", rows(HALF), ids=lambda row: f"{row[0]}: {row[1]}")
def test_a_run_that_is_half_there(row: tuple[str, ...], here: Path) -> None:
    """What is there serves; what is missing is named, with the way out; the rest stays."""
    stage, *cells = row
    STAGES[stage](here / RUN)
    told(*cells)


@pytest.mark.parametrize("more", ["", " --epochs 2"])
def test_a_run_without_a_sound_checkpoint_is_not_written_into(here: Path, more: str) -> None:
    """Each damaged file is named; no session, and no epochs that it will never have, are noted."""
    STAGES["checkpoints cut"](here / RUN)
    before = tree(here)
    ran = run("train", "--resume", str(RUN), "-q", *more.split())
    assert (ran.code, ran.out) == (3, "")
    first, *others = ran.err.splitlines()
    assert first == f"{RUN}/checkpoints: no checkpoint can be loaded; train again"
    assert len(others) == 2
    assert tree(here) == before


def test_lost_figures_come_back_as_they_were(here: Path) -> None:
    """The checkpoint knows them: a finished run that is taken up has its metrics again."""
    kept = (RUN / "metrics.jsonl").read_bytes()
    STAGES["metrics lost"](here / RUN)
    assert run("train", "--resume", str(RUN), "-q").code == 0
    assert (RUN / "metrics.jsonl").read_bytes() == kept


IN_USE = """
train --resume runs/small/R -q    | 2 | another process trains this run; let it end, or stop it first
train small.yaml --resume auto -q | 2 | another process trains this run; let it end, or stop it first
evaluate runs/small/R             | 0 | best weights of runs/small/R
predict runs/small/R digit.png    | 0 | digit.png
runs                              | 0 | small/R
compare small.yaml                | 0 | small    mnist5k
"""  # noqa: E501  # a line a row


@pytest.mark.parametrize("row", rows(IN_USE), ids=lambda row: row[0])
def test_a_run_that_another_process_trains(row: tuple[str, ...], here: Path) -> None:
    """It may be read, and is written by the other alone."""
    with exclusive_lock(RUN):
        told(*row)


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
"""  # noqa: E501  # a line a row


@pytest.mark.parametrize("row", rows(CHANGED), ids=lambda row: row[0])
def test_a_document_that_has_changed_since_its_run(row: tuple[str, ...], here: Path) -> None:
    """A run stays what was trained; the document is what it says now; neither stands for both."""
    text = TEXT.replace("out_channels: 4", "out_channels: 8").replace("Small $enough", "Wider")
    (here / "small.yaml").write_text(text)
    told(*row)


# --- a read-only disk ----------------------------------------------------------------------------


def _mount(*arguments: str) -> bool:
    if (tool := shutil.which("mount")) is None:
        return False
    done = subprocess.run([tool, *arguments], capture_output=True, check=False)
    return done.returncode == 0


@pytest.fixture(scope="module")
def read_only(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the base that nobody can write: by its modes, and for root by a mount."""
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
        pytest.skip("modes do not stop root, and it may not mount here")
    try:
        if not _mount("-o", "remount,ro,bind", str(folder)):
            pytest.skip("modes do not stop root, and nothing can be mounted read-only here")
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
schema --out s.json                           | 3 | s.json: cannot be written: REASON; choose another path with --out
"""  # noqa: E501  # a line a row


@pytest.mark.parametrize("row", rows(READ_ONLY), ids=lambda row: row[0])
def test_a_read_only_disk(
    row: tuple[str, ...], read_only: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What only reads works; what writes says what it could not write, and where else it could."""
    monkeypatch.chdir(read_only)
    monkeypatch.syspath_prepend(read_only)
    line, code, words = row
    reason = "the folder is not writable" if os.geteuid() else "the folder is read-only"
    told(line, code, words.replace("REASON", reason))


def test_what_a_range_test_found_is_told_where_it_cannot_be_kept(
    read_only: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The steps are made: what they speak for comes before the line about the disk."""
    monkeypatch.chdir(read_only)
    assert "small on mnist5k: 3 of 3 steps" in run("lr-find", "small.yaml", "--steps", "3").out
