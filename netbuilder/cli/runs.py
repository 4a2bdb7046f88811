"""``netbuilder runs``."""

from __future__ import annotations

import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

import typer

from netbuilder._text import printable
from netbuilder.cli._completion import datasets
from netbuilder.cli._options import TableFormat, choice, table_format, whole
from netbuilder.errors import ConfigError
from netbuilder.render.console import show_table
from netbuilder.render.runs import filters_note, runs_table
from netbuilder.runs.listing import VERDICTS
from netbuilder.runs.run import RUNS

VERDICT_WORDS = tuple(verdict.replace(" ", "-") for verdict in VERDICTS)


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
    from netbuilder.runs.listing import list_runs

    wanted = verdict.replace("-", " ") if verdict else None
    if folder.is_file():
        raise ConfigError(f"{folder}: it is a file; name a folder of runs")
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder; `netbuilder train` makes it, or name another")
    listed = list_runs(folder)
    rows = [
        row
        for row in listed
        if fnmatchcase(row.name or "", name)
        and wanted in (None, row.verdict)
        and dataset in (None, row.dataset)
    ][:limit]
    if rows or output in ("json", "markdown"):
        show_table(runs_table(rows, folder), output)
    if listed and not rows:
        print(filters_note(listed, folder), file=sys.stderr)
    elif not rows:
        print(printable(f"{folder}: no run in it; `netbuilder train` makes them"), file=sys.stderr)
    for row in rows:
        if row.fault:
            print(printable(row.fault), file=sys.stderr)
