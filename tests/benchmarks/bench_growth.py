"""How time grows: a training step with its batch, network and data; a look with the layers.

    python tests/benchmarks/bench_growth.py [--steps 20] [--out growth.png]

Each row of a table is a factor of what stands in the first column; a straight line has equal
figures in the last. Images are synthetic bytes. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from time import perf_counter

import torch

from netbuilder import analyse, build
from netbuilder.data.batches import epoch_order
from netbuilder.loader import parse_architecture
from netbuilder.schema import Architecture
from netbuilder.training.hardware import Hardware
from netbuilder.training.step import Step, Trainee

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


def network(depth: int, width: int, batch: int = 64) -> Architecture:
    """A stack of convolutions over 14x14, each with its normalisation and activation."""
    head = "name: growth\ninput: [1, 28, 28]\nlayers:\n  - AvgPool2d: 2\n"
    text = head + BLOCK.format(width=width) * depth + TAIL.format(batch=batch)
    return parse_architecture(text, "growth.yaml")


def seconds_a_step(architecture: Architecture, images: int, steps: int) -> float:
    """The median step over ``images`` synthetic images in memory, drawn in an epoch's order."""
    config, hardware = architecture.trained, Hardware.choose()
    per_epoch = -(-images // config.batch_size)
    trainee = Trainee.make(architecture, hardware, 0, per_epoch, 1)
    step = Step(trainee, config, config.dataset, hardware, 0, per_epoch)
    data = torch.randint(0, 256, (images, 1, 28, 28), dtype=torch.uint8, device=hardware.device)
    labels = torch.randint(0, 10, (images,), device=hardware.device)
    order = epoch_order(0, 0, images)
    taken = []
    for index in range(steps + 3):
        chosen = order[index * config.batch_size % images :][: config.batch_size]
        began = perf_counter()
        loss, _ = step(data[chosen], labels[chosen], 0, index)
        loss.item()
        taken.append(perf_counter() - began)
    return median(taken[3:])


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
    """Print a table."""
    print(f"\n{title:<24}{'ms':>10}{'us for each':>14}")
    for size, taken in points:
        print(f"{size:<24,}{taken * 1e3:>10.2f}{taken * 1e6 / size:>14.3f}")
    return points


def measured(steps: int) -> Iterable[tuple[str, Points]]:
    """Each growth with its points."""
    one = network(6, 16)
    batches = [16, 64, 256, 1024]
    yield "batch size", [(n, seconds_a_step(network(6, 16, n), 4096, steps)) for n in batches]
    yield (
        "images in memory",
        [(n, seconds_a_step(one, n, steps)) for n in (60_000, 600_000, 6_000_000)],
    )
    points = []
    for width in (28, 88, 280, 880):
        architecture = network(3, width, 16)
        points.append((analyse(architecture).parameters, seconds_a_step(architecture, 4096, steps)))
    yield "parameters", points
    depths = (10, 50, 200)
    yield "depth", [(n, seconds_a_step(network(n, 16), 4096, steps)) for n in depths]
    looks = {n: looked_at(n) for n in (100, 1_000, 10_000)}
    for what in ("load", "analyse", "build"):
        yield f"layers to {what}", [(n, times[what]) for n, times in looks.items()]


def draw(path: Path, growths: list[tuple[str, Points]]) -> None:
    """All of them on logarithmic axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.add_subplot(xscale="log", yscale="log", xlabel="size", ylabel="seconds")
    for title, points in growths:
        axes.plot(*zip(*points, strict=True), marker="o", label=title)
    axes.legend()
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    print(f"torch {torch.__version__}, {Hardware.choose().describe()['device_name']}")
    growths = [(title, told(title, points)) for title, points in measured(chosen.steps)]
    if chosen.out:
        draw(chosen.out, growths)


if __name__ == "__main__":
    main()
