"""Predictions as a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from netbuilder.render.table import Column, Table

Prediction = tuple[Path, Sequence[float]]
"""A picture and the probabilities of all classes."""


def predictions_table(
    predictions: Sequence[Prediction], classes: Sequence[str]
) -> Table[Prediction]:
    """Return one row per picture: its most probable class and the second."""

    def ranked(row: Prediction, rank: int) -> int:
        return sorted(range(len(classes)), key=lambda i: -row[1][i])[rank]

    def percentage(share: float) -> str:
        return f"{100 * share:.1f} %"

    columns: list[Column[Prediction]] = [
        Column("picture", lambda row: str(row[0]), justify="left", folds=True),
        Column("class", lambda row: classes[ranked(row, 0)], justify="left"),
        Column("probability", lambda row: row[1][ranked(row, 0)], text=percentage),
        Column("second", lambda row: classes[ranked(row, 1)], justify="left", priority=1),
        Column(
            "probability",
            lambda row: row[1][ranked(row, 1)],
            text=percentage,
            priority=1,
            key="second probability",
        ),
    ]
    return Table(columns, predictions, hint="a wider terminal shows all")
