"""The words and colors of verdicts, the same in all outputs."""

from __future__ import annotations

from netbuilder._text import format_number
from netbuilder.render.table import Cell

WORDS = {True: "met", False: "not met", None: "not judged"}

STYLES = {
    "met": "green",
    "not met": "red",
    "not judged": "yellow",
    "running": "",
    "unfinished": "yellow",
    "damaged": "red",
}
"""The color of the state of a run or a target; the word itself is always printed, too."""


def verdict_style(met: bool | None) -> str:
    """Return the style of a verdict, as rich names it."""
    return STYLES[WORDS[met]]


def verdict_cell(met: bool | None, reason: str = "") -> Cell:
    """Return a verdict, with its reason if any."""
    word = WORDS[met]
    return Cell(met, f"{word}: {reason}" if reason else word, verdict_style(met))


def tally_cell(met: int | None, of: int, unit: str = "") -> Cell:
    """Return how many of several verdicts are met: ``4 of 5``; a dash if none is judged."""
    if met is None:
        return Cell(None, "–")
    return Cell(met, f"{met} of {of}{unit}", verdict_style(met == of))


def measured_text(target: str, value: float, left: float | None = None) -> str:
    """Return a measured value: accuracies with two decimals, unless these hide the distance.

    Args:
        target: The name of the target.
        value: The measured value.
        left: The distance from the bound.
    """
    hidden = left is not None and left != 0 and round(abs(left), 2) == 0
    return f"{value:.2f}" if "accuracy" in target and not hidden else format_number(value)
