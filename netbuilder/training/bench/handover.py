"""A loop that belongs to someone else, as an iterator over its steps."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator


def handed_over(fit: Callable[[Callable[[int], None]], None]) -> Iterator[int]:
    """Run ``fit`` in a thread and yield what it reports; it waits while nobody asks.

    Args:
        fit: calls its argument with a number of images behind each step, and may never return.
    """
    steps: queue.Queue[int | BaseException | None] = queue.Queue(maxsize=1)

    def run() -> None:
        try:
            fit(steps.put)
        except BaseException as error:
            steps.put(error)
        else:
            steps.put(None)

    threading.Thread(target=run, daemon=True).start()
    while (step := steps.get()) is not None:
        if isinstance(step, BaseException):
            raise step
        yield step
