"""``netbuilder lr-find``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from netbuilder._text.commands import shell_word
from netbuilder.cli._completion import documents
from netbuilder.cli._options import (
    Changes,
    DataDir,
    Dataset,
    Device,
    Plugins,
    Precision,
    TextOrJson,
    positive,
    require_folder,
    whole,
)
from netbuilder.cli._output import echo
from netbuilder.runs import RUNS

if TYPE_CHECKING:
    from netbuilder.runs.lr_curve import RangeTest


def lr_find(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="A document.", autocompletion=documents)
    ],
    lowest: Annotated[
        float | None,
        positive("--from", "Rate of the first step; by default 1e-4 for SGD, 1e-5 for others."),
    ] = None,
    highest: Annotated[
        float | None,
        positive("--to", "Rate of the last step; by default 10 for SGD, 1 for others."),
    ] = None,
    steps: Annotated[
        int | None,
        whole("--steps", 2, "Number of steps; by default a fourteenth of an epoch, or 50."),
    ] = None,
    seed: Annotated[int, whole("--seed", 0, "Seed of the weights and of all random draws.")] = 0,
    device: Device = "auto",
    precision: Precision = "auto",
    changes: Changes = None,
    dataset: Dataset = None,
    data_dir: DataDir = None,
    out: Annotated[Path, typer.Option(help="Folder for run folders.")] = RUNS,
    output: TextOrJson = "text",
    plugins: Plugins = None,
) -> None:
    """Find the learning rates that a network can be trained with.

    The rate rises with every step until the loss diverges, in less than a tenth of an epoch's time.
    The curve is written to OUT/NAME/lr-find.json and .png; `netbuilder check --advice` reads it.

    Example: netbuilder lr-find archs/iter10.yaml --dataset mnist5k --steps 30
    """
    require_folder(out)
    from netbuilder._files import report_write_errors
    from netbuilder.config.overrides import OptionOverride
    from netbuilder.network.check import require_sound_documents
    from netbuilder.render.plots.curves import draw_range_test
    from netbuilder.runs.lr_curve import JSON_NAME, PICTURE_NAME
    from netbuilder.training.lr_finder import range_test

    overrides = list(changes or [])
    if dataset:
        overrides.append(OptionOverride(f"train.dataset={dataset}", f"--dataset {dataset}"))
    [analysis] = require_sound_documents([path], overrides, to_train=True)
    architecture = analysis.architecture
    test, data = range_test(
        analysis,
        lowest=lowest,
        highest=highest,
        steps=steps,
        seed=seed,
        device=device,
        precision=precision,
        data_dir=data_dir,
    )
    if output == "json":
        from netbuilder.render.json import dumps

        print(dumps(test.model_dump()))
    else:
        epoch = architecture.trained.steps_per_epoch(len(data.train_labels))
        echo(f"{architecture.name} on {data.dataset.kind}: {_summary(test)}")
        for line in _conclusions(test, epoch):
            echo(line)
    # The result is printed first, so that a full disk does not lose it.
    folder = out / architecture.name
    with report_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        test.save(folder / JSON_NAME)
        draw_range_test(folder / PICTURE_NAME, f"{architecture.name}: learning-rate range", test)
    if output == "text":
        echo(f"wrote {folder / JSON_NAME} and {PICTURE_NAME}")


def _summary(test: RangeTest) -> str:
    best = test.learning_rates[test.smoothed.index(min(test.smoothed))]
    diverged = test.diverged_at
    end = "no divergence" if diverged is None else f"diverged at rate {diverged:.2g}"
    return (
        f"{len(test.losses)} of {test.steps} steps, from {test.learning_rates[0]:.2g} to "
        f"{test.learning_rates[-1]:.2g}; lowest loss at rate {best:.2g}, {end}"
    )


def _conclusions(test: RangeTest, epoch: int) -> Iterator[str]:
    """Yield the suggested rate, and how to get a better one; ``epoch`` is in steps."""
    from netbuilder.runs.lr_curve import MIN_STEPS, RELIABLE_STEPS

    if test.is_short:
        more = ""
        if epoch >= RELIABLE_STEPS:
            more = f"--steps {RELIABLE_STEPS} ({RELIABLE_STEPS / epoch:.0%} of an epoch) or "
        yield (
            f"{test.steps} steps are too few for a reliable result; use {more}a lower "
            "train.batch_size, which gives an epoch more steps"
        )
    if test.steps < MIN_STEPS:
        return
    if test.suggestion is None:
        diverged = "" if test.diverged_at is None else " before it diverged"
        yield (
            f"the loss did not fall{diverged}; use more --steps, or another range with --from and "
            "--to"
        )
        return
    rate = f"{test.suggestion:.2g}"
    suggestion = f"{test.field} of {rate}, a tenth of the rate with the lowest loss"
    if test.is_short:
        yield f"a guess: {suggestion}"
    else:
        yield f"suggested: {suggestion}; to try it: --set {shell_word(f'{test.field}={rate}')}"
    if test.still_falling and not test.is_short:
        further = 10 * test.learning_rates[-1]
        yield f"the loss was still falling at the end; extend the range with --to {further:.3g}"
