"""What a training needs beyond a sound network; all of it is known without data and torch.

These problems prevent the start of a training. They do not concern runs that exist: these are
evaluated, compared and exported as long as their network can be built.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from netbuilder.components.kind_groups import BATCH_NORMS
from netbuilder.config.schema import Place, TrainConfig
from netbuilder.errors import Problem
from netbuilder.network.analysis import Analysis
from netbuilder.network.in_place import in_place_problems
from netbuilder.network.loss import loss_problems
from netbuilder.network.rows import Row


def start_problems(analysis: Analysis, images: int | None = None) -> list[Problem]:
    """Return why a training of a sound network could not start or end, in the order of the text.

    Args:
        analysis: The network; without a ``train`` section, it has no such problem.
        images: The number of training images; by default that of the published data set.
    """
    architecture, train = analysis.architecture, analysis.architecture.train
    if train is None:
        return []
    faults = list(data_faults(analysis, train.dataset.train_size if images is None else images))
    if analysis.parameters == 0:
        message = (
            "no layer has parameters, so that there is nothing to train; add a layer that has "
            "some, such as Linear or Conv2d, or remove the train section"
        )
        faults.append((("layers",), message))
    problems = [architecture.problem(place, message) for place, message in faults]
    if analysis.parameters:
        problems += loss_problems(analysis)
    return sorted([*problems, *in_place_problems(analysis)])


def data_faults(analysis: Analysis, images: int) -> Iterator[tuple[Place, str]]:
    """Yield the place and the reason of what does not fit a number of training images."""
    train = analysis.architecture.trained
    if message := _batch_fault(analysis, train, images):
        yield ("train", "batch_size"), message
    steps = train.epochs * train.steps_per_epoch(images)
    for position, scheduler in enumerate(train.scheduler):
        if message := scheduler.problem(steps):
            yield ("train", "scheduler", position, scheduler.kind), message


def _batch_fault(analysis: Analysis, train: TrainConfig, images: int) -> str:
    """Return why the last batch of an epoch is too small for a layer; empty if it is not."""
    size = train.batch_size
    if (images % size or min(size, images)) > 1:
        return ""
    row = next(filter(_needs_several_samples, analysis.rows), None)
    if row is None:
        return ""
    return (
        f"found {size}, which leaves a last batch of 1 of {images:,} images; layer {row.path} "
        f"{row.kind} needs more than one value per channel; choose another size"
    )


def _needs_several_samples(row: Row) -> bool:
    """Return whether a layer computes statistics per channel that one sample does not have."""
    return row.kind in BATCH_NORMS and prod(row.input_shape[1:]) == 1
