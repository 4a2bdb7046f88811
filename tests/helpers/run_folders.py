"""Run folders with figures made up for a test, written as a training writes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from netbuilder.config.schema import Architecture
from netbuilder.network.analysis import analyse
from netbuilder.runs.run import Run

CLASSES = [str(digit) for digit in range(10)]


def made_run(
    out: Path,
    architecture: Architecture,
    accuracies: Sequence[tuple[float, float]],
    *,
    seed: int = 0,
    confused: Sequence[tuple[int, int, int]] | None = None,
    fell_back: str = "",
    finished: bool = True,
) -> Run:
    """A run with these training and test accuracies, a pair an epoch.

    ``confused`` are labels, guesses and counts; without it there is no evaluation.json.
    """
    config = {"seed": seed, "device": "cpu", "precision": "bf16"}
    data = {"kind": "mnist5k", "sha256": "0", "fell_back": fell_back}
    environment = {**config, "data": data, "started": f"2026-01-01T00:00:{seed:02}+00:00"}
    run = Run.create(out, architecture, config, environment)
    metrics: list[dict[str, float]] = [
        {
            "epoch": epoch,
            "train_loss": 1 / epoch,
            "train_accuracy": train,
            "test_loss": 0.5 / epoch,
            "test_accuracy": test,
            "learning_rate": 0.1,
            "train_seconds": 2.0,
            "test_seconds": 1.0,
        }
        for epoch, (train, test) in enumerate(accuracies, 1)
    ]
    run.write_metrics(metrics)
    if not finished:
        return run
    best = max(metrics, key=lambda epoch: epoch["test_accuracy"])
    run.write_result(
        {
            "best": best,
            "best_train_accuracy": max(epoch["train_accuracy"] for epoch in metrics),
            "last": metrics[-1],
            "parameters": analyse(architecture).parameters,
            "epochs": len(metrics),
            "met": None,
            "reference": architecture.reference.model_dump(exclude_none=True),
        }
    )
    if confused is not None:
        counts = [[100 if i == j else 0 for j in range(10)] for i in range(10)]
        mistakes = []
        for label, guess, count in confused:
            counts[label][guess] = count
            mistakes.append(
                {
                    "index": 10 * label + guess,
                    "label": str(label),
                    "guess": str(guess),
                    "confidence": 0.5 + count / 100,
                }
            )
        run.write_evaluation(
            {
                "classes": CLASSES,
                "class_accuracy": [None] * 10,
                "confusion": counts,
                "mistakes": mistakes,
            }
        )
    return run
