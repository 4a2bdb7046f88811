"""Classify picture files with the trained network of a run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from netbuilder.errors import Problem
from netbuilder.runs.run import Run


@dataclass(frozen=True)
class ImagePrediction:
    """A picture and the probabilities of all classes, in the order of the data set."""

    path: Path
    probabilities: tuple[float, ...]

    @property
    def best(self) -> int:
        """The index of the class with the highest probability."""
        return self.probabilities.index(max(self.probabilities))


@dataclass(frozen=True)
class Predictions:
    """The predictions for a list of pictures.

    Attributes:
        classes: The names of the classes.
        images: The predictions for all readable pictures, in order.
        unusable: The problems of the other pictures.
    """

    classes: tuple[str, ...]
    images: tuple[ImagePrediction, ...]
    unusable: tuple[Problem, ...]


def predict_run(
    run: Run, paths: Iterable[Path], *, which: str = "best", device: str = "auto"
) -> Predictions:
    """Classify PNG or JPEG files with a run's network, in the run's precision.

    Args:
        run: The run. Its data set is needed only for batch normalization without running
            statistics.
        paths: Files, or folders of files.
        which: The saved weights to use, ``best`` or ``last``.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Raises:
        ConfigError: A path does not exist, or a folder contains no picture.
        CheckpointError: The weights are missing or damaged.
        DataError: The data set is needed, and missing.
    """
    import torch

    from netbuilder.inference.images import UnusableImageError, find_images, read_image
    from netbuilder.inference.load import load_model
    from netbuilder.training.device import Device
    from netbuilder.training.evaluation import BATCH, prediction
    from netbuilder.training.reference import fix_statistics, normalizes_by_batch
    from netbuilder.training.restore import open_recorded_data, recorded_dataset

    files = find_images(paths)
    dataset = recorded_dataset(run)
    hardware = Device.choose(device, run.config.precision)
    model = load_model(run, which).to(hardware.device).eval()
    if normalizes_by_batch(model):
        data = open_recorded_data(run, None)
        fix_statistics(model, dataset, hardware, data.train_images)
    predict = prediction(model, dataset, hardware)
    predictions: list[ImagePrediction] = []
    unusable = []
    for start in range(0, len(files), BATCH):
        images, readable = [], []
        for path in files[start : start + BATCH]:
            try:
                images.append(read_image(path, dataset))
                readable.append(path)
            except UnusableImageError as error:
                unusable.append(Problem(str(path), None, None, "", str(error)))
        if images:
            with torch.no_grad():
                (logits,) = predict(torch.stack(images).to(hardware.device))
            for path, row in zip(readable, logits.softmax(1).tolist(), strict=True):
                predictions.append(ImagePrediction(path, tuple(row)))
    return Predictions(dataset.classes, tuple(predictions), tuple(unusable))
