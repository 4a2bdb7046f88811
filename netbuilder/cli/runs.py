"""``netbuilder runs``."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal

import typer

from netbuilder.cli._completion import datasets
from netbuilder.cli._options import TableFormat, table_format, whole
from netbuilder.cli._output import echo
from netbuilder.errors import ConfigError
from netbuilder.render.console import show_table
from netbuilder.render.runs import filters_note, runs_table
from netbuilder.runs import RUNS

VerdictName = Literal["met", "not-met", "not-judged", "running", "unfinished", "damaged"]
"""`netbuilder.runs.listing.VERDICTS`, with dashes."""


def runs(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of runs.")] = RUNS,
    name: Annotated[str, typer.Option(help="Pattern of the architecture's name.")] = "*",
    verdict: Annotated[
        VerdictName | None, typer.Option(help="Verdict or state of the run.")
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(help="Data set of the run.", autocompletion=datasets),
    ] = None,
    limit: Annotated[int | None, whole("--limit", 1, "List at most N runs.")] = None,
    output: TableFormat = None,
) -> None:
    """List run folders, newest first.

    Times are in the time zone of this machine; --name, --verdict and --dataset select runs.

    Example: netbuilder runs archs/results --name 'iter*' --limit 5
    """
    output = output or table_format()
    from netbuilder.runs.listing import list_runs

    state = verdict.replace("-", " ") if verdict else None
    if folder.is_file():
        raise ConfigError(f"{folder}: it is a file; name a folder of runs")
    if not folder.is_dir():
        raise ConfigError(
            f"{folder}: no such folder; `netbuilder train` creates it, or name another"
        )
    listed = list_runs(folder)
    rows = [
        row
        for row in listed
        if fnmatchcase(row.name or "", name)
        and state in (None, row.verdict)
        and dataset in (None, row.dataset)
    ][:limit]
    if rows or output in ("json", "markdown"):
        show_table(runs_table(rows, folder), output)
    if listed and not rows:
        echo(filters_note(listed, folder), err=True)
    elif not rows:
        echo(f"{folder}: no run in it; `netbuilder train` creates them", err=True)
    for row in rows:
        if row.fault:
            echo(row.fault, err=True)
