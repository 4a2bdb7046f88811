"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netbuilder.cli.completion import documents

Documents = Annotated[
    list[Path],
    typer.Argument(metavar="PATH...", help="Documents.", autocompletion=documents),
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        help="Where data sets lie; else NETBUILDER_DATA, else the user's cache folder.",
    ),
]


def _load_plugins(modules: list[str] | None) -> None:
    if modules:
        from netbuilder.layers.plugins import load_plugin

        for module in modules:
            load_plugin(module)


Plugins = Annotated[
    list[str] | None,
    typer.Option(
        "--plugin",
        metavar="MODULE",
        callback=_load_plugins,
        help="A Python module that defines further layer kinds.",
    ),
]
"""Its modules are imported while the command line is read; the commands need not do anything."""
