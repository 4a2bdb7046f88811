"""``netbuilder check``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from netbuilder.cli._options import Documents, Plugins, RunsFolder, TextOrJson
from netbuilder.cli._output import echo
from netbuilder.cli._watch import Look, Watch, watch
from netbuilder.errors import ConfigError
from netbuilder.runs import RUNS

if TYPE_CHECKING:
    from netbuilder.errors import Problem
    from netbuilder.network.check import DocumentCheck
    from netbuilder.network.lint import Advice


def check(
    paths: Documents,
    output: TextOrJson = "text",
    advice: Annotated[
        bool,
        typer.Option("--advice", help="Print the findings of the lint rules too."),
    ] = False,
    target: Annotated[
        Literal["onnx"] | None,
        typer.Option("--for", help="Also list the layers that this export format lacks."),
    ] = None,
    runs: RunsFolder = RUNS,
    again: Watch = False,
    plugins: Plugins = None,
) -> None:
    """List every problem in a document.

    Targets that need no training are judged, and the others listed. Warnings do not change the
    exit code. Exit code 0: no problem; 1: a target is not met, or the format of --for lacks a
    layer; 2: a document has a problem.

    Example: netbuilder check archs/iter10.yaml --advice
    """
    if again:
        if output == "json":
            raise ConfigError("--watch shows text; leave --format json out")
        if target:
            raise ConfigError("--watch repeats the check alone; leave --for out")
        watch(paths, lambda look: _draw_check(look, runs if advice else None))
    from netbuilder.network.check import check_document

    reports, checks, lacking = [], [], False
    for path in paths:
        result = check_document(path)
        findings = _advice(result, runs) if advice else []
        checks.append(result)
        missing = _missing_layers(path, result) if target else []
        lacking = lacking or bool(missing)
        if output == "json":
            data = _as_data(path, result, findings if advice else None)
            reports.append(data | ({"onnx": _problems_data(missing)} if target else {}))
        else:
            _print_check(path, result, findings, missing)
    if output == "json":
        from netbuilder.render.json import dumps

        print(dumps(reports, indent=2))
    if not all(result.is_sound for result in checks):
        raise typer.Exit(2)
    if lacking or not all(result.meets_targets for result in checks):
        raise typer.Exit(1)


def _as_data(path: Path, check: DocumentCheck, findings: list[Advice] | None) -> dict[str, Any]:
    from netbuilder.render.json import record_data

    data = {
        "file": str(path),
        "problems": _problems_data(check.problems),
        "targets": [record_data(verdict) for verdict in check.verdicts],
        "warnings": [_advice_data(warning) for warning in check.warnings],
    }
    if findings is not None:
        data["advice"] = [_advice_data(finding) for finding in findings]
    return data


def _problems_data(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    from netbuilder.render.network import problem_data

    return [problem_data(problem) for problem in problems]


def _missing_layers(path: Path, check: DocumentCheck) -> list[Problem]:
    """Return the layers that ONNX lacks, and print a note on kinds of plugins to stderr."""
    from netbuilder.network.onnx import onnx_problems, unknown_kinds

    if check.analysis is None or check.problems:
        return []
    if kinds := unknown_kinds(check.analysis):
        names = ", ".join(kinds)
        message = f"note: {path}: only an export shows whether ONNX can represent {names}"
        echo(f"{message}, which a plugin defines", err=True)
    return onnx_problems(check.analysis)


def _advice_data(advice: Advice) -> dict[str, Any]:
    from netbuilder.render.json import record_data
    from netbuilder.render.network import problem_data

    return record_data(advice) | {"problem": problem_data(advice.problem)}


def _print_check(
    path: Path, check: DocumentCheck, findings: list[Advice], missing: Sequence[Problem] = ()
) -> None:
    from netbuilder.render.console import Line, show
    from netbuilder.render.network_text import verdict_line
    from netbuilder.render.verdict import verdict_style

    for problem in (*check.problems, *missing):
        echo(str(problem))
    for verdict in check.verdicts:
        line = Line(f"{path}: {verdict_line(verdict)}", verdict_style(verdict.met))
        show(line, plain=not sys.stdout.isatty())
    for warning in check.warnings:
        echo(f"warning: {warning}")
    for finding in findings:
        echo(f"advice: {finding}")
    if check.is_sound and check.meets_targets and not missing:
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
