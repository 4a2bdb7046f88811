"""``netbuilder compare``."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from netbuilder._text import printable
from netbuilder.cli._completion import either
from netbuilder.cli._options import (
    Force,
    Plugins,
    RunsFolder,
    TableFormat,
    require_writable,
    table_format,
)
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
    star marks the networks that no other on their data set beats in both parameters and best test
    accuracy.

    The rows keep the order of the paths; sorted paths, as a shell expands them, are ordered by
    number: iter2 before iter10.

    Example: netbuilder compare archs/results --out compare.png --force
    """
    output = output or table_format()
    require_writable(picture, force)
    if picture is not None and picture.suffix.lower() != ".png":
        raise ConfigError(f"--out {picture}: it is a PNG file; choose a name that ends with .png")
    from netbuilder.render.markdown import table as markdown_table
    from netbuilder.render.runs import COMPARED, COMPARED_DISPENSABLE, compared_cells
    from netbuilder.runs.comparison import compare_networks
    from netbuilder.runs.selection import Selection, natural_order

    subjects = Selection.open_all(natural_order(paths), runs)
    rows = compare_networks(subjects)
    cells = [compared_cells(row) for row in rows]
    if output == "json":
        print(json.dumps([asdict(row) for row in rows], indent=2))
    elif output == "markdown":
        print(markdown_table(COMPARED, cells), end="")
    else:
        from rich.text import Text

        from netbuilder.render.console import show
        from netbuilder.render.table import FittedTable

        plain = output == "plain"
        texts = [list(map(Text, line)) for line in cells]
        table = FittedTable(COMPARED, texts, plain=plain, dispensable=COMPARED_DISPENSABLE)
        show(table, plain=plain)
    for line in dict.fromkeys(line for subject in subjects for line in _remarks(subject)):
        print(printable(line), file=sys.stderr)
    if bare := list(dict.fromkeys(one.architecture.name for one in subjects if _waits(one))):
        names = ", ".join(bare)
        told = f"no runs of {names} in {runs}; `netbuilder train` makes them, or name their folder"
        print(printable(f"{told} with --runs"), file=sys.stderr)
    if picture is not None:
        from netbuilder._files import report_write_errors
        from netbuilder.render.plots.pareto import ParetoPoint, draw_pareto

        drawn = [
            ParetoPoint(
                row.name, row.summary.dataset, row.parameters, row.best,
                min(row.summary.best_test), max(row.summary.best_test),
            )
            for row in rows
            if row.summary is not None and row.best is not None
        ]  # fmt: skip
        if not drawn:
            raise ConfigError("--out: no network has a finished run to draw; train one first")
        with report_write_errors(picture):
            draw_pareto(picture, drawn)
        print(printable(f"wrote {picture}"), file=sys.stderr)


def _waits(subject: Selection) -> bool:
    """Whether it could be trained and no run of its name is there, left out or not."""
    found = subject.runs or subject.other_runs or subject.unreadable
    return subject.architecture.train is not None and not found


def _remarks(subject: Selection) -> list[str]:
    """What the table does not tell of a subject's runs."""
    lines = list(subject.unreadable)
    if unfinished := len(subject.runs) - len(subject.finished):
        lines.append(
            f"{subject.path}: {unfinished} run{'s' * (unfinished > 1)} of "
            f"{subject.architecture.name} left out, not finished"
        )
    if subject.excluded_note:
        lines.append(subject.excluded_note)
    return lines
