"""The learning-rate range test: the first steps of a run, under a rate that grows with each."""

from __future__ import annotations

from math import isfinite
from os import PathLike
from pathlib import Path
from typing import cast

from torch.optim import Optimizer
from torch.optim.lr_scheduler import ExponentialLR, LRScheduler

from netbuilder.components.fields import Positive
from netbuilder.components.schedulers import Scheduler
from netbuilder.config.schema import Architecture
from netbuilder.data.dataset import LoadedData
from netbuilder.data.loader import StreamingLoader
from netbuilder.data.transforms import epoch_order
from netbuilder.errors import ConfigError, Diverged
from netbuilder.network.check import require_trainable
from netbuilder.runs.lr_curve import Curve, RangeTest, peak_field, suggest
from netbuilder.runs.records import DeviceName, Precision
from netbuilder.training.compile import leave_out
from netbuilder.training.device import Device
from netbuilder.training.loop import prepare
from netbuilder.training.resources import limits
from netbuilder.training.step import Step, TrainState

SHARE = 14
"""The test is at most the first part of an epoch in so many. A tenth would be ten: what is left is
for its first steps, which are slow, and for what stands around them."""

ENOUGH = 50
"""Steps beyond which it learns little more: ten to a decade, about as close as fastai and Lightning
go by default with 100 for eight and nine decades."""

PLAIN_RANGE, ADAPTIVE_RANGE = (1e-4, 10.0), (1e-5, 1.0)
"""The first and the last rate unless asked for: of SGD, and of the optimizers that divide by the
gradient's own size. Still lower rates teach nothing in a few steps."""


class ExponentialRamp(Scheduler):
    """Times ``gamma`` at every step."""

    every_step = True

    gamma: Positive

    def build(self, optimizer: Optimizer, *, epochs: int, steps_per_epoch: int) -> LRScheduler:
        return ExponentialLR(optimizer, self.gamma)


def range_test(
    architecture: Architecture,
    *,
    lowest: float | None = None,
    highest: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    data_dir: str | PathLike[str] | None = None,
) -> tuple[RangeTest, LoadedData]:
    """Train for part of an epoch while the learning rate rises, until it is over or diverges.

    Everything but the schedule and the moving average, which the loss does not see, is that of a
    run's first epoch: weights, order, augmentation, batches, optimizer and loss.

    Args:
        architecture: it has a ``train`` section.
        lowest: the first step's learning rate; 1e-4 for SGD, 1e-5 for others unless given.
        highest: the last step's; 10 for SGD, 1 for others unless given.
        steps: at most those of an epoch; a fourteenth of them unless given, `ENOUGH` at most.
        seed: as for `train`, as are ``device``, ``precision`` and ``data_dir``.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        precision: ``auto``, ``fp32`` or ``bf16``.
        data_dir: a torchvision-style root.

    Returns:
        The record, and the data that were trained on.

    Raises:
        ConfigError: the range or the steps are none, or the network cannot be trained.
        DataError: the data set cannot be had.
        MachineError: memory ran out.
        Diverged: the loss is not finite at the lowest rate.
    """
    plain = architecture.train is not None and architecture.train.optimizer.kind == "SGD"
    usual = PLAIN_RANGE if plain else ADAPTIVE_RANGE
    lowest, highest = (
        given if given is not None else rate
        for given, rate in zip((lowest, highest), usual, strict=True)
    )
    if not (0 < lowest < highest and isfinite(highest)):
        raise ConfigError(
            f"--from {lowest:g} --to {highest:g}: no range; allowed: above 0, and the second "
            "above the first"
        )
    hardware = Device.choose(device, precision)
    data = prepare(require_trainable(architecture), data_dir)
    config, images = architecture.trained, len(data.train_labels)
    whole = config.steps_per_epoch(images)
    steps = steps or max(2, min(ENOUGH, whole // SHARE))
    if not 2 <= steps <= whole:
        raise ConfigError(
            f"--steps {steps}: allowed: 2 to {whole}, an epoch of {data.dataset.kind} in batches "
            f"of {config.batch_size}; lower train.batch_size for more"
        )
    changed = {
        "optimizer": config.optimizer.model_copy(update={"lr": lowest}),
        "scheduler": (ExponentialRamp(gamma=(highest / lowest) ** (1 / (steps - 1))),),
        "ema": None,
    }
    config = config.model_copy(update=changed)
    tested = architecture.model_copy(update={"train": config})
    leave_out()
    curve = Curve(steps)
    with limits(Path(architecture.name)):
        trainee = TrainState.make(tested, hardware, seed, whole, 1)
        step = Step(trainee, config, data.dataset, hardware, seed, whole)
        # Streamed: most of the data are never asked for, and need not go to the device.
        feed = StreamingLoader(data.train_images, data.train_labels, hardware.device)
        order = epoch_order(seed, 0, images)[: steps * config.batch_size]
        try:
            for taken in step.epoch(feed, order, 0):
                curve.add(taken.learning_rate, float(taken.loss) / taken.images)
                if curve.diverged_at is not None:
                    break
        except Diverged as error:
            curve.diverged_at = trainee.learning_rate
            if not curve.losses:
                found = str(error).partition(";")[0]
                raise Diverged(
                    f"{found}, at {lowest:g}, the lowest learning rate; begin lower with --from, "
                    "or with --precision fp32"
                ) from None
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
