"""``netbuilder check``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from netbuilder._text import printable
from netbuilder.cli._options import Documents, Plugins, RunsFolder, TextOrJson
from netbuilder.cli._watch import Look, Watch, watch
from netbuilder.errors import ConfigError, Problem
from netbuilder.network.check import _examined, _unsound
from netbuilder.runs.run import RUNS

if TYPE_CHECKING:
    from netbuilder.network.analysis import Analysis
    from netbuilder.network.lint import Advice
    from netbuilder.network.targets import Verdict


def check(
    paths: Documents,
    output: TextOrJson = "text",
    advice: Annotated[
        bool,
        typer.Option(
            "--advice",
            help="Also what an experienced engineer would say.",
        ),
    ] = False,
    runs: RunsFolder = RUNS,
    again: Watch = False,
    plugins: Plugins = None,
) -> None:
    """Say everything that is wrong with documents.

    Targets that need no training are held against them. Exit code 0: all well; 1: a target is not
    met; 2: a document is wrong.

    Example: netbuilder check archs/iter10.yaml --advice
    """
    if again:
        if output == "json":
            raise ConfigError("--watch shows text; found --format 'json', leave it out")
        watch(paths, lambda look: _draw_check(look, runs if advice else None))
    from dataclasses import asdict

    from netbuilder.network.targets import judge_document
    from netbuilder.render.network import problem_data

    reports, wrong, unmet = [], False, False
    for path in paths:
        problems, analysis = _examined(path)
        said = _advised(analysis, runs) if advice and analysis else []
        verdicts = judge_document(analysis) if analysis else []
        wrong = wrong or bool(problems)
        unmet = unmet or any(verdict.met is False for verdict in verdicts)
        if output == "json":
            reports.append(
                {
                    "file": str(path),
                    "problems": [problem_data(problem) for problem in problems],
                    "targets": [asdict(verdict) for verdict in verdicts],
                }
                | ({"advice": [asdict(each) for each in said]} if advice else {})
            )
            continue
        _say_checked(path, problems, verdicts, said)
    if output == "json":
        print(json.dumps(reports, indent=2))
    if wrong or unmet:
        raise typer.Exit(2 if wrong else 1)


def _say_checked(
    path: Path, problems: list[Problem], verdicts: list[Verdict], said: list[Advice]
) -> None:
    from netbuilder.render.network import verdict_line

    for problem in problems:
        print(problem)
    for verdict in verdicts:
        print(printable(f"{path}: {verdict_line(verdict)}"))
    for each in said:
        print(f"advice: {each}")
    if not problems and all(verdict.met is not False for verdict in verdicts):
        print(printable(f"{path}: ok"))


def _draw_check(look: Look, evidence: Path | None) -> None:
    """As `check` says it, and the totals before a mistake."""
    from netbuilder.network.targets import judge_document

    problems, analysis = look.problems, None if look.problems else look.analysis
    verdicts, said = [], []
    if analysis:
        problems = _unsound(analysis)
        verdicts = judge_document(analysis)
        said = _advised(analysis, evidence) if evidence else []
    _say_checked(look.path, problems, verdicts, said)
    look.say_last_right()


def _advised(analysis: Analysis, runs: Path) -> list[Advice]:
    """The advice on a document; what evidence could not be used is told on stderr."""
    from netbuilder.network.lint import advise
    from netbuilder.runs.evidence import gather

    evidence, notes = gather(analysis.architecture, runs)
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    return advise(analysis, evidence)
