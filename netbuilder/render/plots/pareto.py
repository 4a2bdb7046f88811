"""Plot accuracy against the number of parameters, one labeled point per network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import product
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator

from netbuilder.render.plots.style import GOAL, TEST, TRAIN, plain, quiet, save
from netbuilder.runs.statistics import on_pareto_front

LONGEST = 30
"""The longest name of a network in the plot, in characters."""


@dataclass(frozen=True)
class ParetoPoint:
    """A network: its number of parameters and its test accuracy in percent.

    ``low`` and ``high`` are the lowest and the highest accuracy of a seed.
    """

    name: str
    dataset: str
    parameters: int
    accuracy: float
    low: float
    high: float


def draw_pareto(path: Path | BytesIO, networks: Sequence[ParetoPoint]) -> None:
    """Draw test accuracy against the number of parameters, one point per network, as a PNG.

    Each data set has a panel, since accuracies on different data sets are not comparable. A line
    joins the networks on the Pareto front; a bar spans the seeds.
    """
    datasets = list(dict.fromkeys(network.dataset for network in networks))
    figure = Figure(figsize=(9, 0.6 + 4.2 * len(datasets)), layout="constrained")
    figure.suptitle("Best test accuracy against the number of parameters")
    panels = figure.subplots(len(datasets), squeeze=False).flat
    groups = [
        (axes, [network for network in networks if network.dataset == dataset])
        for axes, dataset in zip(panels, datasets, strict=True)
    ]
    for (axes, group), dataset in zip(groups, datasets, strict=True):
        axes.set_title(plain(f"on {_short(dataset)}"), fontsize=10)
        _draw_points(axes, group)
    with quiet():
        figure.draw_without_rendering()  # it determines the positions of the points
    for axes, group in groups:
        _draw_names(axes, group)
    save(figure, path)


def _draw_points(axes: Axes, networks: Sequence[ParetoPoint]) -> None:
    axes.set_xscale("log")
    for network in networks:
        size = network.parameters
        axes.plot([size, size], [network.low, network.high], color=TEST, linewidth=1, marker="_")
        axes.plot([size], [network.accuracy], color=TEST, marker="o", markersize=5)
    sizes = [network.parameters for network in networks]
    wider = max(1.3, (max(sizes) / min(sizes)) ** 0.12)
    left, right = min(sizes) / wider, max(sizes) * wider
    low, high = min(n.low for n in networks), max(n.high for n in networks)
    margin = max(0.05, 0.15 * (high - low))
    bottom = low - margin
    axes.set(xlim=(left, right), ylim=(bottom, min(high + margin, 100.05)))
    points = [(network.parameters, network.accuracy) for network in networks]
    front = sorted(point for point in points if on_pareto_front(point, points))
    # From the lower edge to the right edge: a network below the line is beaten.
    corners = [(front[0][0], bottom), *front, (right, front[-1][1])]
    axes.step(
        *zip(*corners, strict=True), where="post", color=TRAIN, linewidth=1, zorder=1,
        label="none is both smaller and better",
    )  # fmt: skip
    axes.legend(loc="lower right", fontsize=8)
    axes.set_xlabel("parameters")
    axes.set_ylabel("best test accuracy, %")
    axes.xaxis.set_major_formatter(FuncFormatter(_count))
    axes.xaxis.set_minor_formatter(FuncFormatter(_count))
    axes.xaxis.set_minor_locator(LogLocator(subs=(2, 5)))
    axes.tick_params(axis="x", which="both", length=3.5, pad=3.5)  # the numbers line up
    axes.grid(alpha=0.3)


def _count(value: float, _: int = 0) -> str:
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def _draw_names(axes: Axes, networks: Sequence[ParetoPoint]) -> None:
    per_point = axes.figure.dpi / 72
    pixels = axes.transData.transform([(n.parameters, n.accuracy) for n in networks])
    points = [(float(x) / per_point, float(y) / per_point) for x, y in pixels]
    frame = axes.get_window_extent()
    area = (
        frame.x0 / per_point,
        frame.y0 / per_point,
        frame.x1 / per_point,
        frame.y1 / per_point,
    )
    names = [_short(network.name) for network in networks]
    labels = place_labels(points, names, 9.0, area)
    for network, name, (x, y), label in zip(networks, names, points, labels, strict=True):
        axes.annotate(
            plain(name),
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
    """Return a name shortened in the middle: networks often differ in the end of their names."""
    half = (LONGEST - 3) // 2
    return name if len(name) <= LONGEST else f"{name[:half]}...{name[-half:]}"


def place_labels(
    points: Sequence[tuple[float, float]],
    names: Sequence[str],
    font: float,
    area: tuple[float, float, float, float] | None = None,
) -> list[tuple[float, float]]:
    """Return the center of each point's label, as close as possible without overlap.

    Args:
        points: The points, in any unit of length; the axes may have any direction.
        names: The labels.
        font: The font size in the same unit.
        area: Left, lower, right and upper edge of the area of labels; None for no limit.
    """
    boxes = [(x, y, font, font) for x, y in points]
    placed = []
    for (x, y), name in zip(points, names, strict=True):
        width, height = 0.62 * font * len(name) + 4, 1.3 * font
        middle: tuple[float, float] = (x, y)
        for reach, (across, up) in product(range(8), _SIDES):
            gap = font * (0.7 + reach)
            aside = x + across * (gap + width / 2)
            if area is not None:
                aside = max(area[0] + width / 2, min(aside, area[2] - width / 2))
            middle = (aside, y + up * (gap + height / 2))
            box = (*middle, width, height)
            if not any(_touch(box, other) for other in boxes) and _lies_in(box, area):
                break
        boxes.append((*middle, width, height))
        placed.append(middle)
    return placed


_SIDES = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (-1, -1), (1, 1), (-1, 1))

_Box = tuple[float, float, float, float]


def _touch(box: _Box, other: _Box) -> bool:
    """Whether two boxes, each a center and a size, overlap."""
    return all(
        abs(box[axis] - other[axis]) < (box[axis + 2] + other[axis + 2]) / 2 for axis in (0, 1)
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
