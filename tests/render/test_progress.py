"""The output of a run on the screen."""

from __future__ import annotations

import torch
from rich.console import Console

from netbuilder.render.progress import HEADER, epoch_row, evaluation_table, verdict_table
from netbuilder.runs.records import EpochRecord, Reference, RunResult, VerdictRecord
from netbuilder.training.evaluation import LabeledPredictions

METRICS = EpochRecord(
    epoch=3,
    train_loss=0.12345,
    train_accuracy=96.5,
    test_loss=0.05,
    test_accuracy=98.125,
    learning_rate=0.2,
    train_seconds=11.26,
    test_seconds=1.0,
)


def plain_text(renderable: object) -> str:
    """Return the output of a console without colors and without trailing blanks."""
    console = Console(width=100, color_system=None)
    with console.capture() as capture:
        console.print(renderable)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def test_the_row_of_an_epoch_matches_the_header() -> None:
    """A row is as wide as the header, and the best epoch has a star."""
    row = epoch_row(METRICS, best=True)
    assert row == (
        "    3       0.1235       96.50      0.0500      98.12        0.200000      12.3  *"
    )
    assert len(epoch_row(METRICS, best=False)) == len(HEADER)


def test_the_verdict_names_each_target_and_the_published_numbers() -> None:
    """A target is met, not met, or not judged for a reason."""
    result = RunResult(
        epochs=3,
        parameters=7884,
        best=METRICS,
        best_train_accuracy=96.5,
        last=METRICS,
        targets=(
            VerdictRecord(target="parameters", bound="below 8,000", value=7884, met=True),
            VerdictRecord(target="epochs", bound="at most 2", value=3, met=False),
            VerdictRecord(
                target="test_accuracy",
                bound="at least 99.4 in the last epoch",
                reason="trained on mnist5k in place of mnist",
            ),
        ),
        met=False,
        reference=Reference(parameters=7884, test_accuracy=99.56),
        seconds=12.0,
    )
    text = plain_text(verdict_table(result))
    lines = [line.split("  ") for line in text.splitlines()]
    cells = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    assert ["parameters", "below 8,000", "7,884", "met"] in cells
    assert ["epochs", "at most 2", "3", "not met"] in cells
    assert "not judged: trained on mnist5k" in " ".join(text.split())
    assert ["best test accuracy", "published 99.56", "98.12"] in cells


def test_the_confusion_matrix_has_one_row_per_label() -> None:
    """A row has counts and an accuracy; a label that never occurs has no accuracy."""
    labels, guesses = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 1, 1])
    evaluation = LabeledPredictions(0.5, 75.0, guesses, torch.ones(4), labels, 3)
    assert evaluation.class_accuracy == [50.0, 100.0, None]
    rows = [
        line.split()
        for line in plain_text(evaluation_table(evaluation, ["a", "[b]", "c"])).splitlines()
    ]
    assert rows[0] == ["label\\guess", "a", "[b]", "c", "accuracy"]
    assert ["a", "1", "1", "·", "50.00", "%"] in rows
    assert ["[b]", "·", "2", "·", "100.00", "%"] in rows
    assert ["c", "·", "·", "·", "–"] in rows


def test_the_most_confident_mistakes_come_first() -> None:
    """Correct guesses are left out, and mistakes are ordered by confidence."""
    labels, guesses = torch.tensor([0, 1, 2, 0]), torch.tensor([0, 0, 1, 1])
    confidences = torch.tensor([0.99, 0.5, 0.9, 0.7])
    assert LabeledPredictions(0.5, 25.0, guesses, confidences, labels, 3).worst(2) == [2, 3]
