"""The 5,000 MNIST training images inside the package; see ATTRIBUTION.md beside this file."""

from __future__ import annotations

import lzma
from importlib.resources import files

import numpy as np
import torch

from netbuilder.data.loaded import Tensors

IMAGES, TRAIN = 5000, 4000


def mnist5k() -> Tensors:
    """400 images a digit to train and 100 to test."""
    packed = files("netbuilder.data").joinpath("mnist5k.xz").read_bytes()
    values = torch.from_numpy(np.frombuffer(lzma.decompress(packed), np.uint8).copy())
    images, labels = values[: IMAGES * 784].reshape(IMAGES, 1, 28, 28), values[IMAGES * 784 :]
    return {
        "train_images": images[:TRAIN].contiguous(),
        "train_labels": labels[:TRAIN].contiguous(),
        "test_images": images[TRAIN:].contiguous(),
        "test_labels": labels[TRAIN:].contiguous(),
    }
