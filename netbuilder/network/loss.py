"""Losses that mean nothing for the values that the network ends with."""

from __future__ import annotations

from math import prod

from netbuilder.errors import Problem
from netbuilder.network.analysis import Analysis
from netbuilder.network.output_values import output_values
from netbuilder.network.ranges import FUNCTIONS
from netbuilder.network.rows import Row
from netbuilder.network.values import SOFTMAXES


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
            f"{log_softmax_remedy(analysis, origin)}"
        )
        return [analysis.architecture.problem(origin.place, message)]
    if values.source:
        message = _free_scores(analysis, origin, values.high)
        return [analysis.architecture.problem(origin.place, message)]
    return []


def _free_scores(analysis: Analysis, origin: Row, high: float) -> str:
    """Return what NLLLoss does with scores that no softmax normalizes."""
    if high == float("inf"):
        result = "the loss falls without end, whatever the image"
    else:
        result = f"the loss is lowest where every class scores {high:g}, whatever the image"
    return (
        "NLLLoss takes log-probabilities, which these scores are not: it raises the score of each "
        f"class and lowers no other, so {result}; {log_softmax_remedy(analysis, origin)}, or write "
        "loss: CrossEntropyLoss"
    )


def log_softmax_remedy(analysis: Analysis, origin: Row) -> str:
    """Return how to end with log-probabilities a network whose values come from ``origin``."""
    shape = analysis.output_shape
    flatten = "" if shape[0] == prod(shape) else "Flatten and "
    remove = "remove it, and " if origin.kind in FUNCTIONS or origin.kind in SOFTMAXES else ""
    return f"{remove}end with {flatten}LogSoftmax: 1"
