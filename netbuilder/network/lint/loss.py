"""Lint rules on the last layers of a network, and on what its loss makes of their output."""

from __future__ import annotations

from collections.abc import Iterator
from math import exp, inf

from netbuilder.components.kind_groups import DROPOUTS
from netbuilder.components.losses import CrossEntropyLoss, MultiMarginLoss
from netbuilder.network.analysis import Analysis
from netbuilder.network.lint.base import Evidence, Finding, Rule, leaf_rows
from netbuilder.network.loss import log_softmax_remedy
from netbuilder.network.output_values import output_values
from netbuilder.network.ranges import elementwise_range
from netbuilder.network.rows import Row
from netbuilder.network.values import Values, axis_of_one_value

ENOUGH = 0.95
"""The share of the best probability of a class from which on a limit does no harm."""

UNCHANGED_SCORES = "remove it, the loss takes scores as they are"


def before_output(analysis: Analysis, _evidence: Evidence) -> Iterator[Finding]:
    """An activation or dropout at the output removes scores that no later layer restores."""
    if analysis.architecture.train is None:
        return
    values = output_values(analysis)
    order = {id(row): position for position, row in enumerate(analysis.rows)}
    softmax = values.origin if values.group else None
    for row in values.removals:
        where = "right before the output"
        if softmax and order[id(row)] < order[id(softmax)]:
            where += f" and its {softmax.kind}"
        if row.kind in DROPOUTS:
            yield Finding(
                row.place,
                f"{row.kind} {where} removes scores at random in training",
                "move it before the last layer with weights",
            )
        else:
            lowest, _ = elementwise_range(row.layer, -inf, inf)
            yield Finding(
                row.place,
                f"{row.kind} {where}: no score can be below {lowest:g}, and a class whose score is "
                "cut off for an image learns nothing from it",
                UNCHANGED_SCORES,
            )


def loss_input(analysis: Analysis, _evidence: Evidence) -> Iterator[Finding]:
    """The loss expects other values than the network ends with."""
    train = analysis.architecture.train
    values = output_values(analysis)
    if train is None or values.origin is None:
        return
    loss, classes = train.loss, len(train.dataset.classes)
    findings: Iterator[tuple[str, str]] = iter(())
    if isinstance(loss, CrossEntropyLoss):
        findings = _cross_entropy(values, values.origin, classes, loss.label_smoothing)
    elif isinstance(loss, MultiMarginLoss):
        findings = _multi_margin(values, values.origin, loss.margin)
    elif loss.kind == "NLLLoss":
        findings = _likelihood(analysis, values, values.origin, classes)
    for reason, remedy in findings:
        yield Finding(values.origin.place, reason, remedy)


def smoothed_labels(analysis: Analysis, _evidence: Evidence) -> Iterator[Finding]:
    """The loss asks for the same probability of each class, whatever the image."""
    train = analysis.architecture.train
    if train and isinstance(train.loss, CrossEntropyLoss) and train.loss.label_smoothing == 1:
        yield Finding(
            ("train", "loss", "CrossEntropyLoss", "label_smoothing"),
            "the loss is lowest where all classes have the same probability, whatever the image",
            "use less, such as 0.1",
        )


def _cross_entropy(
    values: Values, origin: Row, classes: int, smoothing: float
) -> Iterator[tuple[str, str]]:
    limit, group = _largest_probability(values, classes), values.group
    if limit < ENOUGH * (1 - smoothing + smoothing / classes):
        if group and group.is_log:
            yield _bounded_softmax(values, limit)
        else:
            yield (
                f"its output is between {_range(values)}, and CrossEntropyLoss takes the softmax "
                f"of it: no class can have a probability above {limit:.1%}",
                UNCHANGED_SCORES,
            )
    elif group and group.is_log and group.count == 1:
        yield (
            f"{origin.kind} changes nothing before CrossEntropyLoss, which applies it again",
            "remove it, or write loss: NLLLoss",
        )


def _bounded_softmax(values: Values, limit: float) -> tuple[str, str]:
    """Return why no class can have a larger probability than ``limit``, and what to do."""
    result = f"no class can have a probability above {limit:.1%}"
    if values.group and values.group.count > 1:
        groups = f"each of {values.group.count} groups of values adds up to 1"
        return f"{groups}, not the classes: {result}", UNCHANGED_SCORES
    return f"its input has bounds: {result}", "remove what bounds it, such as a softmax before it"


def _largest_probability(values: Values, classes: int) -> float:
    """Return the largest softmax over the classes that values can have."""
    if values.group and values.group.is_log:  # their exponentials add up to the number of groups
        return exp(values.high) / values.group.count
    return 1 / (1 + (classes - 1) * exp(-values.width))


def _multi_margin(values: Values, origin: Row, margin: float) -> Iterator[tuple[str, str]]:
    if values.width <= margin:
        yield (
            f"its output is between {_range(values)}, and MultiMarginLoss wants the right class "
            f"{margin:g} above all others: no two scores are further apart than {values.width:g}",
            UNCHANGED_SCORES,
        )
    elif values.group and values.group.is_log and values.group.count == 1:
        yield (
            f"{origin.kind} changes nothing before MultiMarginLoss, which compares differences of "
            "scores",
            "remove it",
        )


def _likelihood(
    analysis: Analysis, values: Values, origin: Row, classes: int
) -> Iterator[tuple[str, str]]:
    group = values.group
    if group and group.is_log:
        limit = _largest_probability(values, classes)
        if limit < ENOUGH:
            yield _bounded_softmax(values, limit)
    elif group:
        yield (
            f"NLLLoss takes log-probabilities, and {origin.kind} gives probabilities",
            f"{log_softmax_remedy(analysis, origin)}, or write loss: CrossEntropyLoss",
        )
    else:
        yield (
            f"NLLLoss takes log-probabilities, which the output of {origin.kind} is not known to "
            "be",
            log_softmax_remedy(analysis, origin),
        )


def _range(values: Values) -> str:
    return f"{values.low:.3g} and {values.high:.3g}"


def normalizes_single_values(analysis: Analysis, _evidence: Evidence) -> Iterator[Finding]:
    """A normalization over an axis of one value is constant."""
    for row in leaf_rows(analysis):
        if constant := axis_of_one_value(row):
            yield Finding(row.place, constant.reason, constant.remedy)


RULES = (
    Rule("before-output", before_output),
    Rule("loss-input", loss_input),
    Rule("smoothed-labels", smoothed_labels),
    Rule("axis-of-one-value", normalizes_single_values),
)
