"""What an experienced engineer would say of a sound network at a glance."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from netbuilder._text import printable
from netbuilder.errors import Problem
from netbuilder.network.analysis import Analysis
from netbuilder.network.lint import parameters, receptive_field, training
from netbuilder.network.lint.base import Finding
from netbuilder.network.lint.training import Evidence


@dataclass(frozen=True)
class Advice:
    """One thing to think about: where, why, and what to do; ``rule`` names it for programs."""

    rule: str
    problem: Problem
    remedy: str

    def __str__(self) -> str:
        return printable(f"{self.problem}; {self.remedy}")


def advise(analysis: Analysis, evidence: Evidence) -> list[Advice]:
    """All advice on an architecture, in the order of its text; none on one that has a fault."""
    if analysis.fault:
        return []
    found: dict[object, Advice] = {}
    for rule, said in _spoken(analysis, evidence):
        for place, reason, remedy in said:
            problem = analysis.architecture.problem(place, reason)
            name = rule.__name__.replace("_", "-")
            # A layer that is repeated is told once.
            key = (name, problem.file, problem.line, problem.column, problem.field)
            found.setdefault(key, Advice(name, problem, remedy))
    return sorted(found.values(), key=lambda advice: advice.problem)


def _spoken(
    analysis: Analysis, evidence: Evidence
) -> Iterator[tuple[Callable[..., Finding], Finding]]:
    for rule in receptive_field.RULES + parameters.RULES:
        yield rule, rule(analysis)
    for weighing in training.RULES:
        yield weighing, weighing(analysis, evidence)
