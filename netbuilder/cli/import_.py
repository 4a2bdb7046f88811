"""``netbuilder import``."""

from __future__ import annotations

import re
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from netbuilder.cli._options import Force, Plugins, require_writable, write_output
from netbuilder.components.shapes import Shape
from netbuilder.errors import ConfigError

if TYPE_CHECKING:
    from netbuilder.config.schema import Architecture


Out = Annotated[Path | None, typer.Option(help="Output file; by default the terminal.")]


def import_(
    target: Annotated[
        str,
        typer.Argument(
            metavar="MODULE:OBJECT", help="An nn.Sequential, or a function that returns one."
        ),
    ],
    shape: Annotated[str, typer.Option("--input", help="Shape of one sample, such as 1,28,28.")],
    name: Annotated[str, typer.Option(help="Name of the document; default OBJECT.")] = "",
    out: Out = None,
    force: Force = False,
    plugins: Plugins = None,
) -> None:
    """Write the document of a network that Python code builds.

    The code is run. The network of the document is built, too, and its output must be the same.

    Example: netbuilder import mynets.small:net --input 1,28,28
    """
    input_shape = _parse_shape(shape)
    require_writable(out, force)
    from netbuilder.components.own_streams import own_descriptors
    from netbuilder.config.loader import parse_architecture
    from netbuilder.network.document import document
    from netbuilder.network.foreign_modules import named_tensors, remarks_on
    from netbuilder.network.from_torch import architecture_of, import_object

    # What the code prints is not part of the document.
    with own_descriptors(), redirect_stdout(sys.stderr):
        model = import_object(target)
        name = name or re.sub(r"[^A-Za-z0-9_-]", "_", target.rpartition(":")[2]).strip("_-")
        architecture = architecture_of(model, input_shape, name.lower() or "imported")
    remarks = [f"Read from {target}."]
    if [name for name, _ in named_tensors(model, "_parameters")] != _parameter_names(architecture):
        remarks.append("The built network numbers its modules; copy weights in their order.")
    remarks += remarks_on(model)
    text = document(architecture, "\n".join(remarks))
    try:
        parse_architecture(text, name)
    except ConfigError as error:
        reason = error.problems[0].message if error.problems else str(error)
        raise ConfigError(f"{target}: its document would be refused: {reason}") from None
    write_output(text, out)


def _parameter_names(architecture: Architecture) -> list[str]:
    """Return the parameter names of the built network, without building it."""
    from netbuilder.network.analysis import analyse

    return [
        f"{row.path}.{name}"
        for row in analyse(architecture).rows
        if not row.is_container
        for name in row.layer.parameter_shapes(row.input_shape)
    ]


def _parse_shape(text: str) -> Shape:
    sizes = re.split(r"\s*[,x×\s]\s*", text.strip(" []()"))
    if not 1 <= len(sizes) <= 4 or not all(re.fullmatch(r"0*[1-9][0-9]{0,8}", s) for s in sizes):
        raise ConfigError(
            f"--input: found {text!r}; allowed: 1 to 4 sizes, such as 1,28,28 for channels, "
            "height and width"
        )
    return tuple(map(int, sizes))
