"""Targets against figures: what a document promises, and whether it is kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

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
    """One target, and what was found.

    Attributes:
        target: its name in the document.
        bound: what is asked, in words.
        found: the figure; None where nothing was measured.
        met: None where it cannot be judged.
        left: how far ``found`` may still move before the bound is crossed; negative if it is.
        reason: why it cannot be judged.
    """

    target: str
    bound: str
    found: float | None
    met: bool | None
    left: float | None
    reason: str = ""


def judge_document(analysis: Analysis) -> list[Verdict]:
    """The targets that need no training: parameters, receptive field and epochs.

    The receptive field is that of its smallest axis.
    """
    targets, train = analysis.architecture.targets, analysis.architecture.train
    found: list[tuple[str, Bound | None, float | None]] = [
        ("parameters", targets.parameters, analysis.parameters),
        ("receptive_field", targets.receptive_field, min(analysis.receptive_field)),
        ("epochs", targets.epochs, train.epochs if train else None),
    ]
    if analysis.fault:
        found = [(name, bound, None) for name, bound, _ in found]
    why = "the network has a fault" if analysis.fault else "the document trains nothing"
    return [
        _judged(name, bound, [figure]) if figure is not None else _open(name, bound, why)
        for name, bound, figure in found
        if bound
    ]


def judge_run(
    analysis: Analysis, metrics: Sequence[Epoch], unjudged: str = ""
) -> list[Verdict]:
    """Every target of a run, from its figures an epoch; the epochs are those that were trained.

    Args:
        analysis: of the architecture that was trained.
        metrics: one entry per epoch.
        unjudged: why accuracies prove nothing here, such as data that stood in for the real.
    """
    verdicts = [v for v in judge_document(analysis) if v.target != "epochs"]
    targets = analysis.architecture.targets
    if targets.epochs:
        verdicts.append(_judged("epochs", targets.epochs, [len(metrics)]))
    for name in ("train_accuracy", "test_accuracy"):
        bound: AccuracyTarget | None = getattr(targets, name)
        if bound is None:
            continue
        last = [getattr(epoch, name) for epoch in metrics[-bound.for_last_epochs :]]
        if unjudged:
            verdicts.append(_open(name, bound, unjudged))
        elif len(last) < bound.for_last_epochs:
            trained = f"{len(last)} epoch{'s' * (len(last) != 1)}"
            verdicts.append(_open(name, bound, f"only {trained} trained", met=False))
        else:
            verdicts.append(_judged(name, bound, last))
    return verdicts


def all_met(verdicts: Iterable[Verdict]) -> bool | None:
    """Whether every target is met; None where none is missed and some, or all, are not judged."""
    met = {verdict.met for verdict in verdicts}
    if False in met:
        return False
    return None if None in met or not met else True


def meets(bound: Bound, figure: float) -> bool:
    """Whether one figure stays within a bound."""
    return _judged("", bound, [figure]).met is True


def figure_text(value: float) -> str:
    """A figure with every digit of a whole number, and ten of another."""
    return f"{int(value):,}" if value == int(value) else f"{value:,.10g}"


def bound_text(bound: Bound) -> str:
    """A bound in words: ``at least 99.4 in each of the last 4 epochs``."""
    words = [
        f"{name.replace('_', ' ')} {figure_text(limit)}"
        for name in ("below", "at_most", "above", "at_least")
        if (limit := getattr(bound, name)) is not None
    ]
    text = ", ".join(words)
    if isinstance(bound, AccuracyTarget):
        epochs = bound.for_last_epochs
        text += " in the last epoch" if epochs == 1 else f" in each of the last {epochs} epochs"
    return text


def _open(name: str, bound: Bound, reason: str, met: bool | None = None) -> Verdict:
    return Verdict(name, bound_text(bound), None, met, None, reason)


def _judged(name: str, bound: Bound, figures: Sequence[float]) -> Verdict:
    """The verdict on the worst of ``figures``."""
    room: dict[float, float] = {}
    met = True
    for figure in figures:
        margins = []
        for limit, sign, strict in (
            (bound.below, 1, True),
            (bound.at_most, 1, False),
            (bound.above, -1, True),
            (bound.at_least, -1, False),
        ):
            if limit is not None:
                margin = sign * (limit - figure)
                margins.append(margin)
                met = met and (margin > 0 if strict else margin >= 0)
        room[figure] = min(margins)
    worst = min(figures, key=room.__getitem__)
    return Verdict(name, bound_text(bound), worst, met, round(room[worst], 10) + 0.0)
