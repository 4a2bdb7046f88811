"""The geometry of the page's charts: positions for the SVG in its templates."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from netbuilder.render.report.axes import (
    Scale,
    Tick,
    count_text,
    even_ticks,
    interpolate,
    log_ticks,
)
from netbuilder.render.report.model import ReportEntry
from netbuilder.render.report.text import one_line
from netbuilder.runs.statistics import MeanStd, RunRecord, on_pareto_front

WIDTH, HEIGHT = 440.0, 274.0

LEFT, RIGHT, TOP, BOTTOM = 46.0, 12.0, 12.0, 38.0

WIDE, TALL = 900.0, 380.0

WIDE_LEFT, WIDE_BOTTOM = 62.0, 46.0

LABEL = 13.0
"""The font size of the labels of points."""

SETS = ("train", "test")


@dataclass(frozen=True)
class Line:
    """A curve: the points of an SVG polyline; ``thin`` for one seed among several."""

    of: str
    points: str
    thin: bool


@dataclass(frozen=True)
class Panel:
    """One set of axes with its curves; ``goal`` is the height of the target's line."""

    title: str
    lines: tuple[Line, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    goal: float | None
    heights: dict[str, list[float | None]]


@dataclass(frozen=True)
class Curves:
    """Loss and accuracy of an iteration; ``data`` is for the page's script."""

    panels: tuple[Panel, ...]
    goal: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Point:
    """A network in the plot of sizes; ``label`` is the center of its name."""

    key: str
    x: float
    y: float
    low: float
    high: float
    label: tuple[float, float]
    text: str


@dataclass(frozen=True)
class Sizes:
    """Best test accuracy against parameters; ``front`` is the line of the Pareto front."""

    dataset: str
    front: str
    points: tuple[Point, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


Height = Callable[[float], float]
"""Maps a value to its height in a panel."""


def curves_of(iteration: ReportEntry) -> Curves | None:
    """Return the curves of all runs of a network; None without a run."""
    runs = iteration.trained
    if not runs:
        return None
    target = iteration.analysis.architecture.targets.test_accuracy
    goal = target.at_least if target else None
    xs = _epoch_positions(max(len(run.metrics) for run in runs))
    panels = (_loss_panel(runs, xs), _accuracy_panel(runs, xs, goal))
    return Curves(panels, "" if goal is None else f"{goal:g}", _script_data(runs, xs, panels))


def _epoch_positions(count: int) -> list[float]:
    shares = [i / (count - 1) for i in range(count)] if count > 1 else [0.5]
    return [interpolate(LEFT, WIDTH - RIGHT, share) for share in shares]


def _loss_panel(runs: Sequence[RunRecord], xs: Sequence[float]) -> Panel:
    """Return the losses on a logarithmic axis."""
    values = [
        getattr(epoch, f"{name}_loss") for run in runs for epoch in run.metrics for name in SETS
    ]
    positive = [value for value in values if value > 0 and math.isfinite(value)] or [1.0]
    low, high = math.log10(min(positive)), math.log10(max(positive))
    low, high = low - 0.05, max(high, low + 0.1) + 0.05
    scale = Scale(low, high, HEIGHT - BOTTOM, TOP)

    def height(value: float) -> float:
        return scale(math.log10(max(value, 10**low)))

    return _panel("loss", runs, xs, height, log_ticks(low, high), None)


def _accuracy_panel(runs: Sequence[RunRecord], xs: Sequence[float], goal: float | None) -> Panel:
    """Return the accuracies on an axis from `accuracy_floor` to 100 %."""
    from netbuilder.render.plots.curves import accuracy_floor

    tested = [epoch.test_accuracy for run in runs for epoch in run.metrics]
    floor = accuracy_floor([value for value in tested if math.isfinite(value)] or [0.0], goal)
    scale = Scale(floor, 100.05, HEIGHT - BOTTOM, TOP)
    return _panel("accuracy", runs, xs, scale, even_ticks(floor, 100.0), goal)


def _script_data(
    runs: Sequence[RunRecord], xs: Sequence[float], panels: Sequence[Panel]
) -> dict[str, Any]:
    """Return the values of each epoch for the page's script, as JSON values."""
    return {
        "x": [round(x, 2) for x in xs],
        "seeds": [run.seed for run in runs],
        "panels": {
            panel.title: {
                name: {"values": _series(runs, name, panel.title), "y": panel.heights[name]}
                for name in SETS
            }
            for panel in panels
        },
    }


def _series(runs: Sequence[RunRecord], name: str, title: str) -> list[list[float | None]]:
    """Return a value of each epoch, one list per run."""
    return [[_finite(getattr(epoch, f"{name}_{title}")) for epoch in run.metrics] for run in runs]


def _mean_by_epoch(series: Sequence[Sequence[float | None]], epochs: int) -> list[float | None]:
    """Return the mean of each epoch over the runs that have a finite value for it."""
    means: list[float | None] = []
    for epoch in range(epochs):
        values = [run[epoch] for run in series if epoch < len(run)]
        finite = [value for value in values if value is not None]
        means.append(fmean(finite) if finite else None)
    return means


def _panel(
    title: str,
    runs: Sequence[RunRecord],
    xs: Sequence[float],
    height: Height,
    ticks: Sequence[tuple[float, str]],
    goal: float | None,
) -> Panel:
    lines, heights = [], {}
    for name in SETS:
        series = _series(runs, name, title)
        means = _mean_by_epoch(series, len(xs))
        if len(series) > 1:
            lines += [Line(name, _points(xs, run, height), thin=True) for run in series]
        lines.append(Line(name, _points(xs, means, height), thin=False))
        heights[name] = [None if mean is None else round(height(mean), 2) for mean in means]
    step = max(1, math.ceil(len(xs) / 8))
    return Panel(
        title=title,
        lines=tuple(lines),
        x_ticks=tuple((x, str(i)) for i, x in enumerate(xs, 1) if (i - 1) % step == 0),
        y_ticks=tuple((height(value), text) for value, text in ticks),
        goal=None if goal is None else height(goal),
        heights=heights,
    )


Tested = tuple[ReportEntry, MeanStd]
"""A network with its best test accuracy over the seeds."""


def sizes_of(iterations: Sequence[ReportEntry]) -> Sizes | None:
    """Return the trained networks of one data set as points; None without any."""
    tested = [(i, i.best_test) for i in iterations if i.best_test and i.analysis.parameters]
    if not tested:
        return None
    across, up = _size_scale(tested), _best_scale(tested)
    places = [(across(_log_size(i)), up(best.mean)) for i, best in tested]
    return Sizes(
        dataset=one_line(tested[0][0].dataset),
        front=_front_line(tested, places),
        points=_size_points(tested, places, up),
        x_ticks=tuple(
            (across(math.log10(count)), count_text(count))
            for count, _ in log_ticks(across.low, across.high)
        ),
        y_ticks=tuple((up(value), text) for value, text in even_ticks(up.low, up.high)),
    )


def _log_size(iteration: ReportEntry) -> float:
    return math.log10(iteration.analysis.parameters)


def _size_scale(tested: Sequence[Tested]) -> Scale:
    logs = [_log_size(iteration) for iteration, _ in tested]
    return Scale(min(logs) - 0.15, max(logs) + 0.15, WIDE_LEFT, WIDE - RIGHT)


def _best_scale(tested: Sequence[Tested]) -> Scale:
    lowest, highest = min(b.low for _, b in tested), max(b.high for _, b in tested)
    margin = max(0.1, (highest - lowest) * 0.15)
    low = lowest - margin
    return Scale(low, max(min(100.0, highest + margin), low + 1e-9), TALL - WIDE_BOTTOM, TOP)


def _size_points(
    tested: Sequence[Tested], places: Sequence[tuple[float, float]], up: Scale
) -> tuple[Point, ...]:
    from netbuilder.render.plots.pareto import place_labels

    labels = place_labels(places, [i.key for i, _ in tested], LABEL, (0.0, 0.0, WIDE, TALL))
    return tuple(
        Point(
            key=iteration.key,
            x=x,
            y=y,
            low=up(best.low),
            high=up(best.high),
            label=label,
            text=f"{iteration.key}: {iteration.analysis.parameters:,} parameters, "
            f"{best.mean:.2f} % of the test images",
        )
        for (iteration, best), (x, y), label in zip(tested, places, labels, strict=True)
    )


def _front_line(tested: Sequence[Tested], places: Sequence[tuple[float, float]]) -> str:
    """Return the line that joins the Pareto front, from the lower edge to the right one."""
    sized = [(iteration.analysis.parameters, best.mean) for iteration, best in tested]
    front = sorted(
        {place for place, size in zip(places, sized, strict=True) if on_pareto_front(size, sized)}
    )
    corners = [(front[0][0], TALL - WIDE_BOTTOM)]
    for x, y in [*front, (WIDE - RIGHT, front[-1][1])]:
        corners += [(x, corners[-1][1]), (x, y)]
    return " ".join(f"{x:.2f},{y:.2f}" for x, y in corners)


def _points(xs: Sequence[float], values: Sequence[float | None], height: Height) -> str:
    pairs = zip(xs, values, strict=False)
    return " ".join(f"{x:.2f},{height(value):.2f}" for x, value in pairs if value is not None)


def _finite(value: float) -> float | None:
    """Return a number, or None if it is not finite, which JSON cannot represent."""
    return value if math.isfinite(value) else None
