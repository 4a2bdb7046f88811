"""The training loop: it yields what happens and writes the run folder; others show it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from datetime import UTC, datetime
from math import prod
from os import PathLike
from pathlib import Path
from typing import Any

from netbuilder._files import OUT_HINT
from netbuilder.config.schema import Architecture, TrainConfig
from netbuilder.data.dataset import LoadedData
from netbuilder.data.loader import must_stream
from netbuilder.data.open import open_dataset
from netbuilder.errors import ConfigError, require_choice
from netbuilder.network.analysis import Analysis
from netbuilder.network.check import require_trainable
from netbuilder.runs.run import Run
from netbuilder.training.compile import decide_compile
from netbuilder.training.cuda_graph import decide_graph
from netbuilder.training.device import Device
from netbuilder.training.events import Event
from netbuilder.training.options import SCHEDULES
from netbuilder.training.resources import RESUME_HINT, resource_errors
from netbuilder.training.restore import open_recorded_data
from netbuilder.training.trainer import Trainer, never


def train(
    architecture: Architecture,
    *,
    out: str | PathLike[str] = "runs",
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    compile: str = "auto",
    graph: str = "auto",
    deterministic: bool = False,
    data_dir: str | PathLike[str] | None = None,
    stop: Callable[[], int] = never,
) -> Generator[Event, None, None]:
    """Train a network by its document and record it in a new folder below ``out``.

    Args:
        architecture: it has a ``train`` section.
        out: where run folders are made, as ``out/<name>/<time>-seed<n>``.
        seed: settles the first weights and all that is drawn; it seeds torch's global state.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        precision: ``auto``, ``fp32`` or ``bf16`` (autocast).
        compile: ``on``, ``off``, or ``auto``: from the second epoch on, where that wins it back.
        graph: ``on``, ``off``, or ``auto``: each step's passes are replayed as a CUDA graph where
            there is a CUDA device and the optimizer's update is one kernel.
        deterministic: take no operation that sums in an order of its own, as some on a GPU do.
        data_dir: a torchvision-style root; else NETBUILDER_DATA, else the user's cache.
        stop: asked after each step; anything but 0 is a signal's number: state is saved and
            `Interrupted` raised.

    Yields:
        `Started`, then `Stepped` for each step and `EpochEnded` for each epoch, then `Finished`.

    Raises:
        ConfigError: the network cannot be trained as the document says.
        DataError: the data set cannot be had.
        MachineError: memory or disk ran out; the last checkpoint stands.
        Diverged: the loss is not finite.
        Interrupted: ``stop`` asked for it.
    """
    hardware = Device.choose(device, precision)
    analysis, data = prepare(architecture, data_dir)
    settings = architecture.trained
    steps = -(-len(data.train_labels) // settings.batch_size)
    compiled_from, why = decide_compile(compile, analysis, steps, settings.epochs, hardware)
    graphed = decide_graph(graph, settings.optimizer, hardware)
    config = {
        "seed": seed,
        "device": hardware.device.type,
        "precision": hardware.precision,
        "compiled_from": compiled_from,
        "graph": graphed,
        "deterministic": deterministic,
    }
    environment = hardware.describe() | {"seed": seed, "data": _data_record(data), **_now()}
    environment["compile"] = why
    if hardware.device.type == "cuda":
        environment["graph"] = "replayed as a CUDA graph" if graphed else "no CUDA graph"
    if must_stream(data.train_images, memory := hardware.memory()):
        size = f"{data.train_images.nbytes / 2**30:.1f} GiB"
        environment["data"]["streamed"] = f"{size} of images, too many for {memory / 2**30:.1f} GiB"
    with resource_errors(Path(out), f"; {OUT_HINT}"):
        run = Run.create(Path(out), architecture, config, environment)
    with resource_errors(run.path, RESUME_HINT), run.in_use():
        session = Trainer(run, analysis, hardware, seed, data, data_dir, stop)
        yield from session.records(resumed=None)


def resume(
    path: str | PathLike[str],
    *,
    device: str | None = None,
    data_dir: str | PathLike[str] | None = None,
    stop: Callable[[], int] = never,
    epochs: int | None = None,
    schedule: str = "extend",
) -> Generator[Event, None, None]:
    """Go on with the run in ``path`` from its newest whole checkpoint, to the same bits.

    The bits are those of the run never stopped on the same CPU, thread count and versions;
    elsewhere, and on a GPU, some of whose kernels sum in no fixed order, it goes on just as well,
    with rounding of its own. A run that was killed before its first checkpoint starts afresh; a
    finished one yields `Started` and `Finished` again.

    Args:
        path: a run folder.
        device: in place of the one that the run began on.
        data_dir: as for `train`, as is ``stop``.
        stop: asked after each step.
        epochs: more of them than the run has; it is recorded.
        schedule: what becomes of the learning rate then: ``extend`` spans a schedule over all
            epochs and goes on at its new place, ``hold`` stays at its end.

    Yields:
        As `train`.

    Raises:
        ConfigError: there is no run folder, it is in use, or it cannot be extended so.
        CheckpointError: no checkpoint of it can be loaded.
        DataError: the data are missing, or not those that it began with.
    """
    run = Run.open(Path(path))
    require_trainable(run.architecture)
    hardware = Device.choose(device or run.config["device"], run.config["precision"])
    data = open_recorded_data(run, Path(data_dir) if data_dir else None)
    with resource_errors(run.path, RESUME_HINT), run.in_use():
        told: dict[str, Any] = {}
        run = Run.open(run.path)  # as it is now that nobody else writes into it
        if epochs:
            run = extended(run, epochs, schedule, len(data.train_labels))
            told = {"epochs": epochs, "schedule": schedule}
        analysis = require_trainable(run.architecture)
        seed = run.config["seed"]
        session = Trainer(run, analysis, hardware, seed, data, data_dir, stop)
        yield from session.records(resumed=hardware.describe() | _now() | told)


def extended(run: Run, epochs: int, schedule: str, images: int) -> Run:
    """The run with more epochs, not yet on the disk.

    Raises:
        ConfigError: they are not more, or the schedule cannot span them.
    """
    config = run.architecture.trained
    require_choice("--schedule", schedule, SCHEDULES)
    if epochs <= config.epochs:
        raise ConfigError(
            f"--epochs {epochs}: {run.path} has {config.epochs} epochs; allowed: more than those"
        )
    spanned = epochs if schedule == "extend" else run.scheduled_epochs
    steps = spanned * -(-images // config.batch_size)
    for scheduler in config.scheduler:
        if problem := scheduler.problem(steps):
            raise ConfigError(f"--epochs {epochs}: {problem}")
    return run.extended(epochs, spanned)


def prepare(
    architecture: Architecture, data_dir: str | PathLike[str] | None = None
) -> tuple[Analysis, LoadedData]:
    """All that can be refused before a run is made.

    Args:
        architecture: it has a ``train`` section.
        data_dir: as for `train`.

    Raises:
        ConfigError: the network cannot be trained as the document says.
        DataError: the data set cannot be had.
    """
    analysis = require_trainable(architecture)
    config = architecture.trained
    data = open_dataset(config.dataset, Path(data_dir) if data_dir else None)
    _require_batches(analysis, config, data)
    steps = config.epochs * -(-len(data.train_labels) // config.batch_size)
    for position, scheduler in enumerate(config.scheduler):
        if problem := scheduler.problem(steps):
            place = ("train", "scheduler", position, scheduler.kind)
            raise ConfigError([architecture.problem(place, problem)])
    return analysis, data


def _require_batches(analysis: Analysis, config: TrainConfig, data: LoadedData) -> None:
    """Refuse a batch of one image where batch statistics need more, before it stops an epoch."""
    count, size = len(data.train_labels), config.batch_size
    if (count % size or min(size, count)) > 1:
        return
    for row in analysis.rows:
        if row.kind.startswith("BatchNorm") and prod(row.input_shape[1:]) == 1:
            message = (
                f"found {size}, which leaves a last batch of 1 of {count:,} images; layer "
                f"{row.path} {row.kind} needs more than one value a channel. Take another size"
            )
            raise ConfigError([analysis.architecture.problem(("train", "batch_size"), message)])


def _data_record(data: LoadedData) -> dict[str, Any]:
    return {
        "kind": data.dataset.kind,
        "sha256": data.digest,
        "train": len(data.train_labels),
        "test": len(data.test_labels),
        "fell_back": data.fallback_reason if data.fallback_for else "",
    }


def _now() -> dict[str, str]:
    return {"started": datetime.now(UTC).isoformat(timespec="seconds")}
