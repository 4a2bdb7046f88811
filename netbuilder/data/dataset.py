"""A decoded data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from netbuilder.components.datasets import Dataset

NAMES = ("train_images", "train_labels", "test_images", "test_labels")


@dataclass(frozen=True)
class LoadedData:
    """A complete, verified data set on one device.

    Attributes:
        dataset: The data set that was loaded.
        train_images: uint8 of shape (N, C, H, W).
        train_labels: int64 of shape (N).
        test_images: uint8 of shape (M, C, H, W).
        test_labels: int64 of shape (M).
        digest: SHA-256 of the tensors, see `netbuilder._files.digest_of`.
        fallback_for: The data set of the document, if this is its fallback; else None.
        fallback_reason: Why the fallback was loaded; empty unless it was.
    """

    dataset: Dataset
    train_images: Tensor = field(repr=False)
    train_labels: Tensor = field(repr=False)
    test_images: Tensor = field(repr=False)
    test_labels: Tensor = field(repr=False)
    digest: str
    fallback_for: Dataset | None = None
    fallback_reason: str = ""

    @classmethod
    def from_tensors(
        cls, dataset: Dataset, tensors: Mapping[str, Tensor], digest: str
    ) -> LoadedData:
        """Create from four uint8 tensors with the names in `NAMES`."""
        return cls(
            dataset,
            tensors["train_images"],
            tensors["train_labels"].long(),
            tensors["test_images"],
            tensors["test_labels"].long(),
            digest,
        )

    def to(self, device: torch.device | str, *, images: bool = True) -> LoadedData:
        """Move the data to ``device``; with ``images=False``, only the labels."""
        names = [name for name in NAMES if images or "images" not in name]
        return replace(self, **{name: getattr(self, name).to(device) for name in names})
