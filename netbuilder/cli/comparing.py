"""The commands that hold networks and runs beside one another: diff, runs, compare."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from netbuilder.cli.completion import either
from netbuilder.cli.options import Force, Plugins, RunsFolder, require_free
from netbuilder.errors import ConfigError, printable

if TYPE_CHECKING:
    from netbuilder.listing import Listed
    from netbuilder.subjects import Subject

RUN_COLUMNS = (
    "run", "started", "data set", "device", "epochs", "best test", "last test", "verdict",
)  # fmt: skip
FORMATS = ("rich", "plain", "markdown", "json")
Format = Annotated[str, typer.Option("--format", help="rich, plain, markdown or json.")]


def _chosen(output: str) -> str:
    output = output or ("rich" if sys.stdout.isatty() else "plain")
    if output not in FORMATS:
        raise ConfigError(f"--format: found {output!r}; allowed: {', '.join(FORMATS)}")
    return output


def diff(
    before: Annotated[
        Path, typer.Argument(metavar="A", help="A document or a run folder.", autocompletion=either)
    ],
    after: Annotated[
        Path, typer.Argument(metavar="B", help="A document or a run folder.", autocompletion=either)
    ],
    output: Format = "",
    runs: RunsFolder = Path("runs"),
    plugins: Plugins = None,
) -> None:
    """Show what differs from A to B: layers, figures, training, targets and accuracy.

    Example: netbuilder diff archs/iter5.yaml archs/iter6.yaml
    """
    output = _chosen(output)
    from netbuilder import changes, tables
    from netbuilder.analysis import analyse
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
        tables.show(changes.as_tables(compared, plain=plain), plain=plain)


def runs(
    folder: Annotated[
        Path, typer.Argument(metavar="[FOLDER]", help="Where runs lie.", file_okay=False)
    ] = Path("runs"),
    name: Annotated[str, typer.Option(help="Only architectures of this name; * for any.")] = "*",
    verdict: Annotated[
        str | None, typer.Option(help="met, not-met, not-judged, unfinished or damaged.")
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="Only what trained on this data set.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the newest so many.")] = None,
    output: Annotated[str, typer.Option("--format", help="text, markdown or json.")] = "text",
) -> None:
    """List run folders, the newest first.

    Example: netbuilder runs archs/results --name 'iter*' --limit 5
    """
    from netbuilder.listing import VERDICTS, list_runs

    if output not in ("text", "markdown", "json"):
        raise ConfigError(f"--format: found {output!r}; allowed: text, markdown, json")
    wanted = verdict.replace("-", " ") if verdict else None
    if wanted and wanted not in VERDICTS:
        allowed = ", ".join(known.replace(" ", "-") for known in VERDICTS)
        raise ConfigError(f"--verdict: found {verdict!r}; allowed: {allowed}")
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder; `netbuilder train` makes it, or name another")
    rows = [
        row
        for row in list_runs(folder)
        if fnmatchcase(row.name or "", name)
        and wanted in (None, row.verdict)
        and dataset in (None, row.dataset)
    ][:limit]
    if output == "json":
        print(json.dumps([asdict(row) | {"path": str(row.path)} for row in rows], indent=2))
        return
    cells = [_cells(row, folder) for row in rows]
    if output == "markdown":
        from netbuilder.formats import markdown_table

        print(markdown_table(RUN_COLUMNS, cells), end="")
        return
    if not rows:
        asked = (name, wanted, dataset) != ("*", None, None)
        none = "of that kind in it" if asked else "in it; `netbuilder train` makes them"
        print(printable(f"{folder}: no run {none}"))
        return
    from rich.table import Table
    from rich.text import Text

    from netbuilder.tables import show

    plain = not sys.stdout.isatty()
    table = Table(*RUN_COLUMNS, box=None) if plain else Table(*RUN_COLUMNS)
    styles = {"met": "green", "not met": "red", "damaged": "red", "unfinished": "yellow"}
    for row, line in zip(rows, cells, strict=True):
        style = styles.get(row.verdict, "")
        table.add_row(*map(Text, line[:-1]), Text(line[-1], style=style))
    show(table, plain=plain)


def _cells(row: Listed, folder: Path) -> list[str]:
    def percent(value: float | None) -> str:
        return "" if value is None else f"{value:.2f}"

    path = printable(str(row.path.relative_to(folder)))
    if row.verdict == "damaged":
        return [path, *[""] * 6, f"damaged: {printable(row.fault)}"]
    return [
        path,
        (row.started or "")[:16].replace("T", " "),
        printable(row.dataset or ""),
        row.device or "",
        f"{row.epochs} of {row.asked}",
        percent(row.best),
        percent(row.last),
        row.verdict,
    ]


def compare(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUNS|ARCHS...",
            help="Run folders, folders of them, or documents.",
            autocompletion=either,
        ),
    ],
    output: Format = "",
    picture: Annotated[
        Path | None, typer.Option("--out", help="Draw accuracy against parameters: a PNG file.")
    ] = None,
    force: Force = False,
    runs: RunsFolder = Path("runs"),
    plugins: Plugins = None,
) -> None:
    """Compare networks by size, cost and what their runs reached.

    Means over the seeds of a document, in percent, with their standard deviation. A star marks
    those that no other beats in both parameters and best test accuracy.

    Example: netbuilder compare archs/results --out compare.png --force
    """
    output = _chosen(output)
    require_free(picture, force)
    from netbuilder import tables
    from netbuilder.formats import markdown_table
    from netbuilder.results import COMPARED, compare_subjects, compared_cells
    from netbuilder.subjects import Subject

    subjects = Subject.open_all(paths, runs)
    rows = compare_subjects(subjects)
    cells = [compared_cells(row) for row in rows]
    if output == "json":
        print(json.dumps([asdict(row) for row in rows], indent=2))
    elif output == "markdown":
        print(markdown_table(COMPARED, cells), end="")
    else:
        from rich.text import Text

        plain = output == "plain"
        table = tables.Fitted(COMPARED, [list(map(Text, line)) for line in cells], plain=plain)
        tables.show(table, plain=plain)
    for subject in subjects:
        for line in _remarks(subject):
            print(printable(line), file=sys.stderr)
    if picture is not None:
        from netbuilder.files import writing
        from netbuilder.plots import Sized, draw_sizes

        drawn = [
            Sized(row.name, row.parameters, row.best, row.worst_seed, row.best_seed, row.front)
            for row in rows
            if row.best is not None and row.worst_seed is not None and row.best_seed is not None
        ]
        if not drawn:
            raise ConfigError("--out: no network has a finished run to draw; train one first")
        with writing(picture):
            draw_sizes(picture, "Best test accuracy against parameters", drawn)
        print(printable(f"wrote {picture}"), file=sys.stderr)


def _remarks(subject: Subject) -> list[str]:
    """What the table does not tell of a subject's runs."""
    lines = list(subject.unreadable)
    if subject.otherwise:
        count = len(subject.otherwise)
        lines.append(
            f"{subject.path}: {count} run{'s' * (count > 1)} of its name left out, trained from "
            "another text or with other settings"
        )
    return lines
