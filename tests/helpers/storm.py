"""Kill a training repeatedly; it ends in the same bits as a training that is not killed.

python tests/helpers/storm.py --kills 200

A process trains, SIGKILL ends it at a random moment or at a random call of a write, and the same
command line starts again until a process finishes the run. The next run follows, until the number
of kills is reached.
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

COMMAND = (sys.executable, "-m", "netbuilder")
KILLED = (sys.executable, str(Path(__file__).with_name("killed.py")))
PATIENCE = 600.0
"""Seconds after which a process counts as hanging; far more than a run needs on a busy machine."""
CALLS = ("open", "write", "fsync", "rename", "unlink")
"""The calls at which a process is killed; a killed write is incomplete."""


@dataclass
class Tally:
    """Counts of processes killed, of those killed at a call of a write, and of runs resumed."""

    kills: int = 0
    in_writes: int = 0
    before_a_run: int = 0
    after_the_end: int = 0
    resumes: int = 0
    runs: int = 0

    def __str__(self) -> str:
        return (
            f"{self.kills} kills of {self.runs} runs, {self.in_writes} of them at a call of a "
            f"write, {self.before_a_run} before there was a run, {self.after_the_end} after its "
            f"last checkpoint; {self.resumes} resumes"
        )


def storm(document: Path, out: Path, tally: Tally, *, kills: int, draw: random.Random) -> None:
    """Train ``document`` below ``out`` until a process finishes the run.

    No process is killed once ``tally`` has counted ``kills``.

    Raises:
        AssertionError: If a process neither succeeds nor ends by the kill.
    """
    tally.runs += 1
    while True:
        tally.resumes += bool(runs(out))
        if tally.kills >= kills:
            end(begin(document, out))
            return
        # Two of three, because some finish the run before the call.
        in_a_write = draw.random() < 2 / 3
        if in_a_write:
            killed = kill_at(document, out, draw.choice(CALLS), draw.randrange(1, 40))
        else:
            killed = kill_after(begin(document, out), draw.uniform(0.2, 5.0))
        if not killed:
            return
        tally.kills += 1
        tally.in_writes += in_a_write
        tally.before_a_run += not runs(out)
        tally.after_the_end += any((run / "result.json").exists() for run in runs(out))


def runs(out: Path) -> list[Path]:
    """The run folders below ``out``."""
    return [path for path in out.glob("*/*") if not path.name.startswith(".")]


def begin(document: Path, out: Path, command: tuple[str, ...] = COMMAND) -> subprocess.Popen[str]:
    """Start the command line, the same after each kill."""
    return subprocess.Popen(
        [*command, "train", str(document), "--out", str(out), "--resume", "auto", "-q"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def end(process: subprocess.Popen[str]) -> None:
    """Wait for a process that nobody kills."""
    _, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (0, ""), errors


def ended_by_kill(process: subprocess.Popen[str]) -> bool:
    """Wait for a process that is killed at some point; return whether that ended it."""
    _, errors = process.communicate(timeout=PATIENCE)
    if process.returncode == 0:
        return False
    assert (process.returncode, errors) == (-signal.SIGKILL, ""), errors
    return True


def kill_at(document: Path, out: Path, kind: str, nth: int, part: str = "") -> bool:
    """Kill a training at the nth call of a kind on a path with ``part``; return whether it ran."""
    return ended_by_kill(begin(document, out, (*KILLED, str(out), part, kind, str(nth))))


def kill_after(process: subprocess.Popen[str], seconds: float) -> bool:
    """Kill a process ``seconds`` after its start, unless it ends before."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
    return ended_by_kill(process)


def alone(document: Path, out: Path) -> Path:
    """Train a run without a kill and return its folder."""
    end(begin(document, out))
    [run] = runs(out)
    return run


def state(folder: Path) -> str:
    """Hash the newest checkpoint: weights, average, optimizer and schedule."""
    run = Run.open(folder)
    config = run.architecture.trained
    steps = config.steps_per_epoch(run.environment.data.train or 0)
    hardware = Device.choose("cpu")
    trainee = TrainState.make(run.architecture, hardware, run.config.seed, steps, config.epochs)
    progress, damaged = checkpoint.restore(run.checkpoints, trainee)
    assert (progress.epoch, progress.step, damaged) == (config.epochs, 0, [])
    tensors, numbers = checkpoint.capture(trainee)
    return digest_of(tensors, json.dumps(numbers))


def differences(out: Path, uninterrupted: Path) -> Iterator[str]:
    """Yield each difference between the run below ``out`` and the uninterrupted one."""
    if len(runs(out)) != 1:
        yield f"{len(runs(out))} run folders, not 1"
        return
    [run] = runs(out)
    if fingerprint(run) != fingerprint(uninterrupted):
        yield "weights or metrics.jsonl differ"
    if state(run) != state(uninterrupted):
        yield "the newest checkpoint differs: weights, average, optimizer or schedule"
    for leftover in (path for path in out.rglob("*") if ".tmp" in path.name):
        yield f"the temporary file {leftover} remains"
    names = [sorted(str(p.relative_to(f)) for p in f.rglob("*")) for f in (run, uninterrupted)]
    if names[0] != names[1]:
        yield f"its files differ: {set(names[0]) ^ set(names[1])}"


def main() -> int:
    """Kill as often as the command line requests, and report."""
    parser = argparse.ArgumentParser(description="Kill a training again and again.")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=60, help="of each run")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    options = parser.parse_args()
    start, tally, draw = time.monotonic(), Tally(), random.Random(options.seed)
    errors: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        document = Path(folder) / "small.yaml"
        document.write_text(document_of(options.epochs))
        uninterrupted = alone(document, Path(folder) / "alone")
        while tally.kills < options.kills and not errors:
            out = Path(folder) / f"storm{tally.runs}"
            storm(document, out, tally, kills=options.kills, draw=draw)
            errors += differences(out, uninterrupted)
            print(f"{tally}; {time.monotonic() - start:.0f} s", flush=True)
    print(
        "\n".join(errors)
        or "the same weights, optimizer state and metrics; no temporary file remains"
    )
    return 1 if errors else 0


def document_of(epochs: int) -> str:
    """Return the small document with this number of epochs and without targets."""
    text = DOCUMENT.partition("targets:")[0]
    assert text.count("epochs: 3") == 1
    return text.replace("epochs: 3", f"epochs: {epochs}")


if __name__ == "__main__":
    sys.exit(main())
