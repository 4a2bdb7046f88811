"""The facts as rows of tables: their columns, and a cell a column as plain text."""

from __future__ import annotations

from netbuilder._text import printable
from netbuilder.components.shapes import format_shape
from netbuilder.network.analysis import Analysis, Row
from netbuilder.network.targets import figure_text
from netbuilder.render.network import field_text, per_axis_text, window_text
from netbuilder.render.report.model import ReportEntry, SharedMistake, TargetResult
from netbuilder.render.report.text import NOTHING, one_line, percent
from netbuilder.runs.statistics import RunRecord

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

LONG = 40
"""Tables of layers that are longer are folded away."""

MISTAKES = ("test image", "label", "guess", "confidence, %", "seeds")


def overview(iteration: ReportEntry) -> tuple[str, ...]:
    """A row under `OVERVIEW`; its first cell is the key."""
    architecture = iteration.analysis.architecture
    reference = architecture.reference
    epochs = architecture.train.epochs if architecture.train else None
    return (
        iteration.key,
        f"{iteration.analysis.parameters:,}",
        NOTHING if reference.parameters is None else f"{reference.parameters:,}",
        per_axis_text(iteration.analysis.receptive_field),
        percent(iteration.best_test),
        NOTHING if reference.test_accuracy is None else f"{reference.test_accuracy:.2f}",
        percent(iteration.over_seeds(lambda run: run.last.test_accuracy)),
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
        format_shape(row.output_shape),
        field_text(row, analysis),
        f"{row.parameters:,}" if row.parameters else "",
        f"{share:.1%}" if share else "",
        f"{row.macs:,}" if row.macs else "",
    )


def seed(run: RunRecord) -> tuple[str, ...]:
    """A row under `SEEDS`."""
    first = run.first_at_target
    return (
        str(run.seed),
        f"{run.best.test_accuracy:.2f}",
        f"{run.best.epoch}",
        f"{run.last.test_accuracy:.2f}",
        f"{run.best_train:.2f}",
        f"{run.last.train_accuracy:.2f}",
        NOTHING if first is None else str(first),
        str(run.held) if run.at_target else NOTHING,
        f"{run.seconds:.0f}",
        printable(run.device),
        _judged(run),
    )


def all_seeds(iteration: ReportEntry) -> tuple[str, ...]:
    """The row below those of several seeds: mean ± standard deviation."""
    return (
        "mean",
        percent(iteration.best_test),
        "",
        percent(iteration.over_seeds(lambda run: run.last.test_accuracy)),
        percent(iteration.over_seeds(lambda run: run.best_train)),
        percent(iteration.over_seeds(lambda run: run.last.train_accuracy)),
        "",
        "",
        "",
        "",
        NOTHING if iteration.met is None else f"{iteration.met} of {len(iteration.trained)}",
    )


def goal(judged: TargetResult) -> tuple[str, ...]:
    """A row under `GOALS`."""
    found = sorted(set(judged.values))
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


def mistake(made: SharedMistake) -> tuple[str, ...]:
    """A row under `MISTAKES`."""
    confidence = f"{100 * made.confidence:.1f}"
    return str(made.index), one_line(made.label), one_line(made.guess), confidence, str(made.seeds)


def _judged(run: RunRecord) -> str:
    if run.met is None:
        return NOTHING
    missed = [v.target.replace("_", " ") for v in run.verdicts if v.met is False]
    return f"not met: {', '.join(missed)}" if missed else "met"
