"""Options that several commands share, and the checks of paths to write to."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Iterable
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from netbuilder._text.commands import repeat, shell_word
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


REFUSED = {
    errno.ELOOP: "its links form a loop",
    errno.ENAMETOOLONG: "the name is too long",
    errno.EACCES: "its folder is not accessible",
    errno.ENOTDIR: "its folder is a file",
}
"""What is wrong with an output, for errors of the system."""

Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        help="Change a field of the document, such as train.optimizer.SGD.lr=0.05.",
    ),
]

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
    """Check that an output can be written, before anything is computed for it.

    A file is written through a link; a device, a pipe and standard output, which is ``-``, take
    the output as it is, so that nothing is replaced.

    Raises:
        ConfigError: The file exists and ``force`` is false; or the path is a folder, a socket or a
            loop of links; or the folder of the file is missing.
        MachineError: No file can be created in the folder.
    """
    if out is None:
        return
    from netbuilder._files import destination, report_write_errors, temporary_file

    try:
        file = destination(out)
        exists = file is not None and file.exists()
    except OSError as error:
        reason = REFUSED.get(error.errno or 0, error.strerror)
        remedy = "name a file in it" if out.is_dir() else "name a file, a device, a pipe or -"
        raise ConfigError(f"--out {out}: {reason}; {remedy}") from None
    if file is None:
        return
    place = f"--out {out}" if file == out else f"--out {out}: a link to {file}"
    if exists and not force:
        raise ConfigError(f"{place}: the file exists; --force replaces it")
    if not file.parent.is_dir():
        raise ConfigError(f"{place}: there is no folder {file.parent}; make it, or name another")
    with report_write_errors(out), temporary_file(file):
        pass


def require_folder(out: Path | None) -> None:
    """Check that a folder can be created, or that it exists.

    Raises:
        ConfigError: The path, or what it is below, is not a folder; or it is ``-``.
    """
    if out is None:
        return
    if str(out) == "-":
        raise ConfigError("--out -: several files do not fit into standard output; name a folder")
    for place in (out, *out.parents):
        if place.is_dir():
            return
        if os.path.lexists(place):
            kind = "a file" if place.is_file() else "not a folder"
            if place.is_symlink() and not place.exists():
                kind = "a link that leads nowhere"
            subject = "it" if place == out else place
            raise ConfigError(f"--out {out}: {subject} is {kind}; name a folder")


def is_streamed(out: Path) -> bool:
    """Whether an output that `require_writable` accepts is a device, a pipe or standard output."""
    from netbuilder._files import destination

    return destination(out) is None


def write_output(content: str | bytes, out: Path | None, *, err: bool = False) -> None:
    """Write a result to a path and print the path, or print the result.

    Args:
        content: The result; text, if ``out`` is None.
        out: The path; None for standard output.
        err: Print the path to standard error, as if the result were on standard output.

    Raises:
        MachineError: The path cannot be written.
    """
    if out is None:
        print(content, end="")
        return
    from netbuilder._files import is_stdout, report_write_errors, write_to

    with report_write_errors(out):
        write_to(out, content.encode() if isinstance(content, str) else content)
    if not is_stdout(out):
        echo(f"wrote {out}", err=err)
