"""Data sets by name: from the cache, from archives, from the network, or their stand-in."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import platformdirs
from torch import Tensor

from netbuilder._files import digest_of
from netbuilder.components.datasets import Dataset, Mnist5k
from netbuilder.data import cache
from netbuilder.data.archives import KNOWN, archives, convert, missing
from netbuilder.data.dataset import LoadedData
from netbuilder.data.download import Unreachable
from netbuilder.data.mnist5k import load_mnist5k
from netbuilder.errors import DataError

_log = logging.getLogger("netbuilder.data")


def data_root(root: Path | None = None) -> Path:
    """Return the folder of the data sets.

    Args:
        root: The folder, if the user names one; by default the environment variable
            NETBUILDER_DATA, or the user's cache folder on this platform.
    """
    if root is None and (named := os.environ.get("NETBUILDER_DATA")):
        root = Path(named)
    if root is not None:
        return root.expanduser()
    # Without author and "Cache", the folders of Windows are where netbuilder always had them.
    return platformdirs.user_cache_path("netbuilder", appauthor=False, opinion=False)


def open_dataset(dataset: Dataset, root: Path | None = None) -> LoadedData:
    """The data set, verified, on the CPU.

    The first use converts archives in the root, in torchvision's places, or downloads them; later
    uses read the one file that was made then, and check its SHA-256. Where nothing can be had from
    the network, the document's stand-in serves, if it names one, and the result says so.

    Args:
        dataset: as the document names it.
        root: see `data_root`.

    Raises:
        DataError: it cannot be had, or a file of it is damaged; a stand-in does not hide damage.
    """
    if isinstance(dataset, Mnist5k):
        return load_mnist5k()
    folder, kind = data_root(root), dataset.kind
    path = cache.place(folder, kind)
    try:
        cache.sweep(path.parent)
        tensors, digest = _cached(path, folder, kind) or _converted(path, folder, kind)
    except Unreachable as error:
        return _stand_in(dataset, folder, str(error))
    except OSError as error:
        raise DataError(
            f"{error.filename or folder}: {kind} cannot be read: {error.strerror or error}; make "
            "the folder readable and see that its disk has room, or name another with --data-dir "
            "or NETBUILDER_DATA"
        ) from error
    if tuple(tensors["train_images"].shape[1:]) != dataset.shape:
        raise DataError(f"{path}: holds other images than {kind}'s; delete it and run again")
    return LoadedData.of(dataset, tensors, digest)


def _cached(path: Path, root: Path, kind: str) -> tuple[dict[str, Tensor], str] | None:
    """The cache's content; None if there is none, or a damaged one that can be made anew."""
    try:
        return cache.read(path, KNOWN.get(kind))
    except cache.Damaged as damage:
        if gone := missing(root, kind):
            raise DataError(
                f"{path}: the cache is damaged: {damage}; delete it to have {kind} downloaded "
                f"again, or put its archives in place to have it made anew from them "
                f"(missing: {', '.join(str(root / archive.path) for archive in gone)})"
            ) from None
        _log.warning("%s: the cache is damaged: %s; made anew from the archives", path, damage)
        return None


def _converted(path: Path, root: Path, kind: str) -> tuple[dict[str, Tensor], str]:
    """The content of the archives, kept as the cache where the root can be written."""
    try:
        work, keep = cache.work_folder(path.parent), True
    except OSError:  # a read-only root serves as it is, only not as fast the next time
        elsewhere = Path(tempfile.gettempdir())
        cache.sweep(elsewhere)
        work, keep = cache.work_folder(elsewhere), False
    try:
        tensors = convert(root, kind, work)
        digest = digest_of(tensors)
        if digest != KNOWN.get(kind, digest):
            raise DataError(
                f"{root}: {kind} was decoded to SHA-256 {digest}, expected {KNOWN[kind]}; this "
                "torchvision decodes otherwise, install another version"
            )
        if keep:
            try:
                cache.write(path, tensors, digest, work)
            except OSError as error:
                _log.warning("%s: not kept: %s", path, error.strerror or error)
        return tensors, digest
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _stand_in(dataset: Dataset, root: Path, reason: str) -> LoadedData:
    """What serves where the network gives nothing.

    Raises:
        DataError: the document names nothing.
    """
    kind = dataset.kind
    if dataset.fallback_dataset is not None:
        served = open_dataset(dataset.fallback_dataset, root)
        why = f"{kind} cannot be downloaded ({reason}); {served.dataset.kind} serves in its place"
        return replace(served, fell_back_from=dataset, fallback_reason=why)
    places = "\n".join(f"       {root / archive.path}" for archive in archives(kind))
    raise DataError(
        f"{kind} is not in {root} and cannot be downloaded: {reason}\n"
        f"Three ways out:\n"
        f"  1. put its archives in their places:\n{places}\n"
        f"  2. name a folder that has them: --data-dir FOLDER, or NETBUILDER_DATA=FOLDER\n"
        f"  3. train on the data in the package: dataset: mnist5k, or let it step in: "
        f"dataset: {{{kind}: {{fallback: mnist5k}}}}"
    )
