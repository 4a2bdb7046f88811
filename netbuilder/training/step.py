"""The optimizer step, and the state that it updates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer, lr_scheduler

from netbuilder.components.datasets import Dataset
from netbuilder.config.schema import Architecture, TrainConfig
from netbuilder.data.loader import Batch, BatchLoader
from netbuilder.data.transforms import augment, normalize, seed_for, to_unit
from netbuilder.errors import Diverged
from netbuilder.network.analysis import Analysis, analyse
from netbuilder.network.build import build
from netbuilder.training._torch_workarounds import plain_update, skip_updates_if
from netbuilder.training.compile import Forward, compiled, forward_pass
from netbuilder.training.cuda_graph import Body, CudaGraphed, DeferredFiniteCheck
from netbuilder.training.device import Device, seeder
from netbuilder.training.ema import ExponentialMovingAverage
from netbuilder.training.lr_schedule import build_schedule, move, moves_after_steps
from netbuilder.training.nonfinite import NonFinite, are_finite, first_nonfinite, usual_remedy

OVERFLOW = "without overflow"
"""Part of torch's message for a factor of an update that is beyond 32-bit floats."""


@dataclass(frozen=True)
class TrainState:
    """Everything that a training step updates."""

    model: nn.Sequential
    average: ExponentialMovingAverage | None
    optimizer: Optimizer
    schedule: list[lr_scheduler.LRScheduler]
    analysis: Analysis

    @classmethod
    def make(
        cls,
        network: Architecture | Analysis,
        hardware: Device,
        seed: int,
        steps_per_epoch: int,
        scheduled_epochs: int,
    ) -> TrainState:
        """Create the initial state; a seed gives the same weights on every device."""
        analysis = network if isinstance(network, Analysis) else analyse(network)
        config = analysis.architecture.trained
        torch.manual_seed(seed_for("weights", seed))
        model = build(analysis).to(hardware.device)
        average = None if config.ema is None else ExponentialMovingAverage(model, config.ema)
        optimizer = config.optimizer.build(model.parameters(), fused=hardware.device.type != "mps")
        schedule = build_schedule(config, optimizer, steps_per_epoch, scheduled_epochs)
        return cls(model, average, optimizer, schedule, analysis)

    @property
    def eval_model(self) -> nn.Module:
        """The network to test and to save: the moving average, if there is one."""
        return self.model if self.average is None else self.average.module

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next update."""
        return float(self.optimizer.param_groups[0]["lr"])


@dataclass(frozen=True)
class StepResult:
    """The result of one step.

    Attributes:
        learning_rate: The learning rate of the update.
        images: The size of the batch.
        loss: The loss summed over the batch, of shape ().
        hits: The number of correct predictions, of shape ().
    """

    learning_rate: float
    images: int
    loss: Tensor
    hits: Tensor


class Step:
    """The training step: forward and backward pass over a batch, update, schedule and average.

    All random draws, for augmentation and dropout, are a function of seed, epoch and step, so that
    a resumed run draws the same numbers.
    """

    def __init__(
        self,
        state: TrainState,
        config: TrainConfig,
        dataset: Dataset,
        hardware: Device,
        seed: int,
        steps_per_epoch: int,
        schedule_end: int | None = None,
        compiled_from: int | None = None,
        graph: bool = False,
    ) -> None:
        """Prepare to train.

        Args:
            state: The state to update.
            config: The training settings.
            dataset: The data set that batches are from.
            hardware: The device to train on.
            seed: The seed of all random draws.
            steps_per_epoch: The number of steps per epoch.
            schedule_end: The number of moves after which the schedule stays, see
                `netbuilder.training.lr_schedule.schedule_end`.
            compiled_from: The epoch, from 0, from which on the passes over full batches are
                compiled; by default they never are.
            graph: Whether to replay the passes as a CUDA graph. The step then reads no value on
                the host; `raise_if_diverged` reports a loss that is not finite. The update is not
                part of the graph, because schedules change its momentum on the host.
        """
        self._state = state
        self._hardware = hardware
        self._batches: Callable[[int], Batch] | None = None
        self._dataset = dataset
        self._config = config
        self._seed = seed
        self._forward = forward_pass(state.model, config.loss.build(), hardware)
        # A captured graph cannot change to a compiled pass later.
        self._compiled_from = 0 if graph and compiled_from is not None else compiled_from
        self._compiled: Forward | None = None
        self._use_compiled = False
        self._every_step = moves_after_steps(config)
        self._schedule_end = schedule_end
        self._steps_per_epoch = steps_per_epoch
        self._parameters = list(state.model.parameters())
        self._seed_dropout = seeder(hardware.device)
        self._update = plain_update(state.optimizer)
        self._augment_generator = torch.Generator(hardware.device)
        self._passes: Body = self.passes
        self._finite_check: DeferredFiniteCheck | None = None
        if graph:
            self._passes = CudaGraphed(self.passes, state.model, [self._augment_generator])
            self._finite_check = DeferredFiniteCheck(hardware.device)
            skip_updates_if(state.optimizer, self._finite_check.failed)

    def __call__(
        self, images: Tensor, labels: Tensor, epoch: int, step: int
    ) -> tuple[Tensor, Tensor]:
        """Take one step.

        Args:
            images: uint8 of shape (N, C, H, W).
            labels: int64 of shape (N).
            epoch: The epoch, from 0.
            step: The step in the epoch, from 0.

        Returns:
            The loss summed over the batch, and the number of correct predictions, of shape ().

        Raises:
            Diverged: The loss, a gradient or a weight is not finite, and nothing was updated; or a
                factor of the update or the learning rate is too large for a number.
        """
        state = self._state
        self._use_compiled = self.compiles_in(epoch)
        self._seed_draws(epoch, step)
        loss, hits, finite = self._passes(images, labels)
        if self._finite_check is not None:
            self._finite_check.record(finite, epoch, step)
        elif not finite:
            raise self._diverged(epoch, step, (images, labels))
        self._update_weights(epoch)
        state.optimizer.zero_grad(set_to_none=True)
        if self._every_step and not self._has_ended(epoch * self._steps_per_epoch + step + 1):
            move(state.schedule)
        if state.average is not None:
            state.average.update()
        return loss, hits

    def epoch(
        self, loader: BatchLoader, order: Tensor, epoch: int, first: int = 0
    ) -> Iterator[StepResult]:
        """Take the steps of an epoch, and yield the result of each.

        Args:
            loader: Provides the batches.
            order: The order of the samples, int64 on the CPU.
            epoch: The epoch, from 0.
            first: The first step to take, from 0; earlier ones were taken before a resumption.

        Raises:
            Diverged: As for a single step.
        """
        size = self._config.batch_size
        self._batches = lambda step: next(iter(loader.batches(order, size, step)))
        batches = loader.batches(order, size, first)
        for step, (images, labels) in enumerate(batches, first):
            rate = self._state.learning_rate
            loss, hits = self(images, labels, epoch, step)
            yield StepResult(rate, len(labels), loss, hits)

    def passes(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Run the forward and backward pass; compute gradients, and read no value on the host.

        Returns:
            The loss summed over the batch, the number of correct predictions, and whether loss,
            gradients and weights are all finite; each of shape ().
        """
        loss, logits = self._forward_for(len(labels))(*self._inputs(images, labels))
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own
        with torch.no_grad():
            gradients = [weight.grad for weight in self._parameters if weight.grad is not None]
            # The largest magnitude, which is NaN if any value is.
            largest = get_total_norm([*gradients, *self._parameters], float("inf"))
            finite = torch.isfinite(loss.detach()) & torch.isfinite(largest)
            hits = (logits.argmax(1) == labels).sum()
            return loss.detach().double() * len(labels), hits, finite

    def _update_weights(self, epoch: int) -> None:
        rate = self._state.learning_rate
        try:
            self._update()
        except (OverflowError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and OVERFLOW not in str(error):
                raise
            raise Diverged(
                "the schedule or the update multiplies to a number that floats do not hold, in "
                f"epoch {epoch + 1} at learning rate {rate:g}; the epoch is not saved. Train again "
                "with a lower learning rate, weight decay or gamma"
            ) from None

    def compiles_in(self, epoch: int) -> bool:
        """Whether the steps of an epoch, from 0, are compiled."""
        return self._compiled_from is not None and epoch >= self._compiled_from

    def compiles_next(self, epoch: int) -> bool:
        """Whether the first full batch of an epoch, from 0, starts the compiler."""
        return self.compiles_in(epoch) and self._compiled is None

    def _forward_for(self, size: int) -> Forward:
        # A smaller last batch would be compiled separately.
        if not self._use_compiled or size != self._config.batch_size:
            return self._forward
        if self._compiled is None:
            self._compiled = compiled(self._forward)
        return self._compiled

    def raise_if_diverged(self) -> None:
        """Raise an error if a step since the last call was not finite, with ``graph``.

        Raises:
            Diverged: Updates were skipped, from the first such step on.
        """
        if self._finite_check is not None and (failure := self._finite_check.first_failure()):
            epoch, step = failure
            raise self._diverged(epoch, step, self._batches(step) if self._batches else None)

    def _diverged(self, epoch: int, step: int, batch: Batch | None) -> Diverged:
        """Return the error for a step, which is repeated with hooks; no update was applied."""
        where = f"in epoch {epoch + 1}, step {step + 1}"
        precision, analysis = self._hardware.precision, self._state.analysis
        reason, is_first_step = f"the loss or a gradient is not finite {where}", epoch + step == 0
        remedy = usual_remedy(precision, is_first_step=is_first_step)
        repeated = None if batch is None else self._repeat(epoch, step, *batch)
        if repeated is not None:
            loss, fault = repeated
            if not torch.isfinite(loss):
                reason = f"the loss is {loss.item()} {where}"
            elif fault is not None and fault.quantity == "gradient":
                reason = f"a gradient is not finite {where}"
            elif not are_finite(self._parameters):
                reason = f"a weight is not finite {where}"
            if fault is not None:
                reason += f": {fault.describe(analysis, self._config.loss.kind)}"
                remedy = fault.remedy(precision, is_first_step=is_first_step)
        return Diverged(f"{reason}; the update was skipped. {remedy}")

    def _repeat(
        self, epoch: int, step: int, images: Tensor, labels: Tensor
    ) -> tuple[Tensor, NonFinite | None] | None:
        """Repeat the passes of a step, not compiled, with the same draws; None if memory lacks."""
        losses = []

        def run() -> tuple[Tensor, Tensor]:
            self._seed_draws(epoch, step)
            loss, logits = self._forward(*self._inputs(images, labels))
            losses.append(loss.detach())
            return loss, logits

        try:
            fault = first_nonfinite(self._state.model, self._state.analysis, run)
            if not losses:  # a weight is not finite
                run()
        except torch.OutOfMemoryError:
            return None
        return losses[-1], fault

    def _seed_draws(self, epoch: int, step: int) -> None:
        self._augment_generator.manual_seed(seed_for("augment", self._seed, epoch, step))
        self._seed_dropout(seed_for("dropout", self._seed, epoch, step))

    def _inputs(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return augmented, normalized images, and their labels."""
        batch = augment(to_unit(images), self._config.augment, self._augment_generator)
        return normalize(batch, self._dataset.mean, self._dataset.std), labels

    def _has_ended(self, moves: int) -> bool:
        """Whether the schedule ends before this number of moves."""
        return self._schedule_end is not None and moves > self._schedule_end

    def end_epoch(self, epoch: int, test_loss: float) -> None:
        """Move the schedules that move after each epoch; ``epoch`` counts from 0."""
        if not self._every_step and not self._has_ended(epoch + 1):
            move(self._state.schedule, test_loss)
