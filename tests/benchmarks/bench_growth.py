"""Measure how times grow: a training step with batch, network and data; a look with layers.

    python tests/benchmarks/bench_growth.py [--steps 20] [--rounds 3] [--out growth.png]

Each row is one value of the first column; linear growth gives equal numbers in the last column.
Images are synthetic bytes. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Sequence
from math import prod
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import torch

from netbuilder import analyse, build
from netbuilder.config.loader import parse_architecture
from netbuilder.config.schema import Architecture
from netbuilder.data.loader import BatchLoader, InMemoryLoader, StreamingLoader
from netbuilder.data.transforms import epoch_order
from netbuilder.training.device import Device
from netbuilder.training.step import Step, TrainState

CONV = "  - Conv2d: {{out_channels: {width}, kernel_size: 3, padding: 1, bias: false}}\n"
BLOCK = CONV + "  - BatchNorm2d\n  - ReLU\n"
TAIL = """\
  - AdaptiveAvgPool2d: 1
  - Flatten
  - Linear: 10
train:
  dataset: mnist
  epochs: 1
  batch_size: {batch}
  optimizer: {{SGD: {{lr: 0.01, momentum: 0.9}}}}
"""
Points = list[tuple[int, float]]
WARM_UPS = 5


def network(depth: int, width: int, batch: int = 64, pool: int = 2) -> Architecture:
    """A stack of convolutions over 14x14 or less, each with normalization and activation."""
    head = f"name: growth\ninput: [1, 28, 28]\nlayers:\n  - AvgPool2d: {pool}\n"
    text = head + BLOCK.format(width=width) * depth + TAIL.format(batch=batch)
    return parse_architecture(text, "growth.yaml")


def step_seconds(
    architecture: Architecture, images: int, steps: int, file: Path | None = None
) -> float:
    """Return the median time of a step over ``images`` synthetic images, optionally from a file."""
    config, hardware = architecture.trained, Device.choose()
    per_epoch = -(-images // config.batch_size)
    trainee = TrainState.make(architecture, hardware, 0, per_epoch, 1)
    step = Step(trainee, config, config.dataset, hardware, 0, per_epoch)
    labels = torch.randint(0, 10, (images,))
    shape = (images, 1, 28, 28)
    feed: BatchLoader
    if file is None:
        data = torch.randint(0, 256, shape, dtype=torch.uint8, device=hardware.device)
        feed = InMemoryLoader(data, labels.to(hardware.device))
    else:
        size = prod(shape)
        mapped = torch.from_file(str(file), shared=False, size=size, dtype=torch.uint8)
        feed = StreamingLoader(mapped.view(shape), labels, hardware.device)
    order = epoch_order(0, 0, images)
    batches = feed.batches(order, config.batch_size, 0)
    durations = []
    start = perf_counter()
    for index, (batch, answers) in zip(range(steps + WARM_UPS), batches, strict=False):
        loss, _ = step(batch, answers, 0, index)
        loss.item()
        now = perf_counter()  # includes the wait for the batch, the cost of streaming
        durations.append(now - start)
        start = now
    return median(durations[WARM_UPS:])


def compare_loaders(images: Sequence[int], steps: int, rounds: int) -> tuple[Points, Points]:
    """Return median times of steps over images in memory and from a mapped file, alternating."""
    architecture = network(6, 16)
    in_memory, mapped = [], []
    with TemporaryDirectory() as folder:
        file = Path(folder) / "images"
        for count in images:
            write_images(file, count)
            pairs = [
                (
                    step_seconds(architecture, count, steps),
                    step_seconds(architecture, count, steps, file),
                )
                for _ in range(rounds)
            ]
            ratios = [file_time / memory_time for memory_time, file_time in pairs]
            print(
                f"{count:,} images: from a file relative to memory {median(ratios):.3f} "
                f"({min(ratios):.3f} to {max(ratios):.3f})",
                flush=True,
            )
            in_memory.append((count, median(pair[0] for pair in pairs)))
            mapped.append((count, median(pair[1] for pair in pairs)))
    return in_memory, mapped


def write_images(file: Path, count: int) -> None:
    """Write this number of images of noise, a million at a time."""
    with file.open("wb") as out:
        for start in range(0, count, 1_000_000):
            out.write(os.urandom(784 * min(1_000_000, count - start)))


def seconds(work: Callable[[], object]) -> float:
    """Return the median time of three calls."""
    durations = []
    for _ in range(3):
        start = perf_counter()
        work()
        durations.append(perf_counter() - start)
    return median(durations)


def look_seconds(layers: int) -> dict[str, float]:
    """Return the seconds to load, analyze and build this number of layers."""
    blocks = "".join(BLOCK.format(width=4) for _ in range(layers // 3))
    text = "name: growth\ninput: [1, 8, 8]\nlayers:\n" + blocks
    architecture = parse_architecture(text, "growth.yaml")
    return {
        "load": seconds(lambda: parse_architecture(text, "growth.yaml")),
        "analyse": seconds(lambda: analyse(architecture)),
        "build": seconds(lambda: build(architecture)),
    }


def print_table(title: str, points: Points) -> Points:
    """Print a table as markdown."""
    print(f"\n| {title} | ms | µs per unit |\n| ---: | ---: | ---: |")
    for size, duration in points:
        print(f"| {size:,} | {duration * 1e3:.2f} | {duration * 1e6 / size:.3f} |", flush=True)
    return points


def measure(steps: int, rounds: int) -> Iterable[tuple[str, Points]]:
    """Yield each quantity that grows, with its points."""
    batches = [16, 64, 256, 1024]
    yield "batch size", [(n, step_seconds(network(6, 16, n), 60_000, steps)) for n in batches]
    in_memory, mapped = compare_loaders((60_000, 600_000, 6_000_000), steps, rounds)
    yield "images in memory", in_memory
    yield "images from a file", mapped
    points = []
    for width in (21, 88, 380, 1830):
        architecture = network(3, width, 16, pool=7)
        points.append((analyse(architecture).parameters, step_seconds(architecture, 60_000, steps)))
    yield "parameters", points
    depths = (10, 50, 200)
    yield "depth", [(n, step_seconds(network(n, 16), 60_000, steps)) for n in depths]
    times_by_layers = {n: look_seconds(n) for n in (100, 1_000, 10_000)}
    for operation in ("load", "analyse", "build"):
        yield (
            f"layers to {operation}",
            [(n, times[operation]) for n, times in times_by_layers.items()],
        )


def draw(path: Path, growths: list[tuple[str, Points]]) -> None:
    """Draw steps on the left and looks on the right, on logarithmic axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.5), layout="constrained")
    steps_axes, looks_axes = figure.subplots(1, 2)
    for title, points in growths:
        looks = title.startswith("layers")
        axes = looks_axes if looks else steps_axes
        axes.plot(*zip(*points, strict=True), marker="o", markersize=4, label=title)
    steps_axes.set(title="one training step", xlabel="size (see the legend)", ylabel="seconds")
    looks_axes.set(title="a look at a document", xlabel="layers", ylabel="seconds")
    for axes in (steps_axes, looks_axes):
        axes.set(xscale="log", yscale="log")
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3, help="alternations of memory and file")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    print(f"torch {torch.__version__}, {Device.choose().describe()['device_name']}")
    growths = [
        (title, print_table(title, points))
        for title, points in measure(options.steps, options.rounds)
    ]
    if options.out:
        draw(options.out, growths)


if __name__ == "__main__":
    main()
