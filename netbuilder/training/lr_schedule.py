"""The learning rate over a run, and over one that was given more epochs."""

from __future__ import annotations

import warnings

from torch.optim import Optimizer, lr_scheduler

from netbuilder.config.schema import TrainConfig


def build_schedule(
    config: TrainConfig, optimizer: Optimizer, steps_per_epoch: int, epochs: int
) -> list[lr_scheduler.LRScheduler]:
    """torch's schedulers, over ``epochs`` where a kind spans the whole run."""
    made = [
        scheduler.build(optimizer, epochs=epochs, steps_per_epoch=steps_per_epoch)
        for scheduler in config.scheduler
    ]
    if len(made) < 2:
        return made
    warm_up = config.scheduler[0].arguments()["total_iters"]
    return [lr_scheduler.SequentialLR(optimizer, made, milestones=[warm_up])]


def moved_by_steps(config: TrainConfig) -> bool:
    """Whether the schedule moves each step, over the whole run."""
    return bool(config.scheduler) and config.scheduler[0].every_step


def held_from(config: TrainConfig, steps_per_epoch: int, epochs: int) -> int | None:
    """The move from which a schedule over ``epochs`` stays where it is; None if it never does.

    It counts steps for a schedule that moves by steps, whose last point is one move before its
    length; epochs for others.
    """
    if epochs >= config.epochs:
        return None
    return epochs * steps_per_epoch - 1 if moved_by_steps(config) else epochs


def respan(
    config: TrainConfig, optimizer: Optimizer, steps_per_epoch: int, epochs: int, steps: int
) -> list[lr_scheduler.LRScheduler]:
    """The schedule of a run that was given another length, where it is behind so many steps.

    Only what moves by steps spans a run; it is a function of the step alone, so it is made anew
    and moved on.
    """
    last = held_from(config, steps_per_epoch, epochs)
    with warnings.catch_warnings():
        # torch misses the optimizer's steps, which another process took
        warnings.simplefilter("ignore", UserWarning)
        schedule = build_schedule(config, optimizer, steps_per_epoch, epochs)
        for _ in range(steps if last is None else min(steps, last)):
            schedule[0].step()
    return schedule
