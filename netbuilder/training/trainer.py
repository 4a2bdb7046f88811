"""The trainer: train, test and save the epochs of a run in one process."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from math import isfinite
from os import PathLike
from pathlib import Path

import torch

from netbuilder._text import printable
from netbuilder._text.commands import resume_command
from netbuilder.data.dataset import NAMES, LoadedData
from netbuilder.data.loader import BatchLoader, InMemoryLoader, StreamingLoader, must_stream
from netbuilder.data.transforms import epoch_order
from netbuilder.errors import CheckpointError, Diverged, Interrupted
from netbuilder.network.analysis import Analysis
from netbuilder.network.lint import warn
from netbuilder.runs.parse import damaged
from netbuilder.runs.records import (
    Environment,
    EpochRecord,
    Evaluation,
    Session,
)
from netbuilder.runs.run import REWRITE, Run
from netbuilder.training import checkpoint
from netbuilder.training._torch_workarounds import defer_compiler_import
from netbuilder.training.checkpoint import Progress
from netbuilder.training.cuda_graph import CudaGraphed
from netbuilder.training.device import Device, deterministic
from netbuilder.training.evaluation import LabeledPredictions, evaluate, prediction
from netbuilder.training.events import Compiling, EpochEnded, Event, Finished, Started, Stepped
from netbuilder.training.extension import extension_notes
from netbuilder.training.lr_schedule import moves_after_steps, rebuild_schedule, schedule_end
from netbuilder.training.nonfinite import first_nonfinite_in_test, usual_remedy
from netbuilder.training.reference import fix_statistics
from netbuilder.training.resources import (
    batch_that_fits,
    divergence_hint,
    resource_errors,
    resume_hint,
)
from netbuilder.training.result import run_result
from netbuilder.training.step import Step, TrainState


def signal_name(signum: int) -> str:
    """Return the name of a signal, as users know it."""
    if signum == signal.SIGINT:
        return "Ctrl-C"
    if signum == getattr(signal, "SIGPIPE", None):
        return "a closed output"
    try:
        return signal.Signals(signum).name
    except ValueError:
        return f"signal {signum}"


def never() -> int:
    """Return 0, which means that no signal arrived."""
    return 0


class Trainer:
    """Trains a run in this process, from its start or from its last checkpoint."""

    def __init__(
        self,
        run: Run,
        environment: Environment,
        analysis: Analysis,
        hardware: Device,
        seed: int,
        data: LoadedData,
        data_dir: str | PathLike[str] | None,
        stop: Callable[[], int],
    ) -> None:
        self.run, self.environment, self.analysis = run, environment, analysis
        self.hardware, self.seed = hardware, seed
        architecture, spanned = analysis.architecture, run.config.schedule_span
        before = run.config.epochs_begun or architecture.trained.epochs
        self.config = architecture.trained.with_schedule(before, spanned)
        self.full_data = data
        self.data_dir = data_dir
        streams = must_stream(data.train_images, hardware.memory())
        self.data = data.to(hardware.device, images=not streams)
        self.loader: BatchLoader = (
            StreamingLoader(data.train_images, data.train_labels, hardware.device)
            if streams
            else InMemoryLoader(self.data.train_images, self.data.train_labels)
        )
        self.stop = stop
        self.steps_per_epoch = self.config.steps_per_epoch(len(data.train_labels))
        steps_per_epoch = self.steps_per_epoch
        defer_compiler_import()
        extended = architecture.model_copy(update={"train": self.config})
        network = replace(analysis, architecture=extended)
        self.train_state = TrainState.make(network, hardware, seed, steps_per_epoch, spanned)
        end = schedule_end(self.config, steps_per_epoch, spanned)
        # A run that started on a GPU may be resumed on another device.
        graph = run.config.graph and hardware.device.type == "cuda"
        tested = self.train_state.eval_model
        predict = prediction(tested, data.dataset, hardware)
        self.predict = CudaGraphed(predict, tested) if graph else predict
        self.step = Step(
            self.train_state,
            self.config,
            data.dataset,
            hardware,
            seed,
            steps_per_epoch,
            end,
            compiled_from=run.config.first_compiled_epoch,
            graph=graph,
        )
        self.progress = Progress()
        self._last_test: LabeledPredictions | None = None

    def events(self, *, resumed: Session | None) -> Iterator[Event]:
        """Train to the end of the run, and yield each event.

        Args:
            resumed: The session of this process, if it resumes the run; None if it starts it.
        """
        exact = self.run.config.deterministic
        with (
            resource_errors(self.run.path, lambda: resume_hint(self.run), self._memory_remedy),
            deterministic(enabled=exact),
        ):
            try:
                yield from self._events(resumed=resumed)
            except Diverged as error:
                raise Diverged(f"{self.run.path}: {error}{divergence_hint(self.run)}") from None

    def _memory_remedy(self) -> str:
        """Return what to do about a lack of memory."""
        size, memory = self.config.batch_size, self.hardware.memory()
        streams = isinstance(self.loader, StreamingLoader)
        data_bytes = 0 if streams else sum(getattr(self.data, name).nbytes for name in NAMES)
        fits = batch_that_fits(self.analysis, memory, data_bytes)
        if fits < 1:
            return f"not even one image fits into {memory / 2**30:.1f} GiB; use a smaller network"
        if fits >= size:  # other programs take memory, too
            fits = max(1, size // 2)
        return (
            f"batches of {size} do not fit into {memory / 2**30:.1f} GiB; batches of {fits} "
            f"should: train again with --set train.batch_size={fits}"
        )

    def _events(self, *, resumed: Session | None) -> Iterator[Event]:
        notes = [self.full_data.fallback_reason] if self.full_data.fallback_for else []
        if resumed is not None:
            self.progress, damaged = checkpoint.restore(self.run.checkpoints, self.train_state)
            self._require_recorded_schedule()
            self._record_resumption(resumed)
            notes += [*damaged, *self._respan()]
        else:
            self._save()
        yield Started(
            self.run,
            self.environment,
            self.analysis,
            self.hardware,
            self.seed,
            self.full_data,
            self.steps_per_epoch,
            self.progress,
            tuple(notes),
            () if resumed else tuple(warn(self.analysis)),
        )
        while self.progress.epoch < self.config.epochs:
            yield from self._train_epoch()
            yield self._end_epoch()
        yield self._finish()

    def _require_recorded_schedule(self) -> None:
        """Refuse a checkpoint whose schedule spans another number of steps than the document's."""
        before, epochs = self.run.config.epochs_begun, self.config.epochs
        if not moves_after_steps(self.config) or before not in (None, epochs):
            return  # `_respan` adapts the schedule of an extended run
        total = self.train_state.schedule[0].state_dict()["total_steps"]
        if total != (steps := self.run.config.schedule_span * self.steps_per_epoch):
            raise CheckpointError(
                f"{printable(str(self.run.path / 'config.json'))}: architecture.train: epochs and "
                f"batch_size make {steps:,} steps; allowed: {total:,}, as in the checkpoint; "
                "restore the values that the run began with"
            )

    def _record_resumption(self, session: Session) -> None:
        """Record the session, now that a checkpoint is restored."""
        empty = not any(self.run.checkpoints.glob("*.safetensors"))
        if empty and self.run.metrics:  # a new start would overwrite the records
            raise CheckpointError(
                f"{printable(str(self.run.checkpoints))}: no checkpoint in it, though epochs are "
                "recorded; put one back, or train again"
            )
        if self.run.result is None:
            self.run.remove_leftovers()
            if session.epochs is not None:
                self.run.write_config()
            self.run.add_session(session)

    def _respan(self) -> list[str]:
        """Adapt the schedule of an extended run to its new length; return what changed."""
        epochs, document = self.config.epochs, self.analysis.architecture.trained
        before = self.run.config.epochs_begun or epochs
        at, spanned = self.progress, self.run.config.schedule_span
        if before == epochs or not self.config.scheduler or at.epoch == epochs:
            return []
        optimizer = self.train_state.optimizer
        losses = [epoch.test_loss for epoch in at.history]
        done = at.epoch * self.steps_per_epoch + at.step
        self.train_state.schedule[:] = rebuild_schedule(
            self.config, optimizer, self.steps_per_epoch, spanned, done, losses
        )
        last = at.learning_rate or (at.history[-1].learning_rate if at.history else 0.0)
        rate = self.train_state.learning_rate
        return extension_notes(document, self.config, before, spanned, at.epoch, last, rate)

    def _train_epoch(self) -> Iterator[Compiling | Stepped]:
        at, device = self.progress, self.hardware.device
        order = epoch_order(self.seed, at.epoch, len(self.data.train_labels))
        loss_sum = torch.tensor(at.loss_sum, dtype=torch.float64).to(device)
        hits = torch.tensor(at.hits, device=device)
        if at.step == 0 and self.step.compiles_next(at.epoch):
            yield Compiling(at.epoch + 1)
        before, start = at.train_seconds, time.perf_counter()
        for step in self.step.epoch(self.loader, order, at.epoch, at.step):
            at.learning_rate = step.learning_rate
            loss_sum += step.loss
            hits += step.hits
            at.step += 1
            at.images += step.images
            yield Stepped(at.epoch + 1, at.step, at.images)
            stopped = self.stop()
            if stopped or at.step == self.steps_per_epoch:
                self.step.raise_if_diverged()
                at.loss_sum, at.hits = float(loss_sum), int(hits)
                at.train_seconds = before + time.perf_counter() - start
            if stopped:
                self._pause()

    def _end_epoch(self) -> EpochEnded:
        at = self.progress
        start = time.perf_counter()
        test = self._evaluate()
        if not test.is_finite:
            raise self._diverged_test(test.loss)
        metrics = EpochRecord(
            epoch=at.epoch + 1,
            train_loss=at.loss_sum / at.images,
            train_accuracy=100.0 * at.hits / at.images,
            test_loss=test.loss,
            test_accuracy=test.accuracy,
            learning_rate=at.learning_rate,
            train_seconds=at.train_seconds,
            test_seconds=time.perf_counter() - start,
        )
        best = all(test.accuracy > before.test_accuracy for before in at.history)
        self.step.end_epoch(at.epoch, test.loss)
        self.progress = Progress(epoch=at.epoch + 1, history=[*at.history, metrics])
        self._last_test = test
        # The checkpoint is last: without it, a resumed run trains this epoch again and writes the
        # same files again.
        checkpoint.save_weights(self.run.path / "last.safetensors", self.train_state)
        if best:
            checkpoint.save_weights(self.run.path / "best.safetensors", self.train_state)
        self.run.write_metrics(self.progress.history)
        self._save()
        return EpochEnded(metrics, best)

    def _diverged_test(self, test_loss: float) -> Diverged:
        """Return the error for a test with a loss or an output that is not finite."""
        reason = f"test loss is {test_loss}"
        if isfinite(test_loss):  # some losses hide an infinite output
            reason = "an output on the test set is not finite"
        reason += f" after epoch {self.progress.epoch + 1}"
        remedy = usual_remedy(self.hardware.precision)
        fault = first_nonfinite_in_test(
            self.train_state.eval_model, self.analysis, self.config, self.data, self.hardware
        )
        if fault is not None:
            reason += f": {fault.describe(self.analysis, self.config.loss.kind)}"
            remedy = fault.remedy(self.hardware.precision)
        return Diverged(f"{reason}; the epoch is not saved. {remedy}")

    def _finish(self) -> Finished:
        history = self.progress.history
        self.run.write_metrics(history)  # a user may have deleted the file
        evaluation, result = self._recorded_evaluation(), self.run.result
        if evaluation is None:
            test = self._last_test or self._evaluate()
            evaluation = test.evaluation(self.full_data.dataset.classes)
            self.run.write_evaluation(evaluation)
        if result is None:
            result = run_result(self.analysis, history, self.full_data)
            self.run.write_result(result)
        return Finished(self.run, self.analysis, tuple(history), result, evaluation, self.full_data)

    def _recorded_evaluation(self) -> Evaluation | None:
        """Return the recorded evaluation of a finished run; check that it fits the data set."""
        evaluation = self.run.evaluation
        if evaluation is not None:
            path = self.run.path / "evaluation.json"
            classes, images = self.full_data.dataset.classes, len(self.full_data.test_labels)
            if evaluation.classes != classes:
                message = f"allowed: those of {self.full_data.dataset.kind}"
                raise damaged(path, message, REWRITE, "classes")
            if evaluation.images != images:
                message = f"found {evaluation.images} test images; allowed: {images}"
                raise damaged(path, message, REWRITE, "confusion")
        return evaluation

    def _evaluate(self) -> LabeledPredictions:
        def between() -> None:
            if self.stop():
                self._pause()

        data = self.data
        tested = self.train_state.eval_model
        fix_statistics(tested, data.dataset, self.hardware, data.train_images)
        return evaluate(
            tested,
            self.config,
            data.dataset,
            self.hardware,
            data.test_images,
            data.test_labels,
            between,
            self.predict,
        )

    def _pause(self) -> None:
        """Save the state of the run, and raise `Interrupted`."""
        at, signum = self.progress, self.stop()
        path = self._save()
        position = f"in epoch {at.epoch + 1}, step {at.step}"
        if at.epoch == self.config.epochs:
            position = "after the last epoch"
        raise Interrupted(
            signum,
            f"stopped by {signal_name(signum)} {position}; saved as {path}\n"
            f"resume with: {resume_command(self.run.path, data_dir=self.data_dir)}",
        )

    def _save(self) -> Path:
        return checkpoint.save(self.run.checkpoints, self.train_state, self.progress)
