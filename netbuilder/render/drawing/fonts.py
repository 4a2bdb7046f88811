"""The width of text, from above: a browser's font may be any."""

from __future__ import annotations

from unicodedata import combining, east_asian_width

TITLE, SMALL = 12.0, 11.0
"""The sizes of the two fonts of labels."""

WIDTHS = {
    0.30: "Iijl'J",
    0.40: "f-/|\\ ,.:;r t()[]!",
    0.54: '"*^_`scz?',
    0.72: "ABEFKLPRSTXYZCVU",
    0.80: "DGHNOQ#&+<>=~",
    1.00: "mwMW@%…–",
}
"""The widths of characters in a wide font, relative to its size; of others, `COMMON`."""

COMMON = 0.65
WIDE = 1.05
BOLD = 1.12

_WIDTH_OF = {char: width for width, chars in WIDTHS.items() for char in chars}


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Return the width of a text in a font of a size."""
    width = sum(map(_char_width, text)) * size
    return width * BOLD if bold else width


def _char_width(char: str) -> float:
    if char in _WIDTH_OF:
        return _WIDTH_OF[char]
    if char.isascii():
        return COMMON
    if combining(char):
        return 0.0
    return WIDE if east_asian_width(char) in "WFA" or ord(char) > 0x1F00 else 0.85


def shorten(text: str, size: float, width: float, *, bold: bool = False) -> str:
    """Return a text that fits a width, its end replaced by an ellipsis if it is too long."""
    if text_width(text, size, bold=bold) <= width:
        return text
    room, end = width - text_width("…", size, bold=bold), 0
    while end < len(text) and room >= 0:
        room -= text_width(text[end], size, bold=bold)
        end += 1
    return f"{text[: max(0, end - 1)].rstrip()}…"


def wrap(text: str, size: float, width: float) -> list[str]:
    """Return a text in lines that fit a width, broken between words."""
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}".lstrip()
        if lines[-1] and text_width(joined, size) > width:
            lines.append(shorten(word, size, width))
        else:
            lines[-1] = shorten(joined, size, width)
    return lines
