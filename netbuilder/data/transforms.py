"""Seeds, sample order, normalization and augmentation of batches on the device."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import torch
from torch import Tensor

from netbuilder.components.augmentations.base import Augmentation
from netbuilder.components.augmentations.functional import per_channel


def seed_for(*key: int | str) -> int:
    """Derive a seed of 63 bits from ``key``.

    The hash makes the generators of adjacent steps independent, whose keys differ in one number.
    """
    return int.from_bytes(hashlib.sha256(repr(key).encode()).digest()[:8], "little") >> 1


def generator_for(device: torch.device | str, *key: int | str) -> torch.Generator:
    """Create a generator on ``device`` that is seeded with ``key``."""
    return torch.Generator(device).manual_seed(seed_for(*key))


def epoch_order(seed: int, epoch: int, count: int) -> Tensor:
    """Draw the order of an epoch's samples, a permutation: int64 of shape (count) on the CPU.

    It is drawn on the CPU, so that it is the same for every device.
    """
    generator = generator_for("cpu", seed, epoch, "order")
    return torch.randperm(count, generator=generator)


def to_unit(images: Tensor) -> Tensor:
    """Convert uint8 images to float32 in [0, 1]."""
    return images.to(torch.float32).div_(255)


def normalize(images: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """Normalize images to mean 0 and standard deviation 1 per channel.

    Args:
        images: float32 in [0, 1] of shape (N, C, H, W); not modified.
        mean: The mean of the training set, one value per channel.
        std: The standard deviation of the training set, one value per channel.
    """
    if len(mean) == len(std) == 1:
        return (images - mean[0]).div_(std[0])
    return (images - per_channel(mean, images.device)).div_(per_channel(std, images.device))


@torch.no_grad()
def augment(
    images: Tensor, augmentations: Iterable[Augmentation], generator: torch.Generator
) -> Tensor:
    """Apply augmentations in order.

    Args:
        images: float32 in [0, 1] of shape (N, C, H, W).
        augmentations: The augmentations.
        generator: The source of random draws, on the device of the images.
    """
    for augmentation in augmentations:
        draws = augmentation.draw(len(images), tuple(images.shape[1:]), generator)
        images = augmentation.apply(images, draws)
    return images
