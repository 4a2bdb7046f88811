"""The colors of pictures, in light and dark, as variables of CSS; the report has the same."""

from __future__ import annotations

import re
from collections.abc import Mapping

LIGHT = {
    "ground": "#fff", "raised": "#f6f7f8", "line": "#dfe3e6", "ink": "#1b2126", "quiet": "#57616a",
    "accent": "#00629b", "good": "#17693a",
}  # fmt: skip
DARK = {
    "ground": "#14181b", "raised": "#1d2327", "line": "#333b41", "ink": "#e6eaed",
    "quiet": "#a3adb5", "accent": "#6fbdf0", "good": "#74cf97",
}  # fmt: skip
"""The colors that pictures share with the page of a report."""

LIGHT_FAMILIES = {
    "input": "#eef1f3", "convolution": "#5b9fd3", "linear": "#9c80cf", "norm": "#e3bf4e",
    "activation": "#4fae84", "dropout": "#b4bcc3", "pooling": "#e08650", "reshape": "#7fb5b8",
    "other": "#cf7ba6", "folded": "#93a1ad",
}  # fmt: skip
DARK_FAMILIES = {
    "input": "#3a434a", "convolution": "#3d84bd", "linear": "#8467bb", "norm": "#bd9a31",
    "activation": "#368f68", "dropout": "#7b858d", "pooling": "#c26a35", "reshape": "#4d8f93",
    "other": "#b05f89", "folded": "#61707c",
}  # fmt: skip
"""The color of each family of layers."""

SANS = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif'

ROOT = "net-drawing"
"""The class of a picture's root, to which all rules are limited."""

PREFIX = "n-"
"""How the other classes start, so that the rules of a page do not reach them."""

_ROOT_RULES = f"""\
.{ROOT} {{ font: 11px {SANS}; font-variant-numeric: tabular-nums; }}
.{ROOT} text {{ fill: $ink; stroke: none; }}
"""
_RULES = """\
.name { font-size: 16px; font-weight: 650; }
.title, .heading { font-size: 12px; font-weight: 600; }
.note, .shape, .line { fill: $quiet; font-size: 11px; font-weight: 400; }
.line { font-size: 12px; }
.whole { fill: $good; font-weight: 600; }
.frame, .repeat { fill: $raised; stroke: $line; }
.repeat { stroke: $quiet; stroke-dasharray: 4 3; }
.wire, .return { fill: none; stroke: $quiet; stroke-width: 1.3; }
.wire, .return { stroke-linecap: round; }
.arrow { fill: $quiet; }
.edge { stroke: $ink; stroke-opacity: 0.55; stroke-width: 0.8; stroke-linejoin: round; }
.light { fill: #fff; fill-opacity: 0.28; }
.dark { fill: #000; fill-opacity: 0.2; }
.ground { fill: $ground; }
.join { fill: $ground; stroke: $ink; stroke-width: 1.3; }
.sign { fill: none; stroke: $ink; stroke-width: 1.6; }
.image { fill: $ground; stroke: $quiet; }
.grid { fill: none; stroke: $line; stroke-width: 0.6; }
.field { fill: $accent; fill-opacity: 0.09; stroke: $accent; stroke-width: 1.4; }
.all { fill: none; stroke: $good; stroke-width: 2.4; }
.holes { stroke-dasharray: 3 2.5; }
.leader { fill: none; stroke: $quiet; stroke-width: 0.7; opacity: 0.8; }
"""


def css(names: str) -> str:
    """Return the attribute that gives an element its classes."""
    return 'class="' + " ".join(f"{PREFIX}{name}" for name in names.split()) + '"'


def stylesheet(*, in_page: bool = False) -> str:
    """Return the style of pictures.

    A browser chooses light or dark by the reader's preference; in a page, ``data-theme`` of its
    root goes before it.
    """
    light, dark = LIGHT | LIGHT_FAMILIES, DARK | DARK_FAMILIES
    scope = f".{ROOT}"
    rules = [f"{scope} {{ color-scheme: light dark; {_variables(light)} }}"]
    dark_scope = f':root:not([data-theme="light"]) {scope}' if in_page else scope
    rules.append(f"@media (prefers-color-scheme: dark) {{ {dark_scope} {{ {_variables(dark)} }} }}")
    if in_page:
        rules.append(f':root[data-theme="dark"] {scope} {{ {_variables(dark)} }}')
        rules.append(f"@media print {{ :root {scope} {{ {_variables(light)} }} }}")
    text = re.sub(r"^\.|(?<=, )\.", f"{scope} .{PREFIX}", _RULES, flags=re.MULTILINE)
    text = f"{_ROOT_RULES}{text}"
    for name in light:
        # A viewer without variables ignores the second color.
        for kind in ("fill", "stroke"):
            text = text.replace(
                f"{kind}: ${name};", f"{kind}: {light[name]}; {kind}: var(--{name});"
            )
    families = [
        f"{scope} .{PREFIX}{name} {{ fill: {color}; fill: var(--{name}); }}"
        for name, color in LIGHT_FAMILIES.items()
    ]
    return "\n".join([*rules, text + "\n".join(families)]) + "\n"


def _variables(colors: Mapping[str, str]) -> str:
    return " ".join(f"--{name}: {color};" for name, color in colors.items())
