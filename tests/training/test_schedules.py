"""The learning rates of every scheduler are those of torch's own, also after an extension."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small import after, run_until_stopped
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    ExponentialLR,
    LinearLR,
    MultiStepLR,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)

from netbuilder.components.schedulers import OneCycleLR as OneCycle
from netbuilder.config.loader import parse_architecture
from netbuilder.config.schema import Architecture
from netbuilder.errors import ConfigError
from netbuilder.runs.run import Run
from netbuilder.training.events import Started
from netbuilder.training.loop import resume, train

RATE = 0.1


def tiny(scheduler: str, epochs: int = 4) -> Architecture:
    """Return a network that takes two steps per epoch."""
    text = f"""\
name: tiny
input: [1, 28, 28]
layers: [{{AvgPool2d: 7}}, Flatten, {{Linear: 10}}]
train:
  dataset: mnist5k
  epochs: {epochs}
  batch_size: 2000
  optimizer: {{SGD: {{lr: {RATE}}}}}
  scheduler: {scheduler}
"""
    return parse_architecture(text, "tiny.yaml")


def torch_rates(
    build: Any, epochs: int, losses: Sequence[float] = (), steps: int = 2
) -> list[float]:
    """Return the rate of each epoch's last update, by a loop over torch's own scheduler."""
    optimizer = SGD([torch.zeros(1)], RATE)
    rates = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the optimizer takes no step
        scheduler = build(optimizer)
        for epoch in range(epochs):
            for _ in range(steps):
                rate = optimizer.param_groups[0]["lr"]
                if isinstance(scheduler, OneCycleLR):
                    scheduler.step()
            rates.append(rate)
            if isinstance(scheduler, ReduceLROnPlateau):
                scheduler.step(losses[epoch])
            elif not isinstance(scheduler, OneCycleLR):
                scheduler.step()
    return rates


def warmed_up(second: Any, optimizer: Optimizer) -> SequentialLR:
    """Return a warm-up of one epoch before another scheduler, as a user of torch writes it."""
    first = LinearLR(optimizer, start_factor=0.5, total_iters=1)
    return SequentialLR(optimizer, [first, second(optimizer)], milestones=[1])


Build = Any

WARM_UP = "{LinearLR: {start_factor: 0.5, total_iters: 1}}"
PLATEAU = "{ReduceLROnPlateau: {patience: 0, threshold: 0.9, factor: 0.5}}"
SCHEDULES: dict[str, tuple[Build, Build, str]] = {
    # The document's scheduler: torch's for 4 epochs, torch's for 8 epochs, and what is noted.
    "{CosineAnnealingLR: 4}": (
        partial(CosineAnnealingLR, T_max=4),
        partial(CosineAnnealingLR, T_max=8),
        "CosineAnnealingLR.T_max 8 instead of 4; the learning rate rises from 0.0146447 to 0.05",
    ),
    "{CosineAnnealingLR: [2, 0.01]}": (
        partial(CosineAnnealingLR, T_max=2, eta_min=0.01),
        partial(CosineAnnealingLR, T_max=4, eta_min=0.01),
        "CosineAnnealingLR.T_max 4 instead of 2; the learning rate is 0.01",
    ),
    "{StepLR: 1}": (
        partial(StepLR, step_size=1),
        partial(StepLR, step_size=2),
        "StepLR.step_size 2 instead of 1; the learning rate rises from 0.0001 to 0.001",
    ),
    "{MultiStepLR: [[2, 3], 0.5]}": (
        partial(MultiStepLR, milestones=[2, 3], gamma=0.5),
        partial(MultiStepLR, milestones=[4, 6], gamma=0.5),
        "MultiStepLR.milestones 4, 6 instead of 2, 3; the learning rate rises from 0.025 to 0.05",
    ),
    "{ExponentialLR: 0.5}": (
        partial(ExponentialLR, gamma=0.5),
        partial(ExponentialLR, gamma=0.5),
        "8 epochs instead of 4, the schedule goes on as before; the learning rate is 0.00625",
    ),
    "{LinearLR: {start_factor: 1.0, end_factor: 0.2, total_iters: 4}}": (
        partial(LinearLR, start_factor=1.0, end_factor=0.2, total_iters=4),
        partial(LinearLR, start_factor=1.0, end_factor=0.2, total_iters=8),
        "LinearLR.total_iters 8 instead of 4; the learning rate rises from 0.04 to 0.06",
    ),
    PLATEAU: (
        partial(ReduceLROnPlateau, patience=0, threshold=0.9, factor=0.5),
        partial(ReduceLROnPlateau, patience=0, threshold=0.9, factor=0.5),
        "8 epochs instead of 4, the schedule goes on as before; the learning rate is 0.0125",
    ),
    "{OneCycleLR: {max_lr: 0.2, cycle_momentum: false}}": (
        partial(OneCycleLR, max_lr=0.2, cycle_momentum=False, epochs=4, steps_per_epoch=2),
        partial(OneCycleLR, max_lr=0.2, cycle_momentum=False, epochs=8, steps_per_epoch=2),
        "8 epochs instead of 4, the schedule spans them all; the learning rate rises from 8e-07",
    ),
    f"[{WARM_UP}, {{CosineAnnealingLR: 3}}]": (
        partial(warmed_up, partial(CosineAnnealingLR, T_max=3)),
        partial(warmed_up, partial(CosineAnnealingLR, T_max=7)),
        "CosineAnnealingLR.T_max 7 instead of 3; the learning rate rises from 0.025",
    ),
    f"[{WARM_UP}, {{StepLR: 2}}]": (
        partial(warmed_up, partial(StepLR, step_size=2)),
        partial(warmed_up, partial(StepLR, step_size=5)),
        "StepLR.step_size 5 instead of 2; the learning rate rises from 0.01 to 0.1",
    ),
    f"[{WARM_UP}, {{MultiStepLR: [[1, 2]]}}]": (
        partial(warmed_up, partial(MultiStepLR, milestones=[1, 2])),
        partial(warmed_up, partial(MultiStepLR, milestones=[2, 5])),
        "MultiStepLR.milestones 2, 5 instead of 1, 2; the learning rate rises from 0.001 to 0.01",
    ),
    f"[{WARM_UP}, {{ExponentialLR: 0.5}}]": (
        partial(warmed_up, partial(ExponentialLR, gamma=0.5)),
        partial(warmed_up, partial(ExponentialLR, gamma=0.5)),
        "the schedule goes on as before; the learning rate is 0.0125",
    ),
}


def history(folder: Path) -> tuple[list[float], list[float]]:
    """Return the learning rate of each epoch's last update, and the test losses."""
    epochs = Run.open(folder).metrics
    return [epoch.learning_rate for epoch in epochs], [epoch.test_loss for epoch in epochs]


@pytest.mark.parametrize("scheduler", SCHEDULES)
def test_rates_are_those_of_torch(scheduler: str, tmp_path: Path) -> None:
    """Resumed they are torch's, extended those of the longer schedule, held the last of them."""
    short, long, note = SCHEDULES[scheduler]
    folder, _ = run_until_stopped(train(tiny(scheduler), out=tmp_path, stop=after(5)))
    assert run_until_stopped(resume(folder)) == (folder, True)
    rates, losses = history(folder)
    assert rates == torch_rates(short, 4, losses)

    started, *_ = resume(folder, epochs=8)
    assert isinstance(started, Started)
    assert note in started.notes[0]
    extended, losses = history(folder)
    assert extended[:4] == rates
    assert extended[4:] == torch_rates(long, 8, losses)[4:]

    started, *_ = resume(folder, epochs=10, schedule="hold")
    assert isinstance(started, Started)
    assert "the schedule held at its end after epoch 8" in started.notes[0]
    assert history(folder)[0] == [*extended, extended[-1], extended[-1]]


@pytest.mark.parametrize("scheduler", ["{CosineAnnealingLR: 4}", "{StepLR: 2}", PLATEAU])
def test_a_run_that_is_held_before_its_end_follows_the_schedule_to_it(
    scheduler: str, tmp_path: Path
) -> None:
    """Stops change nothing, and the last rate of the schedule stays."""
    folder, _ = run_until_stopped(train(tiny(scheduler), out=tmp_path, stop=after(3)))
    assert not run_until_stopped(resume(folder, epochs=6, schedule="hold", stop=after(2)))[1]
    assert not run_until_stopped(resume(folder, stop=after(3)))[1]
    assert run_until_stopped(resume(folder)) == (folder, True)
    rates, losses = history(folder)
    expected = torch_rates(SCHEDULES.get(scheduler, (partial(StepLR, step_size=2),))[0], 4, losses)
    assert rates == [*expected, expected[-1], expected[-1]]


def test_a_held_one_cycle_takes_all_its_steps(tmp_path: Path) -> None:
    """A run that is extended and held within its last epoch reaches the last rate of its cycle."""
    [(scheduler, (short, _, _))] = [item for item in SCHEDULES.items() if "OneCycle" in item[0]]
    folder, _ = run_until_stopped(train(tiny(scheduler), out=tmp_path, stop=after(7)))
    assert run_until_stopped(resume(folder, epochs=5, schedule="hold")) == (folder, True)
    expected = torch_rates(short, 4)
    assert history(folder)[0] == [*expected, expected[-1]]


def test_rates_of_0_and_a_rise_ahead_are_noted(tmp_path: Path) -> None:
    """A cosine that ends before the run does not climb or stand still without a word."""
    folder, _ = run_until_stopped(
        train(tiny("{CosineAnnealingLR: 2}"), out=tmp_path, stop=after(3))
    )
    started = next(resume(folder, epochs=8))
    assert isinstance(started, Started)
    assert started.notes[1:] == (
        "the learning rate is 0 in epoch 5, where nothing is trained",
        "the learning rate rises again from epoch 6 on, to 0.0146447",
    )


def test_a_rate_of_0_at_the_extension_is_noted(tmp_path: Path) -> None:
    """A schedule that is held where it is 0 trains nothing."""
    folder, _ = run_until_stopped(train(tiny("{CosineAnnealingLR: 3}"), out=tmp_path))
    started = next(resume(folder, epochs=6, schedule="hold"))
    assert isinstance(started, Started)
    assert started.notes[0].endswith("the learning rate is 0, so that this epoch trains nothing")
    assert "the learning rate is 0 in epoch 6, where" in started.notes[1]


def one_cycles() -> Iterator[tuple[float, int, bool]]:
    """Yield shares whose phases are empty or nearly so, with the number of steps."""
    for steps in (1, 2, 3, 5, 10, 63, 250):
        for share in (0.0, 1 / steps, 0.5, (steps + 1) / (2 * steps), 1.0):
            if share <= 1:
                yield from ((share, steps, three) for three in (False, True))


@given(
    st.sampled_from(list(one_cycles()))
    | st.tuples(st.floats(0, 1), st.integers(2, 300), st.booleans())
)
def test_one_cycles_that_torch_cannot_run_are_refused(case: tuple[float, int, bool]) -> None:
    """What is accepted takes all its steps, and what is refused would divide by zero."""
    share, steps, three = case
    scheduler = OneCycle(max_lr=1.0, pct_start=share, three_phase=three)
    optimizer = SGD([torch.zeros(1)], RATE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            cycle = OneCycleLR(
                optimizer, 1.0, total_steps=steps, pct_start=share, three_phase=three
            )
            for _ in range(steps):
                cycle.step()
        except ZeroDivisionError:
            assert scheduler.problem(steps)
        else:
            assert not scheduler.problem(steps) or steps == 1


def test_a_run_of_an_older_version_that_cannot_end_is_refused(tmp_path: Path) -> None:
    """One line names the field of the record, and nothing is lost."""
    folder, _ = run_until_stopped(
        train(tiny("{OneCycleLR: {max_lr: 0.2}}"), out=tmp_path, stop=after(2))
    )
    config = folder / "config.json"
    config.write_text(config.read_text().replace('"pct_start": 0.3', '"pct_start": 1.0'))
    before = sorted(folder.rglob("*"))
    message = (
        r"config\.json: architecture\.train\.scheduler\[0\]\.OneCycleLR: pct_start 1\.0 of 8 steps "
        r"leaves no step for the last phase; allowed: below 1; correct the document"
    )
    with pytest.raises(ConfigError, match=message):
        next(resume(folder))
    assert sorted(folder.rglob("*")) == before


def test_a_finished_run_that_was_extended_has_no_notes(tmp_path: Path) -> None:
    """Its schedule is over, and no rate follows."""
    folder, _ = run_until_stopped(train(tiny("{CosineAnnealingLR: 4}"), out=tmp_path))
    run_until_stopped(resume(folder, epochs=6))
    started = next(resume(folder))
    assert isinstance(started, Started)
    assert started.notes == ()
