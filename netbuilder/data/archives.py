"""The published archives of data sets, decoded by torchvision.

torchvision is imported inside the functions; a run on a cached data set never loads it.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from netbuilder._files import UnfitFileError, require_regular
from netbuilder.components.datasets import Dataset
from netbuilder.components.registries import DATASETS
from netbuilder.data.download import DownloadError, download
from netbuilder.data.published import SIZES, decoded_bytes, difference
from netbuilder.errors import DataError


@dataclass(frozen=True)
class UnpackedFile:
    """A file of an archive: its path below the data root, and its MD5 if that is published."""

    path: Path
    md5: str | None


@dataclass(frozen=True)
class Archive:
    """A published file.

    Attributes:
        path: The path below the data root.
        md5: The MD5.
        size: The size in bytes.
        urls: Where it is published.
        unpacked: The files in it, which torchvision reads if they are below the data root.
    """

    path: Path
    md5: str
    size: int
    urls: tuple[str, ...]
    unpacked: tuple[UnpackedFile, ...]


def archives(kind: str) -> tuple[Archive, ...]:
    """List the archives of a data set, from torchvision's metadata."""
    source, sizes = _class(kind), SIZES[kind]
    if hasattr(source, "resources"):
        folder = Path(source.__name__) / "raw"
        return tuple(
            Archive(
                folder / name,
                md5,
                size,
                tuple(mirror + name for mirror in source.mirrors),
                (UnpackedFile(folder / Path(name).stem, None),),
            )
            for (name, md5), size in zip(source.resources, sizes, strict=True)
        )
    files = (*source.train_list, *source.test_list, (source.meta["filename"], source.meta["md5"]))
    unpacked = tuple(UnpackedFile(Path(source.base_folder, name), md5) for name, md5 in files)
    return (Archive(Path(source.filename), source.tgz_md5, sizes[0], (source.url,), unpacked),)


def missing_archives(root: Path, kind: str) -> list[Archive]:
    """List the archives of a data set that are in the data root neither packed nor unpacked."""
    return [
        archive
        for archive in archives(kind)
        if not (root / archive.path).exists() and not _is_unpacked(root, archive)
    ]


def _is_unpacked(root: Path, archive: Archive) -> bool:
    return all((root / file.path).exists() for file in archive.unpacked)


def convert(root: Path, dataset: Dataset, work: Path) -> dict[str, Tensor]:
    """Decode a data set from the data root, and download the archives that are missing.

    An archive is read before its unpacked files, which are read where it is missing.

    Args:
        root: The data root. Downloaded archives are stored in it if it is writable.
        dataset: The data set.
        work: An empty folder for downloads and unpacked files.

    Returns:
        Four uint8 tensors: ``train_images`` and ``test_images`` of shape (N, C, H, W),
        ``train_labels`` and ``test_labels`` of shape (N).

    Raises:
        DataError: A file in the root differs from the published one.
        DownloadError: An archive is missing and cannot be downloaded.
        OSError: The disk is full, or a file cannot be read.
    """
    from torchvision.datasets.utils import extract_archive

    for archive in archives(dataset.kind):
        original, copy = root / archive.path, work / archive.path
        copy.parent.mkdir(parents=True, exist_ok=True)
        if original.exists():
            _verify(original, archive.size, archive.md5)
            _link(original, copy)
        elif _is_unpacked(root, archive):
            _link_unpacked(root, archive, dataset, work)
            continue
        else:
            _download(archive, copy)
            _store(copy, original)
        # Only what has the published MD5 is unpacked, and into the work folder: the root stays.
        extract_archive(str(copy))
    try:
        train, test = (_class(dataset.kind)(work, train=train) for train in (True, False))
    except (AssertionError, LookupError, RuntimeError, TypeError, ValueError) as error:
        # The unpacked files of MNIST have no published MD5, so they may have any content.
        raise DataError(
            f"{_folder(root, dataset)}: its unpacked files cannot be decoded: {error}; {_REMEDY}"
        ) from error
    tensors = {
        "train_images": _images(train.data),
        "train_labels": torch.as_tensor(train.targets).to(torch.uint8),
        "test_images": _images(test.data),
        "test_labels": torch.as_tensor(test.targets).to(torch.uint8),
    }
    if reason := difference(dataset, tensors):
        raise DataError(f"{_folder(root, dataset)}: not {dataset.kind}: {reason}; {_REMEDY}")
    return tensors


_REMEDY = "delete them and run again, or replace them with the published ones"


def _folder(root: Path, dataset: Dataset) -> Path:
    """Return the folder of the unpacked files."""
    return root / archives(dataset.kind)[0].unpacked[0].path.parent


def _link_unpacked(root: Path, archive: Archive, dataset: Dataset, work: Path) -> None:
    """Link the unpacked files of an archive into the work folder, after a check.

    Those of CIFAR have published MD5s. The size of those of MNIST follows from the shapes.
    """
    # A pickled batch has more than the pixels: names of files, and labels as numbers.
    limit = 2 * decoded_bytes(dataset)
    for file in archive.unpacked:
        original, copy = root / file.path, work / file.path
        _verify(original, limit, file.md5)
        copy.parent.mkdir(parents=True, exist_ok=True)
        _link(original, copy)


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


def _verify(path: Path, limit: int, md5: str | None) -> None:
    """Check a file in the data root: its kind, its size and, if it is published, its MD5."""
    remedy = "delete it and run again, or replace it with the complete file"
    try:
        size = require_regular(path, limit)
    except UnfitFileError as error:
        raise DataError(f"{path}: not the published file: {error}; {remedy}") from None
    if md5 is not None and (actual := _md5(path)) != md5:
        raise DataError(
            f"{path}: not the published file: its MD5 is {actual} ({size} bytes), "
            f"expected {md5}; {remedy}"
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
            download(url, attempt, archive.size)
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
