"""From a data set's name to its images: cache, archives, download, stand-in, or a clear error."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

from netbuilder.data.embedded import mnist5k
from netbuilder.data.loaded import DamagedCache, LoadedData, Tensors, read_cache, write_cache
from netbuilder.errors import DataError
from netbuilder.files import digest_of
from netbuilder.recipe.datasets import Dataset

KNOWN_DIGESTS = {"mnist": "cbf860d23226daf9a08a820109ffa918bd240291e27021b444ee35cd3120d5e7"}
"""The SHA-256 of what the canonical archives decode to, by `files.digest_of`."""


def data_root(data_dir: Path | None = None) -> Path:
    """Where data lie: the argument, else NETBUILDER_DATA, else the user's cache by convention."""
    if data_dir is not None:
        return data_dir
    if named := os.environ.get("NETBUILDER_DATA"):
        return Path(named)
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "netbuilder"


def open_dataset(dataset: Dataset, data_dir: Path | None = None) -> LoadedData:
    """The data set, verified, in memory.

    The first use decodes the archives under the root, downloading what is missing, and writes one
    cache file; every later one reads and checks that file alone.

    Args:
        dataset: which; its stand-in, if it has one, serves where it cannot be had.
        data_dir: a torchvision-style root (``MNIST/raw/*.gz`` in it); see `data_root`.

    Raises:
        DataError: it cannot be had, or an archive is corrupt.
    """
    if dataset.kind == "mnist5k":
        return LoadedData.of(dataset, mnist5k())
    from netbuilder.data.sources import Unavailable

    root = data_root(data_dir)
    cache = root / "netbuilder" / f"{dataset.kind}.safetensors"
    notes = []
    try:
        return LoadedData.of(dataset, read_cache(cache, KNOWN_DIGESTS.get(dataset.kind)))
    except FileNotFoundError:
        pass
    except DamagedCache as error:
        notes.append(f"{cache} was damaged and is made again from the archives ({error})")
    try:
        data = LoadedData.of(dataset, _decoded(dataset, root, cache, notes))
    except Unavailable as error:
        if notes:
            raise DataError(
                f"{cache}: damaged, and the archives to make it again are not at hand ({error}); "
                "remove it, and put the archives under the data root"
            ) from error
        if dataset.stand_in is None:
            raise DataError(_three_ways_out(dataset, root, error)) from error
        stand_in = open_dataset(dataset.stand_in)
        reason = (
            f"{dataset.kind} is not in {root} and cannot be downloaded ({error}); "
            f"{stand_in.dataset.kind} stands in, and accuracy targets are not judged"
        )
        return replace(stand_in, fell_back_from=dataset, fallback_reason=reason)
    return replace(data, notes=tuple(notes))


def _decoded(dataset: Dataset, root: Path, cache: Path, notes: list[str]) -> Tensors:
    from netbuilder.data.sources import read_archives

    tensors = read_archives(dataset, root)
    known = KNOWN_DIGESTS.get(dataset.kind)
    if known and digest_of(tensors) != known:
        raise DataError(
            f"{dataset.kind}: the archives in {root} decode to other images than the canonical "
            "ones; remove them and run again"
        )
    try:
        write_cache(cache, tensors)
    except OSError as error:
        notes.append(f"{cache.parent} cannot be written ({error.strerror}); decoded in memory")
    return tensors


def _three_ways_out(dataset: Dataset, root: Path, reason: Exception) -> str:
    from netbuilder.data.sources import archives

    first = archives(dataset)[0].place
    return (
        f"{dataset.kind} is not in {root} and cannot be downloaded ({reason}). Three ways out:\n"
        f"  1. put its archives there: {root / first} and so on\n"
        "  2. name a folder that has them: --data-dir or NETBUILDER_DATA\n"
        "  3. train on the 5,000 images inside the package: --dataset mnist5k, or in the document "
        f"dataset: {{{dataset.kind}: {{fallback: mnist5k}}}}"
    )
