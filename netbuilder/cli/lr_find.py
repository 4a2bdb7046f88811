"""``netbuilder lr-find``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from netbuilder._text import printable
from netbuilder.cli._completion import documents
from netbuilder.cli._options import (
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
from netbuilder.runs.run import RUNS

if TYPE_CHECKING:
    from netbuilder.runs.lr_curve import RangeTest


def lr_find(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="A document.", autocompletion=documents)
    ],
    lowest: Annotated[
        float | None,
        positive("--from", "The first step's rate; 1e-4 for SGD, 1e-5 for others unless given."),
    ] = None,
    highest: Annotated[
        float | None,
        positive("--to", "The last step's rate; 10 for SGD, 1 for others unless given."),
    ] = None,
    steps: Annotated[
        int | None, whole("--steps", 2, "A fourteenth of an epoch's, or 50, unless given.")
    ] = None,
    seed: Annotated[int, whole("--seed", 0, "Settles the weights and all draws.")] = 0,
    device: Device = "auto",
    precision: Precision = "auto",
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="As for train, any field."),
    ] = None,
    dataset: Dataset = None,
    data_dir: DataDir = None,
    out: Annotated[Path, typer.Option(help="Where run folders are made.")] = RUNS,
    output: TextOrJson = "text",
    plugins: Plugins = None,
) -> None:
    """Find out which learning rates a network can take.

    The rate rises from step to step until the loss runs away, in under a tenth of an epoch's time.
    The curve is kept as OUT/NAME/lr-find.json and .png; `netbuilder check --advice` reads it.

    Example: netbuilder lr-find archs/iter10.yaml --dataset mnist5k --steps 30
    """
    require_folder(out)
    from netbuilder._files import report_write_errors
    from netbuilder.config.loader import load
    from netbuilder.render.plots.curves import draw_range_test
    from netbuilder.runs.lr_curve import JSON_NAME, PICTURE_NAME
    from netbuilder.training.lr_finder import range_test

    overrides = [*(changes or []), *([f"train.dataset={dataset}"] if dataset else [])]
    architecture = load(path, overrides)
    try:
        test, data = range_test(
            architecture,
            lowest=lowest,
            highest=highest,
            steps=steps,
            seed=seed,
            device=device,
            precision=precision,
            data_dir=data_dir,
        )
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    if output == "json":
        print(json.dumps(test.model_dump()))
    else:
        epoch = architecture.trained.steps_per_epoch(len(data.train_labels))
        print(f"{architecture.name} on {data.dataset.kind}: {_summary(test)}")
        for line in _said(test, epoch):
            print(line)
    # What was found is told before: a disk that is full takes nothing away from it.
    folder = out / architecture.name
    with report_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        test.save(folder / JSON_NAME)
        draw_range_test(folder / PICTURE_NAME, f"{architecture.name}: learning-rate range", test)
    if output == "text":
        print(printable(f"wrote {folder / JSON_NAME} and {PICTURE_NAME}"))


def _summary(test: RangeTest) -> str:
    least = test.learning_rates[test.smoothed.index(min(test.smoothed))]
    ended = "did not diverge" if test.diverged_at is None else f"diverged at {test.diverged_at:.2g}"
    return (
        f"{len(test.losses)} of {test.steps} steps, from {test.learning_rates[0]:.2g} to "
        f"{test.learning_rates[-1]:.2g}; the loss was least at {least:.2g} and {ended}"
    )


def _said(test: RangeTest, epoch: int) -> Iterator[str]:
    """What a test speaks for, and what would make it better; ``epoch`` is in steps."""
    from netbuilder.runs.lr_curve import FEW, LEAST_FEW

    if test.few:
        more = f"--steps {FEW}, {FEW / epoch:.0%} of an epoch here, or " if epoch >= FEW else ""
        yield (
            f"{test.steps} steps are too few to trust: give it {more}a lower train.batch_size, "
            "which gives an epoch more"
        )
    if test.steps < LEAST_FEW:
        return
    if test.suggestion is None:
        before = "" if test.diverged_at is None else " before"
        yield f"it did not fall{before}: give it more --steps, or another range by --from and --to"
        return
    rate = f"{test.suggestion:.2g}"
    found = f"{test.field} of {rate}, a tenth of the rate of the least loss"
    if test.few:
        yield f"a guess: {found}"
    else:
        yield f"suggested: {found}; to try it: --set '{test.field}={rate}'"
    if test.still_falling and not test.few:
        further = 10 * test.learning_rates[-1]
        yield f"the loss still fell at the end: look further with --to {further:.3g}"
