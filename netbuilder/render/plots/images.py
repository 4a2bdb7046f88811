"""Plots of the confusion matrix and of the most confident mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from netbuilder.render.plots.style import TEST, plain, save
from netbuilder.runs.records import Mistake

COLUMNS = 5


def draw_confusion(
    path: Path | BytesIO, title: str, classes: Sequence[str], counts: NDArray[Any]
) -> None:
    """Draw counts of labels (rows) against guesses (columns), the wrong ones shaded, as a PNG."""
    size = len(classes)
    figure = Figure(figsize=(3 + 0.42 * size, 2.4 + 0.42 * size), layout="constrained")
    figure.suptitle(plain(title))
    axes = figure.subplots()
    wrong = counts.astype(float)
    np.fill_diagonal(wrong, np.nan)
    axes.imshow(wrong, cmap="Oranges", vmin=0, vmax=max(1.0, 1.6 * np.nanmax(wrong, initial=0.0)))
    for (label, guess), count in np.ndenumerate(counts):
        if count:
            color = TEST if label == guess else "black"
            axes.text(guess, label, str(count), ha="center", va="center", fontsize=8, color=color)
    names = [plain(name) for name in classes]
    axes.set_xticks(range(size), names, rotation=0 if max(map(len, names)) < 4 else 90)
    axes.set_yticks(range(size), names)
    axes.set_xlabel("guess")
    axes.set_ylabel("label")
    save(figure, path)


def draw_mistakes(
    path: Path, title: str, mistakes: Sequence[tuple[NDArray[np.uint8], Mistake]]
) -> None:
    """Draw images (C, H, W), each with its label, the guess and its probability, as a PNG."""
    rows = max(1, -(-len(mistakes) // COLUMNS))
    figure = Figure(figsize=(1.7 * COLUMNS, 0.6 + 2.0 * rows), layout="constrained")
    figure.suptitle(plain(title))
    for position, axes in enumerate(figure.subplots(rows, COLUMNS, squeeze=False).flat):
        axes.axis("off")
        if position < len(mistakes):
            pixels, mistake = mistakes[position]
            image = np.moveaxis(pixels, 0, -1)
            axes.imshow(image, cmap="gray" if image.shape[-1] == 1 else None, vmin=0, vmax=255)
            text = f"{mistake.label}, guessed {mistake.guess}\n{100 * mistake.confidence:.1f} %"
            axes.set_title(plain(text), fontsize=9)
    if not mistakes:
        figure.text(0.5, 0.45, "no mistakes", ha="center")
    save(figure, path, photos=any(len(pixels) > 1 for pixels, _ in mistakes))
