"""Measure the looking commands relative to a script that imports torch and calls torchinfo.

    python tests/benchmarks/bench_looks.py [--rounds 9] [--arch archs/iter10.yaml]

Each command is a whole process, from start to exit, with its output discarded. The commands
alternate, so that other programs slow all of them down alike; a ratio is the median of the ratios
of the rounds. A first round fills the caches and is not counted. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from statistics import median
from time import perf_counter

import torch

from netbuilder import Architecture, build, load

BOUNDS = {"summarize": 0.15, "check": 0.15, "--help": 0.12, "runs": 0.12}
"""The largest acceptable ratio of each command."""


def torchinfo_script(architecture: Architecture) -> str:
    """Return a script that builds the network in plain torch and prints torchinfo's summary."""
    modules = "".join(f"    nn.{module!r},\n" for module in build(architecture))
    return (
        "from torch import nn\nfrom torchinfo import summary\n\n"
        f"model = nn.Sequential(\n{modules})\n"
        f"print(summary(model, {(1, *architecture.input)!r}, device='cpu'))\n"
    )


def commands(arch: str) -> dict[str, list[str]]:
    """Return the commands by the name of their row; the others are compared with the first."""
    python = [sys.executable]
    netbuilder = [*python, "-m", "netbuilder"]
    return {
        "torchinfo": [*python, "-c", torchinfo_script(load(arch))],
        "summarize": [*netbuilder, "summarize", arch],
        "check": [*netbuilder, "check", arch],
        "--help": [*netbuilder, "--help"],
        "runs": [*netbuilder, "runs", "archs/results"],
        "python": [*python, "-c", "pass"],
    }


def seconds(command: list[str]) -> float:
    """Return the wall time of a process that must succeed."""
    # An installed package has its bytecode compiled, and so does torch.
    environment = {name: os.environ[name] for name in os.environ if "BYTECODE" not in name}
    start = perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env=environment)
    return perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--arch", default="archs/iter10.yaml")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    lines = commands(options.arch)
    times: dict[str, list[float]] = {name: [] for name in lines}
    for number in range(options.rounds + 1):
        for name, command in lines.items():
            duration = seconds(command)
            if number:
                times[name].append(duration)
    print("| command | median s | range s | of torchinfo | at most |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, durations in times.items():
        ratio = median(a / b for a, b in zip(durations, times["torchinfo"], strict=True))
        bound = f"{BOUNDS[name]:.2f}" if name in BOUNDS else ""
        spread = f"{min(durations):.3f} – {max(durations):.3f}"
        print(f"| {name} | {median(durations):.3f} | {spread} | {ratio:.3f} | {bound} |")
    print(
        f"\n{options.arch}, {options.rounds} rounds; Python {platform.python_version()}, torch "
        f"{torch.__version__}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end"
    )


if __name__ == "__main__":
    main()
