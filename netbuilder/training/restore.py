"""Open the data set that a run was trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from netbuilder._text import printable
from netbuilder.components.datasets import Dataset
from netbuilder.data.dataset import LoadedData
from netbuilder.data.open import open_dataset
from netbuilder.errors import DataError
from netbuilder.runs.run import Run


def recorded_dataset(run: Run) -> Dataset:
    """Return the data set that the run trained on: the document's, or its fallback."""
    dataset = run.architecture.trained.dataset
    if run.environment.data.fallback and dataset.fallback_dataset:
        return dataset.fallback_dataset
    return dataset.without_fallback()


def open_recorded_data(run: Run, data_dir: Path | None) -> LoadedData:
    """Open the data set that the run was trained on.

    Raises:
        DataError: The data set is missing, or differs from the recorded one.
    """
    recorded = run.environment.data
    data = open_dataset(recorded_dataset(run), data_dir)
    if data.digest != recorded.sha256:
        raise DataError(
            f"{run.path}: the data differ from those of the run: SHA-256 {data.digest[:16]}…, "
            f"recorded {printable(recorded.sha256[:16])}…; name the right folder with --data-dir"
        )
    if recorded.fallback:
        return replace(
            data,
            fallback_for=run.architecture.trained.dataset,
            fallback_reason=recorded.fallback,
        )
    return data
