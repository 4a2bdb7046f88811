"""``netbuilder diff``."""

from __future__ import annotations

import json
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
    from netbuilder.render import diff as changes
    from netbuilder.render.console import show
    from netbuilder.runs.selection import Selection

    first, second = (Selection.open(path, runs) for path in (before, after))
    found = diff_architectures(analyse(first.architecture), analyse(second.architecture))
    compared = changes.RenderedDiff(first, second, found)
    if output == "json":
        print(json.dumps(changes.as_data(compared), indent=2))
    elif output == "markdown":
        print(changes.as_markdown(compared), end="")
    else:
        plain = output == "plain"
        show(changes.as_tables(compared, plain=plain), plain=plain)
