"""Measure the cost of the live display: training steps with it and without it.

    python tests/benchmarks/bench_shown.py [ARCH] [--rounds 60] [--steps 30]

One training alternates between both, on a terminal that discards its output.
Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from statistics import median

from netbuilder.config.loader import load
from netbuilder.render.progress import RunProgress
from netbuilder.training.events import Event, Started, Stepped
from netbuilder.training.loop import train

ITER10 = Path(__file__).parents[2] / "archs" / "iter10.yaml"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("arch", nargs="?", type=Path, default=ITER10)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--steps", type=int, default=30)
    options = parser.parse_args()
    os.environ["FORCE_COLOR"] = "1"  # rich treats its output as a terminal
    with (
        tempfile.TemporaryDirectory() as out,
        Path(os.devnull).open("w", encoding="utf-8") as null_device,
        redirect_stdout(null_device),
    ):
        records = train(load(options.arch), out=out)
        started = next(records)
        for _ in range(options.steps):
            next(records)
        without_display, with_display = [], []
        for _ in range(options.rounds):
            without_display.append(seconds(records, options.steps, None))
            with_display.append(seconds(records, options.steps, started))
        records.close()
    ratios = [after / before for before, after in zip(without_display, with_display, strict=True)]
    print(
        f"{options.arch.name}: {1e3 * median(without_display) / options.steps:.2f} ms per step "
        f"without display, {1e3 * median(with_display) / options.steps:.2f} ms with it; "
        f"ratio {median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}) over "
        f"{options.rounds} rounds of {options.steps} steps; load {os.getloadavg()[0]:.1f}"
    )


def seconds(records: Iterator[Event], steps: int, started: Event | None) -> float:
    """Return the time of this number of steps, with the display if ``started`` is not None."""
    assert started is None or isinstance(started, Started)
    with RunProgress(plain=False, quiet=started is None) as live:
        if started:
            live.show(started)
        start = time.perf_counter()
        count = 0
        while count < steps:
            record = next(records)
            if started:
                live.show(record)
            count += isinstance(record, Stepped)
        return time.perf_counter() - start


if __name__ == "__main__":
    main()
