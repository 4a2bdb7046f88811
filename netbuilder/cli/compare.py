"""``netbuilder compare``."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from netbuilder._text import plural
from netbuilder.cli._completion import either
from netbuilder.cli._options import (
    Force,
    Plugins,
    RunsFolder,
    TableFormat,
    is_streamed,
    require_writable,
    table_format,
    write_output,
)
from netbuilder.cli._output import echo, messages_for
from netbuilder.errors import ConfigError
from netbuilder.runs import RUNS

if TYPE_CHECKING:
    from netbuilder.runs.selection import Selection


def compare(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUNS|ARCHS",
            help="Run folders, folders of them, or documents.",
            autocompletion=either,
        ),
    ],
    output: TableFormat = None,
    picture: Annotated[
        Path | None,
        typer.Option("--out", help="Plot accuracy against parameters to this PNG file."),
    ] = None,
    force: Force = False,
    runs: RunsFolder = RUNS,
    plugins: Plugins = None,
) -> None:
    """Compare networks by size, cost and the accuracy of their runs.

    Accuracies are means over the seeds of a document, in percent, with their standard deviation. A
    star marks the Pareto front: the networks of a data set that none beats in both parameters and
    best test accuracy.

    The rows keep the order of the paths; sorted paths, as a shell expands them, are ordered by
    number: iter2 before iter10.

    Example: netbuilder compare archs/results --out compare.png --force
    """
    output = output or table_format()
    require_writable(picture, force)
    if picture is not None and not is_streamed(picture) and picture.suffix.lower() != ".png":
        raise ConfigError(f"--out {picture}: it is a PNG file; choose a name that ends with .png")
    from netbuilder.render.console import show_table
    from netbuilder.render.runs import comparison_table
    from netbuilder.runs.comparison import compare_networks
    from netbuilder.runs.selection import Selection, natural_order

    subjects = Selection.open_all(natural_order(paths), runs)
    rows = compare_networks(subjects)
    with messages_for(picture):
        show_table(comparison_table(rows), output)
    for line in dict.fromkeys(line for subject in subjects for line in _remarks(subject)):
        echo(line, err=True)
    untrained = dict.fromkeys(s.architecture.name for s in subjects if _is_untrained(s))
    if untrained:
        message = f"no runs of {', '.join(untrained)} in {runs}; train them, or name the folder"
        echo(f"{message} of their runs with --runs", err=True)
    if picture is not None:
        from netbuilder.render.plots.pareto import ParetoPoint, draw_pareto

        points = [
            ParetoPoint(
                row.name, row.summary.dataset, row.parameters, row.best,
                min(row.summary.best_test), max(row.summary.best_test),
            )
            for row in rows
            if row.summary is not None and row.best is not None
        ]  # fmt: skip
        if not points:
            raise ConfigError("--out: no network has a finished run to draw; train one first")
        png = BytesIO()
        draw_pareto(png, points)
        write_output(png.getvalue(), picture, err=True)


def _is_untrained(subject: Selection) -> bool:
    """Whether it can be trained and has no run, not even one that is left out."""
    runs = subject.runs or subject.other_runs or subject.unreadable
    return subject.architecture.train is not None and not runs


def _remarks(subject: Selection) -> list[str]:
    """Return notes on the runs that the table leaves out."""
    lines = list(subject.unreadable)
    if unfinished := len(subject.runs) - len(subject.finished):
        lines.append(
            f"{subject.path}: {plural(unfinished, 'run')} of "
            f"{subject.architecture.name} left out, not finished"
        )
    if subject.excluded_note:
        lines.append(subject.excluded_note)
    return lines
