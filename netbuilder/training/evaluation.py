"""Evaluate a network on a test set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite

import torch
from torch import nn

from netbuilder.components.datasets import Dataset
from netbuilder.config.schema import TrainConfig
from netbuilder.data.transforms import normalize, to_unit
from netbuilder.runs.records import Evaluation, Mistake
from netbuilder.training.cuda_graph import Body
from netbuilder.training.device import Device

BATCH = 1000
"""Images per batch. From 100 to 1,000, a test set takes the same time within 10 %; with 2,000 it
takes 1.6 times as long (measured with iter10 and iter4, one core of a server's CPU)."""

MAX_MISTAKES = 25
"""The number of mistakes that a run records and draws."""


@dataclass(frozen=True)
class LabeledPredictions:
    """A network's predictions on a test set, with the labels; tensors are on the CPU.

    Attributes:
        loss: The mean of the document's loss.
        accuracy: Percent.
        guesses: The class with the highest logit, int64 of shape (N).
        confidences: The probability of that class, float32 of shape (N).
        labels: The correct classes, int64 of shape (N).
        classes: The number of classes.
    """

    loss: float
    accuracy: float
    guesses: torch.Tensor
    confidences: torch.Tensor
    labels: torch.Tensor
    classes: int

    @property
    def is_finite(self) -> bool:
        """Whether the loss and all outputs are finite numbers; some losses hide an infinite one."""
        return isfinite(self.loss) and bool(self.confidences.isfinite().all())

    @property
    def confusion(self) -> torch.Tensor:
        """Counts, int64 of shape (classes, classes): one row per label, one column per guess."""
        pairs = self.labels * self.classes + self.guesses
        return torch.bincount(pairs, minlength=self.classes**2).reshape(self.classes, -1)

    @property
    def class_accuracy(self) -> list[float | None]:
        """Percent for each label; None for a label without test images."""
        confusion = self.confusion
        return [
            100.0 * int(confusion[i, i]) / total if (total := int(confusion[i].sum())) else None
            for i in range(self.classes)
        ]

    def worst(self, count: int) -> list[int]:
        """Return the most confident wrong guesses, as indices into the test set."""
        wrong = (self.guesses != self.labels).nonzero().flatten()
        order = self.confidences[wrong].argsort(descending=True, stable=True)
        return [int(i) for i in wrong[order][:count]]

    def evaluation(self, classes: Sequence[str]) -> Evaluation:
        """Return the predictions as a record; ``classes`` are the names of the classes."""
        mistakes = tuple(
            Mistake(
                index=index,
                label=classes[int(self.labels[index])],
                guess=classes[int(self.guesses[index])],
                confidence=float(self.confidences[index]),
            )
            for index in self.worst(MAX_MISTAKES)
        )
        return Evaluation(
            classes=tuple(classes),
            class_accuracy=tuple(self.class_accuracy),
            confusion=tuple(map(tuple, self.confusion.tolist())),
            mistakes=mistakes,
        )


def prediction(model: nn.Module, dataset: Dataset, hardware: Device) -> Body:
    """Return a function from uint8 images (N, C, H, W) to ``(float32 logits (N, classes),)``."""

    def predict(images: torch.Tensor) -> tuple[torch.Tensor]:
        unit = normalize(to_unit(images), dataset.mean, dataset.std)
        with hardware.autocast():
            logits = model(unit).flatten(1)
        return (logits.float(),)

    return predict


@torch.no_grad()
def evaluate(
    model: nn.Module,
    config: TrainConfig,
    dataset: Dataset,
    hardware: Device,
    images: torch.Tensor,
    labels: torch.Tensor,
    between: Callable[[], None] = lambda: None,
    predict: Body | None = None,
) -> LabeledPredictions:
    """Evaluate ``model`` in evaluation mode.

    Results stay on the device until the last batch, so that batches do not wait for the host.

    Args:
        model: The network; its mode is restored at the end.
        config: The training section, whose loss is measured.
        dataset: The data set, whose mean and deviation normalize the images.
        hardware: The device and the precision.
        images: uint8 of shape (N, C, H, W), on the device or streamed to it.
        labels: int64 of shape (N), on the device.
        between: Called after each batch; it may raise to end a long evaluation.
        predict: A faster equivalent of the model's `prediction`.
    """
    loss = config.loss.build()
    was_training = model.training
    model.eval()
    predict = predict or prediction(model, dataset, hardware)
    losses, guesses, confidences = [], [], []
    try:
        for batch, truth in zip(
            torch.split(images, BATCH), torch.split(labels, BATCH), strict=True
        ):
            (logits,) = predict(batch.to(truth.device))
            losses.append((loss(logits, truth), len(truth)))
            best = logits.softmax(1).max(1)
            guesses.append(best.indices)
            confidences.append(best.values)
            between()
    finally:
        model.train(was_training)
    total = sum(float(mean) * count for mean, count in losses)
    guess, truth = torch.cat(guesses).cpu(), labels.cpu()
    return LabeledPredictions(
        loss=total / len(truth),
        accuracy=100.0 * int((guess == truth).sum()) / len(truth),
        guesses=guess,
        confidences=torch.cat(confidences).cpu(),
        labels=truth,
        classes=len(dataset.classes),
    )
