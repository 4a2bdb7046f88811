"""``netbuilder import``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from netbuilder.cli._options import Force, Plugins, require_writable, write_output
from netbuilder.components.shapes import Shape
from netbuilder.errors import ConfigError

if TYPE_CHECKING:
    from netbuilder.config.schema import Architecture


Out = Annotated[Path | None, typer.Option(help="Write to this file instead of the terminal.")]


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
    require_writable(out, force)
    from netbuilder.network.from_torch import architecture_of, document, import_object

    model = import_object(target)
    name = name or re.sub(r"[^A-Za-z0-9_-]", "_", target.rpartition(":")[2]).strip("_-")
    architecture = architecture_of(model, sizes, name.lower() or "imported")
    remarks = [f"Read from {target}."]
    if [key for key, _ in model.named_parameters()] != _names(architecture):
        remarks.append("The built network numbers its children; copy weights over in their order.")
    frozen = sum(not parameter.requires_grad for parameter in model.parameters())
    if frozen:
        remarks.append(f"There, {frozen} parameters are frozen; a document's layers all learn.")
    write_output(document(architecture, "\n".join(remarks)), out)


def _names(architecture: Architecture) -> list[str]:
    """The parameters of the built network, without building it."""
    from netbuilder.network.analysis import analyse

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
