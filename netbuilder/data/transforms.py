"""Batches on the device: what is drawn for them, and how bytes become what a network takes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import torch
from torch import Tensor

from netbuilder.components.augmentations.base import Augmentation
from netbuilder.components.augmentations.functional import per_channel


def seed_for(*key: int | str) -> int:
    """A well mixed number of 63 bits that is a function of ``key`` alone.

    Seeds that differ in one bit, as those of neighbouring steps do, give generators that have
    nothing in common.
    """
    return int.from_bytes(hashlib.sha256(repr(key).encode()).digest()[:8], "little") >> 1


def generator_for(device: torch.device | str, *key: int | str) -> torch.Generator:
    """A generator on ``device`` whose draws are a function of ``key``."""
    return torch.Generator(device).manual_seed(seed_for(*key))


def epoch_order(seed: int, epoch: int, count: int) -> Tensor:
    """The order of an epoch's samples: a permutation, int64 of shape (count), on the CPU.

    It is drawn there, so that it is the same on every device.
    """
    generator = generator_for("cpu", seed, epoch, "order")
    return torch.randperm(count, generator=generator)


def to_unit(images: Tensor) -> Tensor:
    """Images of bytes as float32 in [0, 1]."""
    return images.to(torch.float32).div_(255)


def normalise(images: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """Images in [0, 1] of shape (N, C, H, W) with mean 0 and deviation 1 in each channel.

    Args:
        images: float; they are left as they are.
        mean: the training set's, an entry a channel, as is std.
        std: its standard deviation.
    """
    if len(mean) == len(std) == 1:
        return (images - mean[0]).div_(std[0])
    return (images - per_channel(mean, images.device)).div_(per_channel(std, images.device))


@torch.no_grad()
def augment(
    images: Tensor, augmentations: Iterable[Augmentation], generator: torch.Generator
) -> Tensor:
    """Images in [0, 1] of shape (N, C, H, W), changed by each augmentation in turn.

    ``generator`` is on the images' device; its state moves on.
    """
    for augmentation in augmentations:
        drawn = augmentation.draw(len(images), tuple(images.shape[1:]), generator)
        images = augmentation.apply(images, drawn)
    return images
