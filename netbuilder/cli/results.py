"""``netbuilder results``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from netbuilder.cli import _completion as completion
from netbuilder.cli._options import Plugins, TableFormat, table_format
from netbuilder.errors import ConfigError


def results(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUNS",
            help="Run folders, or folders of them.",
            autocompletion=completion.runs,
        ),
    ],
    output: TableFormat = None,
    plugins: Plugins = None,
) -> None:
    """Compare finished runs with published figures.

    One row an architecture: means over its seeds, in percent.

    Example: netbuilder results runs --format markdown
    """
    output = output or table_format()
    from dataclasses import asdict

    from netbuilder.render.markdown import table as markdown_table
    from netbuilder.render.runs import COLUMNS, DISPENSABLE, cells
    from netbuilder.runs.run import Run
    from netbuilder.runs.selection import readable_runs
    from netbuilder.runs.statistics import summarize_runs

    kept, unreadable = readable_runs((run.path for run in Run.find(paths)), analyzed=True)
    if not kept:
        raise ConfigError("\n".join(unreadable))
    summaries = summarize_runs(kept)
    for line in unreadable:
        print(line, file=sys.stderr)
    if not summaries:
        print(
            "no finished run in it; go on with one: netbuilder train --resume RUN", file=sys.stderr
        )
    if output == "markdown":
        print(markdown_table(COLUMNS, map(cells, summaries)), end="")
    elif output == "json":
        print(json.dumps([asdict(summary) for summary in summaries], indent=2))
    elif summaries:
        from rich.text import Text

        from netbuilder.render.console import show
        from netbuilder.render.table import FittedTable

        plain = output == "plain"
        rows = [list(map(Text, cells(summary))) for summary in summaries]
        show(FittedTable(COLUMNS, rows, plain=plain, dispensable=DISPENSABLE), plain=plain)
