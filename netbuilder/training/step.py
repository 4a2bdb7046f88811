"""One optimizer step: the body that every faster way of running it wraps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.optim import Optimizer, lr_scheduler

from netbuilder.components.datasets import Dataset
from netbuilder.config.schema import Architecture, TrainConfig
from netbuilder.data.loader import BatchLoader
from netbuilder.data.transforms import augment, normalise, seed_for, to_unit
from netbuilder.errors import Diverged
from netbuilder.network.build import build
from netbuilder.training.compile import Forward, bare_update, compiled, forward_pass
from netbuilder.training.cuda_graph import Body, CudaGraphed, DeferredFiniteCheck
from netbuilder.training.device import Device, seeder
from netbuilder.training.ema import ExponentialMovingAverage
from netbuilder.training.lr_schedule import build_schedule


@dataclass(frozen=True)
class TrainState:
    """Everything that an update changes."""

    model: nn.Sequential
    average: ExponentialMovingAverage | None
    optimizer: Optimizer
    schedule: list[lr_scheduler.LRScheduler]

    @classmethod
    def make(
        cls,
        architecture: Architecture,
        hardware: Device,
        seed: int,
        steps_per_epoch: int,
        scheduled_epochs: int,
    ) -> TrainState:
        """A fresh network and what trains it; the same weights for a seed on every device."""
        config = architecture.trained
        torch.manual_seed(seed_for("weights", seed))
        model = build(architecture).to(hardware.device)
        average = None if config.ema is None else ExponentialMovingAverage(model, config.ema)
        optimizer = config.optimizer.build(model.parameters(), fused=hardware.device.type != "mps")
        schedule = build_schedule(config, optimizer, steps_per_epoch, scheduled_epochs)
        return cls(model, average, optimizer, schedule)

    @property
    def kept(self) -> nn.Module:
        """The network that is tested and whose weights are kept: the average, if there is one."""
        return self.model if self.average is None else self.average.module

    @property
    def learning_rate(self) -> float:
        """That of the next update."""
        return float(self.optimizer.param_groups[0]["lr"])


@dataclass(frozen=True)
class StepResult:
    """An update that was made: at which rate, on how many images, and what `Step` gave for it."""

    learning_rate: float
    images: int
    loss: torch.Tensor
    hits: torch.Tensor


class Step:
    """The plain body: a batch in, its loss and hits out, the trainee one update further.

    All that is drawn, augmentation and dropout, is a function of (seed, epoch, step), so a run that
    is taken up again draws what it would have drawn.
    """

    def __init__(
        self,
        trainee: TrainState,
        config: TrainConfig,
        dataset: Dataset,
        hardware: Device,
        seed: int,
        steps_per_epoch: int,
        held_from: int | None = None,
        compiled_from: int | None = None,
        graph: bool = False,
    ) -> None:
        """``held_from`` counts steps, or epochs for schedules that move once an epoch.

        From epoch ``compiled_from`` on, counted from 0, the passes over whole batches are compiled.
        With ``graph``, both passes are replayed as a CUDA graph, and nothing returns to the host: a
        loss that is not finite is told by `settle`. The update is one fused kernel behind it; its
        momentum is a number on the host, which a schedule may move.
        """
        self._trainee = trainee
        self._dataset = dataset
        self._config = config
        self._seed = seed
        self._forward = forward_pass(trainee.model, config.loss.build(), hardware)
        self._compiled_from = compiled_from
        self._compiled: Forward | None = None
        self._compiles = False
        self._every_step = bool(config.scheduler) and config.scheduler[0].every_step
        self._held_from = held_from
        self._steps_per_epoch = steps_per_epoch
        self._parameters = list(trainee.model.parameters())
        self._seed_draws = seeder(hardware.device)
        self._update = bare_update(trainee.optimizer)
        self._augmenting = torch.Generator(hardware.device)
        self._passes: Body = self.passes
        self._unsettled: DeferredFiniteCheck | None = None
        if graph:
            if compiled_from is not None:
                self._compiled_from = 0  # what is captured is captured once
            self._passes = CudaGraphed(self.passes, trainee.model, [self._augmenting])
            self._unsettled = DeferredFiniteCheck(hardware.device)
            # Fused updates, which read it, leave everything as it is where this is 1.
            trainee.optimizer.found_inf = self._unsettled.spoilt  # type: ignore[attr-defined]  # no field of the class

    def __call__(
        self, images: torch.Tensor, labels: torch.Tensor, epoch: int, step: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Update once.

        Args:
            images: uint8 of shape (N, C, H, W).
            labels: int64 of shape (N).
            epoch: counted from 0, as is ``step`` within it.
            step: its place in the epoch.

        Returns:
            The loss summed over the batch and the number of right guesses, both 0-dimensional.

        Raises:
            Diverged: the loss, a gradient or a weight is not finite; nothing was updated.
        """
        trainee = self._trainee
        self._compiles = self.compiles_in(epoch)
        self._augmenting.manual_seed(seed_for("augment", self._seed, epoch, step))
        # Dropout draws from torch's global state.
        self._seed_draws(seed_for("dropout", self._seed, epoch, step))
        loss, hits, finite = self._passes(images, labels)
        if self._unsettled is not None:
            self._unsettled.note(finite, epoch, step)
        elif not finite:
            raise self._diverged(loss, epoch, step)
        self._update()
        trainee.optimizer.zero_grad(set_to_none=True)
        if self._every_step and not self._held(epoch * self._steps_per_epoch + step + 1):
            trainee.schedule[0].step()
        if trainee.average is not None:
            trainee.average.update()
        return loss, hits

    def epoch(
        self, feed: BatchLoader, order: torch.Tensor, epoch: int, first: int = 0
    ) -> Iterator[StepResult]:
        """Take the steps of an epoch, one a turn.

        Args:
            feed: gives the batches.
            order: of the samples, int64 on the CPU.
            epoch: counted from 0, as is ``first``, the first step to take.
            first: what came before it was taken by another process.

        Raises:
            Diverged: as a call.
        """
        batches = feed.batches(order, self._config.batch_size, first)
        for step, (images, labels) in enumerate(batches, first):
            rate = self._trainee.learning_rate
            loss, hits = self(images, labels, epoch, step)
            yield StepResult(rate, len(labels), loss, hits)

    def passes(
        self, images: torch.Tensor, labels: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Both passes over a batch, which leave the gradients; no value is read on the host.

        Returns:
            The loss summed over the batch, the number of right guesses, and whether the update
            would neither spread what is no number nor came from it; all are 0-dimensional.
        """
        dataset = self._dataset
        batch = augment(to_unit(images), self._config.augment, self._augmenting)
        loss, logits = self._forward_of(len(labels))(
            normalise(batch, dataset.mean, dataset.std), labels
        )
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own
        with torch.no_grad():
            weights = self._parameters
            gradients = [weight.grad for weight in weights if weight.grad is not None]
            # The largest magnitude of each, which is NaN where one value is.
            largest = torch._foreach_norm([*gradients, *weights], float("inf"))
            finite = torch.isfinite(torch.stack([loss.detach(), *largest])).all()
            hits = (logits.argmax(1) == labels).sum()
            return loss.detach().double() * len(labels), hits, finite

    def compiles_in(self, epoch: int) -> bool:
        """Whether the steps of an epoch, counted from 0, are compiled."""
        return self._compiled_from is not None and epoch >= self._compiled_from

    def compiles_next(self, epoch: int) -> bool:
        """Whether the first whole batch of an epoch waits for the compiler."""
        return self.compiles_in(epoch) and self._compiled is None

    def _forward_of(self, size: int) -> Forward:
        # A last batch that is shorter would be compiled for itself.
        if not self._compiles or size != self._config.batch_size:
            return self._forward
        if self._compiled is None:
            self._compiled = compiled(self._forward)
        return self._compiled

    def settle(self) -> None:
        """Tell, behind some steps, whether an update had to be left out.

        Raises:
            Diverged: it had, and so had all behind it.
        """
        if self._unsettled is not None and (where := self._unsettled.settle()):
            raise self._diverged(torch.tensor(0.0), *where)

    def _diverged(self, loss: torch.Tensor, epoch: int, step: int) -> Diverged:
        where = f"in epoch {epoch + 1}, step {step + 1}"
        found = f"the loss is {loss.item()} {where}"
        if torch.isfinite(loss):
            in_weights = not all(torch.isfinite(weight).all() for weight in self._parameters)
            found = f"a {'weight' if in_weights else 'gradient'} is not finite {where}"
        return Diverged(
            f"{found}; the update was not made. "
            "Begin anew with a lower learning rate, or with --precision fp32"
        )

    def _held(self, moves: int) -> bool:
        """Whether the schedule has come to its end and stays there."""
        return self._held_from is not None and moves >= self._held_from

    def end_epoch(self, epoch: int, test_loss: float) -> None:
        """Move the schedules that move once an epoch; ``epoch`` counts from 0."""
        if self._every_step or self._held(epoch + 1):
            return
        for scheduler in self._trainee.schedule:
            if isinstance(scheduler, lr_scheduler.ReduceLROnPlateau):
                scheduler.step(test_loss)
            else:
                scheduler.step()
