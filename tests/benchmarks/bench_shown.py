"""What showing a run costs its training: steps under the live display beside steps unseen.

    python tests/benchmarks/bench_shown.py [ARCH] [--rounds 60] [--steps 30]

One training, whose steps are shown and not shown by turns, on a terminal that throws all away.
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
    chosen = parser.parse_args()
    os.environ["FORCE_COLOR"] = "1"  # rich takes what it writes to for a terminal
    with (
        tempfile.TemporaryDirectory() as out,
        Path(os.devnull).open("w", encoding="utf-8") as nowhere,
        redirect_stdout(nowhere),
    ):
        records = train(load(chosen.arch), out=out)
        started = next(records)
        for _ in range(chosen.steps):
            next(records)
        unseen, shown = [], []
        for _ in range(chosen.rounds):
            unseen.append(seconds(records, chosen.steps, None))
            shown.append(seconds(records, chosen.steps, started))
        records.close()
    ratios = [after / before for before, after in zip(unseen, shown, strict=True)]
    print(
        f"{chosen.arch.name}: {1e3 * median(unseen) / chosen.steps:.2f} ms a step unseen, "
        f"{1e3 * median(shown) / chosen.steps:.2f} ms shown; ratio {median(ratios):.3f} "
        f"({min(ratios):.3f} to {max(ratios):.3f}) over {chosen.rounds} rounds of {chosen.steps} "
        f"steps; load {os.getloadavg()[0]:.1f}"
    )


def seconds(records: Iterator[Event], steps: int, started: Event | None) -> float:
    """How long so many steps take, shown behind ``started`` if that is given."""
    assert started is None or isinstance(started, Started)
    with RunProgress(plain=False, quiet=started is None) as live:
        if started:
            live.show(started)
        began = time.perf_counter()
        taken = 0
        while taken < steps:
            record = next(records)
            if started:
                live.show(record)
            taken += isinstance(record, Stepped)
        return time.perf_counter() - began


if __name__ == "__main__":
    main()
