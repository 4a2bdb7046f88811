"""A network against a test set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from netbuilder.components.datasets import Dataset
from netbuilder.config.schema import TrainConfig
from netbuilder.data.transforms import normalise, to_unit
from netbuilder.training.cuda_graph import Body
from netbuilder.training.device import Device

BATCH = 1000
"""From 100 to 1,000 images take the same time a test set within 10 %, 2,000 take 1.6 times as long
(the tenth and the fourth iteration, one core of a server's CPU)."""

WORST = 25
"""How many mistakes are kept and drawn of a run."""


@dataclass(frozen=True)
class Evaluation:
    """What a network makes of the test set; tensors are on the CPU.

    Attributes:
        loss: the mean of the document's loss.
        accuracy: percent.
        guesses: int64 of shape (N), the class with the highest logit.
        confidences: float32 of shape (N), its probability.
        labels: int64 of shape (N).
        classes: the number of classes.
    """

    loss: float
    accuracy: float
    guesses: torch.Tensor
    confidences: torch.Tensor
    labels: torch.Tensor
    classes: int

    @property
    def confusion(self) -> torch.Tensor:
        """Counts, int64 of shape (classes, classes): a row a label, a column a guess."""
        pairs = self.labels * self.classes + self.guesses
        return torch.bincount(pairs, minlength=self.classes**2).reshape(self.classes, -1)

    @property
    def class_accuracy(self) -> list[float | None]:
        """Percent for each label; None for one that the test set does not hold."""
        confusion = self.confusion
        return [
            100.0 * int(confusion[i, i]) / total if (total := int(confusion[i].sum())) else None
            for i in range(self.classes)
        ]

    def worst(self, count: int) -> list[int]:
        """The wrong guesses made with the most confidence, as indices into the test set."""
        wrong = (self.guesses != self.labels).nonzero().flatten()
        order = self.confidences[wrong].argsort(descending=True, stable=True)
        return [int(i) for i in wrong[order][:count]]


def prediction(model: nn.Module, dataset: Dataset, hardware: Device) -> Body:
    """Uint8 images of shape (N, C, H, W) to float32 logits of shape (N, classes), in a tuple."""

    def predict(images: torch.Tensor) -> tuple[torch.Tensor]:
        unit = normalise(to_unit(images), dataset.mean, dataset.std)
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
) -> Evaluation:
    """Accuracy, loss and guesses of ``model`` in evaluation mode.

    Nothing returns to the host before the last batch.

    Args:
        model: it is left in the mode in which it came.
        config: names the loss.
        dataset: what the images are of; its mean and deviation normalise.
        hardware: where and how precisely it computes.
        images: uint8 of shape (N, C, H, W), on the device or streamed to it.
        labels: int64 of shape (N), on the device.
        between: called after each batch; it may raise to end a long evaluation.
        predict: a faster form of the model's `prediction`.
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
    return Evaluation(
        loss=total / len(truth),
        accuracy=100.0 * int((guess == truth).sum()) / len(truth),
        guesses=guess,
        confidences=torch.cat(confidences).cpu(),
        labels=truth,
        classes=len(dataset.classes),
    )
