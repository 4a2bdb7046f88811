"""Draws and batches: what is random is a function of (seed, epoch, step)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch

from netbuilder.recipe.augmentations import Augmentation


def seed_for(*key: int | str) -> int:
    """A 63-bit seed for a key; keys that differ in anything give seeds that share nothing."""
    return int.from_bytes(hashlib.sha256(repr(key).encode()).digest()[:8], "little") >> 1


def generator_for(device: torch.device, *key: int | str) -> torch.Generator:
    """A generator on ``device``, seeded for ``key``."""
    return torch.Generator(device).manual_seed(seed_for(*key))


def epoch_order(seed: int, epoch: int, count: int, device: torch.device) -> torch.Tensor:
    """The order in which an epoch sees its images: a permutation, int64 (count).

    It is drawn on the CPU, so that it is the same on every device.
    """
    generator = generator_for(torch.device("cpu"), seed, epoch, "order")
    return torch.randperm(count, generator=generator).to(device)


def to_unit(images: torch.Tensor) -> torch.Tensor:
    """uint8 images as float32 in [0, 1]."""
    return images.float().div_(255)


def normalise(images: torch.Tensor, mean: Sequence[float], std: Sequence[float]) -> torch.Tensor:
    """(x - mean) / std for each channel of (N, C, H, W)."""
    if len(mean) == 1:
        return (images - mean[0]) / std[0]
    shift = torch.tensor(mean, device=images.device)[:, None, None]
    return (images - shift) / torch.tensor(std, device=images.device)[:, None, None]


def augment(
    images: torch.Tensor, augmentations: Sequence[Augmentation], generator: torch.Generator
) -> torch.Tensor:
    """The images (N, C, H, W), float in [0, 1], through each augmentation in turn."""
    count, *shape = images.shape
    for augmentation in augmentations:
        images = augmentation.apply(images, augmentation.draw(count, tuple(shape), generator))
    return images
