"""``netbuilder export``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from netbuilder._text import printable
from netbuilder.cli import _completion as completion
from netbuilder.cli._options import (
    DataDir,
    Force,
    Plugins,
    TextOrJson,
    Weights,
    choice,
    require_writable,
    write_output,
)
from netbuilder.errors import ConfigError

PYTHON = "python"

FORMS = {"onnx": ".onnx", "torch-export": ".pt2", "safetensors": ".safetensors"}
"""What a run is exported to, and how the file's name ends."""


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
    from netbuilder._files import report_write_errors
    from netbuilder.runs.run import Run

    if to == PYTHON:
        if weights != "best" or output == "json":
            option = f"--weights {weights}" if weights != "best" else "--format json"
            raise ConfigError(
                f"{option}: --to python writes code, without weights or figures; leave it out, or "
                f"take --to {', '.join(FORMS)}"
            )
        require_writable(out, force)
        from netbuilder.config.loader import load
        from netbuilder.network.codegen import python_code

        write_output(python_code(Run.open(path).architecture if path.is_dir() else load(path)), out)
        return
    if path.is_file():
        raise ConfigError(
            f"{path}: --to {to} writes trained weights, and a document has none; name a run folder "
            "that `netbuilder train` made of it"
        )
    run = Run.open(path)
    out = out or Path(f"{run.architecture.name}{FORMS[to]}")
    require_writable(out, force)
    if to == "torch-export" and out.suffix != FORMS[to]:
        raise ConfigError(f"--out {out}: torch.export.load takes names that end with {FORMS[to]}")
    from netbuilder.inference.export import export_run
    from netbuilder.training.resources import resource_errors

    with resource_errors(out), report_write_errors(out):
        made = export_run(run, to, out, which=weights, data_dir=data_dir)
    if output == "json":
        print(json.dumps(asdict(made) | {"path": str(made.path)}))
        return
    print(
        printable(f"wrote {made.path}, {made.size:,} bytes; ")
        + f"on {made.images} test images its outputs are at "
        f"most {made.difference:.2g} off, {made.agreeing} of them of the same class"
    )
