"""Measure peers in alternating rounds, each measurement in its own process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from netbuilder.config.schema import TrainConfig
from netbuilder.errors import ConfigError, MachineError

if TYPE_CHECKING:
    from netbuilder.data.dataset import LoadedData

PEERS = {
    "netbuilder": "netbuilder train, with its run folder",
    "bound": "forward, backward and update alone, on batches in memory, in the fastest known mode",
    "ordinary": "torchvision's transforms, a DataLoader with 2 workers, eager float32",
    "ordinary-0": "the same with 0 workers",
    "device": "the same loop over data on the device, no augmentation, eager float32",
    "lightning": "Lightning's Trainer over the ordinary loader",
    "keras-jax": "Keras 3 on JAX, fit() over arrays in memory, no augmentation",
    "keras-torch": "Keras 3 on torch, the same",
}
MISSING = 3
"""The exit code of a worker whose packages are not installed."""
REPORTED = 10
"""Added to the exit code of an error whose message the worker has printed."""

CONFIG_ERROR = REPORTED + ConfigError.exit_code


@dataclass(frozen=True)
class Measurement:
    """The measurement of one peer in one process.

    Attributes:
        images_per_second: The speed over the counted steps.
        first_step_seconds: The time from the start of the process to the end of the first step.
        total_seconds: The time from the start of the process to the end of all epochs, at the
            speed of the counted steps.
        peak_memory_bytes: The memory of the process and its workers; on a GPU, of its tensors.
        device: The name of the device.
    """

    images_per_second: float
    first_step_seconds: float
    total_seconds: float
    peak_memory_bytes: int
    device: str


@dataclass(frozen=True)
class Turn:
    """The turn of one peer in one round; ``missing`` is the message if a package is missing."""

    round: int
    peer: str
    measured: Measurement | None
    missing: str = ""


def check_peers(peers: Sequence[str]) -> None:
    """Check that each name is one of `PEERS`.

    Raises:
        ConfigError: a name is unknown.
    """
    for peer in peers:
        if peer not in PEERS:
            raise ConfigError(f"--peers: found {peer!r}; allowed: {', '.join(PEERS)}")


def warm_up_steps(peer: str, steps: int, steps_per_epoch: int) -> int:
    """Return the number of steps before those that count.

    These are a tenth of ``steps``, and the first epoch of netbuilder's own training, which may be
    compiled after it.
    """
    return max(1, steps // 10) + (steps_per_epoch if peer == "netbuilder" else 0)


def check_steps(config: TrainConfig, data: LoadedData, peers: Sequence[str], steps: int) -> None:
    """Check that the training is long enough for the steps that a turn takes.

    Raises:
        ConfigError: the training ends before the last step that counts.
    """
    per_epoch = -(-len(data.train_labels) // config.batch_size)
    total = config.epochs * per_epoch
    for peer in peers:
        needed = 1 + warm_up_steps(peer, steps, per_epoch) + steps
        if needed > total:
            raise ConfigError(
                f"--steps: found {steps}; {peer} then takes {needed} steps, but the document has "
                f"{total} on {data.dataset.kind}; use fewer --steps, or a document with more epochs"
            )


def measure(
    document: Path,
    data: LoadedData,
    peers: Sequence[str],
    *,
    rounds: int,
    steps: int,
    data_dir: Path | None,
) -> Iterator[Turn]:
    """Let peers train a network in turns.

    Args:
        document: it has a ``train`` section; all peers use its optimizer, schedule and batch size.
        data: what ``document`` names, or its fallback; every peer trains on it.
        peers: names of `PEERS`.
        rounds: turns of each.
        steps: optimizer steps that a turn counts, after those of `warm_up_steps`.
        data_dir: as for `netbuilder.train`.

    Raises:
        ConfigError: a peer cannot take the document.
        MachineError: a peer failed.
    """
    absent: set[str] = set()
    for number in range(1, rounds + 1):
        for peer in peers:
            if peer in absent:
                continue
            turn = _turn(number, peer, document, data, steps, data_dir)
            if turn.missing:
                absent.add(peer)
            yield turn


def _turn(
    number: int, peer: str, document: Path, data: LoadedData, steps: int, data_dir: Path | None
) -> Turn:
    start = time.time()
    command = [
        sys.executable,
        "-m",
        "netbuilder.training.bench.worker",
        peer,
        str(document),
        str(steps),
    ]
    command += [repr(start), data.dataset.kind, str(len(data.train_labels)), str(data_dir or "")]
    reader, writer = os.pipe()  # the end of this process, by whatever signal, ends the worker's
    try:
        process = subprocess.run(command, stdin=reader, capture_output=True, text=True, check=False)
    finally:
        os.close(reader)
        os.close(writer)
    last = (process.stderr.strip().splitlines() or ["no message"])[-1]
    if process.returncode == MISSING:
        return Turn(number, peer, None, last)
    if process.returncode == CONFIG_ERROR:
        raise ConfigError(f"peer {peer}: {last}")
    if process.returncode:
        raise MachineError(
            f"peer {peer} failed with exit code {process.returncode}: {last}; "
            "fix it, or remove the peer from --peers"
        )
    measurement = json.loads(process.stdout.splitlines()[-1])
    return Turn(number, peer, Measurement(**measurement))


def import_seconds(rounds: int) -> list[float]:
    """Measure ``python -c "import torch"``, a lower bound for everything that trains with torch."""
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import torch"], check=True)
        seconds.append(time.perf_counter() - start)
    return seconds
