"""A data set in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from netbuilder.components.datasets import Dataset

NAMES = ("train_images", "train_labels", "test_images", "test_labels")


@dataclass(frozen=True)
class LoadedData:
    """A data set, whole and verified, on one device.

    Attributes:
        dataset: the one that was really loaded.
        train_images: uint8 of shape (N, C, H, W), as is test_images.
        train_labels: int64 of shape (N), as is test_labels.
        test_images: what training never sees.
        test_labels: the labels of those.
        digest: SHA-256 over the tensors, see `netbuilder.files.digest_of`.
        fell_back_from: the data set that was asked for and could not be had, if there is one.
        fallback_reason: why it could not; "" where it could.
    """

    dataset: Dataset
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    digest: str
    fell_back_from: Dataset | None = None
    fallback_reason: str = ""

    @classmethod
    def of(cls, dataset: Dataset, tensors: Mapping[str, Tensor], digest: str) -> LoadedData:
        """From the four uint8 tensors named in `NAMES`; labels become int64."""
        return cls(
            dataset,
            tensors["train_images"],
            tensors["train_labels"].long(),
            tensors["test_images"],
            tensors["test_labels"].long(),
            digest,
        )

    def to(self, device: torch.device | str, *, images: bool = True) -> LoadedData:
        """The same data on ``device``; labels alone without ``images``."""
        moved = [name for name in NAMES if images or "images" not in name]
        return replace(self, **{name: getattr(self, name).to(device) for name in moved})
