"""Judge the targets of a document against measured values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Protocol

from netbuilder._text import format_number, plural
from netbuilder.components.shapes import spatial
from netbuilder.config.schema import AccuracyTarget, Bound, FieldBound
from netbuilder.network.analysis import Analysis


class Epoch(Protocol):
    """An epoch's accuracies, in percent."""

    @property
    def train_accuracy(self) -> float: ...

    @property
    def test_accuracy(self) -> float: ...


_BEFORE_TRAINING = ("parameters", "receptive_field", "epochs")

_BY_TRAINING = ("train_accuracy", "test_accuracy")


@dataclass(frozen=True)
class Verdict:
    """The judgment of one target, as in ``result.json``.

    Attributes:
        target: The target's name in the document.
        bound: The bound in words.
        value: The measured value, None if nothing was measured; ``found`` in JSON.
        met: Whether the bound holds; None if it cannot be judged.
        left: The distance between ``value`` and the bound; negative if the bound is not met.
        reason: Why the target cannot be judged, or what decides.
    """

    target: str
    bound: str
    value: float | None = field(metadata={"key": "found"})
    met: bool | None
    left: float | None
    reason: str = ""


def judge_document(analysis: Analysis) -> list[Verdict]:
    """Judge the targets that need no training: parameters, receptive field and epochs.

    The receptive field is judged along every axis; the verdict holds the axis that decides.
    """
    targets, train = analysis.architecture.targets, analysis.architecture.train
    if analysis.fault:
        bounds = {name: getattr(targets, name) for name in _BEFORE_TRAINING}
        reason = "the network has a fault"
        return [_not_judged(name, bound, reason) for name, bound in bounds.items() if bound]
    verdicts = []
    if targets.parameters:
        verdicts.append(_judge("parameters", targets.parameters, [analysis.parameters]))
    if targets.receptive_field:
        verdicts.append(_judge_field(analysis, targets.receptive_field))
    if targets.epochs and train:
        verdicts.append(_judge("epochs", targets.epochs, [train.epochs]))
    elif targets.epochs:
        reason = "the document has no train section"
        verdicts.append(_not_judged("epochs", targets.epochs, reason))
    return verdicts


def judge_before_training(analysis: Analysis) -> list[Verdict]:
    """Judge every target of a document; those on accuracies wait for a training."""
    architecture = analysis.architecture
    reason = "a training judges it" if architecture.train else "the document has no train section"
    accuracies = ((name, getattr(architecture.targets, name)) for name in _BY_TRAINING)
    waiting = [_not_judged(name, bound, reason) for name, bound in accuracies if bound]
    return judge_document(analysis) + waiting


def judge_run(analysis: Analysis, metrics: Sequence[Epoch], unjudged: str = "") -> list[Verdict]:
    """Judge every target of a run by its metrics; ``epochs`` by the number of epochs trained.

    Args:
        analysis: The analysis of the architecture that was trained.
        metrics: One entry per epoch, with ``train_accuracy`` and ``test_accuracy`` in percent.
        unjudged: Why accuracies cannot be judged, such as a run on the fallback data set.
    """
    verdicts = [v for v in judge_document(analysis) if v.target != "epochs"]
    targets = analysis.architecture.targets
    if targets.epochs:
        verdicts.append(_judge("epochs", targets.epochs, [len(metrics)]))
    for name in _BY_TRAINING:
        bound: AccuracyTarget | None = getattr(targets, name)
        if bound is None:
            continue
        last = [getattr(epoch, name) for epoch in metrics[-bound.for_last_epochs :]]
        if unjudged:
            verdicts.append(_not_judged(name, bound, unjudged))
        elif len(last) < bound.for_last_epochs:
            reason = f"only {plural(len(last), 'epoch')} trained"
            verdicts.append(_not_judged(name, bound, reason, met=False))
        else:
            verdicts.append(_judge(name, bound, last))
    return verdicts


def all_met(verdicts: Iterable[Verdict]) -> bool | None:
    """Whether every target is met; None if none is missed and some, or all, are not judged."""
    met = {verdict.met for verdict in verdicts}
    if False in met:
        return False
    return None if None in met or not met else True


def meets(bound: Bound, value: float) -> bool:
    """Whether a value is within a bound."""
    return _judge("", bound, [value]).met is True


def format_bound(bound: Bound | FieldBound) -> str:
    """Put a bound in words: ``at least 99.4 in each of the last 4 epochs``."""
    words = [
        f"{name.replace('_', ' ')} {_format_limit(limit)}"
        for name in ("below", "at_most", "above", "at_least")
        if (limit := getattr(bound, name)) is not None
    ]
    text = ", ".join(words)
    if isinstance(bound, AccuracyTarget):
        epochs = bound.for_last_epochs
        text += " in the last epoch" if epochs == 1 else f" in each of the last {epochs} epochs"
    return text


def _format_limit(limit: float | tuple[float, ...]) -> str:
    limits = limit if isinstance(limit, tuple) else (limit,)
    return "x".join(map(format_number, limits))


def _judge_field(analysis: Analysis, bound: FieldBound) -> Verdict:
    """Judge the receptive field along the axis with the smallest margin.

    The field counts from its first to its last position. Where the bound demands the whole axis,
    what one output position reads of it counts instead, if that is not all.
    """
    verdicts = []
    reads = analysis.coverage.position
    sizes = spatial(analysis.architecture.input)
    for axis, (span, size) in enumerate(zip(analysis.receptive_field, sizes, strict=True)):
        limits = bound.along(axis)
        demanded = max(
            -inf if limits.at_least is None else limits.at_least,
            -inf if limits.above is None else limits.above + 1,
        )
        value, reason = span, ""
        if reads and demanded >= size > reads[axis] and span > reads[axis]:
            value = reads[axis]
            reason = f"one output position spans {span} and reads at most {value} of {size}"
        verdicts.append(replace(_judge("receptive_field", limits, [value]), reason=reason))
    worst = min(verdicts, key=lambda verdict: (verdict.met is True, verdict.left))
    return replace(worst, bound=format_bound(bound))


def _not_judged(
    name: str, bound: Bound | FieldBound, reason: str, met: bool | None = None
) -> Verdict:
    return Verdict(name, format_bound(bound), None, met, None, reason)


def _judge(name: str, bound: Bound, values: Sequence[float]) -> Verdict:
    """Judge the worst of ``values``."""
    worst = min(values, key=lambda value: min(_margins(bound, value)))
    met = all(_within(bound, value) for value in values)
    margin = min(_margins(bound, worst))
    return Verdict(name, format_bound(bound), worst, met, round(margin, 10) + 0.0)


def _margins(bound: Bound, value: float) -> list[float]:
    """The distance to each limit of a bound; negative beyond it."""
    upper = [limit - value for limit in (bound.below, bound.at_most) if limit is not None]
    return upper + [value - limit for limit in (bound.above, bound.at_least) if limit is not None]


def _within(bound: Bound, value: float) -> bool:
    return (
        (bound.below is None or value < bound.below)
        and (bound.at_most is None or value <= bound.at_most)
        and (bound.above is None or value > bound.above)
        and (bound.at_least is None or value >= bound.at_least)
    )
