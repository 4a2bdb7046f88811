"""Evaluate a run on its test set."""

from __future__ import annotations

from pathlib import Path

from netbuilder.data.dataset import LoadedData
from netbuilder.inference.load import load_model
from netbuilder.runs.run import Run
from netbuilder.training.device import Device
from netbuilder.training.evaluation import Evaluation, evaluate
from netbuilder.training.restore import open_recorded_data


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
    hardware = Device.choose(device, run.config["precision"])
    model = load_model(run, which).to(hardware.device)
    data = open_recorded_data(run, data_dir)
    there = data.to(hardware.device, images=False)  # they go there batch by batch
    config = run.architecture.trained
    images, labels = there.test_images, there.test_labels
    return evaluate(model, config, data.dataset, hardware, images, labels), data
