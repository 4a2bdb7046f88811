"""What a range test takes, beside a tenth of an epoch of training.

    python tests/benchmarks/bench_lr_find.py [ARCH ...] [--dataset mnist] [--rounds 5]

Both in one process, by turns, both eager: the whole of a range test but the opening of its data,
and the training of an epoch without its evaluation, counted over some steps of it in the middle.
Data come from NETBUILDER_DATA. Nothing else should run meanwhile.
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
    parser.add_argument("--steps", type=int, default=60, help="of training, a round")
    chosen = parser.parse_args()
    for path in chosen.archs:
        overrides = [f"train.dataset={chosen.dataset}", "train.epochs=10000", "targets={}"]
        compare(path.name, load(path, overrides), chosen.rounds, chosen.steps)


def compare(name: str, architecture: Architecture, rounds: int, steps: int) -> None:
    """Print the ratio of a range test's time to that of a tenth of an epoch."""
    images = len(open_dataset(architecture.trained.dataset).train_labels)
    epoch = -(-images // architecture.trained.batch_size)
    with tempfile.TemporaryDirectory() as out:
        records = train(architecture, out=out, compile="off")
        seconds(records, min(steps, epoch) // 2)  # the first are slow
        tested, tenths, taken = [], [], []
        for _ in range(rounds):
            tenths.append(seconds(records, steps) / steps * epoch / 10)
            began = time.perf_counter()
            open_dataset(architecture.trained.dataset)
            opened = time.perf_counter()
            test, _ = range_test(architecture)
            tested.append(time.perf_counter() - opened - (opened - began))
            taken.append(len(test.losses))
        records.close()
    ratios = [test / tenth for test, tenth in zip(tested, tenths, strict=True)]
    print(
        f"{name}: {median(tested):.3f} s for {median(taken):.0f} of {test.steps} steps, a tenth of "
        f"an epoch of {epoch} {median(tenths):.3f} s; ratio {median(ratios):.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f}) over {rounds} rounds; "
        f"load {os.getloadavg()[0]:.1f}"
    )


def seconds(records: Iterator[Event], steps: int) -> float:
    """How long so many steps of training take, without the evaluation behind an epoch."""
    taken, spent = 0, 0.0
    while taken < steps:
        began = time.perf_counter()
        if isinstance(next(records), Stepped):
            taken += 1
            spent += time.perf_counter() - began
    return spent


if __name__ == "__main__":
    main()
