"""Measure a summary of DenseNet-121 relative to a script that uses torchvision and torchinfo.

    python tests/benchmarks/bench_zoo.py [--rounds 9]

Times are those of alternating processes from start to exit: ``netbuilder summarize``,
torchinfo's summary of torchvision's model, and the start of Python, the floor of both. The
first round warms the disk cache and is not counted. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from statistics import median

from bench_looks import seconds

DOCUMENT = Path(__file__).parents[2] / "archs" / "zoo" / "densenet121.yaml"
SCRIPT = """\
from torchinfo import summary
from torchvision.models import densenet121

print(summary(densenet121(), (1, 3, 224, 224), device="cpu"))
"""
COMMANDS = {
    "netbuilder": [sys.executable, "-m", "netbuilder", "summarize", str(DOCUMENT)],
    "torchinfo": [sys.executable, "-c", SCRIPT],
    "python": [sys.executable, "-c", "pass"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    print(
        f"{DOCUMENT.name}, {options.rounds} rounds; python {platform.python_version()}, "
        f"torch {version('torch')}, torchvision {version('torchvision')}, "
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )
    rounds = [
        {name: seconds(command) for name, command in COMMANDS.items()}
        for _ in range(1 + options.rounds)
    ][1:]
    for name in COMMANDS:
        column = [times[name] for times in rounds]
        print(f"{name:<11} median {median(column):.3f} s, {min(column):.3f} to {max(column):.3f} s")
    ratios = [times["torchinfo"] / times["netbuilder"] for times in rounds]
    print(f"torchinfo / netbuilder: {median(ratios):.1f}, {min(ratios):.1f} to {max(ratios):.1f}")


if __name__ == "__main__":
    main()
