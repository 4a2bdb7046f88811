"""The commands that hold networks and runs beside one another: diff, runs, compare."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from netbuilder.choices import VERDICTS
from netbuilder.cli.completion import datasets, either
from netbuilder.cli.options import (
    Force,
    Plugins,
    RunsFolder,
    TableFormat,
    choice,
    require_free,
    table_format,
    whole,
)
from netbuilder.errors import ConfigError, printable
from netbuilder.runs import RUNS

if TYPE_CHECKING:
    from netbuilder.listing import Listed
    from netbuilder.subjects import Subject

RUN_COLUMNS = (
    "run", "started", "data set", "device", "epochs", "best test", "last test", "verdict",
)  # fmt: skip
VERDICT_WORDS = tuple(verdict.replace(" ", "-") for verdict in VERDICTS)
DISPENSABLE = ("device", "started", "data set", "last test", "epochs", "best test")
"""What a narrow terminal does without, the first of them first."""


def diff(
    before: Annotated[
        Path, typer.Argument(metavar="A", help="A document or a run folder.", autocompletion=either)
    ],
    after: Annotated[
        Path, typer.Argument(metavar="B", help="A document or a run folder.", autocompletion=either)
    ],
    output: TableFormat = None,
    runs: RunsFolder = RUNS,
    plugins: Plugins = None,
) -> None:
    """Show what differs between two documents or runs.

    Layers with their figures, training, targets and accuracy, from A to B.

    The exit code is 0 whether or not anything does; --format json says which as "differs".

    Example: netbuilder diff archs/iter5.yaml archs/iter6.yaml
    """
    output = output or table_format()
    from netbuilder import changes
    from netbuilder.analysis import analyse
    from netbuilder.console import show
    from netbuilder.difference import difference
    from netbuilder.subjects import Subject

    first, second = (Subject.open(path, runs) for path in (before, after))
    found = difference(analyse(first.architecture), analyse(second.architecture))
    compared = changes.Compared(first, second, found)
    if output == "json":
        print(json.dumps(changes.as_data(compared), indent=2))
    elif output == "markdown":
        print(changes.as_markdown(compared), end="")
    else:
        plain = output == "plain"
        show(changes.as_tables(compared, plain=plain), plain=plain)


def runs(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where runs lie.")] = RUNS,
    name: Annotated[str, typer.Option(help="Only architectures of this name; * for any.")] = "*",
    verdict: Annotated[str | None, choice("--verdict", VERDICT_WORDS)] = None,
    dataset: Annotated[
        str | None,
        typer.Option(help="Only what trained on this data set.", autocompletion=datasets),
    ] = None,
    limit: Annotated[int | None, whole("--limit", 1, "Only the newest so many.")] = None,
    output: TableFormat = None,
) -> None:
    """List run folders, the newest first, in this machine's time.

    Example: netbuilder runs archs/results --name 'iter*' --limit 5
    """
    output = output or table_format()
    from netbuilder.listing import list_runs

    wanted = verdict.replace("-", " ") if verdict else None
    if folder.is_file():
        raise ConfigError(f"{folder}: it is a file; name a folder of runs")
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder; `netbuilder train` makes it, or name another")
    there = list_runs(folder)
    rows = [
        row
        for row in there
        if fnmatchcase(row.name or "", name)
        and wanted in (None, row.verdict)
        and dataset in (None, row.dataset)
    ][:limit]
    if output == "json":
        print(json.dumps([asdict(row) | {"path": str(row.path)} for row in rows], indent=2))
    elif output == "markdown":
        from netbuilder.markdown import table as markdown_table

        print(markdown_table(RUN_COLUMNS, [_cells(row, folder) for row in rows]), end="")
    elif rows:
        _show_runs(rows, folder, plain=output == "plain")
    if there and not rows:
        print(_what_there_is(there, folder), file=sys.stderr)
    elif not rows:
        none = f"{folder}: no run in it; `netbuilder train` makes them"
        print(printable(none), file=sys.stderr)
    for row in rows:
        if row.fault:
            print(printable(row.fault), file=sys.stderr)


def _show_runs(rows: list[Listed], folder: Path, *, plain: bool) -> None:
    from rich.text import Text

    from netbuilder.console import show
    from netbuilder.fitted import Fitted

    styles = {"met": "green", "not met": "red", "damaged": "red", "unfinished": "yellow"}
    lines = [
        [*map(Text, cells[:-1]), Text(cells[-1], style=styles.get(row.verdict, ""))]
        for row in rows
        for cells in (_cells(row, folder),)
    ]
    show(Fitted(RUN_COLUMNS, lines, plain=plain, dispensable=DISPENSABLE), plain=plain)


def _what_there_is(rows: list[Listed], folder: Path) -> str:
    """That no run is of the kind that was asked for, and which could be."""
    from netbuilder.run_files import natural

    names = sorted({row.name for row in rows if row.name}, key=natural)
    datasets = sorted({row.dataset for row in rows if row.dataset})
    verdicts = sorted({row.verdict.replace(" ", "-") for row in rows})
    kinds = {"names": names, "data sets": datasets, "verdicts": verdicts}
    there = "; ".join(f"{kind}: {', '.join(found)}" for kind, found in kinds.items() if found)
    count = len(rows)
    return printable(f"{folder}: no run of its {count} is of that kind; there are {there}")


def _cells(row: Listed, folder: Path) -> list[str]:
    def percent(value: float | None) -> str:
        return "" if value is None else f"{value:.2f}"

    path = printable(str(row.path if row.path == folder else row.path.relative_to(folder)))
    if row.verdict == "damaged":
        return [path, *[""] * 6, row.verdict]
    return [
        path,
        f"{row.begun:%Y-%m-%d %H:%M}",
        printable(row.dataset or ""),
        printable(row.device or ""),
        f"{row.epochs} of {row.asked}",
        percent(row.best),
        percent(row.last),
        row.verdict,
    ]


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
        Path | None, typer.Option("--out", help="Draw accuracy against parameters: a PNG file.")
    ] = None,
    force: Force = False,
    runs: RunsFolder = RUNS,
    plugins: Plugins = None,
) -> None:
    """Compare networks by size, cost and what their runs reached.

    Means over the seeds of a document, in percent, with their standard deviation. A star marks
    those that no other on their data set beats in both parameters and best test accuracy.

    The networks stand in the order given; paths that come sorted, as a shell's pattern gives them,
    count up instead: iter2 before iter10.

    Example: netbuilder compare archs/results --out compare.png --force
    """
    output = output or table_format()
    require_free(picture, force)
    if picture is not None and picture.suffix.lower() != ".png":
        raise ConfigError(f"--out {picture}: it becomes a PNG file; let its name end with .png")
    from netbuilder.markdown import table as markdown_table
    from netbuilder.results import COMPARED, COMPARED_DISPENSABLE, compare_subjects, compared_cells
    from netbuilder.subjects import Subject, counted_up

    subjects = Subject.open_all(counted_up(paths), runs)
    rows = compare_subjects(subjects)
    cells = [compared_cells(row) for row in rows]
    if output == "json":
        print(json.dumps([asdict(row) for row in rows], indent=2))
    elif output == "markdown":
        print(markdown_table(COMPARED, cells), end="")
    else:
        from rich.text import Text

        from netbuilder.console import show
        from netbuilder.fitted import Fitted

        plain = output == "plain"
        texts = [list(map(Text, line)) for line in cells]
        table = Fitted(COMPARED, texts, plain=plain, dispensable=COMPARED_DISPENSABLE)
        show(table, plain=plain)
    for line in dict.fromkeys(line for subject in subjects for line in _remarks(subject)):
        print(printable(line), file=sys.stderr)
    if bare := list(dict.fromkeys(one.architecture.name for one in subjects if _waits(one))):
        names = ", ".join(bare)
        told = f"no runs of {names} in {runs}; `netbuilder train` makes them, or name their folder"
        print(printable(f"{told} with --runs"), file=sys.stderr)
    if picture is not None:
        from netbuilder.files import writing
        from netbuilder.plots.sizes import Sized, draw_sizes

        drawn = [
            Sized(
                row.name, row.summary.dataset, row.parameters, row.best,
                min(row.summary.best_test), max(row.summary.best_test),
            )
            for row in rows
            if row.summary is not None and row.best is not None
        ]  # fmt: skip
        if not drawn:
            raise ConfigError("--out: no network has a finished run to draw; train one first")
        with writing(picture):
            draw_sizes(picture, drawn)
        print(printable(f"wrote {picture}"), file=sys.stderr)


def _waits(subject: Subject) -> bool:
    """Whether it could be trained and no run of its name is there, left out or not."""
    found = subject.runs or subject.otherwise or subject.unreadable
    return subject.architecture.train is not None and not found


def _remarks(subject: Subject) -> list[str]:
    """What the table does not tell of a subject's runs."""
    lines = list(subject.unreadable)
    if unfinished := len(subject.runs) - len(subject.finished):
        lines.append(
            f"{subject.path}: {unfinished} run{'s' * (unfinished > 1)} of "
            f"{subject.architecture.name} left out, not finished"
        )
    if subject.left_out:
        lines.append(subject.left_out)
    return lines
