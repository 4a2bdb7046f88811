"""Augmentations: torchvision's names, arguments and defaults, with a draw of its own a sample."""

from __future__ import annotations

from netbuilder.components.augmentations import geometry, pixels
from netbuilder.components.augmentations.base import Augmentation

AUGMENTATIONS: tuple[type[Augmentation], ...] = (
    geometry.RandomRotation,
    geometry.RandomAffine,
    geometry.RandomCrop,
    geometry.RandomHorizontalFlip,
    pixels.RandomErasing,
)
