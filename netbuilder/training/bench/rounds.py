"""Peers that take turns: each measurement a process of its own, several rounds, nothing between."""

from __future__ import annotations

import json
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
    "netbuilder": "its own training, run folder and all",
    "bound": "forward, backward and update alone, on batches that are there, as fast as is known",
    "ordinary": "torchvision's transforms, a DataLoader with 2 workers, eager float32",
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
                f"--steps: found {steps}, with which {peer} takes {needed} steps; the document's "
                f"{config.epochs} epochs of {data.dataset.kind} have {total}; use fewer --steps or "
                "a document with more epochs"
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
    began = time.time()
    command = [
        sys.executable,
        "-m",
        "netbuilder.training.bench.worker",
        peer,
        str(document),
        str(steps),
    ]
    command += [repr(began), data.dataset.kind, str(len(data.train_labels)), str(data_dir or "")]
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


def import_seconds(rounds: int) -> list[float]:
    """How long ``python -c "import torch"`` takes here, which nothing that trains can undercut."""
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import torch"], check=True)
        taken.append(time.perf_counter() - began)
    return taken
