"""The data set in the package: 5,000 MNIST training images, the first 500 of each digit."""

from __future__ import annotations

import lzma
from importlib.resources import files

import torch
from torch import Tensor

from netbuilder._files import digest_of
from netbuilder.components.datasets import Mnist5k
from netbuilder.data.dataset import LoadedData
from netbuilder.errors import DataError

DIGEST = "c447def775766b836e5d2e89e9771fd4a91a01e8b0142c10b54c47f47c2cc289"

_FILE = "mnist5k.xz"

_CLASSES, _EACH, _TRAIN = 10, 500, 400

_SIDE = 28


def load_mnist5k() -> LoadedData:
    """Of each digit, in the order of MNIST's training set, 400 to train on and 100 to test on.

    The digits take turns (0, 1, … 9, 0, 1, …), so that every stretch of ten is balanced.

    Raises:
        DataError: the file in the package is damaged.
    """
    # 3,920,000 bytes behind the compression: 10 digits of 500 images of 28 rows of 28 pixels
    try:
        pixels = lzma.decompress(files("netbuilder.data").joinpath(_FILE).read_bytes())
        images = torch.frombuffer(bytearray(pixels), dtype=torch.uint8).view(
            _CLASSES, _EACH, 1, _SIDE, _SIDE
        )
        tensors = {
            "train_images": _taking_turns(images[:, :_TRAIN]),
            "train_labels": torch.arange(_CLASSES).repeat(_TRAIN).to(torch.uint8),
            "test_images": _taking_turns(images[:, _TRAIN:]),
            "test_labels": torch.arange(_CLASSES).repeat(_EACH - _TRAIN).to(torch.uint8),
        }
        digest = digest_of(tensors)
        if digest != DIGEST:
            raise ValueError(f"its SHA-256 is {digest}, expected {DIGEST}")
    except (OSError, lzma.LZMAError, RuntimeError, ValueError) as error:
        raise DataError(f"netbuilder/data/{_FILE}: {error}; install netbuilder again") from None
    return LoadedData.of(Mnist5k(), tensors, digest)


def _taking_turns(images: Tensor) -> Tensor:
    """(digit, each, C, H, W) to (each * digit, C, H, W)."""
    return images.transpose(0, 1).reshape(-1, *images.shape[2:])
