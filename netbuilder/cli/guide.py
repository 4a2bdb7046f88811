"""``netbuilder guide``."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from netbuilder._text import printable
from netbuilder.errors import ConfigError

PAGES = Path(__file__).parents[1] / "guide"
TOPICS = (
    "getting-started",
    "documents",
    "blocks",
    "own-layers",
    "training",
    "iterating",
    "report",
    "inference",
    "python",
    "performance",
    "reliability",
    "zoo",
    "iterations",
    "catalogue",
    "architecture",
    "contributing",
    "glossary",
)
"""The pages of the guide, in reading order."""


def _complete(incomplete: str) -> list[str]:
    return [topic for topic in TOPICS if topic.startswith(incomplete)]


def guide(
    topic: Annotated[
        str | None,
        typer.Argument(
            metavar="TOPIC",
            help="A page of the guide; without it, list the pages.",
            autocompletion=_complete,
        ),
    ] = None,
) -> None:
    """Show a page of the guide, or list its pages.

    Example: netbuilder guide training
    """
    if topic is None:
        _list()
        return
    if topic not in TOPICS:
        from netbuilder._text import did_you_mean

        hint = did_you_mean(topic, TOPICS)
        raise ConfigError(f"guide: no such topic {printable(topic)[:60]}{hint}")
    _show((PAGES / f"{topic}.md").read_text(encoding="utf-8"))


def description(text: str) -> str:
    """Return the first sentence of a page, which describes the page."""
    paragraph = text.split("\n\n")[1]
    return re.split(r"(?<=\.)\s", paragraph)[0].replace("\n", " ")


def _list() -> None:
    width = max(map(len, TOPICS))
    for topic in TOPICS:
        text = (PAGES / f"{topic}.md").read_text(encoding="utf-8")
        print(f"{topic:{width}}  {description(text)}")


def _show(text: str) -> None:
    """Render markdown on a terminal, where links become commands; print it unchanged to a pipe."""
    if not sys.stdout.isatty():
        print(text, end="")
        return
    from rich.console import Console
    from rich.markdown import Markdown

    text = re.sub(r"\[([^\]]+)\]\(#[^)]*\)", r"\1", text)
    text = re.sub(r"\[([^\]]+)\]\(([a-z-]+)\.md(#[^)]*)?\)", r"\1 (`netbuilder guide \2`)", text)
    Console().print(Markdown(text, hyperlinks=False))
