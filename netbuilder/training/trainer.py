"""One process's share of a run: epochs, tests, checkpoints, and a result at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from math import isfinite
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from netbuilder._text import printable
from netbuilder.data.dataset import NAMES, LoadedData
from netbuilder.data.loader import BatchLoader, InMemoryLoader, StreamingLoader, must_stream
from netbuilder.data.transforms import epoch_order
from netbuilder.errors import CheckpointError, Diverged, Interrupted
from netbuilder.network.analysis import Analysis
from netbuilder.network.targets import judge_run
from netbuilder.runs.run import Metrics, Run
from netbuilder.training import checkpoint
from netbuilder.training._torch_workarounds import defer_compiler_import
from netbuilder.training.checkpoint import Progress
from netbuilder.training.cuda_graph import CudaGraphed
from netbuilder.training.device import Device, deterministic
from netbuilder.training.evaluation import WORST, Evaluation, evaluate, prediction
from netbuilder.training.events import Compiling, EpochEnded, Event, Finished, Started, Stepped
from netbuilder.training.lr_schedule import moves_after_steps, rebuild_schedule, schedule_end
from netbuilder.training.resources import RESUME_HINT, batch_that_fits, resource_errors
from netbuilder.training.step import Step, TrainState


def never() -> int:
    """The signal that asked for a stop: none."""
    return 0


class Trainer:
    """One process's share of a run."""

    def __init__(
        self,
        run: Run,
        analysis: Analysis,
        hardware: Device,
        seed: int,
        data: LoadedData,
        data_dir: str | PathLike[str] | None,
        stop: Callable[[], int],
    ) -> None:
        self.run, self.analysis, self.hardware, self.seed = run, analysis, hardware, seed
        self.config = analysis.architecture.trained
        self.full_data = data
        self.data_dir = data_dir
        streams = must_stream(data.train_images, hardware.memory())
        self.data = data.to(hardware.device, images=not streams)
        self.feed: BatchLoader = (
            StreamingLoader(data.train_images, data.train_labels, hardware.device)
            if streams
            else InMemoryLoader(self.data.train_images, self.data.train_labels)
        )
        self.stop = stop
        self.steps_per_epoch = -(-len(data.train_labels) // self.config.batch_size)
        spe, spanned = self.steps_per_epoch, run.scheduled_epochs
        defer_compiler_import()
        self.trainee = TrainState.make(analysis.architecture, hardware, seed, spe, spanned)
        held = schedule_end(self.config, spe, spanned)
        # A run that began on a GPU may be taken up elsewhere.
        graph = run.config.get("graph", False) and hardware.device.type == "cuda"
        kept = self.trainee.eval_model
        predict = prediction(kept, data.dataset, hardware)
        self.predict = CudaGraphed(predict, kept) if graph else predict
        self.step = Step(
            self.trainee,
            self.config,
            data.dataset,
            hardware,
            seed,
            spe,
            held,
            compiled_from=run.compiled_from,
            graph=graph,
        )
        self.progress = Progress()

    def records(self, *, resumed: dict[str, Any] | None) -> Iterator[Event]:
        """The run from here to its end, as it happens.

        ``resumed`` is what environment.json is to say of a session that goes on with a run.
        """
        exact = self.run.config.get("deterministic", False)
        with (
            resource_errors(self.run.path, RESUME_HINT, self._smaller),
            deterministic(enabled=exact),
        ):
            try:
                yield from self._records(resumed=resumed)
            except Diverged as error:
                stands = "what was saved before it stands"
                raise Diverged(f"{self.run.path}: {error}; {stands}") from None

    def _smaller(self) -> str:
        """What to do where memory ran out."""
        size, memory = self.config.batch_size, self.hardware.memory()
        streams = isinstance(self.feed, StreamingLoader)
        held = 0 if streams else sum(getattr(self.data, name).nbytes for name in NAMES)
        fits = batch_that_fits(self.analysis, memory, held)
        if fits < 1:
            return f"not even one image fits into {memory / 2**30:.1f} GiB; take a smaller network"
        if fits >= size:  # others take memory too
            fits = max(1, size // 2)
        return (
            f"batches of {size} do not fit into {memory / 2**30:.1f} GiB; by the summary's memory "
            f"rows {fits} should: begin anew with --set train.batch_size={fits}"
        )

    def _records(self, *, resumed: dict[str, Any] | None) -> Iterator[Event]:
        warnings = [self.full_data.fallback_reason] if self.full_data.fallback_for else []
        if resumed is not None:
            self.progress, damaged = checkpoint.restore(self.run.checkpoints, self.trainee)
            self._record_resumption(resumed)
            warnings += [*damaged, *self._respan()]
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

    def _record_resumption(self, session: dict[str, Any]) -> None:
        """Write into the folder only once it is known from where the run goes on."""
        none = not any(self.run.checkpoints.glob("*.safetensors"))
        if none and self.run.metrics:  # it would begin afresh, over what is recorded
            raise CheckpointError(
                f"{printable(str(self.run.checkpoints))}: no checkpoint in it, though epochs are "
                "recorded; put one back, or train anew"
            )
        if self.run.result is None:
            self.run.remove_leftovers()
            if "epochs" in session:
                self.run.write_config()
            self.run.add_session(session)

    def _respan(self) -> list[str]:
        """Bring the schedule of a run with more epochs than it began with to its place."""
        begun, epochs = self.run.config.get("epochs_begun", self.config.epochs), self.config.epochs
        if begun == epochs or not self.config.scheduler:
            return []
        at, spanned = self.progress, self.run.scheduled_epochs
        if moves_after_steps(self.config):
            done = at.epoch * self.steps_per_epoch + at.step
            optimizer = self.trainee.optimizer
            self.trainee.schedule[:] = rebuild_schedule(
                self.config, optimizer, self.steps_per_epoch, spanned, done
            )
        rate = f"the learning rate is {self.trainee.learning_rate:g}"
        if spanned < epochs:
            return [f"{epochs} epochs, the schedule held at its end behind epoch {spanned}; {rate}"]
        return [f"{epochs} epochs in place of {begun}, the schedule spans them all; {rate}"]

    def _train_epoch(self) -> Iterator[Compiling | Stepped]:
        at, device = self.progress, self.hardware.device
        order = epoch_order(self.seed, at.epoch, len(self.data.train_labels))
        loss_sum = torch.tensor(at.loss_sum, dtype=torch.float64).to(device)
        hits = torch.tensor(at.hits, device=device)
        if at.step == 0 and self.step.compiles_next(at.epoch):
            yield Compiling(at.epoch + 1)
        before, began = at.train_seconds, time.perf_counter()
        for taken in self.step.epoch(self.feed, order, at.epoch, at.step):
            at.learning_rate = taken.learning_rate
            loss_sum += taken.loss
            hits += taken.hits
            at.step += 1
            at.seen += taken.images
            yield Stepped(at.epoch + 1, at.step, at.seen)
            stopped = self.stop()
            if stopped or at.step == self.steps_per_epoch:
                self.step.raise_if_diverged()
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
        self.step.end_epoch(at.epoch, test.loss)
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
        self.run.write_metrics(self.progress.history)  # they may have been lost since
        if result is None or self.run.evaluation is None:
            self.run.write_evaluation(_recorded(evaluation, self.full_data.dataset.classes))
        if result is None:
            result = _result(self.analysis, self.progress.history, self.full_data)
            self.run.write_result(result)
        return Finished(self.run, result, evaluation, self.full_data)

    def _evaluate(self) -> Evaluation:
        def between() -> None:
            if self.stop():
                self._pause()

        data = self.data
        return evaluate(
            self.trainee.eval_model,
            self.config,
            data.dataset,
            self.hardware,
            data.test_images,
            data.test_labels,
            between,
            self.predict,
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


def _recorded(evaluation: Evaluation, classes: Sequence[str]) -> dict[str, Any]:
    """The evaluation as `Run.evaluation` gives it back."""
    mistakes = [
        {
            "index": i,
            "label": classes[int(evaluation.labels[i])],
            "guess": classes[int(evaluation.guesses[i])],
            "confidence": float(evaluation.confidences[i]),
        }
        for i in evaluation.worst(WORST)
    ]
    return {
        "classes": list(classes),
        "class_accuracy": evaluation.class_accuracy,
        "confusion": evaluation.confusion.tolist(),
        "mistakes": mistakes,
    }


def _result(analysis: Analysis, history: list[Metrics], data: LoadedData) -> dict[str, Any]:
    """Best and last figures, and every target's verdict."""
    unjudged = ""
    if data.fallback_for:
        unjudged = f"trained on {data.dataset.kind} in place of {data.fallback_for.kind}"
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
