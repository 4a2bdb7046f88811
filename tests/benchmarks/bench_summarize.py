"""How long a look at a document takes, beside a script that imports torch and calls torchinfo.

    python tests/benchmarks/bench_summarize.py [ARCH] [--rounds 9]

Whole processes in turn, from start to exit: ``netbuilder summarize ARCH``, the same network written
in plain torch and shown by torchinfo, and Python doing nothing, which is the floor of both. The
first round warms the disk cache and is not counted. Nothing else should run meanwhile.
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


def torchinfo_script(architecture: Architecture) -> str:
    """The network in plain torch, from the modules' own representation, and its summary."""
    modules = "".join(f"    nn.{module!r},\n" for module in build(architecture))
    return (
        "from torch import nn\nfrom torchinfo import summary\n\n"
        f"model = nn.Sequential(\n{modules})\n"
        f"print(summary(model, {(1, *architecture.input)!r}, device='cpu'))\n"
    )


def seconds(command: list[str]) -> float:
    """Wall time of a process that must succeed."""
    began = perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("arch", nargs="?", default="archs/iter10.yaml")
    parser.add_argument("--rounds", type=int, default=9)
    chosen = parser.parse_args()
    commands = {
        "netbuilder": [sys.executable, "-m", "netbuilder", "summarize", chosen.arch],
        "torchinfo": [sys.executable, "-c", torchinfo_script(load(chosen.arch))],
        "python": [sys.executable, "-c", "pass"],
    }
    load_average = os.getloadavg()[0]
    print(
        f"{chosen.arch}, {chosen.rounds} rounds; python {platform.python_version()}, "
        f"torch {torch.__version__}, {os.cpu_count()} cores, load {load_average:.1f}"
    )
    for command in commands.values():
        seconds(command)
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(chosen.rounds):
        for name, command in commands.items():
            times[name].append(seconds(command))
    for name, taken in times.items():
        print(f"{name:<11} median {median(taken):.3f} s, {min(taken):.3f} to {max(taken):.3f} s")
    ratios = [t / n for t, n in zip(times["torchinfo"], times["netbuilder"], strict=True)]
    print(f"torchinfo / netbuilder: {median(ratios):.1f}, {min(ratios):.1f} to {max(ratios):.1f}")


if __name__ == "__main__":
    main()
