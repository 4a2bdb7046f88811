"""Measure a range test relative to a tenth of an epoch of training.

    python tests/benchmarks/bench_lr_find.py [ARCH ...] [--dataset mnist] [--rounds 5]

Both run in one process, alternating and eager: a range test without the opening of its data, and
the training of an epoch without its evaluation, extrapolated from some of its steps. Data come
from NETBUILDER_DATA. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from netbuilder.config.loader import load
from netbuilder.config.schema import Architecture
from netbuilder.data.open import open_dataset
from netbuilder.training.events import Event, Stepped
from netbuilder.training.loop import train
from netbuilder.training.lr_finder import range_test

ITER10 = Path(__file__).parents[2] / "archs" / "iter10.yaml"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("archs", nargs="*", type=Path, default=[ITER10])
    parser.add_argument("--dataset", default="mnist")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=60, help="training steps per round")
    options = parser.parse_args()
    for path in options.archs:
        overrides = [f"train.dataset={options.dataset}", "train.epochs=10000", "targets={}"]
        compare(path.name, load(path, overrides), options.rounds, options.steps)


def compare(name: str, architecture: Architecture, rounds: int, steps: int) -> None:
    """Print the ratio of a range test's time to that of a tenth of an epoch."""
    images = len(open_dataset(architecture.trained.dataset).train_labels)
    epoch = -(-images // architecture.trained.batch_size)
    with tempfile.TemporaryDirectory() as out:
        records = train(architecture, out=out, compile="off")
        seconds(records, min(steps, epoch) // 2)  # the first steps are slow
        tested, tenths, step_counts = [], [], []
        for _ in range(rounds):
            tenths.append(seconds(records, steps) / steps * epoch / 10)
            start = time.perf_counter()
            open_dataset(architecture.trained.dataset)
            data_ready = time.perf_counter()
            test, _ = range_test(architecture)
            tested.append(time.perf_counter() - data_ready - (data_ready - start))
            step_counts.append(len(test.losses))
        records.close()
    ratios = [test / tenth for test, tenth in zip(tested, tenths, strict=True)]
    print(
        f"{name}: {median(tested):.3f} s for {median(step_counts):.0f} of {test.steps} steps, "
        f"a tenth of an epoch of {epoch} {median(tenths):.3f} s; ratio {median(ratios):.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f}) over {rounds} rounds; "
        f"load {os.getloadavg()[0]:.1f}"
    )


def seconds(records: Iterator[Event], steps: int) -> float:
    """Return the time of this number of training steps, without the evaluation of an epoch."""
    count, total = 0, 0.0
    while count < steps:
        start = time.perf_counter()
        if isinstance(next(records), Stepped):
            count += 1
            total += time.perf_counter() - start
    return total


if __name__ == "__main__":
    main()
