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

_FILE = "mnist5k.xz"

_CLASSES, _TRAIN_PER_CLASS, _TEST_PER_CLASS = 10, 400, 100

_PER_CLASS = _TRAIN_PER_CLASS + _TEST_PER_CLASS

_SIDE = 28


def load_mnist5k() -> LoadedData:
    """Load 400 training and 100 test images per digit, in the order of MNIST's training set.

    Digits alternate (0, 1, … 9, 0, 1, …), so that any ten consecutive samples are balanced.

    Raises:
        DataError: The file in the package is damaged.
    """
    # 3,920,000 bytes uncompressed: 10 digits of 500 images of 28 rows of 28 pixels
    try:
        pixels = lzma.decompress(files("netbuilder.data").joinpath(_FILE).read_bytes())
        images = torch.frombuffer(bytearray(pixels), dtype=torch.uint8).view(
            _CLASSES, _PER_CLASS, 1, _SIDE, _SIDE
        )
        tensors = {
            "train_images": _interleave(images[:, :_TRAIN_PER_CLASS]),
            "train_labels": torch.arange(_CLASSES).repeat(_TRAIN_PER_CLASS).to(torch.uint8),
            "test_images": _interleave(images[:, _TRAIN_PER_CLASS:]),
            "test_labels": torch.arange(_CLASSES).repeat(_TEST_PER_CLASS).to(torch.uint8),
        }
        digest = digest_of(tensors)
        if digest != Mnist5k.digest:
            raise ValueError(f"its SHA-256 is {digest}, expected {Mnist5k.digest}")
    except (OSError, lzma.LZMAError, RuntimeError, ValueError) as error:
        raise DataError(f"netbuilder/data/{_FILE}: {error}; install netbuilder again") from None
    return LoadedData.from_tensors(Mnist5k(), tensors, digest)


def _interleave(images: Tensor) -> Tensor:
    """Convert (digit, index, C, H, W) to (index * digit, C, H, W)."""
    return images.transpose(0, 1).reshape(-1, *images.shape[2:])
