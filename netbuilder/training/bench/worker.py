"""One turn of one peer: ``python -m netbuilder.bench.worker``.

Its arguments are PEER ARCH STEPS BEGAN DATASET IMAGES DATA_DIR. The command that starts it has
loaded DATASET, of which an epoch has IMAGES.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Generator, Iterator
from itertools import islice
from pathlib import Path

from netbuilder.errors import NetbuilderError, missing_extra
from netbuilder.training.bench.rounds import MISSING, TOLD, warm_up_steps


def main() -> int:
    """Measure, and print a JSON object."""
    peer, document, steps, began, dataset, images, data_dir = sys.argv[1:]
    try:
        from netbuilder.config.loader import load
        from netbuilder.training.bench.peers import BY_NAME

        architecture = load(document, [f"train.dataset={dataset}"])
        config = architecture.trained
        warm_up = warm_up_steps(peer, int(steps), -(-int(images) // config.batch_size))
        steady = BY_NAME[peer](architecture, Path(data_dir) if data_dir else None)
        total = config.epochs * int(images)
        found = _measured(steady, int(steps), float(began), warm_up, total)
    except ModuleNotFoundError as error:
        print(missing_extra(error.name or "a package", "bench"), file=sys.stderr)
        return MISSING
    except NetbuilderError as error:
        print(str(error).splitlines()[0], file=sys.stderr)
        return error.exit_code + TOLD
    if isinstance(steady, Generator):
        steady.close()  # it removes what it wrote
    print(json.dumps(found))
    sys.stdout.flush()
    os._exit(0)  # a peer's own threads and workers would be waited for


def _measured(
    peer: Iterator[int], steps: int, began: float, warm_up: int, total: int
) -> dict[str, object]:
    import torch

    from netbuilder.training.device import Device

    device = Device.choose().device

    def now() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    seen = next(peer)
    now()
    first = time.time() - began
    seen += _taken(peer, warm_up)
    start = now()
    warm = time.time() - began
    images = _taken(peer, steps)
    seconds = now() - start
    peak = 1024 * sum(
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    if device.type == "cuda":
        peak = torch.cuda.max_memory_allocated()
    return {
        "images_per_second": images / seconds,
        "first_step_seconds": first,
        "total_seconds": warm + (total - seen) * seconds / images,
        "peak_memory_bytes": peak,
        "device": Device.choose().describe()["device_name"],
    }


def _taken(peer: Iterator[int], steps: int) -> int:
    """Return the number of images in the next ``steps`` steps."""
    return sum(islice(peer, steps))


if __name__ == "__main__":
    sys.exit(main())
