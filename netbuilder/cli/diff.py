"""``netbuilder diff``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netbuilder.cli._completion import either
from netbuilder.cli._options import Plugins, RunsFolder, TableFormat, table_format
from netbuilder.runs import RUNS


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
    """Show the differences between two documents or runs.

    Layers, training, targets and accuracy, from A to B. The exit code is 0 with and without
    differences; --format json has the field "differs".

    Example: netbuilder diff archs/iter5.yaml archs/iter6.yaml
    """
    output = output or table_format()
    from netbuilder.network.analysis import analyse
    from netbuilder.network.diff import diff_architectures
    from netbuilder.render.console import show
    from netbuilder.render.diff import FORMATS, RenderedDiff, as_blocks
    from netbuilder.runs.selection import Selection

    first, second = (Selection.open(path, runs) for path in (before, after))
    sides = analyse(first.architecture), analyse(second.architecture)
    compared = RenderedDiff(first, second, diff_architectures(*sides))
    if output in FORMATS:
        print(FORMATS[output](compared), end="")
    else:
        show(*as_blocks(compared), plain=output == "plain")
