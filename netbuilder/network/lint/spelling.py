"""Lint rules on arguments that are valid but probably mean something else."""

from __future__ import annotations

from collections.abc import Iterator

from netbuilder._text import plural
from netbuilder.network.analysis import Analysis
from netbuilder.network.lint.base import Evidence, Finding, Rule
from netbuilder.network.torch_order import Use, suspects

MAX_ROWS = 2_000
"""The rows in which torch's order is sought; who writes it does so from the first layer on."""


def torch_order(analysis: Analysis, _evidence: Evidence) -> Iterator[Finding]:
    """The positional values of a convolution are those of torch, the input channels first."""
    first_rows = analysis.rows[:MAX_ROWS]
    uses = [
        Use(row.layer, row.place, row.input_shape) for row in first_rows if not row.is_container
    ]
    for suspect in suspects(analysis.architecture, uses):
        first, kernel = suspect.values[:2]
        channels = suspect.use.x[0]
        reason = (
            f"the first number repeats the {plural(channels, 'channel')} of its input, "
            f"{'which is' if channels == 1 else 'which are'} inferred"
            if first == channels
            else "it has the order of torch's call, like another layer of this document"
        )
        strides = suspect.use.layer.arguments()["stride"]
        stride = strides[0] if len(set(strides)) == 1 else list(strides)
        yield Finding(
            suspect.use.place,
            f"{reason}: this is {plural(first, 'output channel')}, kernel {kernel} and stride "
            f"{stride}",
            suspect.remedy,
        )


RULES = (Rule("torch-order", torch_order),)
