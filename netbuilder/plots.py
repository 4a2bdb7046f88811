"""Pictures of runs: curves, confusion, confident mistakes, accuracy against size."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netbuilder.errors import printable
from netbuilder.files import write_atomic
from netbuilder.range_test import RangeTest
from netbuilder.runs import Metrics

# While it is imported, it tells at length of a home that may not be written.
logging.getLogger("matplotlib").setLevel(logging.ERROR)
from matplotlib.axes import Axes  # noqa: E402  # see above
from matplotlib.figure import Figure  # noqa: E402  # see above
from matplotlib.font_manager import FontProperties, findfont, get_font  # noqa: E402  # see above
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator  # noqa: E402  # see above

TRAIN, TEST, GOAL = "#c26a00", "#00629b", "#777777"
COLUMNS = 5
LONGEST = 30
"""Characters of a network's name in a picture."""


@dataclass(frozen=True)
class Mistake:
    """A wrong guess: ``image`` is uint8 of shape (C, H, W); ``confidence`` in [0, 1]."""

    image: NDArray[np.uint8]
    label: str
    guess: str
    confidence: float


@dataclass(frozen=True)
class Sized:
    """A network among others: its test accuracy in percent against its number of parameters.

    ``low`` and ``high`` are those of its seeds; on the ``front``, no other on that data set beats
    it in both.
    """

    name: str
    dataset: str
    parameters: int
    accuracy: float
    low: float
    high: float
    front: bool = False


def draw_curves(path: Path, title: str, metrics: Sequence[Metrics], goal: float | None) -> None:
    """Loss and accuracy of both sets against the epoch, as a PNG.

    Args:
        path: the file to write.
        title: above the picture, as plain text.
        metrics: an entry an epoch.
        goal: a test accuracy in percent to draw as a line.
    """
    draw_curves_of_seeds(path, title, [metrics], goal)


def draw_curves_of_seeds(
    path: Path, title: str, runs: Sequence[Sequence[Metrics]], goal: float | None
) -> None:
    """The curves of several runs in one picture: each thin, without marks."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    figure.suptitle(_plain(title))
    loss, accuracy = figure.subplots(1, 2)
    one = len(runs) == 1
    style: dict[str, Any] = (
        {"marker": "o", "markersize": 3} if one else {"linewidth": 0.9, "alpha": 0.8}
    )
    for name, colour in (("train", TRAIN), ("test", TEST)):
        for axes, figure_name in ((loss, "loss"), (accuracy, "accuracy")):
            for number, metrics in enumerate(runs):
                epochs = [epoch["epoch"] for epoch in metrics]
                values = [epoch[f"{name}_{figure_name}"] for epoch in metrics]
                label = "_" if number else name
                axes.plot(epochs, values, color=colour, label=label, **style)
    if goal is not None:
        accuracy.axhline(goal, color=GOAL, linestyle="--", linewidth=1, label=f"target {goal:g}")
    loss.set_ylabel("loss")
    loss.set_yscale("log")
    accuracy.set_ylabel("accuracy, %")
    tested = [epoch["test_accuracy"] for metrics in runs for epoch in metrics]
    accuracy.set_ylim(bottom=accuracy_floor(tested, goal), top=100.05)
    for axes in (loss, accuracy):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
    _save(figure, path)


def accuracy_floor(tested: Sequence[float], goal: float | None) -> float:
    """Where an axis of accuracies begins, in percent.

    The first epochs are far below the rest and would flatten what matters into one line.
    """
    ordered = sorted(tested)
    return max(0.0, min(ordered[len(ordered) // 4], goal or 100) - 1.0)


def draw_confusion(path: Path, title: str, classes: Sequence[str], counts: NDArray[Any]) -> None:
    """Counts of labels (rows) against guesses (columns), the wrong ones shaded, as a PNG."""
    size = len(classes)
    figure = Figure(figsize=(3 + 0.42 * size, 2.4 + 0.42 * size), layout="constrained")
    figure.suptitle(_plain(title))
    axes = figure.subplots()
    wrong = counts.astype(float)
    np.fill_diagonal(wrong, np.nan)
    axes.imshow(wrong, cmap="Oranges", vmin=0, vmax=max(1.0, 1.6 * np.nanmax(wrong, initial=0.0)))
    for (label, guess), count in np.ndenumerate(counts):
        if count:
            colour = TEST if label == guess else "black"
            axes.text(guess, label, str(count), ha="center", va="center", fontsize=8, color=colour)
    names = [_plain(name) for name in classes]
    axes.set_xticks(range(size), names, rotation=0 if max(map(len, names)) < 4 else 90)
    axes.set_yticks(range(size), names)
    axes.set_xlabel("guess")
    axes.set_ylabel("label")
    _save(figure, path)


def draw_sizes(path: Path, title: str, networks: Sequence[Sized]) -> None:
    """Test accuracy against the number of parameters, a named point a network, as a PNG.

    A panel a data set, for accuracies on different ones say nothing about each other. A line joins
    those on the front; a bar reaches from the lowest seed to the highest.
    """
    datasets = list(dict.fromkeys(network.dataset for network in networks))
    figure = Figure(figsize=(9, 0.6 + 4.2 * len(datasets)), layout="constrained")
    figure.suptitle(_plain(title))
    panels = figure.subplots(len(datasets), squeeze=False).flat
    shown = [
        (axes, [network for network in networks if network.dataset == dataset])
        for axes, dataset in zip(panels, datasets, strict=True)
    ]
    for (axes, among), dataset in zip(shown, datasets, strict=True):
        axes.set_title(_plain(f"on {_short(dataset)}"), fontsize=10)
        _draw_points(axes, among)
    figure.draw_without_rendering()  # the places of points are known from here on
    for axes, among in shown:
        _draw_names(axes, among)
    _save(figure, path)


def _draw_points(axes: Axes, networks: Sequence[Sized]) -> None:
    axes.set_xscale("log")
    for network in networks:
        size = network.parameters
        axes.plot([size, size], [network.low, network.high], color=TEST, linewidth=1, marker="_")
        axes.plot([size], [network.accuracy], color=TEST, marker="o", markersize=5)
    sizes = [network.parameters for network in networks]
    wider = max(1.3, (max(sizes) / min(sizes)) ** 0.12)
    left, right = min(sizes) / wider, max(sizes) * wider
    low, high = min(n.low for n in networks), max(n.high for n in networks)
    beside = max(0.05, 0.15 * (high - low))
    bottom = low - beside
    axes.set(xlim=(left, right), ylim=(bottom, min(high + beside, 100.05)))
    if front := sorted((n.parameters, n.accuracy) for n in networks if n.front):
        # From the lower edge to the right one: what lies below and behind it is beaten.
        corners = [(front[0][0], bottom), *front, (right, front[-1][1])]
        axes.step(
            *zip(*corners, strict=True), where="post", color=TRAIN, linewidth=1, zorder=1,
            label="no other is both smaller and better",
        )  # fmt: skip
        axes.legend(loc="lower right", fontsize=8)
    axes.set_xlabel("parameters")
    axes.set_ylabel("best test accuracy, %")
    axes.xaxis.set_major_formatter(FuncFormatter(_count))
    axes.xaxis.set_minor_formatter(FuncFormatter(_count))
    axes.xaxis.set_minor_locator(LogLocator(subs=(2, 5)))
    axes.grid(alpha=0.3)


def _count(value: float, _: int = 0) -> str:
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def _draw_names(axes: Axes, networks: Sequence[Sized]) -> None:
    per_point = axes.figure.dpi / 72
    pixels = axes.transData.transform([(n.parameters, n.accuracy) for n in networks])
    points = [(float(x) / per_point, float(y) / per_point) for x, y in pixels]
    frame = axes.get_window_extent()
    inside = (
        frame.x0 / per_point,
        frame.y0 / per_point,
        frame.x1 / per_point,
        frame.y1 / per_point,
    )
    names = [_short(network.name) for network in networks]
    labels = place_labels(points, names, 9.0, inside)
    for network, name, (x, y), label in zip(networks, names, points, labels, strict=True):
        axes.annotate(
            _plain(name),
            (network.parameters, network.accuracy),
            xytext=(label[0] - x, label[1] - y),
            textcoords="offset points",
            fontsize=9,
            ha="center",
            va="center",
            arrowprops={"arrowstyle": "-", "color": GOAL, "linewidth": 0.6, "shrinkB": 3},
            bbox={"boxstyle": "square,pad=0.1", "color": "white", "alpha": 0.7},
        )


def _short(name: str) -> str:
    """A name that leaves others their room; what tells it from them may stand at its end."""
    half = (LONGEST - 3) // 2
    return name if len(name) <= LONGEST else f"{name[:half]}...{name[-half:]}"


def place_labels(
    points: Sequence[tuple[float, float]],
    names: Sequence[str],
    font: float,
    inside: tuple[float, float, float, float] | None = None,
) -> list[tuple[float, float]]:
    """The middle of each point's label, as near as may be without touching another.

    Args:
        points: in units of length, whichever way the axes run.
        names: the labels.
        font: their size in the same units.
        inside: left, lower, right and upper edge of where they may be; anywhere without.
    """
    boxes = [(x, y, font, font) for x, y in points]
    placed = []
    for (x, y), name in zip(points, names, strict=True):
        width, height = 0.62 * font * len(name) + 4, 1.3 * font
        middle: tuple[float, float] = (x, y)
        for reach, (across, up) in product(range(8), _SIDES):
            gap = font * (0.7 + reach)
            aside = x + across * (gap + width / 2)
            if inside is not None:
                aside = max(inside[0] + width / 2, min(aside, inside[2] - width / 2))
            middle = (aside, y + up * (gap + height / 2))
            box = (*middle, width, height)
            if not any(_touch(box, other) for other in boxes) and _lies_in(box, inside):
                break
        boxes.append((*middle, width, height))
        placed.append(middle)
    return placed


_SIDES = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (-1, -1), (1, 1), (-1, 1))
_Box = tuple[float, float, float, float]


def _touch(one: _Box, other: _Box) -> bool:
    """Whether two boxes, each given by its middle and its size, share a point."""
    return all(
        abs(one[axis] - other[axis]) < (one[axis + 2] + other[axis + 2]) / 2 for axis in (0, 1)
    )


def _lies_in(box: _Box, edges: tuple[float, float, float, float] | None) -> bool:
    if edges is None:
        return True
    x, y, width, height = box
    left, lower, right, upper = edges
    return (
        left <= x - width / 2 and x + width / 2 <= right
        and lower <= y - height / 2 and y + height / 2 <= upper
    )  # fmt: skip


def draw_range_test(path: Path, title: str, test: RangeTest) -> None:
    """Loss against a rising learning rate, with what it speaks for and where it ran away."""
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    figure.suptitle(_plain(title))
    axes = figure.subplots()
    axes.plot(test.learning_rates, test.losses, color=GOAL, linewidth=0.6, label="of a batch")
    axes.plot(test.learning_rates, test.smoothed, color=TEST, label="smoothed")
    for rate, colour, word in (
        (test.suggestion, TRAIN, "suggested"),
        (test.diverged_at, "black", "diverged"),
    ):
        if rate is not None:
            label = f"{word}: {rate:.2g}"
            axes.axvline(rate, color=colour, linestyle="--", linewidth=1, label=label)
    # Behind the turn the loss may rise by decades.
    begun = test.smoothed[: len(test.smoothed) // 2 + 1]
    axes.set_ylim(0, 1.25 * max(begun))
    axes.set(xscale="log", xlabel="learning rate", ylabel="loss")
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
    with _quiet():
        figure.savefig(buffer, format="png", dpi=120)
    write_atomic(path, buffer.getvalue())


@contextmanager
def _quiet() -> Iterator[None]:
    """What is too long for its place is not warned of."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "constrained_layout", UserWarning)
        yield


def _plain(text: str) -> str:
    """Text as itself: a dollar sign would start a formula, an override turn what is behind it.

    A letter of which the font has no picture is a question mark.
    """
    known = get_font(findfont(FontProperties())).get_char_index
    lines = (
        "".join(c if known(ord(c)) else "?" for c in printable(line)) for line in text.split("\n")
    )
    return "\n".join(lines).replace("$", r"\$")
