"""The sentences of a report: plain text, which its two forms escape."""

from __future__ import annotations

from collections.abc import Sequence

from netbuilder._text import format_number, printable
from netbuilder.network.analysis import Analysis
from netbuilder.render.network import field_sentence
from netbuilder.render.report.model import Gap, Report, ReportEntry
from netbuilder.render.runs import range_text
from netbuilder.runs.statistics import MeanStd

NOTHING = "–"

MOST_CLASSES = 25
"""A confusion matrix with more classes is not shown."""

HARDLY = 0.05
"""Percent points within which a gap counts as unchanged: five of ten thousand images."""

RUNNING = "measured during the epoch, while the weights still change"
"""The meaning of a training accuracy."""


CURVES_NOTE = "Accuracies below the axis are not drawn, so that the later epochs stay apart."

MISTAKES_NOTE = (
    "Test images taken for another class, of the most confident mistakes that each run records: "
    "first those on record for most seeds, then those of the highest confidence in any of them."
)


def heading(report: Report) -> str:
    """Return the title of the page."""
    names = [iteration.analysis.architecture.name for iteration in report.iterations]
    if len(names) == 1:
        return names[0]
    return f"{len(names)} networks, {names[0]} to {names[-1]}"


def lead(report: Report) -> list[str]:
    """Return the summary: how many runs, the best network, the smallest that meets its targets."""
    if not report.runs:
        return ["Made from documents alone: no run is finished."]
    lines = [f"Made from {_count(report.runs, 'finished run')}."]
    several = len(report.iterations) > 1
    for dataset, iterations in report.tested.items():
        reached = [(i.best_test.mean, i) for i in iterations if i.best_test]
        best = max(reached, key=lambda pair: pair[0])[1]
        on = f" on {one_line(dataset)}" if len(report.tested) > 1 else ""
        whose = f", by {best.key}" if several else ""
        lines.append(f"The best test accuracy{on} is {percent(best.best_test)}\u00a0%{whose}.")
    if report.smallest and several:
        lines.append(
            "The smallest network whose runs all met the targets of its document is "
            f"{report.smallest.key}, with {report.smallest.analysis.parameters:,} parameters."
        )
    return lines


def overview_note(report: Report) -> str:
    """Return the caption of the table of all networks."""
    note = (
        "Accuracies are in percent: means over the seeds of each run's best and last epoch, then "
        "± the standard deviation. Published values are those in the document."
    )
    if len(report.tested) > 1:
        names = (
            f"{one_line(dataset)} by {', '.join(i.key for i in iterations)}"
            for dataset, iterations in report.tested.items()
        )
        note += f" Data sets: {'; '.join(names)}."
    return note


def title(iteration: ReportEntry) -> str:
    """Return the document's title, in one line; it may be empty."""
    return one_line(iteration.analysis.architecture.title)


def seeds_note(iteration: ReportEntry) -> str:
    """Return the caption of the table of seeds."""
    note = (
        f"One row per seed, trained on {one_line(iteration.dataset)}. Accuracies are in percent; "
        f"that of training is {RUNNING}."
    )
    if iteration.trained[0].at_target:
        note += (
            " First at target is the first epoch that met the target test accuracy; held is how "
            "many epochs met it without a break up to the last."
        )
    return note


def confusion_note(iteration: ReportEntry) -> str:
    """Return the caption of the confusion matrix, or why none is shown."""
    runs, classes = len(iteration.evaluated), len(iteration.evaluated[0].classes)
    if classes > MOST_CLASSES:
        return f"{classes} classes are too many for a table; the pairs confused most are below."
    over = f", counted over {runs} seeds" if runs > 1 else ""
    return f"Test images by label (row) and guess (column){over}, after the last epoch."


def picture_note(iteration: ReportEntry) -> str:
    """Return the caption of the plot of mistakes."""
    return f"The most confident mistakes of seed {iteration.trained[0].seed} after the last epoch."


def observations(iteration: ReportEntry) -> list[str]:
    """Return what the numbers show, one sentence per fact."""
    analysis = iteration.analysis
    lines = [_field(analysis)]
    if iteration.largest:
        shares = [
            f"{row.path} {printable(row.title)} ({row.parameters / analysis.parameters:.1%})"
            for row in iteration.largest
        ]
        lines.append(f"Most parameters are in {_listed(shares)}.")
    if iteration.gap:
        lines.append(_gap(iteration.gap, iteration))
    if iteration.trained and iteration.trained[0].at_target:
        lines.append(_reached(iteration))
    if iteration.confused:
        pairs = [
            f"{one_line(pair.label)} taken for {one_line(pair.guess)} "
            f"({_count(pair.count, 'time')})"
            for pair in iteration.confused
        ]
        runs = len(iteration.evaluated)
        over = f" over {runs} seeds" if runs > 1 else ""
        lines.append(f"Confused most{over}: {_listed(pairs)}.")
    elif iteration.evaluated:
        lines.append("No test image is taken for another class.")
    return lines


def paragraphs(text: str) -> list[str]:
    """Return an author's text as paragraphs of one line each."""
    parts: list[list[str]] = [[]]
    for line in text.split("\n"):
        if line.strip():
            parts[-1].append(line)
        else:
            parts.append([])
    return [one_line(" ".join(part)) for part in parts if part]


def one_line(text: str) -> str:
    """Return text with single blanks, its control characters escaped.

    Joiners of emoji and marks of direction stay: pages isolate them.
    """
    return "".join(
        printable(character) if ord(character) < 0xA0 else character
        for character in " ".join(text.split())
    )


def _field(analysis: Analysis) -> str:
    sentence = printable(field_sentence(analysis))
    subject = "The network " if sentence.startswith("sees") else ""
    return f"{subject}{sentence}."[:1].upper() + f"{subject}{sentence}."[1:]


def _gap(gap: Gap, iteration: ReportEntry) -> str:
    sign = "−" if gap.last < 0 else "+"
    text = (
        "The gap, training minus test accuracy, "
        f"is {sign}{abs(gap.last):.2f} points after the last epoch"
    )
    if gap.change is not None:
        over = f"over the last {gap.epochs} epochs"
        if abs(gap.change) < HARDLY:
            text += f" and hardly moved {over}"
        else:
            text += f"; it {_moved(gap.last, gap.change)} by {abs(gap.change):.2f} {over}"
    train = iteration.analysis.architecture.train
    augmented = ", on augmented images" if train and train.augment else ""
    return f"{text}. Training accuracy is {RUNNING}{augmented}."


def _moved(last: float, change: float) -> str:
    """Return how a gap moved: away from zero, towards it, or across it."""
    before = last - change
    if before * last <= 0:
        return "rose" if change > 0 else "fell"
    return "grew" if abs(last) > abs(before) else "narrowed"


def _reached(iteration: ReportEntry) -> str:
    bound = iteration.analysis.architecture.targets.test_accuracy
    required = (
        f" of {format_number(bound.at_least)}" if bound and bound.at_least is not None else ""
    )
    firsts = [run.first_at_target for run in iteration.trained if run.first_at_target is not None]
    if not firsts:
        return f"No epoch met the target test accuracy{required}."
    held = [run.held for run in iteration.trained]
    counts = [sum(run.at_target) for run in iteration.trained]
    by = "" if len(held) == 1 else f", by {len(firsts)} of {len(held)} seeds"
    first = f"epoch{'s' * (min(firsts) < max(firsts))} {range_text(firsts)}"
    end = f"held over the last {range_text(held)}" if any(held) else "not in the last one"
    return (
        f"The target test accuracy{required} is first met in {first}{by}; it is met in "
        f"{range_text(counts)} epoch{'s' * (max(counts) > 1)} in all, and {end}."
    )


def percent(spread: MeanStd | None) -> str:
    """Return mean ± standard deviation over the seeds."""
    return NOTHING if spread is None else str(spread)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
