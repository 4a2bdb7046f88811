"""Loss and accuracy over a run, and loss over a range of learning rates."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from netbuilder.render.plots.style import GOAL, TEST, TRAIN, plain, save
from netbuilder.runs.lr_curve import RangeTest
from netbuilder.runs.records import EpochRecord


def draw_curves(path: Path, title: str, metrics: Sequence[EpochRecord], goal: float | None) -> None:
    """Draw loss and accuracy of both sets against the epoch, as a PNG.

    Args:
        path: The file to write.
        title: The title of the plot, as plain text.
        metrics: One entry per epoch.
        goal: The target test accuracy in percent, drawn as a line.
    """
    draw_curves_of_seeds(path, title, [metrics], goal)


def draw_curves_of_seeds(
    path: Path | BytesIO, title: str, runs: Sequence[Sequence[EpochRecord]], goal: float | None
) -> None:
    """Draw the curves of several runs as thin lines in one plot, as a PNG."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    figure.suptitle(plain(title))
    loss, accuracy = figure.subplots(1, 2)
    single = len(runs) == 1
    style: dict[str, Any] = (
        {"marker": "o", "markersize": 3} if single else {"linewidth": 0.9, "alpha": 0.8}
    )
    for name, color in (("train", TRAIN), ("test", TEST)):
        for axes, measure in ((loss, "loss"), (accuracy, "accuracy")):
            for number, metrics in enumerate(runs):
                epochs = [epoch.epoch for epoch in metrics]
                values = [getattr(epoch, f"{name}_{measure}") for epoch in metrics]
                label = "_" if number else name
                axes.plot(epochs, values, color=color, label=label, **style)
    if goal is not None:
        accuracy.axhline(goal, color=GOAL, linestyle="--", linewidth=1, label=f"target {goal:g}")
    loss.set_ylabel("loss")
    losses = [min(epoch.train_loss, epoch.test_loss) for metrics in runs for epoch in metrics]
    if min(losses, default=0) > 0:  # NLLLoss of probabilities is below 0
        loss.set_yscale("log")
    accuracy.set_ylabel("accuracy, %")
    tested = [epoch.test_accuracy for metrics in runs for epoch in metrics]
    accuracy.set_ylim(bottom=accuracy_floor(tested, goal), top=100.05)
    for axes in (loss, accuracy):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
    save(figure, path)


def accuracy_floor(tested: Sequence[float], goal: float | None) -> float:
    """Return the lower end of an axis of accuracies, in percent.

    It cuts off the first epochs, which are so low that they would flatten the others.
    """
    ordered = sorted(tested)
    return max(0.0, min(ordered[len(ordered) // 4], goal or 100) - 1.0)


def draw_range_test(path: Path, title: str, test: RangeTest) -> None:
    """Draw loss against learning rate, with the suggested rate and that of the divergence."""
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    figure.suptitle(plain(title))
    axes = figure.subplots()
    axes.plot(test.learning_rates, test.losses, color=GOAL, linewidth=0.6, label="of a batch")
    axes.plot(test.learning_rates, test.smoothed, color=TEST, label="smoothed")
    for rate, color, word in (
        (test.suggestion, TRAIN, "a guess" if test.is_short else "suggested"),
        (test.diverged_at, "black", "diverged"),
    ):
        if rate is not None:
            label = f"{word}: {rate:.2g}"
            axes.axvline(rate, color=color, linestyle="--", linewidth=1, label=label)
    # After its minimum the loss may rise by orders of magnitude.
    first_half = test.smoothed[: len(test.smoothed) // 2 + 1]
    axes.set_ylim(0, 1.25 * max(first_half))
    axes.set(xscale="log", xlabel="learning rate", ylabel="loss")
    axes.grid(alpha=0.3)
    axes.legend()
    save(figure, path)
