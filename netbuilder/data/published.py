"""What is published about the data sets, and the check that tensors are those of a data set."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import torch
from torch import Tensor

from netbuilder.components.datasets import Dataset
from netbuilder.data.dataset import NAMES

MEAN_TOLERANCE = 0.005
"""The published means have four digits; those of two data sets of one shape differ by more."""

SIZES: dict[str, tuple[int, ...]] = {
    "mnist": (9_912_422, 28_881, 1_648_877, 4_542),
    "fashion_mnist": (26_421_880, 29_515, 4_422_102, 5_148),
    "kmnist": (18_165_135, 29_497, 3_041_136, 5_120),
    "cifar10": (170_498_071,),
    "cifar100": (169_001_437,),
}
"""The published sizes of the archives of a data set in bytes, in torchvision's order."""


def shapes(dataset: Dataset) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the four tensors of a data set, by the names in `NAMES`."""
    counts = (*[dataset.train_size] * 2, *[dataset.test_size] * 2)
    return {
        name: (count, *dataset.shape) if "images" in name else (count,)
        for name, count in zip(NAMES, counts, strict=True)
    }


def decoded_bytes(dataset: Dataset) -> int:
    """Return the size of the four tensors of a data set in bytes."""
    return sum(map(prod, shapes(dataset).values()))


def difference(dataset: Dataset, tensors: Mapping[str, Tensor]) -> str:
    """Return how tensors differ from what is published about a data set; empty if they do not.

    Types and shapes, the range of the labels and, for a data set without a known digest, the mean
    of the training images, which tells data sets of one shape apart.
    """
    for name, shape in shapes(dataset).items():
        tensor = tensors[name]
        if tensor.dtype != torch.uint8:
            return f"{name} are {tensor.dtype}, expected torch.uint8"
        if tuple(tensor.shape) != shape:
            return f"{name} have the shape {list(tensor.shape)}, expected {list(shape)}"
        if "labels" in name and (last := int(tensor.max())) >= len(dataset.classes):
            return f"{name} range up to {last}, expected at most {len(dataset.classes) - 1}"
    if dataset.digest is not None:
        return ""
    images = tensors["train_images"]
    means = images.sum((0, 2, 3), dtype=torch.int64) / (255 * images.numel() / images.shape[1])
    if any(
        abs(mean - known) > MEAN_TOLERANCE
        for mean, known in zip(means.tolist(), dataset.mean, strict=True)
    ):
        measured = ", ".join(f"{mean:.4f}" for mean in means.tolist())
        expected = ", ".join(f"{mean:.4f}" for mean in dataset.mean)
        return f"train_images have the mean {measured}, expected {expected}"
    return ""
