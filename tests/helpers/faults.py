"""A disk that fails on request: the nth call of a kind below a folder raises."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

KINDS = ("open", "write", "fsync", "rename", "unlink", "mkdir")


class Disk:
    """Count the calls below ``folder``, and fail call number ``nth`` (from 1) of a kind.

    With ``lasting`` every later call of the kind fails too. A write that fails has written half
    of its bytes. Nothing below the folder is really flushed.
    """

    def __init__(
        self, folder: Path, kind: str = "", nth: int = 0, error: int = 0, *, lasting: bool = False
    ) -> None:
        self._folder, self._kind, self._nth, self._error = str(folder), kind, nth, error
        self._lasting = lasting
        self.counts = dict.fromkeys(KINDS, 0)
        self._descriptors: dict[int, str] = {}

    @property
    def failed(self) -> bool:
        """Whether the call that fails was reached."""
        return 0 < self._nth <= self.counts.get(self._kind, 0)

    @contextmanager
    def attached(self) -> Iterator[Self]:
        """Intercept this process's calls on files."""
        real_open, real_io_open, real_fsync = os.open, io.open, os.fsync

        def open_descriptor(path: Any, *args: Any, **kwargs: Any) -> int:
            self._call("open", path)
            descriptor = real_open(path, *args, **kwargs)
            self._descriptors[descriptor] = str(path)
            return descriptor

        def open_file(path: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
            self._call("open", path)
            file = real_io_open(path, mode, *args, **kwargs)
            self._descriptors[file.fileno()] = str(path)
            if self._covers(path) and "w" in mode:
                return _File(file, lambda: self._due("write", path), lambda: self.fail(path))
            return file

        def fsync(descriptor: int) -> None:
            path = self._descriptors.get(descriptor, "")
            self._call("fsync", path)
            if not self._covers(path):  # no test can observe a real flush
                real_fsync(descriptor)

        with (
            patch.object(os, "open", open_descriptor),
            patch.object(io, "open", open_file),
            patch.object(os, "fsync", fsync),
            patch.object(os, "replace", self._counted("rename", os.replace)),
            patch.object(os, "rename", self._counted("rename", os.rename)),
            patch.object(os, "unlink", self._counted("unlink", os.unlink)),
            patch.object(os, "rmdir", self._counted("unlink", os.rmdir)),
            patch.object(os, "mkdir", self._counted("mkdir", os.mkdir)),
        ):
            yield self

    def _counted(self, kind: str, real: Callable[..., None]) -> Callable[..., None]:
        def call(path: Any, *args: Any, **kwargs: Any) -> None:
            self._call(kind, path)
            real(path, *args, **kwargs)

        return call

    def _covers(self, path: Any) -> bool:
        return str(path).startswith(self._folder)

    def fail(self, path: Any) -> None:
        """Raise the error of the call that fails."""
        raise OSError(self._error, os.strerror(self._error), str(path))

    def _call(self, kind: str, path: Any) -> None:
        if self._due(kind, path):
            self.fail(path)

    def _due(self, kind: str, path: Any) -> bool:
        """Count a call and return whether it fails."""
        if not self._covers(path):
            return False
        self.counts[kind] += 1
        at = self.counts[kind]
        return kind == self._kind and (at == self._nth or (self._lasting and at > self._nth))


class DeadlyDisk(Disk):
    """End this process by SIGKILL instead of failing, at a call on a path with ``part``."""

    def __init__(self, folder: Path, part: str, kind: str, nth: int) -> None:
        super().__init__(folder, kind, nth)
        self._part = part

    def _covers(self, path: Any) -> bool:
        return super()._covers(path) and self._part in str(path)

    def fail(self, path: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class _File:
    """A file whose failing write stores only half of its bytes."""

    def __init__(self, file: Any, due: Callable[[], bool], fail: Callable[[], None]) -> None:
        self._file, self._due, self._fail = file, due, fail

    def write(self, content: Any) -> int:
        if self._due():
            self._file.write(content[: len(content) // 2])
            self._file.flush()
            self._fail()
        count: int = self._file.write(content)
        return count

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
