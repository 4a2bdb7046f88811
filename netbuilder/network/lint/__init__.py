"""Lint rules: warnings and advice on a valid network, its last run and its LR range test."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from netbuilder._text import printable
from netbuilder.errors import Problem
from netbuilder.network.analysis import Analysis
from netbuilder.network.lint import loss, normalization, receptive_field, schedule, spelling
from netbuilder.network.lint.base import Evidence, Rule

WARNINGS: tuple[Rule, ...] = (
    *spelling.RULES,
    *loss.RULES,
    *normalization.RULES,
    *receptive_field.WARNINGS,
    *schedule.RULES,
)
"""The rules that `check` and `train` apply without being asked."""


@dataclass(frozen=True)
class Advice:
    """A finding of a rule.

    Attributes:
        rule: The id of the rule.
        problem: The place and the reason.
        remedy: What to do about it.
    """

    rule: str
    problem: Problem
    remedy: str

    def __str__(self) -> str:
        return printable(f"{self.problem}; {self.remedy}")


def warn(analysis: Analysis) -> list[Advice]:
    """Apply the rules that are warnings; return their findings in the order of the document."""
    return _apply(WARNINGS, analysis, Evidence())


def advise(analysis: Analysis, evidence: Evidence) -> list[Advice]:
    """Apply the rules that are not warnings; return their findings in the order of the document.

    Args:
        analysis: The analysis of the network.
        evidence: What was measured of it.
    """
    # `check` without --advice does not load these rules.
    from netbuilder.network.lint import parameters, training

    rules = receptive_field.RULES + parameters.RULES + training.RULES
    return _apply(rules, analysis, evidence)


def _apply(rules: Iterable[Rule], analysis: Analysis, evidence: Evidence) -> list[Advice]:
    """Return the findings of rules.

    A network with a fault gets none. A layer that is built several times from one place of the
    document gets one.
    """
    if analysis.fault:
        return []
    advice: dict[object, Advice] = {}
    for rule in rules:
        for finding in rule.check(analysis, evidence):
            problem = analysis.architecture.problem(finding.place, finding.reason)
            key = (rule.id, problem.file, problem.line, problem.column, problem.field)
            advice.setdefault(key, Advice(rule.id, problem, finding.remedy))
    return sorted(advice.values(), key=lambda entry: entry.problem)
