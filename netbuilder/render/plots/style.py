"""The style that all plots share."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font

from netbuilder._files import write_atomic
from netbuilder._text import printable

# On import, matplotlib warns at length of a home folder that is not writable.
logging.getLogger("matplotlib").setLevel(logging.ERROR)

TRAIN, TEST, GOAL = "#c26a00", "#00629b", "#777777"


def save(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG, in one step."""
    buffer = BytesIO()
    with quiet():
        figure.savefig(buffer, format="png", dpi=120)
    write_atomic(path, buffer.getvalue())


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress matplotlib's warnings of text that is too long for its place."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "constrained_layout", UserWarning)
        yield


def plain(text: str) -> str:
    """Return text that matplotlib draws as it is: without formulas and marks of direction.

    A character that the font lacks becomes a question mark.
    """
    known = get_font(findfont(FontProperties())).get_char_index
    lines = (
        "".join(c if known(ord(c)) else "?" for c in printable(line)) for line in text.split("\n")
    )
    return "\n".join(lines).replace("$", r"\$")
