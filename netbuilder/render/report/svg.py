"""The geometry of curves and points: numbers from which the page draws."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from netbuilder.render.report.model import ReportEntry
from netbuilder.render.report.text import one_line
from netbuilder.runs.statistics import RunRecord, on_pareto_front

WIDTH, HEIGHT = 440.0, 274.0

LEFT, RIGHT, TOP, BOTTOM = 46.0, 12.0, 12.0, 38.0

WIDE, TALL = 900.0, 380.0

WIDE_LEFT, WIDE_BOTTOM = 62.0, 46.0

LABEL = 13.0
"""The size of labels of points."""

SETS = ("train", "test")


Tick = tuple[float, str]
"""A place along an axis, and what stands there."""


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
    """Loss and accuracy of an iteration; ``data`` is what the page's script answers from."""

    panels: tuple[Panel, ...]
    goal: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Point:
    """A network in the picture of sizes; its label's middle may lie apart from it."""

    key: str
    x: float
    y: float
    low: float
    high: float
    label: tuple[float, float]
    told: str


@dataclass(frozen=True)
class Sizes:
    """Best test accuracy against parameters; ``front`` joins those that none there beats."""

    dataset: str
    front: str
    points: tuple[Point, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


def curves_of(iteration: ReportEntry) -> Curves | None:
    """The curves of all its runs; None without a run."""
    if not iteration.trained:
        return None
    from netbuilder.render.plots.curves import accuracy_floor

    runs = iteration.trained
    target = iteration.analysis.architecture.targets.test_accuracy
    goal = target.at_least if target else None
    count = max(len(run.metrics) for run in runs)
    xs = [
        _between(LEFT, WIDTH - RIGHT, i / (count - 1) if count > 1 else 0.5) for i in range(count)
    ]
    tested = [epoch.test_accuracy for run in runs for epoch in run.metrics]
    floor = accuracy_floor([value for value in tested if math.isfinite(value)] or [0.0], goal)
    losses = [
        value
        for run in runs
        for epoch in run.metrics
        for name in SETS
        if (value := getattr(epoch, f"{name}_loss")) > 0 and math.isfinite(value)
    ] or [1.0]
    low, high = math.log10(min(losses)), math.log10(max(losses))
    low, high = low - 0.05, max(high, low + 0.1) + 0.05

    def loss_height(value: float) -> float:
        return _height((math.log10(max(value, 10**low)) - low) / (high - low))

    def accuracy_height(value: float) -> float:
        return _height((value - floor) / (100.05 - floor))

    panels = (
        _panel("loss", runs, xs, loss_height, _log_ticks(low, high), None),
        _panel("accuracy", runs, xs, accuracy_height, _even_ticks(floor, 100.0), goal),
    )
    data = {
        "x": [round(x, 2) for x in xs],
        "seeds": [run.seed for run in runs],
        "panels": {
            panel.title: {
                name: {
                    "values": [
                        [_finite(getattr(epoch, f"{name}_{panel.title}")) for epoch in run.metrics]
                        for run in runs
                    ],
                    "y": panel.heights[name],
                }
                for name in SETS
            }
            for panel in panels
        },
    }
    return Curves(panels, "" if goal is None else f"{goal:g}", data)


def _panel(
    title: str,
    runs: Sequence[RunRecord],
    xs: Sequence[float],
    height: Callable[[float], float],
    ticks: Sequence[tuple[float, str]],
    goal: float | None,
) -> Panel:
    lines, heights = [], {}
    for name in SETS:
        series = [
            [_finite(getattr(epoch, f"{name}_{title}")) for epoch in run.metrics] for run in runs
        ]
        means: list[float | None] = []
        for epoch in range(len(xs)):
            there = [
                value for one in series if epoch < len(one) and (value := one[epoch]) is not None
            ]
            means.append(fmean(there) if there else None)
        if len(series) > 1:
            lines += [Line(name, _points(xs, one, height), thin=True) for one in series]
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


def sizes_of(iterations: Sequence[ReportEntry]) -> Sizes | None:
    """Every iteration that was trained, on one data set, as a point; None if there is none."""
    tested = [(i, i.best_test) for i in iterations if i.best_test and i.analysis.parameters]
    if not tested:
        return None
    from netbuilder.render.plots.pareto import place_labels

    logs = [math.log10(i.analysis.parameters) for i, _ in tested]
    left, right = min(logs) - 0.15, max(logs) + 0.15
    lows, highs = [spread.low for _, spread in tested], [spread.high for _, spread in tested]
    margin = max(0.1, (max(highs) - min(lows)) * 0.15)
    low, high = min(lows) - margin, min(100.0, max(highs) + margin)

    def across(log: float) -> float:
        return _between(WIDE_LEFT, WIDE - RIGHT, (log - left) / (right - left))

    def up(accuracy: float) -> float:
        return _between(TALL - WIDE_BOTTOM, TOP, (accuracy - low) / max(high - low, 1e-9))

    places = [(across(log), up(spread.mean)) for log, (_, spread) in zip(logs, tested, strict=True)]
    labels = place_labels(places, [i.key for i, _ in tested], LABEL, (0.0, 0.0, WIDE, TALL))
    points = [
        Point(
            key=iteration.key,
            x=x,
            y=y,
            low=up(spread.low),
            high=up(spread.high),
            label=label,
            told=f"{iteration.key}: {iteration.analysis.parameters:,} parameters, "
            f"{spread.mean:.2f} % of the test images",
        )
        for (iteration, spread), (x, y), label in zip(tested, places, labels, strict=True)
    ]
    sized = [(i.analysis.parameters, spread.mean) for i, spread in tested]
    front = sorted(
        {place for place, each in zip(places, sized, strict=True) if on_pareto_front(each, sized)}
    )
    corners = [(front[0][0], TALL - WIDE_BOTTOM)]
    for x, y in [*front, (WIDE - RIGHT, front[-1][1])]:
        corners += [(x, corners[-1][1]), (x, y)]
    return Sizes(
        dataset=one_line(tested[0][0].dataset),
        front=" ".join(f"{x:.2f},{y:.2f}" for x, y in corners),
        points=tuple(points),
        x_ticks=tuple((across(math.log10(n)), _short(n)) for n in _round_counts(left, right)),
        y_ticks=tuple((up(value), text) for value, text in _even_ticks(low, high)),
    )


def _points(
    xs: Sequence[float], values: Sequence[float | None], height: Callable[[float], float]
) -> str:
    pairs = zip(xs, values, strict=False)
    return " ".join(f"{x:.2f},{height(value):.2f}" for x, value in pairs if value is not None)


def _between(start: float, end: float, share: float) -> float:
    return start + (end - start) * share


def _height(share: float) -> float:
    return _between(HEIGHT - BOTTOM, TOP, share)


def _finite(value: float) -> float | None:
    """JSON has no word for what is no number."""
    return value if math.isfinite(value) else None


def _even_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Round values between two, four to eleven of them."""
    most = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(most))
    step = next(f * power for f in (5, 2, 1) if f * power <= most * 1.001)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [(n * step, f"{n * step:.{digits}f}") for n in range(first, last + 1)]


def _log_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """1, 2 and 5 times the powers of ten between two logarithms; of many, the powers alone."""
    factors = (1, 2, 5) if high - low < 3 else (1,)
    values = [
        factor * 10.0**power
        for power in range(math.floor(low), math.ceil(high) + 1)
        for factor in factors
    ]
    return [(v, f"{v:g}") for v in values if low <= math.log10(v) <= high]


def _round_counts(low: float, high: float) -> list[float]:
    return [value for value, _ in _log_ticks(low, high)]


def _short(count: float) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:g}{unit}"
    return f"{count:g}"
