"""Start or resume a run: write its folder and yield its events."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import Any, cast

from netbuilder._files import OUT_HINT
from netbuilder.config.schema import Architecture
from netbuilder.data.dataset import LoadedData
from netbuilder.data.loader import must_stream
from netbuilder.data.open import open_dataset
from netbuilder.errors import ConfigError, require_choice
from netbuilder.network.analysis import Analysis
from netbuilder.network.check import require_trainable
from netbuilder.network.trainable import start_problems
from netbuilder.network.trial import try_modules
from netbuilder.runs.create import create_run
from netbuilder.runs.parse import damaged
from netbuilder.runs.records import DataRecord, Environment, RunConfig, Session
from netbuilder.runs.run import Run
from netbuilder.runs.values import LARGEST_COUNT, MAX_REASON, DeviceName, Precision
from netbuilder.training.compile import decide_compile
from netbuilder.training.cuda_graph import decide_graph
from netbuilder.training.device import Device
from netbuilder.training.events import Event
from netbuilder.training.options import SCHEDULES
from netbuilder.training.resources import resource_errors, resume_hint
from netbuilder.training.restore import open_recorded_data
from netbuilder.training.trainer import Trainer, never

RESTART = "correct the document, and train again"
"""What to do about a run that cannot end."""


def train(
    architecture: Architecture | Analysis,
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
    """Train a network as its document describes and record the run in a new folder.

    Args:
        architecture: An architecture with a ``train`` section, or its analysis by
            `netbuilder.network.check.require_trainable`, which is then not repeated.
        out: The folder of run folders; the new one is ``out/<name>/<time>-seed<n>``.
        seed: The seed of the initial weights and of all random draws; it seeds torch's global
            state.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        precision: ``auto``, ``fp32`` or ``bf16`` (autocast).
        compile: ``on``, ``off``, or ``auto``: from epoch 2, if the run is long enough to gain time.
        graph: ``on``, ``off``, or ``auto``: replay each step as a CUDA graph, if the device is a
            CUDA device and the optimizer updates in one kernel.
        deterministic: Use only deterministic operations, or raise an error.
        data_dir: A torchvision-style root; by default NETBUILDER_DATA, or the user's cache folder.
        stop: Called after each step; returns 0, or the number of a signal. The state is then saved
            and `Interrupted` raised.

    Yields:
        `Started`, then `Stepped` for each step and `EpochEnded` for each epoch, then `Finished`.

    Raises:
        ConfigError: The document does not describe a network that can be trained.
        DataError: The data set is not available.
        MachineError: Memory or disk is full; the last checkpoint stays.
        Diverged: The loss is not finite.
        Interrupted: ``stop`` returned a signal.
    """
    if not 0 <= seed <= LARGEST_COUNT:
        raise ConfigError(f"--seed {seed}: allowed: a whole number from 0 to {LARGEST_COUNT}")
    hardware = Device.choose(device, precision)
    analysis = require_trainable(architecture)
    data = prepare(analysis, data_dir)
    settings = analysis.architecture.trained
    steps = settings.steps_per_epoch(len(data.train_labels))
    compiled_from, reason = decide_compile(compile, analysis, steps, settings.epochs, hardware)
    graphed = decide_graph(graph, settings.optimizer, hardware)
    config = RunConfig(
        architecture=analysis.architecture.model_dump(mode="json"),
        seed=seed,
        device=cast(DeviceName, hardware.device.type),
        precision=cast(Precision, hardware.precision),
        compiled_from=compiled_from,
        graph=graphed,
        deterministic=deterministic,
    )
    optional: dict[str, Any] = {}
    if hardware.device.type == "cuda":
        optional["graph"] = "replayed as a CUDA graph" if graphed else "no CUDA graph"
    environment = Environment(
        **hardware.describe(),
        seed=seed,
        data=_data_record(data, hardware.memory()),
        started=_now(),
        compile=reason,
        **optional,
    )
    with resource_errors(Path(out), f"; {OUT_HINT}"):
        run = create_run(Path(out), analysis.architecture, config, environment)
    with resource_errors(run.path, lambda: resume_hint(run)), run.in_use():
        trainer = Trainer(run, environment, analysis, hardware, seed, data, data_dir, stop)
        yield from trainer.events(resumed=None)


def resume(
    path: str | PathLike[str],
    *,
    device: str | None = None,
    data_dir: str | PathLike[str] | None = None,
    stop: Callable[[], int] = never,
    epochs: int | None = None,
    schedule: str = "extend",
) -> Generator[Event, None, None]:
    """Resume the run in ``path`` from its newest valid checkpoint.

    With the same CPU, number of threads and versions, the result has the bits of an uninterrupted
    run. Otherwise, and on a GPU, some of whose kernels add in no fixed order, rounding differs. A
    run that was killed before its first checkpoint starts again. A finished run yields `Started`
    and `Finished` again.

    Args:
        path: The run folder.
        device: The device; by default the one that the run started on.
        data_dir: As for `train`.
        stop: As for `train`.
        epochs: The new number of epochs, to extend the run; it is recorded.
        schedule: How to extend the learning-rate schedule: ``extend`` stretches it over all epochs,
            ``hold`` keeps the rate at its end.

    Yields:
        As `train`.

    Raises:
        ConfigError: The path is not a run folder, the run is in use or damaged, or it cannot be
            extended.
        CheckpointError: No checkpoint of the run can be loaded.
        DataError: The data are missing, or differ from those of the run.
    """
    run = Run.open(Path(path))
    hardware = Device.choose(device or run.config.device, run.config.precision)
    data = open_recorded_data(run, Path(data_dir) if data_dir else None)
    with resource_errors(run.path, lambda: resume_hint(run)), run.in_use():
        run = Run.open(run.path)  # read again, now that it is locked
        changes: dict[str, Any] = {}
        if epochs:
            run = extended(run, epochs, schedule, len(data.train_labels))
            changes = {"epochs": epochs, "schedule": schedule}
        _require_resumable(run, len(data.train_labels))
        session = Session(**hardware.describe(), started=_now(), **changes)
        seed = run.config.seed
        trainer = Trainer(run, run.environment, run.analysis, hardware, seed, data, data_dir, stop)
        yield from trainer.events(resumed=session)


def _require_resumable(run: Run, images: int) -> None:
    """Refuse a run that an older version started and that cannot end.

    Raises:
        ConfigError: A training of the document would be refused, and the run is not finished.
    """
    if run.result is not None:
        return
    analysis = run.analysis
    architecture, span = analysis.architecture, run.config.schedule_span
    settings = architecture.trained.model_copy(update={"epochs": span})
    spanned = replace(analysis, architecture=architecture.model_copy(update={"train": settings}))
    for problem in start_problems(spanned, images):
        raise damaged(
            run.path / "config.json", problem.message, RESTART, f"architecture.{problem.field}"
        )


def extended(run: Run, epochs: int, schedule: str, images: int) -> Run:
    """Return the run with more epochs; nothing is written.

    Raises:
        ConfigError: The run has as many epochs, or the schedule cannot span them.
    """
    config = run.architecture.trained
    require_choice("--schedule", schedule, SCHEDULES)
    if epochs <= config.epochs:
        raise ConfigError(
            f"--epochs {epochs}: {run.path} has {config.epochs} epochs; allowed: more than those"
        )
    spanned = epochs if schedule == "extend" else run.config.schedule_span
    steps = spanned * config.steps_per_epoch(images)
    for scheduler in config.scheduler:
        if problem := scheduler.problem(steps):
            raise ConfigError(f"--epochs {epochs}: {problem}")
    return run.extended(epochs, spanned)


def prepare(analysis: Analysis, data_dir: str | PathLike[str] | None = None) -> LoadedData:
    """Open the data set of a training, and check what depends on its number of images.

    Args:
        analysis: A network that can be trained; see `netbuilder.network.check.require_trainable`.
        data_dir: As for `train`.

    Raises:
        ConfigError: The network cannot be trained as the document says.
        DataError: The data set is not available.
    """
    config = analysis.architecture.trained
    try_modules(analysis)  # before there is a run folder
    data = open_dataset(config.dataset, Path(data_dir) if data_dir else None)
    # A fallback has other numbers than the data set that was checked with the document.
    if problems := start_problems(analysis, len(data.train_labels)):
        raise ConfigError(problems)
    return data


def _data_record(data: LoadedData, memory: int) -> DataRecord:
    """Return the record of the data; ``memory`` is the device's, in bytes."""
    optional = {}
    if must_stream(data.train_images, memory):
        size = f"{data.train_images.nbytes / 2**30:.1f} GiB"
        optional["streamed"] = f"{size} of images, too many for {memory / 2**30:.1f} GiB"
    return DataRecord(
        kind=data.dataset.kind,
        sha256=data.digest,
        train=len(data.train_labels),
        test=len(data.test_labels),
        fallback=data.fallback_reason[:MAX_REASON] if data.fallback_for else "",
        **optional,
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
