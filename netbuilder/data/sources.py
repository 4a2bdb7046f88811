"""Archives and downloads: torchvision fetches, checks and decodes; nothing else here imports it."""

from __future__ import annotations

import hashlib
import io
import socket
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.error import URLError

import numpy as np
import torch

from netbuilder.data.loaded import Tensors
from netbuilder.errors import DataError
from netbuilder.files import write_atomic
from netbuilder.recipe.datasets import Dataset

TIMEOUT_SECONDS = 10
"""How long one silent connection is waited for."""

TORCHVISION_NAMES = {
    "mnist": "MNIST",
    "fashion_mnist": "FashionMNIST",
    "kmnist": "KMNIST",
    "cifar10": "CIFAR10",
    "cifar100": "CIFAR100",
}


class Unavailable(Exception):
    """The archives are not there and cannot be downloaded; the message says why."""


@dataclass(frozen=True)
class Archive:
    """A file that torchvision publishes, with its place under the data root."""

    place: str
    md5: str


def archives(dataset: Dataset) -> list[Archive]:
    """The files that a data set comes in."""
    kind = _torchvision_class(dataset)
    if hasattr(kind, "resources"):
        return [Archive(f"{kind.__name__}/raw/{name}", md5) for name, md5 in kind.resources]
    return [Archive(kind.filename, kind.tgz_md5)]


def read_archives(dataset: Dataset, root: Path) -> Tensors:
    """The data set from its archives under ``root``; missing ones are downloaded and kept there.

    Raises:
        DataError: an archive is corrupt; it is named.
        Unavailable: one is missing and cannot be downloaded.
    """
    kind, wanted = _torchvision_class(dataset), archives(dataset)
    for archive in wanted:
        _require_whole(root / archive.place, archive)
    # torchvision unpacks next to the archives, 55 MB for MNIST, and takes what is unpacked without
    # a check. In a folder of its own, with links to the archives, it does neither to the user's.
    with TemporaryDirectory(prefix="netbuilder-") as folder:
        work = Path(folder)
        for archive in wanted:
            (work / archive.place).parent.mkdir(parents=True, exist_ok=True)
            if (root / archive.place).exists():
                (work / archive.place).symlink_to((root / archive.place).resolve())
        try:
            with _quiet_and_bounded():
                parts = {
                    name: kind(work, train=name == "train", download=True)
                    for name in ("train", "test")
                }
        except (URLError, TimeoutError, ConnectionError, RuntimeError, OSError) as error:
            if all((root / archive.place).exists() for archive in wanted):
                raise DataError(f"{dataset.kind}: cannot be decoded: {error}") from error
            raise Unavailable(str(error).splitlines()[0].rstrip(": ")) from error
        for archive in wanted:
            if not (work / archive.place).is_symlink():
                _keep(work / archive.place, root / archive.place)
        tensors = {}
        for name, part in parts.items():
            tensors[f"{name}_images"] = _images(part.data)
            tensors[f"{name}_labels"] = torch.as_tensor(part.targets).to(torch.uint8)
        return tensors


def _torchvision_class(dataset: Dataset) -> Any:
    from torchvision import datasets

    return getattr(datasets, TORCHVISION_NAMES[dataset.kind])


def _require_whole(path: Path, archive: Archive) -> None:
    if not path.exists():
        return
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != archive.md5:
        raise DataError(
            f"{path}: corrupt or truncated: its MD5 is {found}, expected {archive.md5}; "
            "remove it and run again to download it, or put a good copy in its place"
        )


def _keep(downloaded: Path, path: Path) -> None:
    """Put a download where the next use finds it, if that folder can be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, downloaded.read_bytes())
    except OSError:
        return  # it is decoded all the same; only the next use has to download it again


def _images(data: Any) -> torch.Tensor:
    """uint8 (N, C, H, W) from torchvision's (N, H, W) or (N, H, W, C)."""
    images = torch.as_tensor(np.asarray(data))
    return images.unsqueeze(1) if images.ndim == 3 else images.permute(0, 3, 1, 2).contiguous()


@contextmanager
def _quiet_and_bounded() -> Iterator[None]:
    """torchvision prints as it downloads, and waits for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT_SECONDS)
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            yield
    finally:
        socket.setdefaulttimeout(before)
