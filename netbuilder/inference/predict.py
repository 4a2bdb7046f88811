"""What a run's trained network makes of picture files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from netbuilder.errors import Problem
from netbuilder.runs.run import Run


@dataclass(frozen=True)
class Predicted:
    """A picture and the probabilities of all classes, in the data set's order."""

    path: Path
    probabilities: tuple[float, ...]

    @property
    def best(self) -> int:
        """The class with the highest probability, as its number."""
        return self.probabilities.index(max(self.probabilities))


@dataclass(frozen=True)
class Predictions:
    """What became of all pictures.

    Attributes:
        classes: their names.
        made: those that could be read, in the order given.
        unusable: the others, each with what is wrong with it.
    """

    classes: tuple[str, ...]
    made: tuple[Predicted, ...]
    unusable: tuple[Problem, ...]


def predict_run(
    run: Run, paths: Iterable[Path], *, which: str = "best", device: str = "auto"
) -> Predictions:
    """Classes of PNG or JPEG files by a run's network, in the run's precision.

    Args:
        run: the run; its data need not be there.
        paths: files, or folders of them.
        which: the kept weights, ``best`` or ``last``.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Raises:
        ConfigError: a path does not exist, or a folder holds no picture.
        CheckpointError: the weights are missing or damaged.
    """
    import torch

    from netbuilder.inference.images import Unusable, find_pictures, read_picture
    from netbuilder.inference.load import load_model
    from netbuilder.training.device import Device
    from netbuilder.training.evaluation import BATCH, prediction
    from netbuilder.training.restore import recorded_dataset

    files = find_pictures(paths)
    dataset = recorded_dataset(run)
    hardware = Device.choose(device, run.config.precision)
    model = load_model(run, which).to(hardware.device).eval()
    predict = prediction(model, dataset, hardware)
    made: list[Predicted] = []
    unusable = []
    for start in range(0, len(files), BATCH):
        images, readable = [], []
        for path in files[start : start + BATCH]:
            try:
                images.append(read_picture(path, dataset))
                readable.append(path)
            except Unusable as error:
                unusable.append(Problem(str(path), 0, 0, "", str(error)))
        if images:
            with torch.no_grad():
                (logits,) = predict(torch.stack(images).to(hardware.device))
            rows = logits.softmax(1).cpu().tolist()
            made += (Predicted(path, tuple(row)) for path, row in zip(readable, rows, strict=True))
    return Predictions(dataset.classes, tuple(made), tuple(unusable))
