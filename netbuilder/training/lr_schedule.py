"""The learning-rate schedule of a run, also of one whose number of epochs was changed."""

from __future__ import annotations

import warnings

from torch.optim import Optimizer, lr_scheduler

from netbuilder.config.schema import TrainConfig


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
    warm_up = config.scheduler[0].arguments()["total_iters"]
    return [lr_scheduler.SequentialLR(optimizer, schedulers, milestones=[warm_up])]


def moves_after_steps(config: TrainConfig) -> bool:
    """Whether the schedule moves after each step rather than after each epoch."""
    return bool(config.scheduler) and config.scheduler[0].every_step


def schedule_end(config: TrainConfig, steps_per_epoch: int, epochs: int) -> int | None:
    """Return the number of moves after which a schedule over ``epochs`` ends and stays.

    Moves are steps for a schedule that moves after each step, and epochs for others. A schedule
    over n steps has n values, so that it ends after n - 1 moves.

    Returns:
        The number of moves; None if the schedule does not end before the run does.
    """
    if epochs >= config.epochs:
        return None
    return epochs * steps_per_epoch - 1 if moves_after_steps(config) else epochs


def rebuild_schedule(
    config: TrainConfig, optimizer: Optimizer, steps_per_epoch: int, epochs: int, steps: int
) -> list[lr_scheduler.LRScheduler]:
    """Rebuild a schedule that moves after each step to span ``epochs``, as after ``steps`` steps.

    Schedules that move after each epoch do not depend on the length of the run.
    """
    end = schedule_end(config, steps_per_epoch, epochs)
    with warnings.catch_warnings():
        # torch warns that the optimizer took no step; an earlier process did
        warnings.simplefilter("ignore", UserWarning)
        schedule = build_schedule(config, optimizer, steps_per_epoch, epochs)
        for _ in range(steps if end is None else min(steps, end)):
            schedule[0].step()
    return schedule
