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
from PIL import Image

from netbuilder._files import write_atomic
from netbuilder._text import printable

# On import, matplotlib prints long warnings if the home folder is not writable.
logging.getLogger("matplotlib").setLevel(logging.ERROR)

TRAIN, TEST, GOAL = "#c26a00", "#00629b", "#777777"


COLORS = 64
"""Colors of a palette; enough for a plot with antialiased edges, and for shades of gray."""
PHOTO_COLORS = 256
MAX_PIXELS = 1 << 24
"""The pixels of a picture that gets a palette; a plot has some two million."""


def save(figure: Figure, path: Path | BytesIO, *, photos: bool = False) -> None:
    """Write a figure to a file, or to memory, as a PNG; for ``photos`` its palette is dithered."""
    buffer = BytesIO()
    with quiet():
        figure.savefig(buffer, format="png", dpi=120)
    content = with_palette(buffer.getvalue(), photos=photos)
    if isinstance(path, BytesIO):
        path.write(content)
    else:
        write_atomic(path, content)


def with_palette(png: bytes, *, photos: bool = False) -> bytes:
    """Convert a PNG to a palette, at a third of the size of 32 bits per pixel.

    A PNG that already has a palette, is too large, or cannot be decoded, is returned unchanged.
    """
    buffer = BytesIO()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(BytesIO(png)) as image:
                if image.mode == "P" or image.width * image.height > MAX_PIXELS:
                    return png
                pixels = image.convert("RGB")
    except Exception:  # a damaged file can raise any exception in Pillow's decoders
        return png
    colors = PHOTO_COLORS if photos else COLORS
    palette = pixels.quantize(colors, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    if photos:  # dithering needs a palette that exists
        palette = pixels.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
    palette.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress matplotlib's warnings about text that is too long."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "constrained_layout", UserWarning)
        yield


def plain(text: str) -> str:
    """Return text that matplotlib draws unchanged: no formulas, no direction marks.

    A character that the font lacks becomes a question mark.
    """
    known = get_font(findfont(FontProperties())).get_char_index
    lines = (
        "".join(c if known(ord(c)) else "?" for c in printable(line)) for line in text.split("\n")
    )
    return "\n".join(lines).replace("$", r"\$")
