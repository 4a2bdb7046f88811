"""The sentences of a report: plain text, which HTML and markdown escape."""

from __future__ import annotations

from collections.abc import Sequence

from netbuilder._text import format_number, plural, printable
from netbuilder.components.shapes import format_shape, spatial
from netbuilder.network.analysis import Analysis
from netbuilder.render.network_text import first_whole
from netbuilder.render.report.model import Gap, Report, ReportEntry
from netbuilder.render.runs import NOTHING, range_text
from netbuilder.runs.statistics import MeanStd

MOST_CLASSES = 25
"""The number of classes up to which a confusion matrix is shown."""

UNCHANGED = 0.05
"""Percent points within which a gap counts as unchanged: five of ten thousand images."""

RUNNING = "measured during the epoch, while the weights still change"
"""The meaning of a training accuracy."""


CURVES_NOTE = "Accuracies below the axis are not drawn, so that the later epochs stay apart."

MISTAKES_NOTE = (
    "Misclassified test images, from the most confident mistakes that each run records; sorted by "
    "the number of seeds that record them, then by their highest confidence."
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
        return ["Based on documents alone: no run is finished."]
    lines = [f"Based on {plural(report.runs, 'finished run')}."]
    several = len(report.iterations) > 1
    for dataset, iterations in report.tested.items():
        reached = [(i.best_test.mean, i) for i in iterations if i.best_test]
        best = max(reached, key=lambda pair: pair[0])[1]
        suffix = f" on {one_line(dataset)}" if len(report.tested) > 1 else ""
        source = f", by {best.key}" if several else ""
        lines.append(f"The best test accuracy{suffix} is {percent(best.best_test)}\u00a0%{source}.")
    if report.smallest and several:
        lines.append(
            "The smallest network whose runs all met their targets is "
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
            " First at target is the first epoch that met the target test accuracy; target streak "
            "is the number of consecutive epochs that met it, counted back from the last."
        )
    return note


def confusion_note(iteration: ReportEntry) -> str:
    """Return the caption of the confusion matrix, or why none is shown."""
    runs, classes = len(iteration.evaluated), len(iteration.evaluated[0].classes)
    if classes > MOST_CLASSES:
        return f"{classes} classes are too many for a table; the most confused pairs are below."
    over = f", counted over {runs} seeds" if runs > 1 else ""
    return f"Test images by label (row) and guess (column){over}, after the last epoch."


def picture_note(iteration: ReportEntry) -> str:
    """Return the caption of the plot of mistakes."""
    return f"The most confident mistakes of seed {iteration.trained[0].seed} after the last epoch."


def observations(iteration: ReportEntry) -> list[str]:
    """Return the facts that the numbers show, one sentence each."""
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
            f"{one_line(pair.label)} classified as {one_line(pair.guess)} "
            f"({plural(pair.count, 'time')})"
            for pair in iteration.confused
        ]
        runs = len(iteration.evaluated)
        over = f" over {runs} seeds" if runs > 1 else ""
        lines.append(f"Most confused{over}: {_listed(pairs)}.")
    elif iteration.evaluated:
        lines.append("No test image is misclassified.")
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
    """Return text on one line, with single spaces and its control characters escaped.

    Joiners of emoji and direction marks stay: the page isolates them.
    """
    return "".join(
        printable(character) if ord(character) < 0xA0 else character
        for character in " ".join(text.split())
    )


def _field(analysis: Analysis) -> str:
    size, whole = format_shape(spatial(analysis.architecture.input)), first_whole(analysis)
    if whole:
        return (
            f"Every output position sees the whole {size} input from layer {whole.path} "
            f"{printable(whole.title)} on."
        )
    field = format_shape(analysis.receptive_field)
    return f"No layer sees the whole {size} input: an output position sees {field} of it."


def _gap(gap: Gap, iteration: ReportEntry) -> str:
    sign = "−" if gap.last < 0 else "+"
    text = (
        "The gap, training minus test accuracy, "
        f"is {sign}{abs(gap.last):.2f} points after the last epoch"
    )
    if gap.change is not None:
        span = f"over the last {gap.epochs} epochs"
        if abs(gap.change) < UNCHANGED:
            text += f" and hardly changed {span}"
        else:
            text += f"; it {_moved(gap.last, gap.change)} by {abs(gap.change):.2f} {span}"
    train = iteration.analysis.architecture.train
    augmented = ", on augmented images" if train and train.augment else ""
    return f"{text}. Training accuracy is {RUNNING}{augmented}."


def _moved(last: float, change: float) -> str:
    """Return the verb for the change of a gap: away from zero, towards it, or across it."""
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
    streaks = [run.target_streak for run in iteration.trained]
    counts = [sum(run.at_target) for run in iteration.trained]
    by = "" if len(streaks) == 1 else f", by {len(firsts)} of {len(streaks)} seeds"
    noun = "epoch" if min(firsts) == max(firsts) else "epochs"
    total = f"{range_text(counts)} {'epoch' if max(counts) == 1 else 'epochs'}"
    end = f"held over the last {range_text(streaks)}" if any(streaks) else "not in the last one"
    return (
        f"The target test accuracy{required} is first met in {noun} {range_text(firsts)}{by}; "
        f"it is met in {total} in all, and {end}."
    )


def percent(spread: MeanStd | None) -> str:
    """Return mean ± standard deviation over the seeds."""
    return NOTHING if spread is None else str(spread)


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
