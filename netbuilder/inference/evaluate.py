"""Evaluate a run on its test set."""

from __future__ import annotations

from pathlib import Path

from netbuilder.data.dataset import LoadedData
from netbuilder.inference.load import load_model
from netbuilder.runs.run import Run
from netbuilder.training.device import Device
from netbuilder.training.evaluation import LabeledPredictions, evaluate
from netbuilder.training.reference import fix_statistics
from netbuilder.training.restore import open_recorded_data


def evaluate_run(
    run: Run, *, which: str = "best", device: str = "auto", data_dir: Path | None = None
) -> tuple[LabeledPredictions, LoadedData]:
    """Evaluate the run's weights on its test set, in the run's precision.

    Args:
        run: The run.
        which: The weights, ``best`` or ``last``.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        data_dir: A torchvision-style root; else NETBUILDER_DATA, else the user's cache.

    Raises:
        ConfigError: A record of the run is damaged.
        CheckpointError: The weights are missing or damaged.
        DataError: The data are missing, or differ from those of the run.
    """
    hardware = Device.choose(device, run.config.precision)
    model = load_model(run, which).to(hardware.device)
    data = open_recorded_data(run, data_dir)
    on_device = data.to(hardware.device, images=False)  # images follow batch by batch
    fix_statistics(model, data.dataset, hardware, data.train_images)
    config = run.architecture.trained
    images, labels = on_device.test_images, on_device.test_labels
    return evaluate(model, config, data.dataset, hardware, images, labels), data
