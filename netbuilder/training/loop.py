"""The training loop: it yields what happens and writes the run folder; others show it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from math import isfinite, prod
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from netbuilder.analysis import Analysis, require_trainable
from netbuilder.data import LoadedData, open_dataset
from netbuilder.data.batches import epoch_order
from netbuilder.errors import ConfigError, Diverged, Interrupted
from netbuilder.runs import Metrics, Run
from netbuilder.schema import Architecture, TrainConfig
from netbuilder.targets import judge_run
from netbuilder.training import checkpoint
from netbuilder.training.checkpoint import Progress
from netbuilder.training.evaluation import Evaluation, evaluate
from netbuilder.training.hardware import Hardware
from netbuilder.training.limits import STANDS, limits
from netbuilder.training.recorded import open_recorded_data
from netbuilder.training.records import EpochEnded, Finished, Record, Started, Stepped
from netbuilder.training.step import Step, Trainee


def never() -> int:
    """The signal that asked for a stop: none."""
    return 0


def train(
    architecture: Architecture,
    *,
    out: str | PathLike[str] = "runs",
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    data_dir: str | PathLike[str] | None = None,
    stop: Callable[[], int] = never,
) -> Iterator[Record]:
    """Train a network by its document and record it in a new folder below ``out``.

    Args:
        architecture: it has a ``train`` section.
        out: where run folders are made, as ``out/<name>/<time>-seed<n>``.
        seed: settles the first weights and all that is drawn; it seeds torch's global state.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        precision: ``auto``, ``fp32`` or ``bf16`` (autocast).
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
    hardware = Hardware.choose(device, precision)
    config = {"seed": seed, "device": hardware.device.type, "precision": hardware.precision}
    analysis, data = prepare(architecture, data_dir)
    environment = hardware.describe() | {"seed": seed, "data": _data_record(data), **_now()}
    with limits(Path(out)):
        run = Run.create(Path(out), architecture, config, environment)
    with limits(run.path, STANDS):
        session = _Session(run, analysis, hardware, seed, data, data_dir, stop)
        yield from session.records(resumed=False)


def resume(
    path: str | PathLike[str],
    *,
    device: str | None = None,
    data_dir: str | PathLike[str] | None = None,
    stop: Callable[[], int] = never,
) -> Iterator[Record]:
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

    Yields:
        As `train`.

    Raises:
        ConfigError: there is no run folder.
        CheckpointError: no checkpoint of it can be loaded.
        DataError: the data are missing, or not those that it began with.
    """
    run = Run.open(Path(path))
    analysis = require_trainable(run.architecture)
    hardware = Hardware.choose(device or run.config["device"], run.config["precision"])
    data = open_recorded_data(run, Path(data_dir) if data_dir else None)
    with limits(run.path, STANDS):
        if run.result is None:
            run.remove_leftovers()
            run.add_session(hardware.describe() | _now())
        seed = run.config["seed"]
        session = _Session(run, analysis, hardware, seed, data, data_dir, stop)
        yield from session.records(resumed=True)


class _Session:
    """One process's share of a run."""

    def __init__(
        self,
        run: Run,
        analysis: Analysis,
        hardware: Hardware,
        seed: int,
        data: LoadedData,
        data_dir: str | PathLike[str] | None,
        stop: Callable[[], int],
    ) -> None:
        self.run, self.analysis, self.hardware, self.seed = run, analysis, hardware, seed
        self.config = analysis.architecture.trained
        self.full_data = data
        self.data_dir = data_dir
        self.data = data.to(hardware.device)
        self.stop = stop
        self.steps_per_epoch = -(-len(data.train_labels) // self.config.batch_size)
        self.trainee = Trainee.make(analysis.architecture, hardware, seed, self.steps_per_epoch)
        self.step = Step(self.trainee, self.config, data.dataset, hardware, seed)
        self.progress = Progress()

    def records(self, *, resumed: bool) -> Iterator[Record]:
        warnings = [self.full_data.fallback_reason] if self.full_data.fell_back_from else []
        if resumed:
            self.progress, damaged = checkpoint.restore(self.run.checkpoints, self.trainee)
            warnings += damaged
        else:
            self._save()
        yield Started(
            self.run,
            self.analysis,
            self.hardware,
            self.seed,
            self.full_data,
            self.steps_per_epoch,
            self.progress,
            tuple(warnings),
        )
        while self.progress.epoch < self.config.epochs:
            yield from self._train_epoch()
            yield self._end_epoch()
        yield self._finish()

    def _train_epoch(self) -> Iterator[Stepped]:
        at, size = self.progress, self.config.batch_size
        device = self.hardware.device
        order = epoch_order(self.seed, at.epoch, len(self.data.train_labels), device)
        loss_sum = torch.tensor(at.loss_sum, dtype=torch.float64).to(device)
        hits = torch.tensor(at.hits, device=device)
        before, began = at.train_seconds, time.perf_counter()
        while at.step < self.steps_per_epoch:
            chosen = order[at.step * size :][:size]
            images, labels = self.data.train_images[chosen], self.data.train_labels[chosen]
            at.learning_rate = self.trainee.learning_rate
            batch_loss, batch_hits = self.step(images, labels, at.epoch, at.step)
            loss_sum += batch_loss
            hits += batch_hits
            at.step += 1
            at.seen += len(chosen)
            yield Stepped(at.epoch + 1, at.step, at.seen)
            stopped = self.stop()
            if stopped or at.step == self.steps_per_epoch:
                at.loss_sum, at.hits = float(loss_sum), int(hits)
                at.train_seconds = before + time.perf_counter() - began
            if stopped:
                self._pause()

    def _end_epoch(self) -> EpochEnded:
        at = self.progress
        began = time.perf_counter()
        test = self._evaluate()
        if not isfinite(test.loss):
            raise Diverged(
                f"the test loss is {test.loss} behind epoch {at.epoch + 1}; the epoch is not "
                "saved. Begin anew with a lower learning rate, or with --precision fp32"
            )
        metrics: Metrics = {
            "epoch": at.epoch + 1,
            "train_loss": at.loss_sum / at.seen,
            "train_accuracy": 100.0 * at.hits / at.seen,
            "test_loss": test.loss,
            "test_accuracy": test.accuracy,
            "learning_rate": at.learning_rate,
            "train_seconds": at.train_seconds,
            "test_seconds": time.perf_counter() - began,
        }
        best = all(test.accuracy > before["test_accuracy"] for before in at.history)
        self.step.end_epoch(test.loss)
        self.progress = Progress(epoch=at.epoch + 1, history=[*at.history, metrics])
        # The checkpoint comes last: until it stands, this epoch counts as not yet trained, and
        # doing it again writes the same files again.
        checkpoint.save_weights(self.run.path / "last.safetensors", self.trainee)
        if best:
            checkpoint.save_weights(self.run.path / "best.safetensors", self.trainee)
        self.run.write_metrics(self.progress.history)
        self._save()
        return EpochEnded(metrics, best)

    def _finish(self) -> Finished:
        evaluation = self._evaluate()
        result = self.run.result
        if result is None:
            result = _result(self.analysis, self.progress.history, self.full_data)
            self.run.write_metrics(self.progress.history)
            self.run.write_result(result)
        return Finished(self.run, result, evaluation, self.full_data)

    def _evaluate(self) -> Evaluation:
        def between() -> None:
            if self.stop():
                self._pause()

        data = self.data
        return evaluate(
            self.trainee.kept,
            self.config,
            data.dataset,
            self.hardware,
            data.test_images,
            data.test_labels,
            between,
        )

    def _pause(self) -> None:
        """Save where the run is and end it."""
        at, signum = self.progress, self.stop()
        path = self._save()
        done = f"in epoch {at.epoch + 1}, step {at.step}"
        if at.epoch == self.config.epochs:
            done = "behind the last epoch"
        where = f" --data-dir {self.data_dir}" if self.data_dir else ""
        raise Interrupted(
            signum,
            f"stopped by signal {signum} {done}; saved as {path}\n"
            f"go on with: netbuilder train --resume {self.run.path}{where}",
        )

    def _save(self) -> Path:
        return checkpoint.save(self.run.checkpoints, self.trainee, self.progress)


def _result(analysis: Analysis, history: list[Metrics], data: LoadedData) -> dict[str, Any]:
    """Best and last figures, and every target's verdict."""
    unjudged = ""
    if data.fell_back_from:
        unjudged = f"trained on {data.dataset.kind} in place of {data.fell_back_from.kind}"
    best = max(history, key=lambda epoch: epoch["test_accuracy"])
    verdicts = judge_run(analysis, history, unjudged)
    judged = [verdict.met for verdict in verdicts if verdict.met is not None]
    return {
        "epochs": len(history),
        "parameters": analysis.parameters,
        "best": best,
        "best_train_accuracy": max(epoch["train_accuracy"] for epoch in history),
        "last": history[-1],
        "targets": [asdict(verdict) for verdict in verdicts],
        "met": False if False in judged else None if unjudged or not judged else True,
        "reference": analysis.architecture.reference.model_dump(exclude_none=True),
        "seconds": sum(epoch["train_seconds"] + epoch["test_seconds"] for epoch in history),
    }


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
        "fell_back": data.fallback_reason if data.fell_back_from else "",
    }


def _now() -> dict[str, str]:
    return {"started": datetime.now(UTC).isoformat(timespec="seconds")}
