"""``netbuilder summarize``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from netbuilder.cli._options import Documents, Plugins, choice, table_format, whole
from netbuilder.cli._watch import Look, Watch, watch
from netbuilder.errors import ConfigError

if TYPE_CHECKING:
    from netbuilder.network.analysis import Analysis

SUMMARY_FORMATS = ("rich", "plain", "json", "markdown", "csv", "torchsummary")


def summarize(
    paths: Documents,
    output: Annotated[str | None, choice("--format", SUMMARY_FORMATS)] = None,
    depth: Annotated[
        int | None, whole("--depth", 0, "Sum up layers inside more than this many containers.")
    ] = None,
    again: Watch = False,
    plugins: Plugins = None,
) -> None:
    """Show every layer's shape, receptive field, parameters and cost.

    Example: netbuilder summarize archs/iter10.yaml
    """
    if again and output not in (None, "rich", "plain"):
        raise ConfigError(f"--watch shows text; found --format {output!r}, leave it out")
    output = output or table_format()
    if again:
        several, plain = len(paths) > 1, output == "plain"
        watch(paths, lambda look: _draw_summary(look, depth, plain=plain, several=several))
    from netbuilder.config.loader import load
    from netbuilder.network.analysis import analyse

    analyses, problems = [], []
    for path in paths:
        try:
            analysis = analyse(load(path))
        except ConfigError as error:
            problems += error.problems
        else:
            analyses.append(analysis)
    _present(analyses, output, depth, several=len(paths) > 1)
    if output not in ("rich", "plain") or not sys.stdout.isatty():
        problems += [analysis.fault for analysis in analyses if analysis.fault]
    if problems:
        raise ConfigError(problems)
    if any(analysis.fault for analysis in analyses):
        raise typer.Exit(2)  # a terminal shows the fault already, below the table


def _present(analyses: list[Analysis], output: str, depth: int | None, *, several: bool) -> None:
    from netbuilder.render.console import show
    from netbuilder.render.network import FORMATS, summaries

    if not analyses:
        return
    if output in FORMATS:
        print(FORMATS[output](analyses, depth, several), end="")
    else:
        plain = output == "plain"
        show(*summaries(analyses, depth, plain=plain, several=several), plain=plain)


def _draw_summary(look: Look, depth: int | None, *, plain: bool, several: bool) -> None:
    """Print the table as far as there is one, the problems, and the last valid totals."""
    from netbuilder.render.console import show
    from netbuilder.render.network import summary

    analysis = look.check.analysis
    if analysis is not None:
        show(*summary(analysis, plain=plain, depth=depth), plain=plain)
    for problem in look.check.problems:
        if analysis is None or problem != analysis.fault:
            print(problem)
    look.print_last_valid()
    if several:
        print()
