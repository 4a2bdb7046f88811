"""A data set in memory, and the one file that keeps it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from netbuilder.files import digest_of, remove_leftovers, write_atomic
from netbuilder.recipe.datasets import Dataset

Tensors = dict[str, torch.Tensor]
"""``train_images`` and ``test_images``, uint8 (N, C, H, W); their labels, uint8 (N)."""


@dataclass(frozen=True)
class LoadedData:
    """A data set in memory.

    Attributes:
        dataset: what was loaded, which is the stand-in if the one asked for could not be had.
        train_images: uint8 of shape (N, C, H, W), as is ``test_images``.
        train_labels: int64 of shape (N), as is ``test_labels``.
        test_images: see ``train_images``.
        test_labels: see ``train_labels``.
        digest: SHA-256 over the tensors, in hexadecimal.
        fell_back_from: what was asked for, if this stands in for it.
        fallback_reason: why it does.
        notes: what the user should know, such as a cache that was damaged and made again.
    """

    dataset: Dataset
    train_images: torch.Tensor
    train_labels: torch.Tensor
    test_images: torch.Tensor
    test_labels: torch.Tensor
    digest: str
    fell_back_from: Dataset | None = None
    fallback_reason: str = ""
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, dataset: Dataset, tensors: Tensors) -> LoadedData:
        """The data set that these tensors are."""
        return cls(
            dataset,
            tensors["train_images"],
            tensors["train_labels"].long(),
            tensors["test_images"],
            tensors["test_labels"].long(),
            digest_of(tensors),
        )

    def to(self, device: torch.device) -> LoadedData:
        """The same with its tensors on ``device``."""
        return replace(
            self,
            train_images=self.train_images.to(device),
            train_labels=self.train_labels.to(device),
            test_images=self.test_images.to(device),
            test_labels=self.test_labels.to(device),
        )


class DamagedCache(Exception):
    """A cache file is not what was written; the message says how that shows."""


def read_cache(path: Path, expected: str | None) -> Tensors:
    """The tensors of a cache file.

    Args:
        path: the file.
        expected: the digest that the code knows for this data set; else the recorded one counts.

    Raises:
        FileNotFoundError: there is none.
        DamagedCache: it cannot be read, or its SHA-256 is wrong.
    """
    if not path.exists():
        raise FileNotFoundError(path)
    try:
        tensors: Tensors = load_file(path)
        recorded = path.with_suffix(".sha256").read_text().strip() if expected is None else expected
    except (OSError, SafetensorError, ValueError) as error:
        raise DamagedCache(str(error)) from None
    if (found := digest_of(tensors)) != recorded:
        raise DamagedCache(f"its SHA-256 is {found}, expected {recorded}")
    return tensors


def write_cache(path: Path, tensors: Tensors) -> None:
    """Write a cache file and its digest; whoever reads meanwhile sees the old file or the new.

    Raises:
        OSError: the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path.parent)
    # The digest first: a crash in between leaves a digest without a file, which is no cache.
    write_atomic(path.with_suffix(".sha256"), f"{digest_of(tensors)}\n".encode())
    write_atomic(path, save(tensors))
