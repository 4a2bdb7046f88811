"""Lint rules on arguments that are valid but probably mean something else."""

from __future__ import annotations

from collections.abc import Iterator

from netbuilder.network.analysis import Analysis
from netbuilder.network.lint.base import CONVOLUTIONS, Evidence, Finding, Rule, leaf_rows

TRANSPOSED = ("ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d")

UNUSUAL_KERNEL = 8
"""The kernel size from which on it is more likely to be a number of channels."""


def torch_order(analysis: Analysis, _evidence: Evidence) -> Iterator[Finding]:
    """The positional values of a convolution are those of torch, the input channels first."""
    for row in leaf_rows(analysis):
        if row.kind not in CONVOLUTIONS + TRANSPOSED:
            continue
        first, kernel, stride = (
            row.arguments[name] for name in ("out_channels", "kernel_size", "stride")
        )
        if (
            first == row.input_shape[0]
            and len(set(kernel)) == len(set(stride)) == 1
            and kernel[0] >= UNUSUAL_KERNEL
            and stride[0] not in (1, kernel[0])
            and analysis.architecture.is_list(row.place)
        ):
            yield Finding(
                row.place,
                f"the first number is the {first} channels of its input, which are inferred: this "
                f"is {first} output channels, kernel {kernel[0]} and stride {stride[0]}",
                f"if it is torch's {row.kind}({first}, {kernel[0]}, {stride[0]}), write "
                f"{row.kind}: [{kernel[0]}, {stride[0]}]",
            )


RULES = (Rule("torch-order", torch_order),)
