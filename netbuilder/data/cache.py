"""The verified cache: one file of uint8 tensors for each data set, whole or not there.

A file is made in a work folder of its own next to where it goes, flushed, and renamed into place,
so that processes which start at once each make it and the last rename wins with the same bytes. A
work folder carries its host and process in its name; what a dead process left is swept up.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from netbuilder._files import digest_of, is_alive, sync_folder
from netbuilder.data.dataset import NAMES

MAPPED_FROM = 1 << 30
"""Bytes of a cache file from which its tensors stay mapped to it and take no memory."""

_PREFIX = ".work"

_SUFFIX = ".tmp"


class Damaged(Exception):  # internal: opening.py turns it into words for the user
    """The file is there and is not what was written."""


def place(root: Path, kind: str) -> Path:
    """Where the cache of a data set lies below the data root."""
    return root / "netbuilder" / f"{kind}.safetensors"


def read(path: Path, known: str | None) -> tuple[dict[str, Tensor], str] | None:
    """The tensors of a cache file and their digest; None where there is no file.

    Args:
        path: from `place`.
        known: the digest that the data set must have; without it the one in the file counts.

    Raises:
        Damaged: the file is not whole, or its SHA-256 is another.
        OSError: the file cannot be read.
    """
    if not path.exists():
        return None
    with path.open("rb"):
        pass  # what the system has to say, before safetensors says it less clearly
    try:
        with safe_open(path, framework="pt") as file:
            recorded = (file.metadata() or {}).get("sha256", "none")
            tensors = {name: file.get_tensor(name) for name in NAMES}
            if path.stat().st_size < MAPPED_FROM:
                tensors = {name: tensor.clone() for name, tensor in tensors.items()}
        digest = digest_of(tensors)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise Damaged(f"it is not whole ({error})") from None
    expected = known or recorded
    if digest != expected:
        raise Damaged(f"its SHA-256 is {digest}, expected {expected}")
    return tensors, digest


def write(path: Path, tensors: Mapping[str, Tensor], digest: str, work: Path) -> None:
    """Put the cache file into place.

    Args:
        path: from `place`.
        tensors: the four uint8 tensors.
        digest: theirs, kept in the file.
        work: from `work_folder`, on the same disk.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    aside = work / path.name
    content = save({name: tensors[name].contiguous() for name in NAMES}, {"sha256": digest})
    with aside.open("wb") as file:  # with the user's own mask; save_file makes it the user's alone
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(aside, path)  # noqa: PTH105  # one call, so that a test can die right before it
    sync_folder(path.parent)


def work_folder(beside: Path) -> Path:
    """A new empty folder for one conversion, in the folder of the cache.

    Raises:
        OSError: it cannot be written.
    """
    beside.mkdir(parents=True, exist_ok=True)
    owner = f"{_PREFIX}-{socket.gethostname()}-{os.getpid()}-"
    return Path(tempfile.mkdtemp(prefix=owner, suffix=_SUFFIX, dir=beside))


def sweep(folder: Path) -> None:
    """Remove the work folders of this machine's dead processes; another machine's are left."""
    if os.name == "nt":  # signal 0 asks nothing there, it interrupts
        return
    owner = f"{_PREFIX}-{socket.gethostname()}-"
    for work in folder.glob(f"{_PREFIX}-*{_SUFFIX}"):
        pid = work.name.removeprefix(owner).split("-")[0]
        if work.name.startswith(owner) and pid.isdigit() and not is_alive(int(pid)):
            shutil.rmtree(work, ignore_errors=True)
