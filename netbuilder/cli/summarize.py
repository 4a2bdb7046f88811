"""``netbuilder summarize``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from netbuilder.cli._options import Documents, Plugins, table_format, whole
from netbuilder.cli._output import echo
from netbuilder.cli._watch import Look, Watch, watch
from netbuilder.errors import ConfigError

if TYPE_CHECKING:
    from netbuilder.network.analysis import Analysis

SummaryFormat = Literal["rich", "plain", "json", "markdown", "csv", "torchsummary"]


def summarize(
    paths: Documents,
    output: Annotated[
        SummaryFormat | None,
        typer.Option(
            "--format", help="Output format; by default rich in a terminal, plain elsewhere."
        ),
    ] = None,
    depth: Annotated[
        int | None, whole("--depth", 0, "Fold containers nested more than N deep into one row.")
    ] = None,
    again: Watch = False,
    plugins: Plugins = None,
) -> None:
    """Show the shape, receptive field, parameters and cost of every layer.

    Example: netbuilder summarize archs/iter10.yaml
    """
    if again and output not in (None, "rich", "plain"):
        raise ConfigError(f"--watch shows text; leave --format {output} out")
    output = output or table_format()
    if again:
        several, plain = len(paths) > 1, output == "plain"
        watch(paths, lambda look: _draw_summary(look, depth, plain=plain, several=several))
    from netbuilder.network.check import check_document

    checks = [check_document(path) for path in paths]
    analyses = [check.analysis for check in checks if check.analysis and not check.is_partial]
    _present(analyses, output, depth, several=len(paths) > 1)
    problems = [problem for check in checks for problem in check.problems]
    if output in ("rich", "plain") and sys.stdout.isatty():
        # On a terminal, the fault is already below the table.
        faults = {analysis.fault for analysis in analyses}
        problems = [problem for problem in problems if problem not in faults]
    if problems:
        raise ConfigError(problems)
    if not all(check.is_sound for check in checks):
        raise typer.Exit(2)


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
    """Print the table of the valid layers, the problems, and the last valid totals."""
    from netbuilder.render.console import show
    from netbuilder.render.network import summary

    analysis = look.check.analysis
    if analysis is not None:
        show(*summary(analysis, plain=plain, depth=depth), plain=plain)
    for problem in look.check.problems:
        if analysis is None or problem != analysis.fault:
            echo(str(problem))
    look.print_last_valid()
    if several:
        print()
