"""``netbuilder check``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from netbuilder.cli._options import Documents, Plugins, RunsFolder, TextOrJson
from netbuilder.cli._output import echo
from netbuilder.cli._watch import Look, Watch, watch
from netbuilder.errors import ConfigError
from netbuilder.runs import RUNS

if TYPE_CHECKING:
    from netbuilder.network.check import DocumentCheck
    from netbuilder.network.lint import Advice


def check(
    paths: Documents,
    output: TextOrJson = "text",
    advice: Annotated[
        bool,
        typer.Option("--advice", help="Print the findings of the lint rules too."),
    ] = False,
    runs: RunsFolder = RUNS,
    again: Watch = False,
    plugins: Plugins = None,
) -> None:
    """List every problem in a document.

    Targets that need no training are judged, and the others listed. Warnings do not change the
    exit code. Exit code 0: no problem; 1: a target is not met; 2: a document has a problem.

    Example: netbuilder check archs/iter10.yaml --advice
    """
    if again:
        if output == "json":
            raise ConfigError("--watch shows text; leave --format json out")
        watch(paths, lambda look: _draw_check(look, runs if advice else None))
    from netbuilder.network.check import check_document

    reports, checks = [], []
    for path in paths:
        result = check_document(path)
        findings = _advice(result, runs) if advice else []
        checks.append(result)
        if output == "json":
            reports.append(_as_data(path, result, findings if advice else None))
        else:
            _print_check(path, result, findings)
    if output == "json":
        from netbuilder.render.json import dumps

        print(dumps(reports, indent=2))
    if not all(result.is_sound for result in checks):
        raise typer.Exit(2)
    if not all(result.meets_targets for result in checks):
        raise typer.Exit(1)


def _as_data(path: Path, check: DocumentCheck, findings: list[Advice] | None) -> dict[str, Any]:
    from netbuilder.render.json import record_data
    from netbuilder.render.network import problem_data

    data = {
        "file": str(path),
        "problems": [problem_data(problem) for problem in check.problems],
        "targets": [record_data(verdict) for verdict in check.verdicts],
        "warnings": [_advice_data(warning) for warning in check.warnings],
    }
    if findings is not None:
        data["advice"] = [_advice_data(finding) for finding in findings]
    return data


def _advice_data(advice: Advice) -> dict[str, Any]:
    from netbuilder.render.json import record_data
    from netbuilder.render.network import problem_data

    return record_data(advice) | {"problem": problem_data(advice.problem)}


def _print_check(path: Path, check: DocumentCheck, findings: list[Advice]) -> None:
    from netbuilder.render.console import Line, show
    from netbuilder.render.network_text import verdict_line
    from netbuilder.render.verdict import verdict_style

    for problem in check.problems:
        echo(str(problem))
    for verdict in check.verdicts:
        line = Line(f"{path}: {verdict_line(verdict)}", verdict_style(verdict.met))
        show(line, plain=not sys.stdout.isatty())
    for warning in check.warnings:
        echo(f"warning: {warning}")
    for finding in findings:
        echo(f"advice: {finding}")
    if check.is_sound and check.meets_targets:
        echo(f"{path}: ok")


def _draw_check(look: Look, runs: Path | None) -> None:
    """Print a check, with the totals of the last valid version of a document with problems."""
    _print_check(look.path, look.check, _advice(look.check, runs) if runs else [])
    look.print_last_valid()


def _advice(check: DocumentCheck, runs: Path) -> list[Advice]:
    """Return the advice on a sound document, and print notes on unusable evidence to stderr."""
    from netbuilder.network.lint import advise
    from netbuilder.runs.evidence import gather

    if check.analysis is None or check.analysis.fault or check.problems:
        return []
    evidence, notes = gather(check.analysis.architecture, runs)
    for note in notes:
        echo(f"note: {note}", err=True)
    return advise(check.analysis, evidence)
