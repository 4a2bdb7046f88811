"""``netbuilder results``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netbuilder._text.commands import resume_command
from netbuilder.cli import _completion as completion
from netbuilder.cli._options import Plugins, TableFormat, table_format
from netbuilder.cli._output import echo
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
    """Compare finished runs with published results.

    One row per architecture: means over its seeds, in percent.

    Example: netbuilder results runs --format markdown
    """
    output = output or table_format()
    from netbuilder.render.console import show_table
    from netbuilder.render.runs import results_table
    from netbuilder.runs.run import Run
    from netbuilder.runs.selection import readable_runs
    from netbuilder.runs.statistics import summarize_runs

    runs, unreadable = readable_runs((run.path for run in Run.find(paths)), analyzed=True)
    if not runs:
        raise ConfigError("\n".join(unreadable))
    summaries = summarize_runs(runs)
    for line in unreadable:
        echo(line, err=True)
    if not summaries:
        echo(f"no finished run in it; resume one: {resume_command(runs[0].path)}", err=True)
    if summaries or output in ("json", "markdown"):
        show_table(results_table(summaries), output)
