"""How a verdict looks: the same words and colors wherever one is printed."""

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
"""What has become of a run, or of a target; the words alone say it too."""


def verdict_style(met: bool | None) -> str:
    """Return the style of a verdict, in rich's words."""
    return STYLES[WORDS[met]]


def verdict_cell(met: bool | None, reason: str = "") -> Cell:
    """Return a verdict, with the reason if there is one."""
    word = WORDS[met]
    return Cell(met, f"{word}: {reason}" if reason else word, verdict_style(met))


def tally_cell(met: int | None, of: int, unit: str = "") -> Cell:
    """Return how many of several verdicts are met: ``4 of 5``; a dash where none is judged."""
    if met is None:
        return Cell(None, "–")
    return Cell(met, f"{met} of {of}{unit}", verdict_style(met == of))


def measured_text(target: str, value: float, left: float | None = None) -> str:
    """Return what a target was held against: accuracies with two decimals, unless these hide it.

    Args:
        target: the name of the target.
        value: what was measured.
        left: the distance from the bound.
    """
    hidden = left is not None and left != 0 and round(abs(left), 2) == 0
    return f"{value:.2f}" if "accuracy" in target and not hidden else format_number(value)
