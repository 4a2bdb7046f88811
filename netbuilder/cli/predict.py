"""``netbuilder predict``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from netbuilder.cli import _completion as completion
from netbuilder.cli._options import Device, Plugins, TextOrJson, Weights
from netbuilder.errors import ConfigError


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

    Images of any size are converted to those of the data set: drawings, on any paper and in any
    light, become bright on black, centered and scaled; photographs are cropped around their center.
    An image of the right size that ranges from black to white keeps its pixels. Unreadable files
    are listed last.

    Example: netbuilder predict runs/iter10/2026-11-24T12-00-00-seed0 digits/
    """
    from netbuilder.runs.run import Run

    recorded = Run.open(run)
    from netbuilder.inference.predict import predict_run

    result = predict_run(recorded, images, which=weights, device=device)
    if output == "json":
        from netbuilder.render.json import dumps

        classes = result.classes
        data = {
            "run": str(run),
            "weights": weights,
            "classes": list(classes),
            "predictions": [
                {
                    "path": str(prediction.path),
                    "class": classes[prediction.best],
                    "probability": prediction.probabilities[prediction.best],
                    "probabilities": list(prediction.probabilities),
                }
                for prediction in result.images
            ],
            "unusable": [
                {"path": problem.file, "message": problem.message} for problem in result.unusable
            ],
        }
        print(dumps(data))
    elif result.images:
        from netbuilder.render.console import show
        from netbuilder.render.predictions import predictions_table

        predictions = [(row.path, row.probabilities) for row in result.images]
        show(predictions_table(predictions, result.classes), plain=not sys.stdout.isatty())
    if result.unusable:
        raise ConfigError(result.unusable)
