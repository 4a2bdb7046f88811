"""The commands that hold networks and runs beside one another: diff, runs, compare."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from netbuilder.cli.options import Plugins
from netbuilder.errors import ConfigError

FORMATS = ("rich", "plain", "markdown", "json")
Format = Annotated[str, typer.Option("--format", help="rich, plain, markdown or json.")]
RunsFolder = Annotated[Path, typer.Option("--runs", help="Where documents' runs are looked for.")]


def _chosen(output: str) -> str:
    output = output or ("rich" if sys.stdout.isatty() else "plain")
    if output not in FORMATS:
        raise ConfigError(f"--format: found {output!r}; allowed: {', '.join(FORMATS)}")
    return output


def diff(
    before: Annotated[Path, typer.Argument(metavar="A", help="A document or a run folder.")],
    after: Annotated[Path, typer.Argument(metavar="B", help="A document or a run folder.")],
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
