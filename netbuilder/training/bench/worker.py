"""Measure one peer: ``python -m netbuilder.training.bench.worker``.

Its arguments are PEER ARCH STEPS START DATASET IMAGES DATA_DIR. The command that starts it has
loaded DATASET, of which an epoch has IMAGES.
"""

from __future__ import annotations

import json
import os
import resource
import stat
import sys
import threading
import time
from collections.abc import Generator, Iterator
from itertools import islice
from pathlib import Path

from netbuilder._files import remove_own
from netbuilder.errors import NetbuilderError, missing_extra
from netbuilder.training.bench.rounds import MISSING, REPORTED, warm_up_steps


def main() -> int:
    """Measure a peer, and print the measurement as JSON."""
    peer, document, steps, start, dataset, images, data_dir = sys.argv[1:]
    if stat.S_ISFIFO(os.fstat(0).st_mode):
        threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        from netbuilder.config.loader import load
        from netbuilder.training.bench.peers import BY_NAME

        architecture = load(document, [f"train.dataset={dataset}"])
        config = architecture.trained
        warm_up = warm_up_steps(peer, int(steps), -(-int(images) // config.batch_size))
        training = BY_NAME[peer](architecture, Path(data_dir) if data_dir else None)
        total = config.epochs * int(images)
        measurement = _measure(training, int(steps), float(start), warm_up, total)
    except ModuleNotFoundError as error:
        print(missing_extra(error.name or "a package", "bench"), file=sys.stderr)
        return MISSING
    except NetbuilderError as error:
        print(str(error).splitlines()[0], file=sys.stderr)
        return error.exit_code + REPORTED
    if isinstance(training, Generator):
        training.close()  # removes its files
    print(json.dumps(measurement))
    sys.stdout.flush()
    os._exit(0)  # without waiting for threads and workers of the peer


def _end_with_parent() -> None:
    """Wait until the process that holds the other side of standard input ends, and end too."""
    os.read(0, 1)
    remove_own()
    os._exit(1)


def _measure(
    training: Iterator[int], steps: int, start: float, warm_up: int, total: int
) -> dict[str, object]:
    import torch

    from netbuilder.training.device import Device

    device = Device.choose().device

    def now() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    warm_up_images = next(training)
    now()
    first_step_seconds = time.time() - start
    warm_up_images += _count_images(training, warm_up)
    count_start = now()
    warm_up_seconds = time.time() - start
    images = _count_images(training, steps)
    seconds = now() - count_start
    peak = 1024 * sum(
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    if device.type == "cuda":
        peak = torch.cuda.max_memory_allocated()
    return {
        "images_per_second": images / seconds,
        "first_step_seconds": first_step_seconds,
        "total_seconds": warm_up_seconds + (total - warm_up_images) * seconds / images,
        "peak_memory_bytes": peak,
        "device": Device.choose().describe()["device_name"],
    }


def _count_images(training: Iterator[int], steps: int) -> int:
    """Train for some steps; return the number of images in the next ``steps`` steps."""
    return sum(islice(training, steps))


if __name__ == "__main__":
    sys.exit(main())
