"""Turn the training loop of another library into an iterator over its steps."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator


def iterate_steps(fit: Callable[[Callable[[int], None]], None]) -> Iterator[int]:
    """Run ``fit`` in a thread, and yield the number of images of each step.

    The thread waits until the next step is requested.

    Args:
        fit: Trains a network. It calls its argument with the number of images after each step, and
            may never return.
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
