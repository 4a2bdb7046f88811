"""The command that measures: bench."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any

import typer

from netbuilder.cli._completion import documents
from netbuilder.cli._completion import peers as names_of_peers
from netbuilder.cli._options import choice, whole

if TYPE_CHECKING:
    from netbuilder.training.bench.rounds import Measurement


def bench(
    path: Annotated[
        Path, typer.Argument(metavar="ARCH", help="A document.", autocompletion=documents)
    ] = Path("archs/iter10.yaml"),
    peers: Annotated[
        str, typer.Option(help="Names with commas between, or all.", autocompletion=names_of_peers)
    ] = "netbuilder,ordinary,device,bound",
    rounds: Annotated[int, whole("--rounds", 1, "Turns of each peer.")] = 3,
    steps: Annotated[int, whole("--steps", 1, "Optimizer steps that a turn counts.")] = 300,
    data_dir: Annotated[Path | None, typer.Option("--data-dir", help="As for train.")] = None,
    output: Annotated[str, choice("--format", ("text", "markdown", "json"))] = "text",
) -> None:
    """Measure how fast a network trains here.

    It takes turns with other ways of training, each in a process of its own; medians and their
    spread are shown. Let nothing else run meanwhile.

    Example: netbuilder bench archs/iter10.yaml --peers netbuilder,ordinary
    """
    from netbuilder.config.loader import load
    from netbuilder.data.open import open_dataset
    from netbuilder.network.check import require_trainable
    from netbuilder.training.bench.rounds import (
        PEERS,
        check_peers,
        check_steps,
        import_seconds,
        measure,
    )

    architecture = require_trainable(load(path)).architecture
    names = list(PEERS) if peers == "all" else [name.strip() for name in peers.split(",")]
    check_peers(names)
    config = architecture.trained
    data = open_dataset(config.dataset, data_dir)
    check_steps(config, data, names, steps)
    if data.fallback_reason:
        print(f"note: {data.fallback_reason}", file=sys.stderr)
    taken: dict[str, list[Measurement]] = {}
    for turn in measure(path, data, names, rounds=rounds, steps=steps, data_dir=data_dir):
        if turn.measured is None:
            print(f"{turn.peer}: left out, {turn.missing}", file=sys.stderr)
            continue
        taken.setdefault(turn.peer, []).append(turn.measured)
        speed = turn.measured.images_per_second
        print(f"round {turn.round}: {turn.peer} {speed:,.0f} images/s", file=sys.stderr)
    count, kind = len(data.train_labels), data.dataset.kind
    bare = import_seconds(rounds)
    rows = [_row(name, measured, taken, count) for name, measured in taken.items()]
    if output == "json":
        report = {
            "document": str(path),
            "dataset": kind,
            "steps": steps,
            "import_torch_seconds": bare,
            "peers": rows,
        }
        print(json.dumps(report, indent=2))
        return
    _show(rows, markdown=output == "markdown")
    device = next(iter(taken.values()))[0].device if taken else "nothing"
    print(
        f"\n{path}, {rounds} rounds of {steps} steps of {config.batch_size} images "
        f"of {kind} on {device}; load {os.getloadavg()[0]:.1f} at the end; "
        f"importing torch alone takes {median(bare):.2f} s ({min(bare):.2f} to {max(bare):.2f})"
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
