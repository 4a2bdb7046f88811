"""``netbuilder export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from netbuilder.cli import _completion as completion
from netbuilder.cli._options import (
    DataDir,
    Force,
    Plugins,
    TextOrJson,
    Weights,
    is_streamed,
    require_writable,
    write_output,
)
from netbuilder.cli._output import echo, messages_for
from netbuilder.errors import ConfigError

if TYPE_CHECKING:
    from netbuilder.inference.export import ExportedFile

Target = Literal["python", "onnx", "torch-export", "safetensors"]

SUFFIXES = {"onnx": ".onnx", "torch-export": ".pt2", "safetensors": ".safetensors"}
"""The formats of trained networks, with the suffix of their files."""


def export(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH", help="A document or a run folder.", autocompletion=completion.either
        ),
    ],
    to: Annotated[
        Target, typer.Option("--to", help="Python code, or the format of a trained network.")
    ] = "python",
    weights: Weights = "best",
    out: Annotated[
        Path | None,
        typer.Option(help="Output file; by default code is printed, weights go to NAME.SUFFIX."),
    ] = None,
    force: Force = False,
    data_dir: DataDir = None,
    output: TextOrJson = "text",
    plugins: Plugins = None,
) -> None:
    """Export a network as Python code, ONNX, torch.export or safetensors.

    Python code is a module with the network as a class; it needs torch but not netbuilder. The
    other formats take a run and contain its trained network, for normalized images in batches of
    any size, with mean, standard deviation and classes. The file is kept only if its output on test
    images is that of the network.

    Example: netbuilder export archs/iter10.yaml --to python
    """
    from netbuilder._files import report_write_errors
    from netbuilder.runs.run import Run

    if to == "python":
        if weights != "best" or output == "json":
            option = f"--weights {weights}" if weights != "best" else "--format json"
            raise ConfigError(
                f"{option}: --to python writes code without weights; leave it out, or choose "
                f"--to {', '.join(SUFFIXES)}"
            )
        require_writable(out, force)
        write_output(_code(path), out)
        return
    if path.is_file():
        raise ConfigError(
            f"{path}: --to {to} needs trained weights, and this is a document; name a run folder "
            "that `netbuilder train` created from it"
        )
    run = Run.open(path)
    out = out or Path(f"{run.architecture.name}{SUFFIXES[to]}")
    require_writable(out, force)
    if to == "torch-export" and out.suffix != SUFFIXES[to] and not is_streamed(out):
        raise ConfigError(f"--out {out}: torch.export.load needs a name ending with {SUFFIXES[to]}")
    from netbuilder.inference.export import export_run
    from netbuilder.training.resources import resource_errors

    with resource_errors(out), report_write_errors(out):
        file = export_run(run, to, out, which=weights, data_dir=data_dir)
    with messages_for(out):
        if output == "json":
            from netbuilder.render.json import dumps, record_data

            print(dumps(record_data(file) | {"path": str(file.path)}))
        else:
            echo(f"wrote {file.path}, {file.size:,} bytes; {_agreement(file)}")


def _code(path: Path) -> str:
    """Return the Python code of the network of a run folder or a document."""
    from netbuilder.network.check import require_sound_documents
    from netbuilder.network.codegen import python_code
    from netbuilder.runs.run import Run

    if path.is_dir():
        return python_code(Run.open(path).architecture)
    [analysis] = require_sound_documents([path])
    return python_code(analysis.architecture)


def _agreement(file: ExportedFile) -> str:
    """Return how close the outputs of an exported file are to those of the network."""
    if file.agreeing == file.images and not file.difference:
        return f"checked on {file.images} test images: identical output"
    return (
        f"checked on {file.images} test images: outputs differ by at most {file.difference:.2g}, "
        f"{file.agreeing} predictions agree"
    )
