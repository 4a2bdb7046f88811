"""Judge the targets of a document against measured values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from netbuilder._text import format_number, plural
from netbuilder.config.schema import AccuracyTarget, Bound
from netbuilder.network.analysis import Analysis


class Epoch(Protocol):
    """An epoch's accuracies, in percent."""

    @property
    def train_accuracy(self) -> float: ...

    @property
    def test_accuracy(self) -> float: ...


@dataclass(frozen=True)
class Verdict:
    """The judgment of one target, as in ``result.json``.

    Attributes:
        target: The target's name in the document.
        bound: The bound in words.
        value: The measured value, None if nothing was measured; ``found`` in JSON.
        met: Whether the bound holds; None if it cannot be judged.
        left: The distance between ``value`` and the bound; negative if the bound is not met.
        reason: Why the target cannot be judged.
    """

    target: str
    bound: str
    value: float | None = field(metadata={"key": "found"})
    met: bool | None
    left: float | None
    reason: str = ""


def judge_document(analysis: Analysis) -> list[Verdict]:
    """Judge the targets that need no training: parameters, receptive field and epochs.

    The receptive field is judged by its smallest axis.
    """
    targets, train = analysis.architecture.targets, analysis.architecture.train
    measured: list[tuple[str, Bound | None, float | None]] = [
        ("parameters", targets.parameters, analysis.parameters),
        ("receptive_field", targets.receptive_field, min(analysis.receptive_field)),
        ("epochs", targets.epochs, train.epochs if train else None),
    ]
    reason = "the document has no train section"
    if analysis.fault:
        measured = [(name, bound, None) for name, bound, _ in measured]
        reason = "the network has a fault"
    return [
        _judge(name, bound, [value]) if value is not None else _not_judged(name, bound, reason)
        for name, bound, value in measured
        if bound
    ]


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
    for name in ("train_accuracy", "test_accuracy"):
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


def format_bound(bound: Bound) -> str:
    """Put a bound in words: ``at least 99.4 in each of the last 4 epochs``."""
    words = [
        f"{name.replace('_', ' ')} {format_number(limit)}"
        for name in ("below", "at_most", "above", "at_least")
        if (limit := getattr(bound, name)) is not None
    ]
    text = ", ".join(words)
    if isinstance(bound, AccuracyTarget):
        epochs = bound.for_last_epochs
        text += " in the last epoch" if epochs == 1 else f" in each of the last {epochs} epochs"
    return text


def _not_judged(name: str, bound: Bound, reason: str, met: bool | None = None) -> Verdict:
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
