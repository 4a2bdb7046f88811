"""Where data sets come from: torchvision's archives, checked, and torchvision's own decoders.

torchvision is imported inside the calls alone; a run on a cached data set never loads it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from netbuilder.data.download import Unreachable, fetch
from netbuilder.errors import DataError

_CLASSES = {
    "mnist": "MNIST",
    "fashion_mnist": "FashionMNIST",
    "kmnist": "KMNIST",
    "cifar10": "CIFAR10",
    "cifar100": "CIFAR100",
}
"""The name in documents to torchvision's class."""


KNOWN = {"mnist": "cbf860d23226daf9a08a820109ffa918bd240291e27021b444ee35cd3120d5e7"}
"""The digests of data sets that have been converted from the published archives."""


@dataclass(frozen=True)
class Archive:
    """One published file: its place below the data root, its MD5 and where it can be had."""

    path: Path
    md5: str
    urls: tuple[str, ...]


def archives(kind: str) -> tuple[Archive, ...]:
    """What torchvision publishes of a data set."""
    source = _class(kind)
    if hasattr(source, "resources"):
        folder = Path(source.__name__) / "raw"
        return tuple(
            Archive(folder / name, md5, tuple(mirror + name for mirror in source.mirrors))
            for name, md5 in source.resources
        )
    return (Archive(Path(source.filename), source.tgz_md5, (source.url,)),)


def missing(root: Path, kind: str) -> list[Archive]:
    """The archives that do not lie in the data root."""
    return [archive for archive in archives(kind) if not (root / archive.path).is_file()]


def convert(root: Path, kind: str, work: Path) -> dict[str, Tensor]:
    """The data set's four uint8 tensors, from archives in the root or from the network.

    Args:
        root: the data root; archives that had to be fetched are kept there, if it can be written.
        kind: the data set's name.
        work: an empty folder for what is fetched and unpacked.

    Raises:
        DataError: an archive in the root is not the published one.
        Unreachable: an archive is missing and cannot be fetched.
        OSError: the disk is full, or an archive cannot be read.
    """
    for archive in archives(kind):
        original, copy = root / archive.path, work / archive.path
        copy.parent.mkdir(parents=True, exist_ok=True)
        if original.is_file():
            _check(original, archive.md5)
            _place(original, copy)
        else:
            _fetch(archive, copy)
            _keep(copy, original)
    # Anything that torchvision unpacks goes into the work folder; the root stays as it is.
    with contextlib.redirect_stdout(io.StringIO()):
        train, test = (_class(kind)(work, train=part, download=True) for part in (True, False))
    return {
        "train_images": _images(train.data),
        "train_labels": torch.as_tensor(train.targets).to(torch.uint8),
        "test_images": _images(test.data),
        "test_labels": torch.as_tensor(test.targets).to(torch.uint8),
    }


def _class(kind: str) -> Any:
    from torchvision import datasets

    return getattr(datasets, _CLASSES[kind])


def _images(data: Any) -> Tensor:
    """(N, H, W) or (N, H, W, C) to (N, C, H, W)."""
    images = torch.as_tensor(data)
    images = images.unsqueeze(1) if images.ndim == 3 else images.permute(0, 3, 1, 2)
    return images.contiguous()


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _check(path: Path, md5: str) -> None:
    found = _md5(path)
    if found != md5:
        raise DataError(
            f"{path}: not the published archive: its MD5 is {found} ({path.stat().st_size} bytes), "
            f"expected {md5}; delete it and run again, or put the whole archive there"
        )


def _place(original: Path, copy: Path) -> None:
    try:
        copy.symlink_to(original.resolve())
    except OSError:  # Windows asks a privilege for links
        shutil.copyfile(original, copy)


def _fetch(archive: Archive, to: Path) -> None:
    """From the first address that gives the published file."""
    reasons = []
    for number, url in enumerate(archive.urls):
        attempt = to.with_name(f"{to.name}.{number}")  # a transfer left behind may still write
        try:
            fetch(url, attempt)
        except Unreachable as error:
            reasons.append(str(error))
            continue
        if (found := _md5(attempt)) == archive.md5:
            attempt.rename(to)
            return
        reasons.append(f"{url}: gave another file (MD5 {found}, expected {archive.md5})")
    raise Unreachable("; ".join(reasons))


def _keep(copy: Path, original: Path) -> None:
    """Put a fetched archive into the root, so that it need not be fetched again."""
    aside = copy.with_suffix(".keep")
    try:
        original.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(copy, aside)
        aside.replace(original)
    except OSError:  # a read-only root: nothing is kept there
        aside.unlink(missing_ok=True)
