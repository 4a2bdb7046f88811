"""The published archives of data sets, decoded by torchvision.

torchvision is imported inside the functions; a run on a cached data set never loads it.
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

from netbuilder.components.registries import DATASETS
from netbuilder.data.download import DownloadError, download
from netbuilder.errors import DataError


@dataclass(frozen=True)
class Archive:
    """A published file: its path below the data root, its MD5, and its URLs."""

    path: Path
    md5: str
    urls: tuple[str, ...]


def archives(kind: str) -> tuple[Archive, ...]:
    """List the archives of a data set, from torchvision's metadata."""
    source = _class(kind)
    if hasattr(source, "resources"):
        folder = Path(source.__name__) / "raw"
        return tuple(
            Archive(folder / name, md5, tuple(mirror + name for mirror in source.mirrors))
            for name, md5 in source.resources
        )
    return (Archive(Path(source.filename), source.tgz_md5, (source.url,)),)


def missing_archives(root: Path, kind: str) -> list[Archive]:
    """List the archives of a data set that are not in the data root."""
    return [archive for archive in archives(kind) if not (root / archive.path).is_file()]


def convert(root: Path, kind: str, work: Path) -> dict[str, Tensor]:
    """Decode a data set from the archives in the data root, downloading those that are missing.

    Args:
        root: The data root. Downloaded archives are stored in it if it is writable.
        kind: The name of the data set.
        work: An empty folder for downloads and unpacked files.

    Returns:
        Four uint8 tensors: ``train_images`` and ``test_images`` of shape (N, C, H, W),
        ``train_labels`` and ``test_labels`` of shape (N).

    Raises:
        DataError: An archive in the root differs from the published one.
        DownloadError: An archive is missing and cannot be downloaded.
        OSError: The disk is full, or an archive cannot be read.
    """
    for archive in archives(kind):
        original, copy = root / archive.path, work / archive.path
        copy.parent.mkdir(parents=True, exist_ok=True)
        if original.is_file():
            _verify(original, archive.md5)
            _link(original, copy)
        else:
            _download(archive, copy)
            _store(copy, original)
    # torchvision unpacks into the work folder, and so leaves the root unchanged.
    with contextlib.redirect_stdout(io.StringIO()):
        train, test = (_class(kind)(work, train=train, download=True) for train in (True, False))
    return {
        "train_images": _images(train.data),
        "train_labels": torch.as_tensor(train.targets).to(torch.uint8),
        "test_images": _images(test.data),
        "test_labels": torch.as_tensor(test.targets).to(torch.uint8),
    }


def _class(kind: str) -> Any:
    from torchvision import datasets

    return getattr(datasets, DATASETS.kinds[kind].torchvision_class)


def _images(data: Any) -> Tensor:
    """Convert images of shape (N, H, W) or (N, H, W, C) to (N, C, H, W)."""
    images = torch.as_tensor(data)
    images = images.unsqueeze(1) if images.ndim == 3 else images.permute(0, 3, 1, 2)
    return images.contiguous()


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _verify(path: Path, md5: str) -> None:
    actual = _md5(path)
    if actual != md5:
        size = path.stat().st_size
        raise DataError(
            f"{path}: not the published archive: its MD5 is {actual} ({size} bytes), "
            f"expected {md5}; delete it and run again, or replace it with the complete archive"
        )


def _link(original: Path, copy: Path) -> None:
    try:
        copy.symlink_to(original.resolve())
    except OSError:  # Windows requires a privilege for links
        shutil.copyfile(original, copy)


def _download(archive: Archive, path: Path) -> None:
    """Download an archive from the first URL that serves the published file."""
    reasons = []
    for number, url in enumerate(archive.urls):
        attempt = path.with_name(f"{path.name}.{number}")  # an abandoned transfer may still write
        try:
            download(url, attempt)
        except DownloadError as error:
            reasons.append(str(error))
            continue
        if (md5 := _md5(attempt)) == archive.md5:
            attempt.rename(path)
            return
        reasons.append(f"{url}: returned another file (MD5 {md5}, expected {archive.md5})")
    raise DownloadError("; ".join(reasons))


def _store(copy: Path, original: Path) -> None:
    """Store a downloaded archive in the root for later use, if the root is writable."""
    temporary = copy.with_suffix(".keep")
    try:
        original.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(copy, temporary)
        temporary.replace(original)
    except OSError:
        temporary.unlink(missing_ok=True)
