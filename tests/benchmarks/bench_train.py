"""Images per second of netbuilder's training and of the ordinary PyTorch loop, in turn.

    python tests/benchmarks/bench_train.py [ARCH] [--rounds 3] [--steps 300]

The ordinary loop is what people write: torchvision's MNIST with RandomRotation, ToTensor and
Normalize, a DataLoader with two workers, eager float32. Both train the same network with the same
batch size, optimizer and schedule; netbuilder does all that its document says, the average of the
weights included. Data must be at hand (NETBUILDER_DATA). Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import torch
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from netbuilder import Architecture, build, load
from netbuilder.training import Stepped, train


def ordinary(architecture: Architecture, data_dir: str) -> Iterator[int]:
    """The ordinary loop; it yields the images of each step."""
    config = architecture.train
    assert config is not None
    dataset = config.dataset
    transform = transforms.Compose(
        [
            transforms.RandomRotation(7),
            transforms.ToTensor(),
            transforms.Normalize(dataset.mean, dataset.std),
        ]
    )
    data = datasets.MNIST(data_dir, train=True, transform=transform, download=True)
    loader = DataLoader(data, batch_size=config.batch_size, shuffle=True, num_workers=2)
    model = build(architecture)
    optimizer = config.optimizer.build(model.parameters(), fused=False)
    schedule = [
        scheduler.build(optimizer, epochs=config.epochs, steps_per_epoch=len(loader))
        for scheduler in config.scheduler
    ]
    loss = config.loss.build()
    while True:
        for images, labels in loader:
            optimizer.zero_grad()
            loss(model(images).flatten(1), labels).backward()
            optimizer.step()
            for scheduler in schedule:
                scheduler.step()
            yield len(labels)


def netbuilder(architecture: Architecture, data_dir: str) -> Iterator[int]:
    """netbuilder's own loop, run folder and all."""
    with TemporaryDirectory() as out:
        seen = 0
        for record in train(architecture, out=out, data_dir=data_dir):
            if isinstance(record, Stepped):
                yield record.images - seen
                seen = record.images


def speed(steps: Iterator[int], warm_up: int, counted: int) -> float:
    """Images per second over ``counted`` steps, the start and ``warm_up`` steps left out."""
    for _ in range(warm_up):
        next(steps)
    began = perf_counter()
    images = sum(next(steps) for _ in range(counted))
    return images / (perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("arch", nargs="?", default="archs/iter10.yaml")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=300)
    chosen = parser.parse_args()
    architecture, data_dir = load(chosen.arch), os.environ["NETBUILDER_DATA"]
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {chosen.steps} steps")
    ratios = []
    for number in range(chosen.rounds):
        theirs = speed(ordinary(architecture, data_dir), 30, chosen.steps)
        ours = speed(netbuilder(architecture, data_dir), 30, chosen.steps)
        ratios.append(ours / theirs)
        print(
            f"round {number + 1}: ordinary {theirs:,.0f} images/s, netbuilder {ours:,.0f}, "
            f"ratio {ratios[-1]:.2f}"
        )
    print(f"median ratio {median(ratios):.2f}, from {min(ratios):.2f} to {max(ratios):.2f}")


if __name__ == "__main__":
    main()
