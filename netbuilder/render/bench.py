"""Measurements of peers as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netbuilder.render.table import Column, Table

PEERS: tuple[Column[dict[str, Any]], ...] = (
    Column("peer", lambda row: row["peer"], justify="left"),
    Column("images/s", lambda row: row["images_per_second"], text="{:,.0f}".format),
    Column(
        "spread",
        lambda row: f"{row['slowest']:,.0f} – {row['fastest']:,.0f}",
        style="dim",
        priority=2,
    ),
    Column("s/epoch", lambda row: row["seconds_per_epoch"], text="{:.1f}".format, priority=3),
    Column("first step s", lambda row: row["first_step_seconds"], text="{:.1f}".format, priority=4),
    Column("to the end s", lambda row: row["total_seconds"], text="{:.1f}".format, priority=5),
    Column(
        "peak MiB",
        lambda row: row["peak_memory_bytes"] / 2**20,
        text="{:,.0f}".format,
        priority=6,
    ),
    Column(
        "netbuilder is",
        lambda row: row["netbuilder_over_it"],
        text=lambda ratio: f"{ratio:.2f} x" if ratio else "",
    ),
    Column(
        "spread",
        lambda row: f"{row['ratio_from']:.2f} – {row['ratio_to']:.2f}" if row["ratio_from"] else "",
        style="dim",
        priority=1,
        key="ratio spread",
    ),
)
"""One row per peer: medians over the rounds, and their lowest and highest values."""


def bench_table(rows: Sequence[dict[str, Any]]) -> Table[dict[str, Any]]:
    """Return the measurements of each peer."""
    return Table(PEERS, rows, hint="--format markdown shows all")
