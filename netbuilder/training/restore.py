"""What a run folder records, brought back: its data and its kept weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from netbuilder.components.datasets import Dataset
from netbuilder.data.dataset import LoadedData
from netbuilder.data.open import open_dataset
from netbuilder.errors import DataError
from netbuilder.runs.run import Run


def recorded_dataset(run: Run) -> Dataset:
    """The data set that the run trained on: the document's, or the one that stood in for it."""
    dataset = run.architecture.trained.dataset
    if run.environment["data"]["fell_back"] and dataset.fallback_dataset:
        return dataset.fallback_dataset
    return dataset.without_fallback()


def open_recorded_data(run: Run, data_dir: Path | None) -> LoadedData:
    """The data that the run began with, the stand-in if it trained on that.

    Raises:
        DataError: they are missing, or not those that the run began with.
    """
    recorded = run.environment["data"]
    data = open_dataset(recorded_dataset(run), data_dir)
    if data.digest != recorded["sha256"]:
        raise DataError(
            f"{run.path}: the data are not those that the run began with: SHA-256 {data.digest}, "
            f"recorded {recorded['sha256']}; name the folder that has them with --data-dir"
        )
    if recorded["fell_back"]:
        return replace(
            data,
            fallback_for=run.architecture.trained.dataset,
            fallback_reason=recorded["fell_back"],
        )
    return data
