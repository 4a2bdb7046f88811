"""Options that several commands share, and what is done with them."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import Annotated, Any

import typer

from netbuilder._text import printable
from netbuilder.cli._completion import datasets, documents
from netbuilder.errors import ConfigError, require_choice
from netbuilder.runs.run import RUNS
from netbuilder.training.options import DEVICES, PRECISIONS, WEIGHTS


def choice(option: str, allowed: Sequence[str], meaning: str = "") -> Any:
    """An option that takes a name of a closed list, which help shows and a shell completes."""

    def read(found: str) -> str:
        require_choice(option, found, allowed)
        return found

    def begun(incomplete: str) -> list[str]:
        return [name for name in allowed if name.startswith(incomplete)]

    names = "|".join(allowed)
    return typer.Option(option, metavar=names, parser=read, autocompletion=begun, help=meaning)


def whole(option: str, least: int, meaning: str) -> Any:
    """An option that takes a whole number of at least ``least``."""

    def read(found: str | int) -> int:  # a default comes as it is
        if not re.fullmatch("[0-9]{1,18}", str(found)) or int(found) < least:
            allowed = f"a whole number of at least {least}"
            raise ConfigError(f"{option}: found {str(found)!r}; allowed: {allowed}")
        return int(found)

    return typer.Option(option, metavar="N", parser=read, help=meaning)


def positive(option: str, meaning: str) -> Any:
    """An option that takes a number above 0."""

    def read(found: str | float) -> float:
        try:
            number = float(found)
        except ValueError:
            number = 0.0
        if not (isfinite(number) and number > 0):
            raise ConfigError(f"{option}: found {str(found)!r}; allowed: a number above 0")
        return number

    return typer.Option(option, metavar="NUMBER", parser=read, help=meaning)


Documents = Annotated[
    list[Path],
    typer.Argument(metavar="PATH", help="Documents.", autocompletion=documents),
]

Device = Annotated[str, choice("--device", DEVICES)]

Precision = Annotated[str, choice("--precision", PRECISIONS)]

Weights = Annotated[str, choice("--weights", WEIGHTS, "Which of the run's.")]

TableFormat = Annotated[str | None, choice("--format", ("rich", "plain", "markdown", "json"))]

TextOrJson = Annotated[str, choice("--format", ("text", "json"))]

Dataset = Annotated[
    str | None, typer.Option(help="In place of the document's.", autocompletion=datasets)
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


def _load_plugins(ctx: typer.Context, modules: list[str] | None) -> None:
    if modules and not ctx.resilient_parsing:  # a key press runs nobody's code
        from netbuilder.components.plugins import load_plugin

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


def table_format() -> str:
    """What a table is shown as unless told: plain text where the output is no terminal."""
    return "rich" if sys.stdout.isatty() else "plain"


def require_writable(out: Path | None, force: bool) -> None:
    """Refuse a file that cannot be made, or may not go, before anything is computed for it.

    Raises:
        ConfigError: there is one, or a folder, or no folder to put it in.
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


def write_output(text: str, out: Path | None) -> None:
    """Write a text to a file and say so, or to the terminal.

    Raises:
        MachineError: the file cannot be written.
    """
    if out is None:
        print(text, end="")
        return
    from netbuilder._files import report_write_errors, write_atomic

    with report_write_errors(out):
        write_atomic(out, text.encode())
    print(printable(f"wrote {out}"))
