"""``netbuilder evaluate``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from netbuilder.cli import _completion as completion
from netbuilder.cli._options import DataDir, Device, Plugins, TextOrJson, Weights
from netbuilder.cli._output import echo


def evaluate(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="A run folder.", autocompletion=completion.runs)
    ],
    weights: Weights = "best",
    device: Device = "auto",
    data_dir: DataDir = None,
    plugins: Plugins = None,
    output: TextOrJson = "text",
) -> None:
    """Test the saved weights of a run.

    Prints accuracy, loss, accuracy per class and the confusion matrix.

    Example: netbuilder evaluate runs/iter10/2026-11-24T12-00-00-seed0
    """
    from netbuilder.runs.run import Run

    recorded = Run.open(run)
    from netbuilder.inference.evaluate import evaluate_run
    from netbuilder.render.json import dumps

    evaluation, data = evaluate_run(recorded, which=weights, device=device, data_dir=data_dir)
    if output == "json":
        print(
            dumps(
                {
                    "run": str(run),
                    "weights": weights,
                    "dataset": data.dataset.kind,
                    "accuracy": evaluation.accuracy,
                    "loss": evaluation.loss,
                    "classes": list(data.dataset.classes),
                    "class_accuracy": evaluation.class_accuracy,
                    "confusion": evaluation.confusion.tolist(),
                }
            )
        )
        return
    from netbuilder.render.console import show
    from netbuilder.render.progress import evaluation_table

    echo(
        f"{weights} weights of {run} on {len(evaluation.labels):,} test images of "
        f"{data.dataset.kind}: accuracy {evaluation.accuracy:.2f} %, loss {evaluation.loss:.4f}"
    )
    show(evaluation_table(evaluation, data.dataset.classes), plain=not sys.stdout.isatty())
