"""``netbuilder bench``."""

from __future__ import annotations

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

    Other ways to train the same network are measured in turn, each in a separate process. Prints
    medians and ranges. Do not run other programs at the same time.

    Example: netbuilder bench archs/iter10.yaml --peers netbuilder,ordinary
    """
    from netbuilder.data.open import open_dataset
    from netbuilder.network.check import require_sound_documents
    from netbuilder.training.bench.rounds import (
        PEERS,
        check_peers,
        check_steps,
        import_seconds,
        measure,
    )

    [analysis] = require_sound_documents([path], to_train=True)
    architecture = analysis.architecture
    names = list(PEERS) if peers == "all" else [name.strip() for name in peers.split(",")]
    check_peers(names)
    config = architecture.trained
    data = open_dataset(config.dataset, data_dir)
    check_steps(config, data, names, steps)
    if data.fallback_reason:
        echo(f"note: {data.fallback_reason}", err=True)
    measurements: dict[str, list[Measurement]] = {}
    for turn in measure(path, data, names, rounds=rounds, steps=steps, data_dir=data_dir):
        if turn.measured is None:
            echo(f"{turn.peer}: left out, {turn.missing}", err=True)
            continue
        measurements.setdefault(turn.peer, []).append(turn.measured)
        speed = turn.measured.images_per_second
        echo(f"round {turn.round}: {turn.peer} {speed:,.0f} images/s", err=True)
    count, kind = len(data.train_labels), data.dataset.kind
    bare = import_seconds(rounds)
    rows = [_row(name, turns, measurements, count) for name, turns in measurements.items()]
    if output == "json":
        from netbuilder.render.json import dumps

        report = {
            "document": str(path),
            "dataset": kind,
            "steps": steps,
            "import_torch_seconds": bare,
            "peers": rows,
        }
        print(dumps(report, indent=2))
        return
    from netbuilder.render.bench import bench_table
    from netbuilder.render.console import show_table

    text = "rich" if sys.stdout.isatty() else "plain"
    show_table(bench_table(rows), text if output == "text" else output)
    device = next(iter(measurements.values()))[0].device if measurements else "nothing"
    print()
    echo(
        f"{path}, {rounds} rounds of {steps} steps of {config.batch_size} images "
        f"of {kind} on {device}; load {os.getloadavg()[0]:.1f} at the end; "
        f"importing torch alone takes {median(bare):.2f} s ({min(bare):.2f} to {max(bare):.2f})"
    )


def _row(
    name: str, turns: list[Measurement], measurements: dict[str, list[Measurement]], count: int
) -> dict[str, Any]:
    speeds = [turn.images_per_second for turn in turns]
    own = [turn.images_per_second for turn in measurements.get("netbuilder", [])]
    ratios = [ours / theirs for ours, theirs in zip(own, speeds, strict=False)]
    return {
        "peer": name,
        "images_per_second": median(speeds),
        "slowest": min(speeds),
        "fastest": max(speeds),
        "seconds_per_epoch": count / median(speeds),
        "first_step_seconds": median(turn.first_step_seconds for turn in turns),
        "total_seconds": median(turn.total_seconds for turn in turns),
        "peak_memory_bytes": max(turn.peak_memory_bytes for turn in turns),
        "netbuilder_over_it": median(ratios) if ratios else None,
        "ratio_from": min(ratios, default=None),
        "ratio_to": max(ratios, default=None),
    }
