"""The commands that take networks in from Python and give them out: import, export."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from netbuilder.cli import completion
from netbuilder.cli.options import (
    DataDir,
    Force,
    Plugins,
    TextOrJson,
    Weights,
    choice,
    give,
    require_free,
)
from netbuilder.errors import ConfigError, printable
from netbuilder.shapes import Shape

if TYPE_CHECKING:
    from netbuilder.schema import Architecture

Out = Annotated[Path | None, typer.Option(help="Write to this file instead of the terminal.")]
PYTHON = "python"
FORMS = {"onnx": ".onnx", "torch-export": ".pt2", "safetensors": ".safetensors"}
"""What a run is exported to, and how the file's name ends."""


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
    require_free(out, force)
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
    give(document(architecture, "\n".join(remarks)), out)


def export(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH", help="A document or a run folder.", autocompletion=completion.either
        ),
    ],
    to: Annotated[
        str, choice("--to", (PYTHON, *FORMS), "python; or of a run, one of the others.")
    ] = "python",
    weights: Weights = "best",
    out: Annotated[
        Path | None, typer.Option(help="Write to this file; else python goes to the terminal.")
    ] = None,
    force: Force = False,
    data_dir: DataDir = None,
    output: TextOrJson = "text",
    plugins: Plugins = None,
) -> None:
    """Write a network in another form.

    To python, a document's network: a module of its own, which needs torch and not netbuilder, with
    the network as a class. To the others, a run's trained network, which takes normalised images in
    batches of any size; the file is compared with the network on real images before it is kept,
    and carries mean, deviation and classes.

    Example: netbuilder export archs/iter10.yaml --to python
    """
    from netbuilder.files import writing
    from netbuilder.runs import Run

    if to == PYTHON:
        if weights != "best" or output == "json":
            option = f"--weights {weights}" if weights != "best" else "--format json"
            raise ConfigError(
                f"{option}: --to python writes code, without weights or figures; leave it out, or "
                f"take --to {', '.join(FORMS)}"
            )
        require_free(out, force)
        from netbuilder.loader import load
        from netbuilder.python_code import python_code

        give(python_code(Run.open(path).architecture if path.is_dir() else load(path)), out)
        return
    if path.is_file():
        raise ConfigError(
            f"{path}: --to {to} writes trained weights, and a document has none; name a run folder "
            "that `netbuilder train` made of it"
        )
    run = Run.open(path)
    out = out or Path(f"{run.architecture.name}{FORMS[to]}")
    require_free(out, force)
    if to == "torch-export" and out.suffix != FORMS[to]:
        raise ConfigError(f"--out {out}: torch.export.load takes names that end with {FORMS[to]}")
    from netbuilder.exporting import export_run
    from netbuilder.training.limits import limits

    with limits(out), writing(out):
        made = export_run(run, to, out, which=weights, data_dir=data_dir)
    if output == "json":
        print(json.dumps(asdict(made) | {"path": str(made.path)}))
        return
    print(
        printable(f"wrote {made.path}, {made.size:,} bytes; ")
        + f"on {made.images} test images its outputs are at "
        f"most {made.difference:.2g} off, {made.agreeing} of them of the same class"
    )


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
