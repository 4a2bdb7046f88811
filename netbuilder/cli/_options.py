"""Options that several commands share, and the checks of paths to write to."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from netbuilder._commands import repeat, shell_word
from netbuilder.cli._completion import datasets, documents
from netbuilder.cli._output import echo
from netbuilder.errors import ConfigError
from netbuilder.runs import RUNS
from netbuilder.training.options import DeviceName, PrecisionName, WeightsName


def whole(option: str, low: int, meaning: str) -> Any:
    """Return an option that takes a whole number of at least ``low``."""

    def parse(value: str | int) -> int:  # typer passes a default unchanged
        if not re.fullmatch("[0-9]{1,18}", str(value)) or int(value) < low:
            allowed = f"a whole number of at least {low}"
            raise ConfigError(f"{option}: found {str(value)!r}; allowed: {allowed}")
        return int(value)

    return typer.Option(option, metavar="N", parser=parse, help=meaning)


def positive(option: str, meaning: str) -> Any:
    """Return an option that takes a number above 0."""

    def parse(value: str | float) -> float:
        try:
            number = float(value)
        except ValueError:
            number = 0.0
        if not (isfinite(number) and number > 0):
            raise ConfigError(f"{option}: found {str(value)!r}; allowed: a number above 0")
        return number

    return typer.Option(option, metavar="NUMBER", parser=parse, help=meaning)


Documents = Annotated[
    list[Path],
    typer.Argument(metavar="PATH", help="Documents.", autocompletion=documents),
]

Device = Annotated[DeviceName, typer.Option("--device", help="Where to compute.")]

Precision = Annotated[
    PrecisionName, typer.Option("--precision", help="Precision of the computation.")
]

Weights = Annotated[
    WeightsName, typer.Option("--weights", help="Weights of the best or last epoch.")
]

TableFormat = Annotated[
    Literal["rich", "plain", "markdown", "json"] | None,
    typer.Option("--format", help="Output format; by default rich in a terminal, plain elsewhere."),
]

TextOrJson = Annotated[Literal["text", "json"], typer.Option("--format", help="Output format.")]

Dataset = Annotated[
    str | None,
    typer.Option(help="Replace the data set of the document.", autocompletion=datasets),
]

Force = Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")]


def _repeat_data_dir(folder: Path | None) -> Path | None:
    if folder is not None:
        repeat("--data-dir", folder)
    return folder


DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        callback=_repeat_data_dir,
        help="Folder of the data sets; by default NETBUILDER_DATA, or the user's cache folder.",
    ),
]


def _require_existing(folder: Path) -> Path:
    if folder != RUNS and not folder.is_dir():
        raise ConfigError(f"--runs {folder}: no such folder; name the one that `train` wrote to")
    return folder


RunsFolder = Annotated[
    Path,
    typer.Option(
        "--runs", help="Folder with the runs of the documents.", callback=_require_existing
    ),
]


def _load_plugins(ctx: typer.Context, modules: list[str] | None) -> None:
    if modules and not ctx.resilient_parsing:  # completing a line must not run a plugin's code
        from netbuilder.components.plugins import load_plugin

        for module in modules:
            load_plugin(module)
            repeat("--plugin", module)


Plugins = Annotated[
    list[str] | None,
    typer.Option(
        "--plugin",
        metavar="MODULE",
        callback=_load_plugins,
        help="A Python module that defines further layer kinds.",
    ),
]
"""The modules are imported while the command line is parsed; commands need not use the value."""


def table_format() -> Literal["rich", "plain"]:
    """Return the default format of a table: plain text where the output is not a terminal."""
    return "rich" if sys.stdout.isatty() else "plain"


def require_documents(paths: Iterable[Path]) -> None:
    """Check that no path is a change of a field, as Hydra takes them.

    Raises:
        ConfigError: One is.
    """
    for path in paths:
        if re.match(r"[+~]*[A-Za-z_][\w.\[\]]*=", str(path)) and not path.exists():
            change = shell_word(str(path).lstrip("+~"))
            raise ConfigError(f"{path}: no such file; to change a field, write --set {change}")


def require_writable(out: Path | None, force: bool) -> None:
    """Check that a file can be written, before anything is computed for it.

    Raises:
        ConfigError: The file exists and ``force`` is false; or the path is a folder; or the folder
            of the file is missing.
    """
    if out is None:
        return
    if out.is_dir():
        raise ConfigError(f"--out {out}: it is a folder; name a file in it")
    if out.exists() and not force:
        raise ConfigError(f"--out {out}: the file exists; --force replaces it")
    if not out.parent.is_dir():
        raise ConfigError(f"--out {out}: there is no folder {out.parent}; make it, or name another")


def require_folder(out: Path | None) -> None:
    """Check that a folder can be created.

    Raises:
        ConfigError: The path is a file, or below one.
    """
    for place in (out, *out.parents) if out else ():
        if place.is_file():
            raise ConfigError(f"--out {out}: {place} is a file; name a folder")


def write_output(text: str, out: Path | None) -> None:
    """Write a text to a file and print its path, or print the text.

    Raises:
        MachineError: The file cannot be written.
    """
    if out is None:
        print(text, end="")
        return
    from netbuilder._files import report_write_errors, write_atomic

    with report_write_errors(out):
        write_atomic(out, text.encode())
    echo(f"wrote {out}")
