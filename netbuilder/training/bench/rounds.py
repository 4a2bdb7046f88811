"""Measure peers in alternating rounds, each measurement in its own process."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from netbuilder.config.schema import Architecture
from netbuilder.errors import ConfigError, MachineError

PEERS = {
    "netbuilder": "its own training, run folder and all",
    "bound": "forward, backward and update alone, on batches that are there, as fast as is known",
    "ordinary": "torchvision's MNIST and transforms, a DataLoader with 2 workers, eager float32",
    "ordinary-0": "the same with 0 workers",
    "device": "the same loop over data on the device, no augmentation, eager float32",
    "lightning": "Lightning's Trainer over the ordinary loader",
    "keras-jax": "Keras 3 on JAX, fit() over arrays in memory, no augmentation",
    "keras-torch": "Keras 3 on torch, the same",
}

MISSING = 3
"""The exit code of a worker whose package is not installed."""

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


def measure(
    document: Path, peers: Sequence[str], *, rounds: int, steps: int, data_dir: Path | None
) -> Iterator[Turn]:
    """Measure peers in turn, and yield each measurement.

    Args:
        document: A document with a ``train`` section, whose optimizer, schedule and batch size all
            peers use.
        peers: Names in `PEERS`.
        rounds: The number of turns of each peer.
        steps: The number of optimizer steps to count per turn, after a tenth as many to warm up
            and, for runs that are compiled after it, the first epoch.
        data_dir: The data root, as for `netbuilder.train`.

    Raises:
        ConfigError: A name is not a peer, or a peer cannot train the document.
        MachineError: A peer failed.
    """
    for peer in peers:
        if peer not in PEERS:
            raise ConfigError(f"--peers: found {peer!r}; allowed: {', '.join(PEERS)}")
    absent: set[str] = set()
    for number in range(1, rounds + 1):
        for peer in peers:
            if peer in absent:
                continue
            turn = _turn(number, peer, document, steps, data_dir)
            if turn.missing:
                absent.add(peer)
            yield turn


def _turn(number: int, peer: str, document: Path, steps: int, data_dir: Path | None) -> Turn:
    start = time.time()
    command = [
        sys.executable,
        "-m",
        "netbuilder.training.bench.worker",
        peer,
        str(document),
        str(steps),
    ]
    command += [repr(start), str(data_dir or "")]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
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


def images_of(architecture: Architecture) -> int:
    """Return the number of images in an epoch of the document."""
    return {"mnist5k": 4_000, "cifar10": 50_000, "cifar100": 50_000}.get(
        architecture.trained.dataset.kind, 60_000
    )


def import_seconds(rounds: int) -> list[float]:
    """Measure ``python -c "import torch"``, a lower bound for everything that trains with torch."""
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import torch"], check=True)
        seconds.append(time.perf_counter() - start)
    return seconds
