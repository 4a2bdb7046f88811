"""The learning-rate range test: the first steps of a run at an increasing rate (Smith, 2017)."""

from __future__ import annotations

from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import cast

from torch.optim import Optimizer
from torch.optim.lr_scheduler import ExponentialLR, LRScheduler

from netbuilder.components.fields import LARGEST_NUMBER, Positive
from netbuilder.components.schedulers import Scheduler
from netbuilder.config.schema import Architecture, TrainConfig
from netbuilder.data.dataset import LoadedData
from netbuilder.data.loader import StreamingLoader
from netbuilder.data.transforms import epoch_order
from netbuilder.errors import ConfigError, Diverged
from netbuilder.network.analysis import Analysis
from netbuilder.network.check import require_trainable
from netbuilder.runs.lr_curve import Curve, RangeTest, peak_field, suggest
from netbuilder.runs.values import DeviceName, Precision
from netbuilder.training._torch_workarounds import defer_compiler_import
from netbuilder.training.device import Device
from netbuilder.training.loop import prepare
from netbuilder.training.resources import resource_errors
from netbuilder.training.step import Step, TrainState

EPOCH_FRACTION = 14
"""The default number of steps is an epoch's divided by this.

The test is to take less than a tenth of an epoch's time, slow first steps and start-up included.
"""

MAX_STEPS = 50
"""The maximum default number of steps: ten per decade, as in fastai and Lightning."""

SGD_RANGE = (1e-4, 10.0)
"""The default first and last learning rate for SGD."""

ADAPTIVE_RANGE = (1e-5, 1.0)
"""The default first and last learning rate for optimizers that scale by the gradient's size."""


class ExponentialRamp(Scheduler):
    """Multiplies the learning rate by ``gamma`` after each step."""

    every_step = True

    gamma: Positive

    def build(self, optimizer: Optimizer, *, epochs: int, steps_per_epoch: int) -> LRScheduler:
        return ExponentialLR(optimizer, self.gamma)


def range_test(
    architecture: Architecture | Analysis,
    *,
    lowest: float | None = None,
    highest: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    data_dir: str | PathLike[str] | None = None,
) -> tuple[RangeTest, LoadedData]:
    """Train for part of an epoch at a rising learning rate, until the end or divergence.

    Weights, order, augmentation, batches, optimizer and loss are those of the first epoch of a
    run. The schedule is replaced, and there is no moving average.

    Args:
        architecture: An architecture with a ``train`` section, or its analysis, which is then not
            repeated.
        lowest: The learning rate of the first step; by default 1e-4 for SGD, 1e-5 for others.
        highest: The learning rate of the last step; by default 10 for SGD, 1 for others.
        steps: The number of steps, at most an epoch; by default a fourteenth of one, at most 50.
        seed: The seed, as for `train`.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        precision: ``auto``, ``fp32`` or ``bf16``.
        data_dir: The data root, see `netbuilder.data.open.data_root`.

    Returns:
        The record of the test, and the data set.

    Raises:
        ConfigError: The range or the number of steps is not possible, or the network cannot be
            trained.
        DataError: The data set is not available.
        MachineError: The machine ran out of memory.
        Diverged: The loss is not finite at the lowest rate.
    """
    analysis = require_trainable(architecture)
    architecture, config = analysis.architecture, analysis.architecture.trained
    lowest, highest = _learning_rates(config, lowest, highest)
    hardware = Device.choose(device, precision)
    data = prepare(analysis, data_dir)
    steps = _step_count(config, data, steps)
    update = {
        "optimizer": config.optimizer.model_copy(update={"lr": lowest}),
        "scheduler": (ExponentialRamp(gamma=(highest / lowest) ** (1 / (steps - 1))),),
        "ema": None,
    }
    tested = architecture.model_copy(update={"train": config.model_copy(update=update)})
    curve = Curve(steps)
    with resource_errors(Path(architecture.name)):
        _train(replace(analysis, architecture=tested), data, hardware, seed, curve)
    test = RangeTest(
        architecture=architecture.model_dump(mode="json"),
        dataset=data.dataset.kind,
        seed=seed,
        device=cast(DeviceName, hardware.device.type),
        precision=cast(Precision, hardware.precision),
        learning_rates=tuple(curve.learning_rates),
        losses=tuple(curve.losses),
        smoothed=tuple(curve.smoothed),
        field=peak_field(architecture),
        suggestion=suggest(curve.learning_rates, curve.smoothed),
        diverged_at=curve.diverged_at,
        steps=steps,
    )
    return test, data


def _learning_rates(
    config: TrainConfig, lowest: float | None, highest: float | None
) -> tuple[float, float]:
    """Return the first and the last learning rate, by default those for the optimizer.

    Raises:
        ConfigError: They are not a range.
    """
    default_lowest, default_highest = (
        SGD_RANGE if config.optimizer.kind == "SGD" else ADAPTIVE_RANGE
    )
    lowest = default_lowest if lowest is None else lowest
    highest = default_highest if highest is None else highest
    if not 0 < lowest < highest <= LARGEST_NUMBER * min(lowest, 1.0):
        raise ConfigError(
            f"--from {lowest:g} --to {highest:g}: not a range; allowed: rates above 0, the second "
            f"above the first, at most {LARGEST_NUMBER:g} and at most {LARGEST_NUMBER:g} times it"
        )
    return lowest, highest


def _step_count(config: TrainConfig, data: LoadedData, steps: int | None) -> int:
    """Return the number of steps, by default a part of an epoch.

    Raises:
        ConfigError: An epoch has fewer steps, or only one.
    """
    epoch = config.steps_per_epoch(len(data.train_labels))
    if epoch < 2:
        raise ConfigError(
            f"a range test takes at least 2 steps, but an epoch of {data.dataset.kind} is one "
            f"batch of {config.batch_size}; lower train.batch_size"
        )
    steps = steps or max(2, min(MAX_STEPS, epoch // EPOCH_FRACTION))
    if not 2 <= steps <= epoch:
        raise ConfigError(
            f"--steps {steps}: allowed: 2 to {epoch}, an epoch of {data.dataset.kind} in batches "
            f"of {config.batch_size}; lower train.batch_size for more"
        )
    return steps


def _train(analysis: Analysis, data: LoadedData, hardware: Device, seed: int, curve: Curve) -> None:
    """Train for ``curve.steps`` steps, or until the loss diverges; add each step to ``curve``.

    Raises:
        Diverged: The loss is not finite in the first step.
    """
    config, images = analysis.architecture.trained, len(data.train_labels)
    epoch = config.steps_per_epoch(images)
    defer_compiler_import()
    state = TrainState.make(analysis, hardware, seed, epoch, 1)
    step = Step(state, config, data.dataset, hardware, seed, epoch)
    # Streamed, because most of the data is not used.
    loader = StreamingLoader(data.train_images, data.train_labels, hardware.device)
    order = epoch_order(seed, 0, images)[: curve.steps * config.batch_size]
    try:
        for result in step.epoch(loader, order, 0):
            curve.add(result.learning_rate, float(result.loss) / result.images)
            if curve.diverged_at is not None:
                break
    except Diverged as error:
        curve.diverged_at = state.learning_rate
        if not curve.losses:
            reason = str(error).partition(";")[0]
            raise Diverged(
                f"{reason}, at {config.optimizer.lr:g}, the lowest learning rate; use a lower "
                "--from, or --precision fp32"
            ) from None
