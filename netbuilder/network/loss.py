"""Losses that mean nothing for the values that the network ends with."""

from __future__ import annotations

from netbuilder.errors import Problem
from netbuilder.network.analysis import Analysis
from netbuilder.network.output_values import output_values


def loss_problems(analysis: Analysis) -> list[Problem]:
    """Return why the loss of a network with one output value per class cannot teach it."""
    train = analysis.architecture.train
    if train is None:
        return []
    values = output_values(analysis)
    if values.constant:
        row, reason, remedy = values.constant
        message = f"{reason}, so that no score depends on the image; {remedy}"
        return [analysis.architecture.problem(row.place, message)]
    origin = values.origin
    if origin is None or train.loss.kind != "NLLLoss":
        return []
    if values.group and values.group.count > 1:
        message = (
            f"it normalizes {values.group.count} groups of values, not the "
            f"{len(train.dataset.classes)} classes, and NLLLoss compares only values of one group; "
            f"{log_softmax_remedy(analysis)}"
        )
        return [analysis.architecture.problem(origin.place, message)]
    if values.source:
        return [analysis.architecture.problem(origin.place, _free_scores(analysis, values.high))]
    return []


def _free_scores(analysis: Analysis, high: float) -> str:
    """Return what NLLLoss does with scores that no softmax normalizes."""
    if high == float("inf"):
        result = "the loss falls without end, whatever the image"
    else:
        result = f"the loss is lowest where every class scores {high:g}, whatever the image"
    return (
        "NLLLoss takes log-probabilities, and these scores are none: it raises the score of each "
        f"class and lowers no other, so {result}; {log_softmax_remedy(analysis)}, or write "
        "loss: CrossEntropyLoss"
    )


def log_softmax_remedy(analysis: Analysis) -> str:
    """Return how to end a network with log-probabilities of its classes."""
    classes = analysis.output_shape
    flatten = "" if classes[0] == max(classes) and _one_axis(classes) else "Flatten and "
    return f"end with {flatten}LogSoftmax: 1"


def _one_axis(shape: tuple[int, ...]) -> bool:
    """Whether at most one axis has more than one position."""
    return sum(size > 1 for size in shape) <= 1
