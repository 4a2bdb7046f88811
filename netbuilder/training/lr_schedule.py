"""The learning-rate schedule of a run, also of one whose number of epochs was changed."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from torch.optim import SGD, Optimizer, lr_scheduler

from netbuilder.config.schema import TrainConfig
from netbuilder.errors import Diverged


def build_schedule(
    config: TrainConfig, optimizer: Optimizer, steps_per_epoch: int, epochs: int
) -> list[lr_scheduler.LRScheduler]:
    """Build torch's schedulers; kinds that span the whole run span ``epochs``."""
    schedulers = [
        scheduler.build(optimizer, epochs=epochs, steps_per_epoch=steps_per_epoch)
        for scheduler in config.scheduler
    ]
    if len(schedulers) < 2:
        return schedulers
    return [lr_scheduler.SequentialLR(optimizer, schedulers, milestones=[config.warm_up])]


def moves_after_steps(config: TrainConfig) -> bool:
    """Whether the schedule moves after each step rather than after each epoch."""
    return bool(config.scheduler) and config.scheduler[0].every_step


def schedule_end(config: TrainConfig, steps_per_epoch: int, epochs: int) -> int | None:
    """Return the number of moves after which a schedule over ``epochs`` ends and stays.

    Moves are steps for a schedule that moves after each step, and epochs for others. A schedule
    over n of them has n rates, so that it ends after n - 1 moves.

    Returns:
        The number of moves; None if the schedule does not end before the run does.
    """
    if epochs >= config.epochs:
        return None
    return epochs * (steps_per_epoch if moves_after_steps(config) else 1) - 1


def move(schedule: Sequence[lr_scheduler.LRScheduler], test_loss: float = 0.0) -> None:
    """Move a schedule once; ``test_loss`` is that of the last epoch.

    Raises:
        Diverged: The learning rate is not a finite number.
    """
    for scheduler in schedule:
        try:
            if isinstance(scheduler, lr_scheduler.ReduceLROnPlateau):
                scheduler.step(test_loss)
            else:
                scheduler.step()
        except OverflowError:
            raise Diverged("the learning rate is too large for a number; lower gamma") from None


def rebuild_schedule(
    config: TrainConfig,
    optimizer: Optimizer,
    steps_per_epoch: int,
    epochs: int,
    steps: int,
    test_losses: Sequence[float],
) -> list[lr_scheduler.LRScheduler]:
    """Rebuild a schedule over ``epochs`` as after ``steps`` steps of a run.

    Args:
        config: The settings, with the schedulers over ``epochs``.
        optimizer: The optimizer, whose rates become those of the schedule.
        steps_per_epoch: The number of steps per epoch.
        epochs: The number of epochs that the schedule spans.
        steps: The number of steps that the run took.
        test_losses: The test loss of each epoch so far.
    """
    end = schedule_end(config, steps_per_epoch, epochs)
    by_steps = moves_after_steps(config)
    moves = steps if by_steps else len(test_losses)
    for group in optimizer.param_groups:
        group["lr"] = config.optimizer.lr
        group.pop("initial_lr", None)
    with warnings.catch_warnings():
        # torch warns that the optimizer took no step; an earlier process did
        warnings.simplefilter("ignore", UserWarning)
        schedule = build_schedule(config, optimizer, steps_per_epoch, epochs)
        for number in range(moves if end is None else min(moves, end)):
            move(schedule, 0.0 if by_steps else test_losses[number])
    return schedule


def epoch_rates(config: TrainConfig, epochs: int) -> list[float]:
    """Return the learning rate of each epoch of a run whose schedule spans ``epochs``.

    Returns:
        The rates; empty if the schedule moves after steps, or depends on losses.
    """
    if moves_after_steps(config) or any(part.watches_loss for part in config.scheduler):
        return []
    end = schedule_end(config, 1, epochs)
    optimizer = SGD([torch.zeros(1)], config.optimizer.lr)
    rates = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # this optimizer takes no step
        schedule = build_schedule(config, optimizer, 1, epochs)
        for number in range(config.epochs):
            rates.append(float(optimizer.param_groups[0]["lr"]))
            if end is None or number < end:
                move(schedule)
    return rates
