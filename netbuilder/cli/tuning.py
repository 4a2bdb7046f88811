"""The command that looks for a learning rate: lr-find."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from netbuilder.cli.completion import documents
from netbuilder.cli.options import DataDir, Plugins, require_folder
from netbuilder.errors import ConfigError, printable

if TYPE_CHECKING:
    from netbuilder.range_test import RangeTest

FEW = 30
"""Steps below which neighbouring rates lie so far apart that the curve is mostly chance."""


def lr_find(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="A document.", autocompletion=documents)
    ],
    lowest: Annotated[float, typer.Option("--from", help="The first step's rate.")] = 1e-5,
    highest: Annotated[float, typer.Option("--to", help="The last step's rate.")] = 10.0,
    steps: Annotated[
        int | None, typer.Option(min=2, help="A twelfth of an epoch's unless given.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Settles the weights and all draws.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16.")] = "auto",
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="As for train, any field."),
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="In place of the document's.")] = None,
    data_dir: DataDir = None,
    out: Annotated[Path, typer.Option(help="Where run folders are made.")] = Path("runs"),
    output: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
    plugins: Plugins = None,
) -> None:
    """Find out which learning rates a network can take, in under a tenth of an epoch's time.

    The rate rises from step to step until the loss runs away. The curve is kept as OUT/NAME/lr-find
    .json and .png; `netbuilder check --advice` reads it.

    Example: netbuilder lr-find archs/iter10.yaml --dataset mnist5k --steps 30
    """
    if output not in ("text", "json"):
        raise ConfigError(f"--format: found {output!r}; allowed: text, json")
    require_folder(out)
    from netbuilder.files import writing
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
    if output == "json":
        print(json.dumps(asdict(test)))
    else:
        _tell(test, architecture.name, data.dataset.kind, lowest, highest)
    # What was found is told before: a disk that is full takes nothing away from it.
    folder = out / architecture.name
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        test.save(folder / JSON_NAME)
        draw_range_test(folder / PICTURE_NAME, f"{architecture.name}: learning-rate range", test)
    if output == "text":
        print(printable(f"wrote {folder / JSON_NAME} and {PICTURE_NAME}"))


def _tell(test: RangeTest, name: str, dataset: str, lowest: float, highest: float) -> None:
    """What a range test speaks for."""
    ended = "did not diverge" if test.diverged_at is None else f"diverged at {test.diverged_at:.3g}"
    print(f"{name} on {dataset}: {len(test.losses)} steps from {lowest:g}, the loss {ended}")
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
