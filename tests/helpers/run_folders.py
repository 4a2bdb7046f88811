"""Run folders with invented values, in the form that a training writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from netbuilder.config.schema import Architecture
from netbuilder.network.analysis import analyse
from netbuilder.runs.create import create_run
from netbuilder.runs.records import (
    DataRecord,
    Environment,
    EpochRecord,
    Evaluation,
    Mistake,
    Reference,
    RunConfig,
    RunResult,
    best_epoch,
    best_train_accuracy,
    total_seconds,
)
from netbuilder.runs.run import Run

CLASSES = tuple(map(str, range(10)))


def epoch_record(epoch: int, train: float, test: float) -> EpochRecord:
    """Create the record of an epoch with these training and test accuracies."""
    return EpochRecord(
        epoch=epoch,
        train_loss=1 / epoch,
        train_accuracy=train,
        test_loss=0.5 / epoch,
        test_accuracy=test,
        learning_rate=0.1,
        train_seconds=2.0,
        test_seconds=1.0,
    )


def write_run(
    out: Path,
    architecture: Architecture,
    accuracies: Sequence[tuple[float, float]],
    *,
    seed: int = 0,
    confused: Sequence[tuple[int, int, int]] | None = None,
    fell_back: str = "",
    finished: bool = True,
) -> Run:
    """Write a run with these training and test accuracies, one pair per epoch.

    ``confused`` lists labels, guesses and counts; without it no evaluation.json is written.
    """
    config = RunConfig(
        architecture=architecture.model_dump(mode="json"),
        seed=seed,
        device="cpu",
        precision="bf16",
    )
    data = DataRecord(kind=architecture.trained.dataset.kind, sha256="0", fallback=fell_back)
    started = f"2026-01-01T00:00:{seed:02}+00:00"
    environment = Environment(device="cpu", precision="bf16", seed=seed, data=data, started=started)
    run = create_run(out, architecture, config, environment)
    metrics = [epoch_record(epoch, *pair) for epoch, pair in enumerate(accuracies, 1)]
    run.write_metrics(metrics)
    if not finished:
        return run
    run.write_result(
        RunResult(
            epochs=len(metrics),
            parameters=analyse(architecture).parameters,
            best=best_epoch(metrics),
            best_train_accuracy=best_train_accuracy(metrics),
            last=metrics[-1],
            met=None,
            reference=Reference(**architecture.reference.model_dump(exclude_none=True)),
            seconds=total_seconds(metrics),
        )
    )
    if confused is not None:
        counts = [[100 if i == j else 0 for j in range(10)] for i in range(10)]
        mistakes = []
        for label, guess, count in confused:
            counts[label][guess] = count
            mistakes.append(
                Mistake(
                    index=10 * label + guess,
                    label=str(label),
                    guess=str(guess),
                    confidence=0.5 + count / 100,
                )
            )
        run.write_evaluation(
            Evaluation(
                classes=CLASSES,
                class_accuracy=(None,) * 10,
                confusion=tuple(map(tuple, counts)),
                mistakes=tuple(mistakes),
            )
        )
    return run
