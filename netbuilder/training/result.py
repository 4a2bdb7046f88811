"""The result of a finished run."""

from __future__ import annotations

from dataclasses import asdict

from netbuilder.data.dataset import LoadedData
from netbuilder.network.analysis import Analysis
from netbuilder.network.targets import all_met, judge_run
from netbuilder.runs.records import (
    EpochRecord,
    Reference,
    RunResult,
    VerdictRecord,
    best_epoch,
    best_train_accuracy,
    total_seconds,
)


def run_result(analysis: Analysis, history: list[EpochRecord], data: LoadedData) -> RunResult:
    """Return the result of a run: its best and last epoch, and a verdict per target."""
    unjudged = ""
    if data.fallback_for:
        unjudged = f"trained on {data.dataset.kind} instead of {data.fallback_for.kind}"
    verdicts = judge_run(analysis, history, unjudged)
    met = all_met(verdicts)
    return RunResult(
        epochs=len(history),
        parameters=analysis.parameters,
        best=best_epoch(history),
        best_train_accuracy=best_train_accuracy(history),
        last=history[-1],
        targets=tuple(VerdictRecord(**asdict(verdict)) for verdict in verdicts),
        met=None if unjudged and met else met,
        reference=Reference(**analysis.architecture.reference.model_dump(exclude_none=True)),
        seconds=total_seconds(history),
    )
