"""The commands that take networks in from Python and give them out: import, export."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from netbuilder.cli.options import Plugins
from netbuilder.errors import ConfigError, MachineError
from netbuilder.shapes import Shape

if TYPE_CHECKING:
    from netbuilder.schema import Architecture

Out = Annotated[Path | None, typer.Option(help="Write to this file instead of the terminal.")]
Force = Annotated[bool, typer.Option("--force", help="Replace the file if there is one.")]
EXPORTED = ("python",)


def import_(
    target: Annotated[
        str,
        typer.Argument(metavar="MODULE:OBJECT", help="An nn.Sequential, or what gives one."),
    ],
    shape: Annotated[str, typer.Option("--input", help="One sample, such as 1,28,28.")],
    name: Annotated[str, typer.Option(help="The document's name; else the object's.")] = "",
    out: Out = None,
    force: Force = False,
    plugins: Plugins = None,
) -> None:
    """Write the document of a network that Python code makes.

    The code is run. The document's network is built beside it and must give the same output.

    Example: netbuilder import mynets.small:net --input 1,28,28
    """
    sizes = _read_shape(shape)
    _require_free(out, force)
    from netbuilder.importing import architecture_of, document, find

    model = find(target)
    name = name or re.sub(r"[^A-Za-z0-9_-]", "_", target.rpartition(":")[2]).strip("_-")
    architecture = architecture_of(model, sizes, name.lower() or "imported")
    remarks = [f"Read from {target}."]
    if [key for key, _ in model.named_parameters()] != _names(architecture):
        remarks.append("The built network numbers its children; copy weights over in their order.")
    frozen = sum(not parameter.requires_grad for parameter in model.parameters())
    if frozen:
        remarks.append(f"There, {frozen} parameters are frozen; a document's layers all learn.")
    _give(document(architecture, "\n".join(remarks)), out)


def export(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A document.")],
    to: Annotated[str, typer.Option(help="What to write: python.")] = "python",
    out: Out = None,
    force: Force = False,
    plugins: Plugins = None,
) -> None:
    """Write a document's network in another form.

    To python: a module of its own, which needs torch and not netbuilder, with the network as a
    class.

    Example: netbuilder export archs/iter10.yaml --to python
    """
    if to not in EXPORTED:
        raise ConfigError(f"--to: found {to!r}; allowed: {', '.join(EXPORTED)}")
    _require_free(out, force)
    from netbuilder.loader import load
    from netbuilder.python_code import python_code

    _give(python_code(load(path)), out)


def _names(architecture: Architecture) -> list[str]:
    """The parameters of the built network, without building it."""
    from netbuilder.analysis import analyse

    return [
        f"{row.path}.{name}"
        for row in analyse(architecture).rows
        if not row.is_container
        for name in row.layer.parameter_shapes(row.input_shape)
    ]


def _read_shape(text: str) -> Shape:
    sizes = re.split(r"\s*[,x×\s]\s*", text.strip(" []()"))
    if not 1 <= len(sizes) <= 4 or not all(re.fullmatch(r"0*[1-9][0-9]{0,8}", s) for s in sizes):
        raise ConfigError(
            f"--input: found {text!r}; allowed: 1 to 4 sizes, such as 1,28,28 for channels, "
            "height and width"
        )
    return tuple(map(int, sizes))


def _require_free(out: Path | None, force: bool) -> None:
    if out is not None and out.is_dir():
        raise ConfigError(f"--out {out}: it is a folder; name a file in it")
    if out is not None and out.exists() and not force:
        raise ConfigError(f"--out {out}: there is one already; --force replaces it")


def _give(text: str, out: Path | None) -> None:
    if out is None:
        print(text, end="")
        return
    from netbuilder.files import write_atomic

    try:
        write_atomic(out, text.encode())
    except OSError as error:
        raise MachineError(f"{out}: cannot be written: {error.strerror}") from error
    print(f"wrote {out}")
