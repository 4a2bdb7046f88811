"""One turn of one peer: ``python -m netbuilder.bench.worker PEER ARCH STEPS BEGAN DATA``."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Generator, Iterator
from itertools import islice
from pathlib import Path

from netbuilder.errors import ConfigError, NetbuilderError, missing_extra
from netbuilder.training.bench.rounds import MISSING, TOLD, images_of


def main() -> int:
    """Measure, and print a JSON object."""
    peer, document, steps, began, data = sys.argv[1:]
    try:
        from netbuilder.config.loader import load
        from netbuilder.training.bench.peers import BY_NAME

        architecture = load(document)
        folder = Path(data) if data else None
        folder = folder or Path(os.environ.get("NETBUILDER_DATA", "."))
        count, epochs = images_of(architecture), architecture.trained.epochs
        # A run of its own may be compiled behind its first epoch.
        first = -(-count // architecture.trained.batch_size) if peer == "netbuilder" else 0
        warm_up = max(1, int(steps) // 10) + first
        steady = BY_NAME[peer](architecture, folder)
        found = _measured(steady, int(steps), float(began), warm_up, epochs * count)
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
    """The images of so many steps."""
    images = list(islice(peer, steps))
    if len(images) < steps:
        raise ConfigError(
            "the training ends before the counted steps; take fewer --steps, or a document of "
            "more epochs"
        )
    return sum(images)


if __name__ == "__main__":
    sys.exit(main())
