"""A network small enough to train in a test, with every state that a resume must restore."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

from netbuilder.config.loader import parse_architecture
from netbuilder.config.schema import Architecture
from netbuilder.errors import Interrupted
from netbuilder.training.events import Event, Started

DOCUMENT = """\
name: small
title: Small $enough
input: [1, 28, 28]
layers:
  - Conv2d: {out_channels: 4, kernel_size: 5, stride: 3, bias: false}
  - BatchNorm2d
  - ReLU
  - Dropout: 0.1
  - Flatten
  - Linear: 10
train:
  dataset: mnist5k
  epochs: 3
  batch_size: 96
  optimizer: {SGD: {lr: 0.05, momentum: 0.9, nesterov: true}}
  scheduler: {OneCycleLR: {max_lr: 0.2}}
  augment: [{RandomAffine: {degrees: 7, translate: [0.04, 0.04]}}]
  ema: 0.9
targets:
  parameters: {below: 5000}
  test_accuracy: {at_least: 50, for_last_epochs: 2}
"""


def small(*overrides: str) -> Architecture:
    """Return the document with overrides in the form of ``--set``."""
    return parse_architecture(DOCUMENT, "small.yaml", overrides)


def after(steps: int, signum: int = 2) -> Callable[[], int]:
    """Create a ``stop`` that returns ``signum`` from call number ``steps`` on."""
    calls = count(1)
    return lambda: signum if next(calls) >= steps else 0


def run_until_stopped(records: Iterator[Event]) -> tuple[Path, bool]:
    """Return the run's folder, and whether the run finished."""
    folder = None
    try:
        for record in records:
            if isinstance(record, Started):
                folder = record.run.path
    except Interrupted:
        assert folder is not None
        return folder, False
    assert folder is not None
    return folder, True


def fingerprint(folder: Path) -> str:
    """Hash the weights and the metrics without their times."""
    digest = hashlib.sha256()
    for name in ("last.safetensors", "best.safetensors"):
        digest.update((folder / name).read_bytes())
    for line in (folder / "metrics.jsonl").read_text().splitlines():
        metrics = json.loads(line)
        untimed = {name: value for name, value in metrics.items() if "seconds" not in name}
        digest.update(json.dumps(untimed).encode())
    return digest.hexdigest()
