"""One optimizer step: the body that every faster way of running it wraps."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.optim import Optimizer, lr_scheduler
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from netbuilder.builder import build
from netbuilder.data.batches import augment, generator_for, normalise, seed_for, to_unit
from netbuilder.errors import Diverged
from netbuilder.recipe.datasets import Dataset
from netbuilder.schema import Architecture, TrainConfig
from netbuilder.training.hardware import Hardware


@dataclass(frozen=True)
class Trainee:
    """Everything that an update changes."""

    model: nn.Sequential
    average: AveragedModel | None
    optimizer: Optimizer
    schedule: list[lr_scheduler.LRScheduler]

    @classmethod
    def make(
        cls, architecture: Architecture, hardware: Hardware, seed: int, steps_per_epoch: int
    ) -> Trainee:
        """A fresh network and what trains it; the same weights for a seed on every device."""
        config = architecture.trained
        torch.manual_seed(seed_for("weights", seed))
        model = build(architecture).to(hardware.device)
        average = None
        if config.ema is not None:
            moving_average = get_ema_multi_avg_fn(config.ema)  # type: ignore[no-untyped-call]  # torch left it untyped
            average = AveragedModel(model, multi_avg_fn=moving_average, use_buffers=True)
        optimizer = config.optimizer.build(model.parameters(), fused=hardware.device.type != "mps")
        schedule = _schedule(config, optimizer, steps_per_epoch)
        return cls(model, average, optimizer, schedule)

    @property
    def kept(self) -> nn.Module:
        """The network that is tested and whose weights are kept: the average, if there is one."""
        return self.model if self.average is None else self.average.module

    @property
    def learning_rate(self) -> float:
        """That of the next update."""
        return float(self.optimizer.param_groups[0]["lr"])


def _schedule(
    config: TrainConfig, optimizer: Optimizer, steps_per_epoch: int
) -> list[lr_scheduler.LRScheduler]:
    made = [
        scheduler.build(optimizer, epochs=config.epochs, steps_per_epoch=steps_per_epoch)
        for scheduler in config.scheduler
    ]
    if len(made) < 2:
        return made
    warm_up = config.scheduler[0].arguments()["total_iters"]
    return [lr_scheduler.SequentialLR(optimizer, made, milestones=[warm_up])]


class Step:
    """The plain body: a batch in, its loss and hits out, the trainee one update further.

    All that is drawn, augmentation and dropout, is a function of (seed, epoch, step), so a run that
    is taken up again draws what it would have drawn.
    """

    def __init__(
        self,
        trainee: Trainee,
        config: TrainConfig,
        dataset: Dataset,
        hardware: Hardware,
        seed: int,
    ) -> None:
        self._trainee = trainee
        self._dataset = dataset
        self._config = config
        self._hardware = hardware
        self._seed = seed
        self._loss = config.loss.build()
        self._every_step = bool(config.scheduler) and config.scheduler[0].every_step

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
            Diverged: the loss is not finite; nothing was updated.
        """
        trainee, dataset = self._trainee, self._dataset
        generator = generator_for(images.device, "augment", self._seed, epoch, step)
        # Dropout draws from torch's global state.
        torch.manual_seed(seed_for("dropout", self._seed, epoch, step))
        batch = augment(to_unit(images), self._config.augment, generator)
        with self._hardware.autocast():
            logits = trainee.model(normalise(batch, dataset.mean, dataset.std)).flatten(1)
        logits = logits.float()
        loss = self._loss(logits, labels)
        if not torch.isfinite(loss):
            raise Diverged(
                f"the loss is {loss.item()} in epoch {epoch + 1}, step {step + 1}; the update was "
                "not made. Begin anew with a lower learning rate, or with --precision fp32"
            )
        loss.backward()
        trainee.optimizer.step()
        trainee.optimizer.zero_grad(set_to_none=True)
        if self._every_step:
            trainee.schedule[0].step()
        if trainee.average is not None:
            trainee.average.update_parameters(trainee.model)
        with torch.no_grad():
            hits = (logits.argmax(1) == labels).sum()
            return loss.detach().double() * len(labels), hits

    def end_epoch(self, test_loss: float) -> None:
        """Move the schedules that move once an epoch."""
        if self._every_step:
            return
        for scheduler in self._trainee.schedule:
            if isinstance(scheduler, lr_scheduler.ReduceLROnPlateau):
                scheduler.step(test_loss)
            else:
                scheduler.step()
