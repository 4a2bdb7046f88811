"""Kill a training again and again; it goes on by itself to the bits of the one left alone.

python tests/storm.py --kills 200

A process trains, SIGKILL ends it at a moment drawn at random or while a checkpoint is being
written, and the same command line is started again, until a process comes to the end of the run by
itself. Then the next run begins, until there were kills enough. Nothing is done by hand in between.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from small import DOCUMENT, fingerprint

from netbuilder._files import digest_of
from netbuilder.runs.run import Run
from netbuilder.training import checkpoint
from netbuilder.training.device import Device
from netbuilder.training.step import TrainState

COMMAND = (sys.executable, "-m", "netbuilder", "train")
PATIENCE = 120.0
"""Seconds without an end or a checkpoint behind which a process is taken to hang."""


@dataclass
class Told:
    """What befell: processes killed, of them with a file half made, and runs taken up again."""

    kills: int = 0
    inside: int = 0
    before_a_run: int = 0
    behind_the_end: int = 0
    resumes: int = 0
    runs: int = 0

    def __str__(self) -> str:
        return (
            f"{self.kills} kills of {self.runs} runs, {self.inside} of them inside a checkpoint's "
            f"write, {self.before_a_run} before there was a run, {self.behind_the_end} behind its "
            f"last checkpoint; {self.resumes} resumes"
        )


def storm(document: Path, out: Path, told: Told, *, kills: int, draw: random.Random) -> None:
    """Train ``document`` below ``out`` until a process comes to the end.

    None is killed any more once ``told`` has come to that many ``kills``.

    Raises:
        AssertionError: a process ended otherwise than by the kill, or in success.
    """
    told.runs += 1
    while True:
        told.resumes += bool(runs(out))
        process = begin(document, out)
        if told.kills >= kills:
            end(process)
            return
        # Two of three, as some come to the end of the run and write no more.
        inside = runs(out) and draw.random() < 2 / 3
        if not (kill_inside_a_write if inside else kill_after)(process, out, draw):
            return
        told.kills += 1
        told.inside += any(half_made(run, process.pid) for run in runs(out))
        told.before_a_run += not runs(out)
        told.behind_the_end += any((run / "result.json").exists() for run in runs(out))


def runs(out: Path) -> list[Path]:
    """The run folders below ``out``."""
    return [path for path in out.glob("*/*") if not path.name.startswith(".")]


def half_made(folder: Path, process: int) -> bool:
    """Whether a process is writing a checkpoint of the run, or was when it died."""
    # Not by iterdir(), which is slow for the milliseconds that a write takes.
    mark = f".{process}.tmp"
    return any(name.endswith(mark) for name in os.listdir(folder / "checkpoints"))  # noqa: PTH208


def begin(document: Path, out: Path) -> subprocess.Popen[str]:
    """The command line that is started anew behind each kill."""
    return subprocess.Popen(
        [*COMMAND, str(document), "--out", str(out), "--resume", "auto", "-q"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def end(process: subprocess.Popen[str]) -> None:
    """Wait for a process that nobody kills."""
    _, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (0, ""), errors


def kill(process: subprocess.Popen[str]) -> bool:
    """Kill a process; whether that was what ended it."""
    process.kill()
    _, errors = process.communicate()
    if process.returncode == 0:
        return False
    assert (process.returncode, errors) == (-signal.SIGKILL, ""), errors
    return True


def kill_after(process: subprocess.Popen[str], out: Path, draw: random.Random) -> bool:
    """Kill a process at a moment between its start and some epochs, unless it is through before."""
    try:
        process.wait(draw.uniform(0.2, 5.0))
    except subprocess.TimeoutExpired:
        return kill(process)
    end(process)
    return False


def kill_inside_a_write(process: subprocess.Popen[str], out: Path, draw: random.Random) -> bool:
    """Kill a process in one of its next writes of a checkpoint, unless it comes to the end."""
    [run] = runs(out)
    until, passed = time.monotonic() + PATIENCE, draw.randrange(4)
    while process.poll() is None:
        assert time.monotonic() < until, "no checkpoint is written"
        if half_made(run, process.pid):
            if not passed:
                return kill(process)
            passed -= 1
    end(process)
    return False


def alone(document: Path, out: Path) -> Path:
    """The run that nobody kills."""
    end(begin(document, out))
    [run] = runs(out)
    return run


def state(folder: Path) -> str:
    """A hash over the newest checkpoint: weights, average, optimizer, schedule."""
    run = Run.open(folder)
    config = run.architecture.trained
    steps = config.steps_per_epoch(run.environment.data.train or 0)
    hardware = Device.choose("cpu")
    trainee = TrainState.make(run.architecture, hardware, run.config.seed, steps, config.epochs)
    progress, damaged = checkpoint.restore(run.checkpoints, trainee)
    assert (progress.epoch, progress.step, damaged) == (config.epochs, 0, [])
    tensors, numbers = checkpoint.capture(trainee)
    return digest_of(tensors, json.dumps(numbers))


def differences(out: Path, whole: Path) -> Iterator[str]:
    """What sets the run below ``out`` apart from the one that nobody killed."""
    found = runs(out)
    if len(found) != 1:
        yield f"{len(found)} runs were made of one"
        return
    [run] = found
    if fingerprint(run) != fingerprint(whole):
        yield "weights or metrics.jsonl differ"
    if state(run) != state(whole):
        yield "the newest checkpoint differs: weights, average, optimizer or schedule"
    for left in (path for path in out.rglob("*") if ".tmp" in path.name):
        yield f"{left} was left behind"
    names = [sorted(str(p.relative_to(f)) for p in f.rglob("*")) for f in (run, whole)]
    if names[0] != names[1]:
        yield f"it holds other files: {set(names[0]) ^ set(names[1])}"


def main() -> int:
    """Weather a storm, and tell of it."""
    parser = argparse.ArgumentParser(description="Kill a training again and again.")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=60, help="of each run")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    asked = parser.parse_args()
    began, told, draw = time.monotonic(), Told(), random.Random(asked.seed)
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        document = Path(folder) / "small.yaml"
        document.write_text(document_of(asked.epochs))
        whole = alone(document, Path(folder) / "alone")
        while told.kills < asked.kills and not wrong:
            out = Path(folder) / f"storm{told.runs}"
            storm(document, out, told, kills=asked.kills, draw=draw)
            wrong += differences(out, whole)
            print(f"{told}; {time.monotonic() - began:.0f} s", flush=True)
    if 4 * told.inside < told.kills:
        wrong.append("fewer than a quarter of the kills fell inside a write")
    print("\n".join(wrong) or "the same weights, optimizer state and figures; nothing left behind")
    return 1 if wrong else 0


def document_of(epochs: int) -> str:
    """The small document with so many epochs and no targets to miss."""
    text = DOCUMENT.partition("targets:")[0]
    assert text.count("epochs: 3") == 1
    return text.replace("epochs: 3", f"epochs: {epochs}")


if __name__ == "__main__":
    sys.exit(main())
