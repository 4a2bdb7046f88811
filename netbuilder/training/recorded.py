"""What a run folder records, brought back: its data and its kept weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from torch import nn

from netbuilder.builder import build
from netbuilder.data import LoadedData, open_dataset
from netbuilder.errors import CheckpointError, DataError, printable
from netbuilder.recipe.datasets import Dataset
from netbuilder.runs import Run
from netbuilder.training.checkpoint import UNREADABLE, bytes_of, load_weights
from netbuilder.training.evaluation import Evaluation, evaluate
from netbuilder.training.hardware import Hardware


def recorded_dataset(run: Run) -> Dataset:
    """The data set that the run trained on: the document's, or the one that stood in for it."""
    dataset = run.architecture.trained.dataset
    if run.environment["data"]["fell_back"] and dataset.stand_in:
        return dataset.stand_in
    return dataset.without_stand_in()


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
            fell_back_from=run.architecture.trained.dataset,
            fallback_reason=recorded["fell_back"],
        )
    return data


def kept_model(run: Run, which: str) -> nn.Sequential:
    """The network with the run's weights, ``best`` or ``last``, on the CPU.

    Raises:
        CheckpointError: the file of weights is missing or damaged.
    """
    path = run.path / f"{which}.safetensors"
    model = build(run.architecture)
    try:
        most = 2 * bytes_of(model.state_dict().values()) + (64 << 20)
        model.load_state_dict(load_weights(path, most=most))
    except FileNotFoundError:
        message = (
            "no such file; the run has not finished an epoch. "
            f"Go on with: netbuilder train --resume {run.path}"
        )
        if run.metrics:  # records may be kept, and given away, without what is large
            message = (
                "no such file; the run's records are there without its weights. "
                f"Train it again with: netbuilder train {run.path / 'architecture.yaml'}"
            )
        raise CheckpointError(printable(f"{path}: {message}")) from None
    except UNREADABLE as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        other = "last" if which == "best" else "best"
        raise CheckpointError(
            printable(f"{path}: cannot be loaded: {reason}; take --weights {other}")
        ) from None
    return model


def evaluate_run(
    run: Run, *, which: str = "best", device: str = "auto", data_dir: Path | None = None
) -> tuple[Evaluation, LoadedData]:
    """The run's kept weights on its test set, in the run's precision.

    Args:
        run: the run.
        which: ``best`` or ``last``.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        data_dir: a torchvision-style root; else NETBUILDER_DATA, else the user's cache.

    Raises:
        CheckpointError: the weights are missing or damaged.
        DataError: the data are missing, or not those that the run began with.
    """
    hardware = Hardware.choose(device, run.config["precision"])
    model = kept_model(run, which).to(hardware.device)
    data = open_recorded_data(run, data_dir)
    there = data.to(hardware.device, images=False)  # they go there batch by batch
    config = run.architecture.trained
    images, labels = there.test_images, there.test_labels
    return evaluate(model, config, data.dataset, hardware, images, labels), data
