"""The plots of one run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netbuilder.training.events import Finished


def draw_run(finished: Finished) -> None:
    """Draw the curves and the most confident mistakes of a finished run into its folder."""
    from netbuilder.render.plots.curves import draw_curves
    from netbuilder.render.plots.images import draw_mistakes

    run, images, mistakes = finished.run, finished.data.test_images, finished.evaluation.mistakes
    architecture = finished.analysis.architecture
    title = (
        f"{architecture.name}: {architecture.title}" if architecture.title else architecture.name
    )
    target = architecture.targets.test_accuracy
    goal = target.at_least if target else None
    draw_curves(run.path / "curves.png", title, finished.metrics, goal)
    draw_mistakes(
        run.path / "misclassified.png",
        f"{title}, most confident mistakes after the last epoch",
        [(images[mistake.index].numpy(), mistake) for mistake in mistakes],
    )
