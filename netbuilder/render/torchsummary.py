"""The output format of the torchsummary package, for comparison."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from netbuilder.network.analysis import Analysis
from netbuilder.network.rows import BYTES_PER_VALUE, Row


def _in_order_of_hooks(analysis: Analysis) -> Iterator[Row]:
    """Yield the rows of torchsummary in the order of its hooks: that of calls, no Sequential."""
    containers: list[tuple[int, Row]] = []
    for position, row in enumerate(analysis.rows):
        while containers and containers[-1][0] <= position:
            yield containers.pop()[1]
        if not row.is_container:
            yield row
        elif row.kind != "Sequential":
            containers.append((position + 1 + row.descendants, row))
    while containers:
        yield containers.pop()[1]


def as_torchsummary(analysis: Analysis) -> str:
    """Return the output of torchsummary 1.5.1, character for character."""
    line, double = "-" * 64, "=" * 64
    hooked = list(_in_order_of_hooks(analysis))
    values = sum(prod(row.output_shape) for row in hooked)
    megabytes = BYTES_PER_VALUE / 1024**2
    sizes = (
        prod(analysis.architecture.input) * megabytes,
        2 * values * megabytes,  # once forward, once for the gradients
        analysis.parameters * megabytes,
    )
    rows = [
        f"{f'{row.kind}-{number}':>20}  {[-1, *row.output_shape]!s:>25} "
        f"{0 if row.is_container else row.parameters:>15,}"
        for number, row in enumerate(hooked, 1)
    ]
    return "\n".join(
        [
            line,
            f"{'Layer (type)':>20}  {'Output Shape':>25} {'Param #':>15}",
            double,
            *rows,
            double,
            f"Total params: {analysis.parameters:,}",
            f"Trainable params: {analysis.parameters:,}",
            "Non-trainable params: 0",
            line,
            f"Input size (MB): {sizes[0]:.2f}",
            f"Forward/backward pass size (MB): {sizes[1]:.2f}",
            f"Params size (MB): {sizes[2]:.2f}",
            f"Estimated Total Size (MB): {sum(sizes):.2f}",
            line,
            "",
        ]
    )
