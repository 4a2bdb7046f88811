"""Download one file in bounded time."""

from __future__ import annotations

import errno
import threading
import time
import urllib.request
from http.client import HTTPException
from pathlib import Path

from netbuilder._text import printable

STALL_SECONDS = 10.0
"""The time without any byte, name resolution included, after which a download fails."""

MAX_SECONDS = 1800.0
"""The time for one file, however steadily it arrives."""

_CHUNK = 1 << 16

_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES}


class DownloadError(Exception):
    """A file cannot be downloaded; the message is the reason, see `open_dataset`."""


class _Transfer(threading.Thread):
    """Copies the content of a URL to a file.

    A daemon thread, which can be abandoned: name resolution and trying several addresses have no
    time-out.
    """

    def __init__(self, url: str, path: Path, size: int) -> None:
        super().__init__(daemon=True)
        self.url, self.path, self.size = url, path, size
        self.last_progress = time.monotonic()
        self.error: Exception | None = None
        self.cancelled = False

    def run(self) -> None:
        request = urllib.request.Request(self.url, headers={"User-Agent": "netbuilder"})
        try:
            with urllib.request.urlopen(request, timeout=STALL_SECONDS) as response:
                self.last_progress = time.monotonic()
                left = self.size
                with self.path.open("wb") as file:
                    while not self.cancelled and (chunk := response.read(_CHUNK)):
                        self.last_progress = time.monotonic()
                        if (left := left - len(chunk)) < 0:
                            raise ValueError(f"more than the published {self.size:,} bytes")
                        file.write(chunk)
        except Exception as error:  # raised again in `download`
            self.error = error


def download(url: str, path: Path, size: int) -> None:
    """Download ``url`` to ``path``.

    Args:
        url: Where the file is published.
        path: The file to write.
        size: The size of the published file in bytes; more is not written.

    Raises:
        DownloadError: The server cannot be reached, refuses, stalls, or sends more.
        OSError: The disk is full, or the file cannot be written.
    """
    start = time.monotonic()
    transfer = _Transfer(url, path, size)
    transfer.start()
    while transfer.is_alive():
        transfer.join(0.1)
        now = time.monotonic()
        # One second more than the socket's own time-out, whose message is clearer.
        silent = now - transfer.last_progress
        if silent > STALL_SECONDS + 1:
            transfer.cancelled = True
            raise DownloadError(f"{url}: no data for {silent:.0f} s")
        if now - start > MAX_SECONDS:
            transfer.cancelled = True
            raise DownloadError(f"{url}: not complete after {now - start:.0f} s")
    error = transfer.error
    if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
        raise error
    if isinstance(error, OSError | HTTPException | ValueError):
        raise DownloadError(printable(f"{url}: {error}"))  # with the server's own words
    if error is not None:
        raise error
