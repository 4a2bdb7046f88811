"""``netbuilder predict``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from netbuilder._text import printable
from netbuilder.cli import _completion as completion
from netbuilder.cli._options import Device, Plugins, TextOrJson, Weights
from netbuilder.errors import ConfigError

COLUMNS = ("class", "probability", "else")


def predict(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="A run folder.", autocompletion=completion.runs)
    ],
    images: Annotated[
        list[Path],
        typer.Argument(metavar="IMAGES", help="PNG or JPEG files, or folders of them."),
    ],
    weights: Weights = "best",
    device: Device = "auto",
    plugins: Plugins = None,
    output: TextOrJson = "text",
) -> None:
    """Predict the class of each image.

    Images of any size are converted to those of the data set: drawings become bright on black,
    centered and scaled, whatever the paper and the light; photographs are cropped around their
    center. An image of the right size that ranges from black to white keeps its pixels. Unreadable
    files are listed last.

    Example: netbuilder predict runs/iter10/2026-11-24T12-00-00-seed0 digits/
    """
    from netbuilder.runs.run import Run

    recorded = Run.open(run)
    from netbuilder.inference.predict import predict_run

    found = predict_run(recorded, images, which=weights, device=device)
    classes = found.classes
    if output == "json":
        print(
            json.dumps(
                {
                    "run": str(run),
                    "weights": weights,
                    "classes": list(classes),
                    "predictions": [
                        {
                            "path": str(made.path),
                            "class": classes[made.best],
                            "probability": made.probabilities[made.best],
                            "probabilities": list(made.probabilities),
                        }
                        for made in found.made
                    ],
                    "unusable": [
                        {"path": problem.file, "message": problem.message}
                        for problem in found.unusable
                    ],
                }
            )
        )
    elif found.made:
        from rich.table import Column, Table
        from rich.text import Text

        from netbuilder.render.console import show

        plain = not sys.stdout.isatty()
        pictures = Column("picture", overflow="fold")  # a path's end tells it from the others
        table = Table(pictures, *COLUMNS, box=None) if plain else Table(pictures, *COLUMNS)
        for made in found.made:
            order = sorted(range(len(classes)), key=lambda i: -made.probabilities[i])
            shares = [f"{100 * made.probabilities[i]:.1f} %" for i in order[:2]]
            cells = [printable(str(made.path)), classes[order[0]], shares[0]]
            table.add_row(*map(Text, [*cells, f"{classes[order[1]]} {shares[1]}"]))
        show(table, plain=plain)
    if found.unusable:
        raise ConfigError(found.unusable)
