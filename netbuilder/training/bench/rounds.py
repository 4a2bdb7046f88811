"""Peers that take turns: each measurement a process of its own, several rounds, nothing between."""

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
"""The exit code of a worker whose packages are not installed."""

TOLD = 10
"""Added to the exit code of an error that a worker has told in words."""

REFUSED = TOLD + ConfigError.exit_code


@dataclass(frozen=True)
class Measurement:
    """What one process measured of one peer.

    Attributes:
        images_per_second: over the counted steps.
        first_step_seconds: from the command to the end of the first optimizer step.
        total_seconds: from the command to the end of all epochs, at the counted steps' speed.
        peak_memory_bytes: of the process and its workers; on a GPU of its tensors.
        device: where it computed.
    """

    images_per_second: float
    first_step_seconds: float
    total_seconds: float
    peak_memory_bytes: int
    device: str


@dataclass(frozen=True)
class Turn:
    """One peer's turn in one round; ``missing`` says what is not installed."""

    round: int
    peer: str
    measured: Measurement | None
    missing: str = ""


def measure(
    document: Path, peers: Sequence[str], *, rounds: int, steps: int, data_dir: Path | None
) -> Iterator[Turn]:
    """Let peers train a network by turns.

    Args:
        document: it has a ``train`` section; all peers take its optimizer, schedule and batch size.
        peers: names of `PEERS`.
        rounds: turns of each.
        steps: optimizer steps that a turn counts; a tenth as many before them warm up, and the
            first epoch where the run may be compiled behind it.
        data_dir: as for `netbuilder.train`.

    Raises:
        ConfigError: there is no peer of a name, or it cannot take the document.
        MachineError: a peer failed.
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
    began = time.time()
    command = [
        sys.executable,
        "-m",
        "netbuilder.training.bench.worker",
        peer,
        str(document),
        str(steps),
    ]
    command += [repr(began), str(data_dir or "")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    last = (done.stderr.strip().splitlines() or ["no word"])[-1]
    if done.returncode == MISSING:
        return Turn(number, peer, None, last)
    if done.returncode == REFUSED:
        raise ConfigError(f"peer {peer}: {last}")
    if done.returncode:
        raise MachineError(
            f"peer {peer} failed with exit code {done.returncode}: {last}; "
            "leave it out of --peers, or mend that"
        )
    found = json.loads(done.stdout.splitlines()[-1])
    return Turn(number, peer, Measurement(**found))


def images_of(architecture: Architecture) -> int:
    """How many images an epoch of the document has."""
    return {"mnist5k": 4_000, "cifar10": 50_000, "cifar100": 50_000}.get(
        architecture.trained.dataset.kind, 60_000
    )


def import_seconds(rounds: int) -> list[float]:
    """How long ``python -c "import torch"`` takes here, which nothing that trains can undercut."""
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import torch"], check=True)
        taken.append(time.perf_counter() - began)
    return taken
