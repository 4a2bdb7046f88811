"""Pictures of a run: its curves, and the test images that it gets most confidently wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from netbuilder.files import write_atomic
from netbuilder.runs import Metrics

TRAIN, TEST, GOAL = "#c26a00", "#00629b", "#777777"
COLUMNS = 5


@dataclass(frozen=True)
class Mistake:
    """A wrong guess: ``image`` is uint8 of shape (C, H, W); ``confidence`` in [0, 1]."""

    image: NDArray[np.uint8]
    label: str
    guess: str
    confidence: float


def draw_curves(path: Path, title: str, metrics: Sequence[Metrics], goal: float | None) -> None:
    """Loss and accuracy of both sets against the epoch, as a PNG.

    Args:
        path: the file to write.
        title: above the picture, as plain text.
        metrics: an entry an epoch.
        goal: a test accuracy in percent to draw as a line.
    """
    figure = Figure(figsize=(10, 4), layout="constrained")
    figure.suptitle(_plain(title))
    loss, accuracy = figure.subplots(1, 2)
    epochs = [epoch["epoch"] for epoch in metrics]
    for name, colour in (("train", TRAIN), ("test", TEST)):
        for axes, figure_name in ((loss, "loss"), (accuracy, "accuracy")):
            values = [epoch[f"{name}_{figure_name}"] for epoch in metrics]
            axes.plot(epochs, values, color=colour, marker="o", markersize=3, label=name)
    if goal is not None:
        accuracy.axhline(goal, color=GOAL, linestyle="--", linewidth=1, label=f"target {goal:g}")
    loss.set_ylabel("loss")
    loss.set_yscale("log")
    accuracy.set_ylabel("accuracy, %")
    # The first epochs are far below the rest and would flatten what matters into one line.
    tested = sorted(epoch["test_accuracy"] for epoch in metrics)
    accuracy.set_ylim(bottom=max(0.0, min(tested[len(tested) // 4], goal or 100) - 1.0), top=100.05)
    for axes in (loss, accuracy):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
    _save(figure, path)


def draw_mistakes(path: Path, title: str, mistakes: Sequence[Mistake]) -> None:
    """The images, each with its label, the guess and the guess's probability, as a PNG."""
    rows = max(1, -(-len(mistakes) // COLUMNS))
    figure = Figure(figsize=(1.7 * COLUMNS, 0.6 + 2.0 * rows), layout="constrained")
    figure.suptitle(_plain(title))
    for position, axes in enumerate(figure.subplots(rows, COLUMNS, squeeze=False).flat):
        axes.axis("off")
        if position < len(mistakes):
            mistake = mistakes[position]
            image = np.moveaxis(mistake.image, 0, -1)
            axes.imshow(image, cmap="gray" if image.shape[-1] == 1 else None, vmin=0, vmax=255)
            text = f"{mistake.label}, guessed {mistake.guess}\n{100 * mistake.confidence:.1f} %"
            axes.set_title(_plain(text), fontsize=9)
    if not mistakes:
        figure.text(0.5, 0.45, "no mistakes", ha="center")
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    write_atomic(path, buffer.getvalue())


def _plain(text: str) -> str:
    """Text as itself: a dollar sign would start a formula."""
    return text.replace("$", r"\$")
