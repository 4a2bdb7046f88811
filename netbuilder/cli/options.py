"""Options that several commands share, and what is done with them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netbuilder.cli.completion import documents
from netbuilder.errors import ConfigError, printable

RUNS = Path("runs")
"""Where run folders are looked for; nobody need have made it."""
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


def _existing(folder: Path) -> Path:
    if folder != RUNS and not folder.is_dir():
        raise ConfigError(f"--runs {folder}: no such folder; name the one that `train` wrote into")
    return folder


RunsFolder = Annotated[
    Path,
    typer.Option("--runs", help="Where documents' runs are looked for.", callback=_existing),
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
    """Refuse a file that cannot be made there, or would replace one that nobody said may go.

    Raises:
        ConfigError: there is one, or a folder, or no folder for it.
    """
    if out is None:
        return
    if out.is_dir():
        raise ConfigError(f"--out {out}: it is a folder; name a file in it")
    if out.exists() and not force:
        raise ConfigError(f"--out {out}: there is one already; --force replaces it")
    if not out.parent.is_dir():
        raise ConfigError(f"--out {out}: there is no folder {out.parent}; make it, or name another")


def require_folder(out: Path | None) -> None:
    """Refuse a place where no folder can be made.

    Raises:
        ConfigError: it is a file, or below one.
    """
    for place in (out, *out.parents) if out else ():
        if place.is_file():
            raise ConfigError(f"--out {out}: {place} is a file; name a folder")


def give(text: str, out: Path | None) -> None:
    """Write a text to a file and say so, or to the terminal.

    Raises:
        MachineError: the file cannot be written.
    """
    if out is None:
        print(text, end="")
        return
    from netbuilder.files import write_atomic, writing

    with writing(out):
        write_atomic(out, text.encode())
    print(printable(f"wrote {out}"))
