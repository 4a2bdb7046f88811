"""``netbuilder report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netbuilder.cli._completion import either
from netbuilder.cli._options import Plugins, RunsFolder
from netbuilder.runs.run import RUNS


def report(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH",
            help="Documents, run folders or folders of runs.",
            autocompletion=either,
        ),
    ],
    out: Annotated[Path, typer.Option(help="The folder to write into.")] = Path("report"),
    runs: RunsFolder = RUNS,
    force: Annotated[
        bool, typer.Option("--force", help="Write into a folder that holds something else.")
    ] = False,
    plugins: Plugins = None,
) -> None:
    """Write a report of networks and their runs.

    As markdown with its pictures, and as one page of HTML.

    The networks stand in the order given; paths that come sorted, as a shell's pattern gives them,
    count up instead: iter2 before iter10.

    Example: netbuilder report archs/iter*.yaml --runs archs/results
    """
    from netbuilder._text import printable
    from netbuilder.render.report.model import report_on
    from netbuilder.render.report.write import write_report
    from netbuilder.runs.selection import Selection, natural_order

    found = report_on(Selection.open_all(natural_order(paths), runs))
    written = write_report(found, out, force=force)
    for path in written:
        print(printable(str(path)))
    left_out = sum(len(iteration.remarks) for iteration in found.iterations)
    networks = len(found.iterations)
    print(
        f"{networks} network{'s' * (networks != 1)}, {found.runs} finished "
        f"run{'s' * (found.runs != 1)}"
        + (f"; {left_out} remark{'s' * (left_out != 1)} in it on what is missing" * bool(left_out))
    )
