"""``netbuilder report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netbuilder._text import plural
from netbuilder.cli._completion import either
from netbuilder.cli._options import Plugins, RunsFolder, require_folder
from netbuilder.cli._output import echo
from netbuilder.runs import RUNS


def report(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH",
            help="Documents, run folders or folders of runs.",
            autocompletion=either,
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder to write into.")] = Path("report"),
    runs: RunsFolder = RUNS,
    force: Annotated[
        bool, typer.Option("--force", help="Write into a folder with other files.")
    ] = False,
    plugins: Plugins = None,
) -> None:
    """Write a report on networks and their runs.

    The report is a Markdown file with its plots, and a single HTML page.

    Networks keep the order of the paths; sorted paths, as a shell expands them, are ordered by
    number: iter2 before iter10.

    Example: netbuilder report archs/iter*.yaml --runs archs/results
    """
    require_folder(out)
    from netbuilder.render.report.model import report_on
    from netbuilder.render.report.write import write_report
    from netbuilder.runs.selection import Selection, natural_order

    content = report_on(Selection.open_all(natural_order(paths), runs))
    for path in write_report(content, out, force=force):
        echo(str(path))
    remarks = sum(len(iteration.remarks) for iteration in content.iterations)
    totals = [
        plural(len(content.iterations), "network"),
        plural(content.runs, "finished run"),
        *([plural(remarks, "remark") + " on missing results"] if remarks else []),
    ]
    echo(", ".join(totals))
