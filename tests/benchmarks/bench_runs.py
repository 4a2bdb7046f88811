"""Measure a list of 500 run folders, with the start of Python as the floor.

    python tests/benchmarks/bench_runs.py [--rounds 5]

Times are those of processes from start to exit; the folders are copies of a record of iter10.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench_looks import seconds

RECORD = next((Path(__file__).parents[2] / "archs" / "results" / "iter10").iterdir())
FOLDERS = 500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with TemporaryDirectory() as folder:
        for number in range(FOLDERS):
            shutil.copytree(RECORD, Path(folder) / "iter10" / f"run{number:03d}")
        commands = {
            "netbuilder runs": [sys.executable, "-m", "netbuilder", "runs", folder],
            "python": [sys.executable, "-c", "pass"],
        }
        durations = {
            name: [seconds(command) for _ in range(rounds)] for name, command in commands.items()
        }
    print(f"{FOLDERS} run folders, {rounds} rounds, load {os.getloadavg()[0]:.1f}")
    for name, times in durations.items():
        print(f"{name:<16} median {median(times):.3f} s, {min(times):.3f} to {max(times):.3f} s")


if __name__ == "__main__":
    main()
