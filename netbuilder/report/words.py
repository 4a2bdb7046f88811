"""The facts as sentences and cells of tables: plain text, escaped by whoever writes it."""

from __future__ import annotations

from collections.abc import Sequence

from netbuilder.analysis import Analysis, Row
from netbuilder.errors import printable
from netbuilder.report.facts import Gap, Goal, Iteration, Mistake, Report, Spread
from netbuilder.report.records import Trained
from netbuilder.shapes import spatial, written
from netbuilder.tables import field_text, first_whole, per_axis_text, window_text
from netbuilder.targets import figure_text

NOTHING = "–"
HARDLY = 0.05
"""Percent points within which a gap is said to stay as it is: five images of ten thousand."""

OVERVIEW = (
    "network", "parameters", "published", "receptive field", "best test", "published", "last test",
    "epochs", "seeds", "targets met",
)  # fmt: skip
LAYERS = ("layer", "window", "output", "receptive field", "parameters", "share", "MACs")
SEEDS = (
    "seed", "best test", "in epoch", "last test", "best train", "last train",
    "first at target", "held", "seconds", "device", "targets",
)  # fmt: skip
GOALS = ("target", "asked", "found", "met")
MISTAKES = ("test image", "label", "guess", "confidence, %", "seeds")


def heading(report: Report) -> str:
    """What the page is called."""
    names = [iteration.analysis.architecture.name for iteration in report.iterations]
    if len(names) == 1:
        return names[0]
    return f"{len(names)} networks, {names[0]} to {names[-1]}"


def lead(report: Report) -> list[str]:
    """What a hurried reader takes away."""
    lines = [f"Made from {_count(report.runs, 'finished run')}."]
    if report.best and report.best.best_test:
        lines.append(
            f"The best test accuracy is {_percent(report.best.best_test)} %, by {report.best.key}."
        )
    if report.smallest:
        lines.append(
            "The smallest network of which every run met every target is "
            f"{report.smallest.key} with {report.smallest.analysis.parameters:,} parameters."
        )
    return lines


def title(iteration: Iteration) -> str:
    """The document's own title, in one line; it may be empty."""
    return one_line(iteration.analysis.architecture.title)


def overview(iteration: Iteration) -> tuple[str, ...]:
    """A row under `OVERVIEW`; its first cell is the key."""
    architecture = iteration.analysis.architecture
    reference = architecture.reference
    epochs = architecture.train.epochs if architecture.train else None
    return (
        iteration.key,
        f"{iteration.analysis.parameters:,}",
        NOTHING if reference.parameters is None else f"{reference.parameters:,}",
        per_axis_text(iteration.analysis.receptive_field),
        _percent(iteration.best_test),
        NOTHING if reference.test_accuracy is None else f"{reference.test_accuracy:.2f}",
        _percent(iteration.over_seeds(lambda run: run.last["test_accuracy"])),
        NOTHING if epochs is None else str(epochs),
        str(len(iteration.trained)) if iteration.trained else NOTHING,
        NOTHING if iteration.met is None else f"{iteration.met} of {len(iteration.trained)}",
    )


def layer(row: Row, analysis: Analysis) -> tuple[str, ...]:
    """A row under `LAYERS`."""
    share = row.parameters / analysis.parameters if row.parameters else 0.0
    return (
        f"{row.path} {printable(row.title)}",
        window_text(row),
        written(row.output_shape),
        field_text(row, analysis),
        f"{row.parameters:,}" if row.parameters else "",
        f"{share:.1%}" if share else "",
        f"{row.macs:,}" if row.macs else "",
    )


def seed(run: Trained) -> tuple[str, ...]:
    """A row under `SEEDS`."""
    first = run.first_at_goal
    return (
        str(run.seed),
        f"{run.best['test_accuracy']:.2f}",
        f"{run.best['epoch']:g}",
        f"{run.last['test_accuracy']:.2f}",
        f"{run.best_train:.2f}",
        f"{run.last['train_accuracy']:.2f}",
        NOTHING if first is None else str(first),
        str(run.held) if run.at_goal else NOTHING,
        f"{run.seconds:.0f}",
        printable(run.device),
        _judged(run),
    )


def all_seeds(iteration: Iteration) -> tuple[str, ...]:
    """The row below those of several seeds: mean ± standard deviation."""
    return (
        "mean",
        _percent(iteration.best_test),
        "",
        _percent(iteration.over_seeds(lambda run: run.last["test_accuracy"])),
        _percent(iteration.over_seeds(lambda run: run.best_train)),
        _percent(iteration.over_seeds(lambda run: run.last["train_accuracy"])),
        "",
        "",
        "",
        "",
        NOTHING if iteration.met is None else f"{iteration.met} of {len(iteration.trained)}",
    )


def goal(judged: Goal) -> tuple[str, ...]:
    """A row under `GOALS`."""
    found = sorted(set(judged.found))
    shown = NOTHING
    if found:
        shown = figure_text(found[0])
        if len(found) > 1:
            shown += f" to {figure_text(found[-1])}"
    verdict = f"{judged.met} of {judged.of}"
    if judged.met is None:
        verdict = f"not judged: {judged.reason}"
    elif judged.of == 1:
        verdict = "met" if judged.met else "not met"
    return judged.target, judged.bound, shown, verdict


def mistake(made: Mistake) -> tuple[str, ...]:
    """A row under `MISTAKES`."""
    confidence = f"{100 * made.confidence:.1f}"
    return str(made.index), one_line(made.label), one_line(made.guess), confidence, str(made.seeds)


def observations(iteration: Iteration) -> list[str]:
    """What the figures say, a sentence a fact."""
    analysis = iteration.analysis
    lines = [_field(analysis)]
    if iteration.largest:
        sits = [
            f"{row.path} {printable(row.title)} {row.parameters / analysis.parameters:.1%}"
            for row in iteration.largest
        ]
        lines.append(f"Most of the parameters sit in {_listed(sits)}.")
    if iteration.gap:
        lines.append(_gap(iteration.gap, iteration))
    if iteration.trained and iteration.trained[0].at_goal:
        lines.append(_reached(iteration))
    if iteration.confused:
        pairs = [
            f"{pair.label} taken for {pair.guess} ({_count(pair.count, 'time')})"
            for pair in iteration.confused
        ]
        runs = len(iteration.evaluated)
        over = f" over {runs} seeds" if runs > 1 else ""
        lines.append(f"Confused most{over}: {_listed(pairs)}.")
    elif iteration.evaluated:
        lines.append("No test image is taken for another class.")
    return lines


def paragraphs(text: str) -> list[str]:
    """An author's words as paragraphs of one line each."""
    parts: list[list[str]] = [[]]
    for line in text.split("\n"):
        if line.strip():
            parts[-1].append(line)
        else:
            parts.append([])
    return [one_line(" ".join(part)) for part in parts if part]


def one_line(text: str) -> str:
    """Text with its blanks as single ones; control characters are shown escaped.

    What joins emoji and what turns the direction of writing stays: pages isolate it.
    """
    return "".join(
        printable(character) if ord(character) < 0xA0 else character
        for character in " ".join(text.split())
    )


def _field(analysis: Analysis) -> str:
    size, whole = written(spatial(analysis.architecture.input)), first_whole(analysis)
    if whole:
        return (
            f"Every output position sees the whole {size} input from layer {whole.path} "
            f"{printable(whole.title)} on."
        )
    seen = written(analysis.receptive_field)
    return f"No layer sees the whole {size} input: an output position sees {seen} of it."


def _gap(gap: Gap, iteration: Iteration) -> str:
    sign = "−" if gap.last < 0 else "+"
    said = f"Training minus test accuracy is {sign}{abs(gap.last):.2f} points behind the last epoch"
    if gap.change is not None:
        over = f"over the last {gap.epochs} epochs"
        if abs(gap.change) < HARDLY:
            said += f" and hardly moved {over}"
        else:
            said += f"; it {'rose' if gap.change > 0 else 'fell'} by {abs(gap.change):.2f} {over}"
    train = iteration.analysis.architecture.train
    augmented = ", on augmented images" if train and train.augment else ""
    return f"{said}. Training accuracy is measured while it is trained{augmented}."


def _reached(iteration: Iteration) -> str:
    bound = iteration.analysis.architecture.targets.test_accuracy
    asked = f" of {figure_text(bound.at_least)}" if bound and bound.at_least is not None else ""
    firsts = [run.first_at_goal for run in iteration.trained if run.first_at_goal is not None]
    if not firsts:
        return f"No epoch kept the target test accuracy{asked}."
    held = [run.held for run in iteration.trained]
    kept = [sum(run.at_goal) for run in iteration.trained]
    who = "" if len(held) == 1 else f" by {len(firsts)} of {len(held)} seeds"
    return (
        f"The target test accuracy{asked} is first kept in epoch {_range(firsts)}{who}, in "
        f"{_range(kept)} epochs in all, and held for the last {_range(held)}."
    )


def _judged(run: Trained) -> str:
    if run.met is None:
        return NOTHING
    missed = [v.target.replace("_", " ") for v in run.verdicts if v.met is False]
    return f"not met: {', '.join(missed)}" if missed else "met"


def _percent(spread: Spread | None) -> str:
    if spread is None:
        return NOTHING
    if spread.deviation is None:
        return f"{spread.mean:.2f}"
    return f"{spread.mean:.2f} ± {spread.deviation:.2f}"


def _range(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low} to {high}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
