"""Axes of the page's charts: scales and ticks."""

from __future__ import annotations

import math
from dataclasses import dataclass

Tick = tuple[float, str]
"""A position along an axis, and its label."""


@dataclass(frozen=True)
class Scale:
    """Maps values between ``low`` and ``high`` to positions between ``start`` and ``end``."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the position of a value, which may be beyond the ends."""
        return interpolate(self.start, self.end, (value - self.low) / (self.high - self.low))


def interpolate(start: float, end: float, share: float) -> float:
    """Return the position at a ``share`` of the way from ``start`` to ``end``."""
    return start + (end - start) * share


def even_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Return four to eleven round values between two values."""
    most = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(most))
    step = next(f * power for f in (5, 2, 1) if f * power <= most * 1.001)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [(n * step, f"{n * step:.{digits}f}") for n in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Return 1, 2 and 5 times powers of ten between two logarithms; for many, only the powers."""
    factors = (1, 2, 5) if high - low < 3 else (1,)
    values = [
        factor * 10.0**power
        for power in range(math.floor(low), math.ceil(high) + 1)
        for factor in factors
    ]
    return [(v, f"{v:g}") for v in values if low <= math.log10(v) <= high]


def count_text(count: float) -> str:
    """Return a count with a unit: ``10k``."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:g}{unit}"
    return f"{count:g}"
