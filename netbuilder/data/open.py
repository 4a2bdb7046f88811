"""Open a data set from the cache, from its archives, from the network, or its fallback."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from pathlib import Path

import platformdirs
from torch import Tensor

from netbuilder._files import UnfitFileError, digest_of, remove_leftovers
from netbuilder._text import printable
from netbuilder.components.datasets import Dataset, Mnist5k
from netbuilder.data import cache
from netbuilder.data.archives import archives, convert, missing_archives
from netbuilder.data.dataset import LoadedData
from netbuilder.data.download import DownloadError
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
    """Load and verify a data set on the CPU.

    The first use decodes the archives in the data root, at torchvision's paths, or downloads them.
    Later uses read the cache file that the first one writes, and verify its SHA-256. If a download
    fails and the document names a fallback, the fallback is loaded; see ``fallback_for``.

    Args:
        dataset: The data set of the document.
        root: The data root, see `data_root`.

    Raises:
        DataError: The data set is not available, or one of its files is damaged. A damaged file is
            an error even if there is a fallback.
    """
    if isinstance(dataset, Mnist5k):
        return load_mnist5k()
    folder, kind = data_root(root), dataset.kind
    path = cache.cache_path(folder, kind)
    try:
        remove_leftovers(path.parent)
        tensors, digest = _read_cache(path, folder, dataset) or _decode(path, folder, dataset)
    except DownloadError as error:
        return _open_fallback(dataset, folder, str(error))
    except UnfitFileError as error:
        raise DataError(f"{path}: {error}; delete it and run again") from None
    except OSError as error:
        raise DataError(
            f"{error.filename or folder}: {kind} cannot be read: {error.strerror or error}; make "
            "the folder readable and free space on its disk, or name another with --data-dir "
            "or NETBUILDER_DATA"
        ) from error
    return LoadedData.from_tensors(dataset, tensors, digest)


def must_download(dataset: Dataset, root: Path | None = None) -> bool:
    """Return whether a data set without a fallback is neither in the cache nor in its archives."""
    if isinstance(dataset, Mnist5k) or dataset.fallback_dataset is not None:
        return False
    folder, kind = data_root(root), dataset.kind
    return not cache.cache_path(folder, kind).is_file() and bool(missing_archives(folder, kind))


def _read_cache(path: Path, root: Path, dataset: Dataset) -> tuple[dict[str, Tensor], str] | None:
    """The content of the cache; None if it is missing, or damaged while all archives exist."""
    try:
        return cache.read(path, dataset)
    except cache.DamagedCacheError as error:
        if missing := missing_archives(root, dataset.kind):
            paths = ", ".join(str(root / archive.path) for archive in missing)
            raise DataError(
                f"{path}: the cache is damaged: {error}; delete it to download {dataset.kind} "
                f"again, or restore the archives to rebuild it from them (missing: {paths})"
            ) from None
        _warn(f"{path}: the cache is damaged: {error}; rebuilt from the archives")
        return None


def _decode(path: Path, root: Path, dataset: Dataset) -> tuple[dict[str, Tensor], str]:
    """The content of the archives; writes it to the cache if the root is writable."""
    with cache.work_folder(path.parent) as (work, writable):
        tensors = convert(root, dataset, work)
        digest = digest_of(tensors)
        if digest != (dataset.digest or digest):
            raise DataError(
                f"{root}: decoding {dataset.kind} gave SHA-256 {digest}, expected "
                f"{dataset.digest}; replace unpacked files by the published archives, or install "
                "another version of torchvision, which decodes them"
            )
        if writable:
            try:
                cache.write(path, dataset, tensors, digest)
            except OSError as error:
                _warn(f"{path}: cannot be cached: {error.strerror or error}")
        return tensors, digest


def _warn(message: str) -> None:
    """Log a warning, which without a handler is printed as it is."""
    _log.warning("%s", printable(message))


def _open_fallback(dataset: Dataset, root: Path, reason: str) -> LoadedData:
    """Load the fallback of a data set that cannot be downloaded.

    Raises:
        DataError: The document names no fallback.
    """
    kind = dataset.kind
    if dataset.fallback_dataset is not None:
        data = open_dataset(dataset.fallback_dataset, root)
        why = f"{kind} cannot be downloaded ({reason}); using {data.dataset.kind} instead"
        return replace(data, fallback_for=dataset, fallback_reason=why)
    ways = []
    if "fallback" in type(dataset).model_fields:
        ways.append(
            "train on the data in the package: dataset: mnist5k, or allow it as fallback: "
            f"dataset: {{{kind}: {{fallback: mnist5k}}}}"
        )
    places = "\n".join(f"       {root / archive.path}" for archive in archives(kind))
    raise DataError(
        f"{kind} is not in {root} and cannot be downloaded: {reason}\n"
        f"{'Three' if ways else 'Two'} ways to fix this:\n"
        f"  1. put its archives at these paths:\n{places}\n"
        f"  2. name a folder that has them: --data-dir FOLDER, or NETBUILDER_DATA=FOLDER"
        + "".join(f"\n  3. {way}" for way in ways)
    )
