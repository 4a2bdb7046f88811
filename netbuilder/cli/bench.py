"""``netbuilder bench``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from netbuilder.cli import _completion as completion
from netbuilder.cli._options import DataDir, whole
from netbuilder.cli._output import echo

if TYPE_CHECKING:
    from netbuilder.training.bench.rounds import Measurement


def bench(
    path: Annotated[
        Path,
        typer.Argument(metavar="ARCH", help="A document.", autocompletion=completion.documents),
    ] = Path("archs/iter10.yaml"),
    peers: Annotated[
        str,
        typer.Option(help="Names separated by commas, or all.", autocompletion=completion.peers),
    ] = "netbuilder,ordinary,device,bound",
    rounds: Annotated[int, whole("--rounds", 1, "Measurements per peer.")] = 3,
    steps: Annotated[int, whole("--steps", 1, "Optimizer steps per measurement.")] = 300,
    data_dir: DataDir = None,
    output: Annotated[
        Literal["text", "markdown", "json"], typer.Option("--format", help="Output format.")
    ] = "text",
) -> None:
    """Measure how fast a network trains on this machine.

    It alternates with other ways to train the same network, each in a process of its own, and
    prints medians and ranges. Run nothing else meanwhile.

    Example: netbuilder bench archs/iter10.yaml --peers netbuilder,ordinary
    """
    from netbuilder.network.check import require_sound_documents
    from netbuilder.training.bench.rounds import PEERS, images_of, import_seconds, measure

    [analysis] = require_sound_documents([path], to_train=True)
    architecture = analysis.architecture
    names = list(PEERS) if peers == "all" else [name.strip() for name in peers.split(",")]
    taken: dict[str, list[Measurement]] = {}
    for turn in measure(path, names, rounds=rounds, steps=steps, data_dir=data_dir):
        if turn.measured is None:
            echo(f"{turn.peer}: left out, {turn.missing}", err=True)
            continue
        taken.setdefault(turn.peer, []).append(turn.measured)
        speed = turn.measured.images_per_second
        echo(f"round {turn.round}: {turn.peer} {speed:,.0f} images/s", err=True)
    count = images_of(architecture)
    bare = import_seconds(rounds)
    rows = [_row(name, measured, taken, count) for name, measured in taken.items()]
    if output == "json":
        told = {"document": str(path), "steps": steps, "import_torch_seconds": bare, "peers": rows}
        print(json.dumps(told, indent=2))
        return
    _show(rows, markdown=output == "markdown")
    device = next(iter(taken.values()))[0].device if taken else "nothing"
    print(
        f"\n{path}, {rounds} rounds of {steps} steps of {architecture.trained.batch_size} on "
        f"{device}; load {os.getloadavg()[0]:.1f} at the end; importing torch alone takes "
        f"{median(bare):.2f} s ({min(bare):.2f} to {max(bare):.2f})"
    )


def _row(
    name: str, measured: list[Measurement], taken: dict[str, list[Measurement]], count: int
) -> dict[str, Any]:
    speeds = [one.images_per_second for one in measured]
    own = [one.images_per_second for one in taken.get("netbuilder", [])]
    ratios = [ours / theirs for ours, theirs in zip(own, speeds, strict=False)]
    return {
        "peer": name,
        "images_per_second": median(speeds),
        "slowest": min(speeds),
        "fastest": max(speeds),
        "seconds_per_epoch": count / median(speeds),
        "first_step_seconds": median(one.first_step_seconds for one in measured),
        "total_seconds": median(one.total_seconds for one in measured),
        "peak_memory_bytes": max(one.peak_memory_bytes for one in measured),
        "netbuilder_over_it": median(ratios) if ratios else None,
        "ratio_from": min(ratios, default=None),
        "ratio_to": max(ratios, default=None),
    }


def _show(rows: list[dict[str, Any]], *, markdown: bool) -> None:
    from rich.table import Table

    from netbuilder.render.console import show

    columns = [
        "peer", "images/s", "spread", "s/epoch", "first step s", "to the end s", "peak MiB",
        "netbuilder is", "spread",
    ]  # fmt: skip
    cells = [
        [
            row["peer"],
            f"{row['images_per_second']:,.0f}",
            f"{row['slowest']:,.0f} – {row['fastest']:,.0f}",
            f"{row['seconds_per_epoch']:.1f}",
            f"{row['first_step_seconds']:.1f}",
            f"{row['total_seconds']:.1f}",
            f"{row['peak_memory_bytes'] / 2**20:,.0f}",
            f"{row['netbuilder_over_it']:.2f} x" if row["netbuilder_over_it"] else "",
            f"{row['ratio_from']:.2f} – {row['ratio_to']:.2f}" if row["ratio_from"] else "",
        ]
        for row in rows
    ]
    if markdown:
        from netbuilder.render.markdown import table as markdown_table

        print(markdown_table(columns, cells), end="")
        return
    table = Table(*columns, box=None)
    for line in cells:
        table.add_row(*line)
    show(table, plain=not sys.stdout.isatty())
