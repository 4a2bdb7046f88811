"""Find the layer that a file format cannot represent, by exporting each layer alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from netbuilder.config.loader import load
from netbuilder.errors import ConfigError
from netbuilder.network.rows import Row
from netbuilder.runs.run import Run

if TYPE_CHECKING:
    from torch import Tensor, nn

BATCH = 3
"""The samples of the batch that a layer is exported with."""

MAX_LAYERS = 40
"""The different layers that are tried; each export takes about a second."""

Attempt = Callable[["nn.Module", "Tensor"], None]
"""Exports a module for a batch, and raises an exception where that fails."""


def failing_layer(run: Run, form: str, model: nn.Module, attempt: Attempt) -> str:
    """Return the first layer that cannot be exported alone, with its place; empty if all can.

    Layers of kinds that are known to fail are tried first.
    """
    import torch

    rows = [row for row in run.analysis.rows if not row.is_container]
    distinct = {(row.kind, str(row.arguments), row.input_shape): row for row in reversed(rows)}
    suspects = sorted(
        distinct.values(), key=lambda row: (not _obstacle(row, form), rows.index(row))
    )
    generator = torch.Generator().manual_seed(0)
    for row in suspects[:MAX_LAYERS]:
        batch = torch.randn(BATCH, *row.input_shape, generator=generator)
        try:
            attempt(torch.nn.Sequential(model.get_submodule(row.path)).eval(), batch)
        except Exception:  # exporters raise anything for an unsupported layer
            return _label(run, row)
    return ""


def _obstacle(row: Row, form: str) -> str:
    return row.layer.onnx_obstacle(row.input_shape) if form == "onnx" else ""


def _label(run: Run, row: Row) -> str:
    """Return the path and kind of a layer with its line in the document of a run."""
    try:
        return row.label(load(run.path / "architecture.yaml"))
    except (ConfigError, OSError):  # a user may have deleted or changed it
        return row.label(run.architecture)
