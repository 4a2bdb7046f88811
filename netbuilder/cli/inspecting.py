"""The commands that look at documents and never import torch: summarize, check, schema."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from netbuilder.cli.options import (
    Documents,
    Plugins,
    RunsFolder,
    TextOrJson,
    choice,
    give,
    require_free,
    table_format,
    whole,
)
from netbuilder.cli.watching import Look, watch
from netbuilder.errors import ConfigError, Problem, printable
from netbuilder.runs import RUNS

if TYPE_CHECKING:
    from netbuilder.advice import Advice
    from netbuilder.analysis import Analysis
    from netbuilder.targets import Verdict

Watch = Annotated[bool, typer.Option("--watch", help="Draw it again at each save, until Ctrl-C.")]
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
    from netbuilder.analysis import analyse
    from netbuilder.loader import load

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
    from netbuilder import formats, tables
    from netbuilder.console import show

    if not analyses:
        return
    if output == "json":
        data = [formats.as_data(analysis, depth) for analysis in analyses]
        print(json.dumps(data if several else data[0], indent=2))
    elif output == "csv":
        print(formats.as_csv(analyses, depth), end="")
    elif output == "markdown":
        print("\n".join(formats.as_markdown(analysis, depth) for analysis in analyses), end="")
    elif output == "torchsummary":
        print("\n".join(map(formats.as_torchsummary, analyses)), end="")
    else:
        plain = output == "plain"
        for analysis in analyses:
            show(tables.summary(analysis, plain=plain, depth=depth), plain=plain)
            if several:
                print()
        if several:
            show(tables.comparison(analyses, plain=plain), plain=plain)


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

    from netbuilder.formats import problem_data
    from netbuilder.targets import judge_document

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
    from netbuilder.tables import verdict_line

    for problem in problems:
        print(problem)
    for verdict in verdicts:
        print(printable(f"{path}: {verdict_line(verdict)}"))
    for each in said:
        print(f"advice: {each}")
    if not problems and all(verdict.met is not False for verdict in verdicts):
        print(printable(f"{path}: ok"))


def _draw_summary(look: Look, depth: int | None, *, plain: bool, several: bool) -> None:
    """The table as far as there is one; where it is wrong, why, and the totals before that."""
    from netbuilder import tables
    from netbuilder.console import show

    if look.analysis is not None:
        show(tables.summary(look.analysis, plain=plain, depth=depth), plain=plain)
    shown = look.analysis.fault if look.analysis else None
    for problem in look.problems:
        if problem != shown:
            print(problem)
    look.say_last_right()
    if several:
        print()


def _draw_check(look: Look, evidence: Path | None) -> None:
    """As `check` says it, and the totals before a mistake."""
    from netbuilder.targets import judge_document

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
    from netbuilder.advice import advise
    from netbuilder.cli.evidence import gather

    evidence, notes = gather(analysis.architecture, runs)
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    return advise(analysis, evidence)


def _examined(path: Path) -> tuple[list[Problem], Analysis | None]:
    """A document's problems, and what is known of it if it can be read."""
    from netbuilder.analysis import analyse
    from netbuilder.loader import load

    try:
        analysis = analyse(load(path))
    except ConfigError as error:
        return error.problems, None
    return _unsound(analysis), analysis


def _unsound(analysis: Analysis) -> list[Problem]:
    """The layer that cannot take what reaches it, or that the data set has other classes."""
    from netbuilder.analysis import require_classes

    try:
        analysis.require_sound()
        require_classes(analysis)
    except ConfigError as error:
        return error.problems
    return []


def schema(
    out: Annotated[Path | None, typer.Option(help="Write it to this file.")] = None,
    plugins: Plugins = None,
) -> None:
    """Print the JSON Schema of documents, for editors.

    An editor completes and checks a document that names the file in its first line.

    Example: netbuilder schema --out archs/netbuilder.schema.json
    """
    from netbuilder.json_schema import FILE_NAME, schema_text
    from netbuilder.layers.plugins import load_installed

    if out is not None and out.is_dir():
        raise ConfigError(f"--out {out}: it is a folder; name a file, such as {out / FILE_NAME}")
    require_free(out, force=True)  # made by no hand: what lies there is an earlier one
    load_installed()
    text = schema_text()
    give(text, out)
