"""The plots of one run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netbuilder.training.events import Finished


def draw_run(finished: Finished) -> None:
    """Draw the curves and the most confident mistakes of a finished run into its folder."""
    from netbuilder.render.plots.curves import draw_curves
    from netbuilder.render.plots.images import Mistake, draw_mistakes
    from netbuilder.training.evaluation import WORST

    run, data, evaluation = finished.run, finished.data, finished.evaluation
    architecture = run.architecture
    title = (
        f"{architecture.name}: {architecture.title}" if architecture.title else architecture.name
    )
    target = architecture.targets.test_accuracy
    draw_curves(run.path / "curves.png", title, run.metrics, target.at_least if target else None)
    classes = data.dataset.classes
    mistakes = [
        Mistake(
            data.test_images[i].numpy(),
            classes[int(evaluation.labels[i])],
            classes[int(evaluation.guesses[i])],
            float(evaluation.confidences[i]),
        )
        for i in evaluation.worst(WORST)
    ]
    draw_mistakes(
        run.path / "misclassified.png",
        f"{title}, most confident mistakes after the last epoch",
        mistakes,
    )
