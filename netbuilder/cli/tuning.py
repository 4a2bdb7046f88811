"""The command that looks for a learning rate: lr-find."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from netbuilder.cli.completion import documents
from netbuilder.cli.options import (
    DataDir,
    Dataset,
    Device,
    Plugins,
    Precision,
    TextOrJson,
    positive,
    whole,
)
from netbuilder.errors import MachineError, why_unwritten

FEW = 30
"""Steps below which neighbouring rates lie so far apart that the curve is mostly chance."""


def lr_find(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="A document.", autocompletion=documents)
    ],
    lowest: Annotated[float, positive("--from", "The first step's rate.")] = 1e-5,
    highest: Annotated[float, positive("--to", "The last step's rate.")] = 10.0,
    steps: Annotated[
        int | None, whole("--steps", 2, "A twelfth of an epoch's unless given.")
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
    out: Annotated[Path, typer.Option(help="Where run folders are made.")] = Path("runs"),
    output: TextOrJson = "text",
    plugins: Plugins = None,
) -> None:
    """Find out which learning rates a network can take, in under a tenth of an epoch's time.

    The rate rises from step to step until the loss runs away. The curve is kept as OUT/NAME/lr-find
    .json and .png; `netbuilder check --advice` reads it.

    Example: netbuilder lr-find archs/iter10.yaml --dataset mnist5k --steps 30
    """
    from netbuilder.loader import load
    from netbuilder.plots import draw_range_test
    from netbuilder.range_test import JSON_NAME, PICTURE_NAME
    from netbuilder.training.range_test import range_test

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
    folder = out / architecture.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        test.save(folder / JSON_NAME)
        draw_range_test(folder / PICTURE_NAME, f"{architecture.name}: learning-rate range", test)
    except OSError as error:
        raise MachineError(f"{folder}: cannot be written: {why_unwritten(error)}") from error
    if output == "json":
        print(json.dumps(asdict(test)))
        return
    ended = "did not diverge" if test.diverged_at is None else f"diverged at {test.diverged_at:.3g}"
    print(
        f"{architecture.name} on {data.dataset.kind}: {len(test.losses)} steps from {lowest:g}, "
        f"the loss {ended}"
    )
    if test.suggestion is None:
        print("it did not fall: give it more --steps, or another range by --from and --to")
    else:
        rate = f"{test.suggestion:.2g}"
        print(
            f"a one-cycle schedule may rise to {rate}; in the document: "
            f"scheduler: {{OneCycleLR: {{max_lr: {rate}}}}}"
        )
    if test.steps < FEW:
        print(
            f"{test.steps} steps are too few to trust: give it --steps {FEW}, or a lower "
            "train.batch_size, which gives an epoch more"
        )
    if test.still_falling:
        print(f"the loss still fell at the end: look further with --to {10 * highest:g}")
    print(f"wrote {folder / JSON_NAME} and {PICTURE_NAME}")
