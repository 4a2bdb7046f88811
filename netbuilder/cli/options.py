"""Options that several commands share, and what is done with them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netbuilder.cli.completion import documents
from netbuilder.errors import ConfigError, MachineError

Documents = Annotated[
    list[Path],
    typer.Argument(metavar="PATH...", help="Documents.", autocompletion=documents),
]
Force = Annotated[bool, typer.Option("--force", help="Replace the file if there is one.")]
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


def require_free(out: Path | None, force: bool) -> None:
    """Refuse to replace a file that nobody said may go.

    Raises:
        ConfigError: there is one, or a folder, or no folder to put it in.
    """
    if out is not None and out.is_dir():
        raise ConfigError(f"--out {out}: it is a folder; name a file in it")
    if out is not None and not out.parent.is_dir():
        raise ConfigError(f"--out {out}: there is no folder {out.parent}; make it first")
    if out is not None and out.exists() and not force:
        raise ConfigError(f"--out {out}: there is one already; --force replaces it")


def give(text: str, out: Path | None) -> None:
    """Write a text to a file and say so, or to the terminal.

    Raises:
        MachineError: the file cannot be written.
    """
    if out is None:
        print(text, end="")
        return
    from netbuilder.files import write_atomic

    try:
        write_atomic(out, text.encode())
    except OSError as error:
        raise MachineError(f"{out}: cannot be written: {error.strerror}") from error
    print(f"wrote {out}")
