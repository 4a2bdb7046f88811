"""One file from the network, or a reason why not, in bounded time."""

from __future__ import annotations

import errno
import threading
import time
import urllib.request
from http.client import HTTPException
from pathlib import Path

STALL = 10.0
"""Seconds without a byte, from the name's resolution to the end, after which an address is dead."""

LONGEST = 1800.0
"""Seconds for one file, however steadily it drips."""

_CHUNK = 1 << 16

_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES}


class Unreachable(Exception):  # internal: opening.py turns it into words for the user
    """A file could not be had from the network; the message says why."""


class _Transfer(threading.Thread):
    """Reads an address into a file.

    Neither looking up a name nor trying its addresses one after another can be given a time-out, so
    this is a thread that can be left behind.
    """

    def __init__(self, url: str, to: Path) -> None:
        super().__init__(daemon=True)
        self.url, self.to = url, to
        self.moved = time.monotonic()
        self.fault: Exception | None = None
        self.given_up = False

    def run(self) -> None:
        request = urllib.request.Request(self.url, headers={"User-Agent": "netbuilder"})
        try:
            with urllib.request.urlopen(request, timeout=STALL) as answer:
                self.moved = time.monotonic()
                with self.to.open("wb") as file:
                    while not self.given_up and (chunk := answer.read(_CHUNK)):
                        self.moved = time.monotonic()
                        file.write(chunk)
        except Exception as error:  # it is raised where the thread is waited for
            self.fault = error


def fetch(url: str, to: Path) -> None:
    """Write what ``url`` gives to ``to``.

    Raises:
        Unreachable: it cannot be reached, refuses, or stalls.
        OSError: the disk is full, or the file cannot be written.
    """
    began = time.monotonic()
    transfer = _Transfer(url, to)
    transfer.start()
    while transfer.is_alive():
        transfer.join(0.1)
        now = time.monotonic()
        # The socket's own time-out is as long and says more; it goes first where it can.
        if now - transfer.moved > STALL + 1 or now - began > LONGEST:
            transfer.given_up = True
            raise Unreachable(f"{url}: nothing came for {now - transfer.moved:.0f} s")
    fault = transfer.fault
    if isinstance(fault, OSError) and fault.errno in _DISK:
        raise fault
    if isinstance(fault, OSError | HTTPException | ValueError):
        raise Unreachable(f"{url}: {fault}")
    if fault is not None:
        raise fault
