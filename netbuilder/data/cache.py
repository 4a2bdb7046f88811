"""The cache of decoded data sets: one verified file of uint8 tensors per data set.

A file is written in a temporary work folder on the same disk, flushed, and renamed into place. Of
several processes that write it at once, each writes the same bytes and the last rename wins. Work
folders that killed processes left are removed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from netbuilder._files import (
    digest_of,
    remove_leftovers,
    require_regular,
    temporary_folder,
    write_atomic,
)
from netbuilder._text import printable, quoted
from netbuilder.components.datasets import Dataset
from netbuilder.data.dataset import NAMES
from netbuilder.data.published import decoded_bytes, difference

MAPPED_FROM = 1 << 30
"""The file size in bytes from which tensors are memory-mapped instead of read."""

UNREADABLE = (
    SafetensorError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""The errors that reading a damaged file of tensors can raise, without those of the system."""

_WORK = "conversion"
"""What the name of a work folder starts with."""

_HEADER_LIMIT = 1 << 20
"""The largest size of the header of a cache file, in bytes."""


class DamagedCacheError(Exception):
    """A cache file exists, and its content is not that of its data set; see `open_dataset`."""


def cache_path(root: Path, kind: str) -> Path:
    """The path of a data set's cache file below the data root."""
    return root / "netbuilder" / f"{kind}.safetensors"


def read(path: Path, dataset: Dataset) -> tuple[dict[str, Tensor], str] | None:
    """Read and verify the cache file of a data set.

    Args:
        path: The path from `cache_path`.
        dataset: The data set.

    Returns:
        The tensors and their digest; None if the file does not exist.

    Raises:
        DamagedCacheError: The file is incomplete, its digest differs from that of the data set or
            the recorded one, or its content is not that of the data set.
        UnfitFileError: It is not a regular file.
        OSError: The file cannot be read.
    """
    if not path.exists():
        return None
    size = require_regular(path)
    if size > (limit := decoded_bytes(dataset) + _HEADER_LIMIT):
        raise DamagedCacheError(f"it has {size:,} bytes, expected at most {limit:,}")
    with path.open("rb"):
        pass  # raises a clearer OSError than safetensors does
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in NAMES}
            if size < MAPPED_FROM:
                tensors = {name: tensor.clone() for name, tensor in tensors.items()}
    except UNREADABLE as error:
        raise DamagedCacheError(f"it is not complete ({error})") from None
    # Earlier versions recorded no kind.
    if (kind := metadata.get("kind", dataset.kind)) != dataset.kind:
        raise DamagedCacheError(f"it has the data set {quoted(kind)}, expected {dataset.kind}")
    if reason := difference(dataset, tensors):
        raise DamagedCacheError(reason)
    digest = digest_of(tensors)
    expected = dataset.digest or metadata.get("sha256", "none")
    if digest != expected:
        raise DamagedCacheError(f"its SHA-256 is {digest}, expected {printable(expected[:64])}")
    return tensors, digest


def write(path: Path, dataset: Dataset, tensors: Mapping[str, Tensor], digest: str) -> None:
    """Write a cache file.

    Args:
        path: The path from `cache_path`.
        dataset: The data set, whose kind is recorded in the file.
        tensors: The four uint8 tensors.
        digest: Their digest, which is recorded in the file.

    Raises:
        OSError: The disk is full, or the folder is not writable.
    """
    metadata = {"sha256": digest, "kind": dataset.kind}
    write_atomic(path, save({name: tensors[name].contiguous() for name in NAMES}, metadata))


@contextmanager
def work_folder(parent: Path) -> Iterator[tuple[Path, bool]]:
    """Create an empty folder for one conversion, and remove it at the end.

    Yields:
        The folder, and whether it is in ``parent``; otherwise that is not writable, and the folder
        is in the folder of temporary files.

    Raises:
        OSError: Neither is writable.
    """
    with ExitStack() as stack:
        try:
            parent.mkdir(parents=True, exist_ok=True)
            work, writable = stack.enter_context(temporary_folder(parent / _WORK)), True
        except OSError:
            parent = Path(tempfile.gettempdir())
            work, writable = stack.enter_context(temporary_folder(parent / _WORK)), False
        remove_leftovers(parent)
        yield work, writable
