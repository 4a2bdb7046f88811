"""How time grows: a training step with its batch, network and data; a look with the layers.

    python tests/benchmarks/bench_growth.py [--steps 20] [--rounds 3] [--out growth.png]

Each row of a table is a factor of what stands in the first column; a straight line has equal
figures in the last. Images are synthetic bytes. Nothing else should run meanwhile.
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
    """A stack of convolutions over 14x14 or less, each with normalisation and activation."""
    head = f"name: growth\ninput: [1, 28, 28]\nlayers:\n  - AvgPool2d: {pool}\n"
    text = head + BLOCK.format(width=width) * depth + TAIL.format(batch=batch)
    return parse_architecture(text, "growth.yaml")


def seconds_a_step(
    architecture: Architecture, images: int, steps: int, file: Path | None = None
) -> float:
    """The median step over ``images`` synthetic images, from a file if one is named."""
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
    taken = []
    began = perf_counter()
    for index, (batch, answers) in zip(range(steps + WARM_UPS), batches, strict=False):
        loss, _ = step(batch, answers, 0, index)
        loss.item()
        now = perf_counter()  # with the wait for the batch, which is what a stream may cost
        taken.append(now - began)
        began = now
    return median(taken[WARM_UPS:])


def streamed(images: Sequence[int], steps: int, rounds: int) -> tuple[Points, Points]:
    """Steps over images in memory and from a mapped file by turns: their medians."""
    one = network(6, 16)
    held, mapped = [], []
    with TemporaryDirectory() as folder:
        file = Path(folder) / "images"
        for count in images:
            write_images(file, count)
            pairs = [
                (seconds_a_step(one, count, steps), seconds_a_step(one, count, steps, file))
                for _ in range(rounds)
            ]
            ratios = [from_file / in_memory for in_memory, from_file in pairs]
            print(
                f"{count:,} images: streamed over held {median(ratios):.3f} "
                f"({min(ratios):.3f} to {max(ratios):.3f})",
                flush=True,
            )
            held.append((count, median(pair[0] for pair in pairs)))
            mapped.append((count, median(pair[1] for pair in pairs)))
    return held, mapped


def write_images(file: Path, count: int) -> None:
    """So many images of noise, a million at a time."""
    with file.open("wb") as out:
        for start in range(0, count, 1_000_000):
            out.write(os.urandom(784 * min(1_000_000, count - start)))


def seconds(work: Callable[[], object]) -> float:
    """The median of three."""
    taken = []
    for _ in range(3):
        began = perf_counter()
        work()
        taken.append(perf_counter() - began)
    return median(taken)


def looked_at(layers: int) -> dict[str, float]:
    """Seconds to load, analyse and build so many layers."""
    blocks = "".join(BLOCK.format(width=4) for _ in range(layers // 3))
    text = "name: growth\ninput: [1, 8, 8]\nlayers:\n" + blocks
    architecture = parse_architecture(text, "growth.yaml")
    return {
        "load": seconds(lambda: parse_architecture(text, "growth.yaml")),
        "analyse": seconds(lambda: analyse(architecture)),
        "build": seconds(lambda: build(architecture)),
    }


def told(title: str, points: Points) -> Points:
    """Print a table as markdown."""
    print(f"\n| {title} | ms | µs for each |\n| ---: | ---: | ---: |")
    for size, taken in points:
        print(f"| {size:,} | {taken * 1e3:.2f} | {taken * 1e6 / size:.3f} |", flush=True)
    return points


def measured(steps: int, rounds: int) -> Iterable[tuple[str, Points]]:
    """Each growth with its points."""
    batches = [16, 64, 256, 1024]
    yield "batch size", [(n, seconds_a_step(network(6, 16, n), 60_000, steps)) for n in batches]
    held, mapped = streamed((60_000, 600_000, 6_000_000), steps, rounds)
    yield "images in memory", held
    yield "images from a file", mapped
    points = []
    for width in (21, 88, 380, 1830):
        architecture = network(3, width, 16, pool=7)
        points.append(
            (analyse(architecture).parameters, seconds_a_step(architecture, 60_000, steps))
        )
    yield "parameters", points
    depths = (10, 50, 200)
    yield "depth", [(n, seconds_a_step(network(n, 16), 60_000, steps)) for n in depths]
    looks = {n: looked_at(n) for n in (100, 1_000, 10_000)}
    for what in ("load", "analyse", "build"):
        yield f"layers to {what}", [(n, times[what]) for n, times in looks.items()]


def draw(path: Path, growths: list[tuple[str, Points]]) -> None:
    """Steps on the left, looks on the right, on logarithmic axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    for title, points in growths:
        looks = title.startswith("layers")
        axes = right if looks else left
        axes.plot(*zip(*points, strict=True), marker="o", markersize=4, label=title)
    left.set(title="one training step", xlabel="how many (see the legend)", ylabel="seconds")
    right.set(title="a look at a document", xlabel="layers", ylabel="seconds")
    for axes in (left, right):
        axes.set(xscale="log", yscale="log")
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3, help="of held and streamed by turns")
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    print(f"torch {torch.__version__}, {Device.choose().describe()['device_name']}")
    growths = [
        (title, told(title, points)) for title, points in measured(chosen.steps, chosen.rounds)
    ]
    if chosen.out:
        draw(chosen.out, growths)


if __name__ == "__main__":
    main()
