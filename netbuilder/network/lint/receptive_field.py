"""Advice on what a network sees: receptive fields, kernels and borders."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from netbuilder.components.layers.container import Container
from netbuilder.components.layers.containers import Sequential
from netbuilder.components.shapes import format_shape, spatial
from netbuilder.network.analysis import Analysis, Row
from netbuilder.network.lint.base import CONVOLUTIONS, Finding, kernel_size, leaf_rows

POOLS = tuple(f"{how}Pool{axes}d" for how in ("Max", "Avg", "LP") for axes in (1, 2, 3))

LEAST_LOSS = 1 / 50
"""A border is worth a word where it is at least this part of an axis."""


def never_sees_all(analysis: Analysis) -> Finding:
    """An output of which no position sees the whole input."""
    size, seen = spatial(analysis.architecture.input), analysis.receptive_field
    leaves = leaf_rows(analysis)
    missing = max(b - a for a, b in zip(seen, size, strict=True))
    if missing <= 0 or not leaves:
        return
    reason = (
        f"the output sees {format_shape(seen)} of the {format_shape(size)} input, never all of it"
    )
    losing = [row for row in leaves if _lost(row)]
    # No less than what their borders come to at the input.
    if missing <= sum(max(_lost(row).values()) * max(row.jump) for row in losing):
        if any(_worth_a_word(row) for row in losing):
            return  # it is told there
        yield (
            losing[0].place,
            f"{reason}: the windows leave out a border here",
            "pad, or choose the layers before it so that the size comes out even",
        )
        return
    # The last that made it larger.
    widest = max(leaves, key=lambda row: row.receptive_field)
    yield (
        widest.place,
        reason,
        "add convolutions or pooling, or end with an average over the whole map",
    )


def sees_all_before(analysis: Analysis) -> Finding:
    """Convolutions that go on looking around where everything is in sight."""
    size = spatial(analysis.architecture.input)
    behind: list[Row] = []
    seen: tuple[int, ...] = (1,) * len(size)
    for row in analysis.rows:
        if isinstance(row.layer, Container):
            if not isinstance(row.layer, Sequential):
                break  # a path around the layers inside sees less
            continue
        kernel, whole = kernel_size(row), all(a >= b for a, b in zip(seen, size, strict=True))
        # A kernel as large as its map is how the map becomes one position.
        collapses = prod(row.output_shape[1:]) == 1
        if whole and prod(kernel) > 1 and not collapses:
            behind.append(row)
        seen = row.receptive_field
    if len(behind) > 1:
        share = sum(row.parameters for row in behind) / (analysis.parameters or 1)
        yield (
            behind[0].place,
            f"a position in the middle sees all of the {format_shape(size)} input before this layer; "
            f"{len(behind):,} convolutions with larger kernels than 1 stand from here on, with "
            f"{share:.0%} of all parameters",
            "leave them out, take kernels of 1, or pool later",
        )


def kernel_on_one_position(analysis: Analysis) -> Finding:
    """A convolution that looks around where there is nothing around."""
    for row in leaf_rows(analysis):
        kernel = kernel_size(row)
        alone = prod(row.input_shape[1:]) == 1 and prod(row.output_shape[1:]) == 1
        if prod(kernel) > 1 and alone and row.arguments["padding_mode"] == "zeros":
            yield (
                (*row.place, "kernel_size"),
                f"the map is {format_shape(row.input_shape[1:])}: of the {format_shape(kernel)} kernel only "
                "one weight a channel meets it, the others meet padding",
                "write kernel_size: 1 and no padding",
            )


def border_dropped(analysis: Analysis) -> Finding:
    """A size that windows do not divide, so that its end is read by none."""
    for row in leaf_rows(analysis):
        lost = _worth_a_word(row)
        if not lost:
            continue
        axis, left = next(iter(lost.items()))
        yield (
            row.place,
            f"its windows leave out the last {left} of {row.input_shape[axis]} positions of an "
            f"axis ({format_shape(row.input_shape)} becomes {format_shape(row.output_shape)})",
            f"write {_covering(row)}, or choose the layers before it so that the size comes out "
            "even",
        )


def _lost(row: Row) -> dict[int, int]:
    """How many positions at the end of an axis no window of a layer reads, where there are any."""
    return {
        axis: left
        for axis, (size, window) in enumerate(
            zip(row.input_shape[1:], _windows(row), strict=False), start=1
        )
        if (left := _left_out(size, *window)) > 0
    }


def _worth_a_word(row: Row) -> dict[int, int]:
    """Those that are no small part of their axis."""
    return {n: left for n, left in _lost(row).items() if left >= row.input_shape[n] * LEAST_LOSS}


def _windows(row: Row) -> list[tuple[int, int, int]]:
    """Extent, stride and padding along each axis of a convolution or pooling that may lose some."""
    arguments: dict[str, Any] = row.arguments
    if row.kind not in CONVOLUTIONS + POOLS or arguments.get("ceil_mode"):
        return []
    kernel = arguments["kernel_size"]
    strides = arguments.get("stride") or kernel
    dilations = arguments.get("dilation", (1,) * len(kernel))
    pads = arguments.get("padding", (0,) * len(kernel))
    if isinstance(pads, str):
        pads = (0,) * len(kernel)  # "valid"; "same" has no stride
    extents = [d * (k - 1) + 1 for k, d in zip(kernel, dilations, strict=True)]
    return list(zip(extents, strides, pads, strict=True))


def _left_out(size: int, extent: int, stride: int, pad: int) -> int:
    if not extent >= stride > 1:
        return 0  # it reads everything, or leaves out on purpose
    return (size + 2 * pad - extent) % stride - pad


def _covering(row: Row) -> str:
    """The argument with which a layer reads its whole input."""
    if row.kind in POOLS:
        return "ceil_mode: true"
    pads = []
    for size, (extent, stride, pad) in zip(row.input_shape[1:], _windows(row), strict=True):
        # With a stride less one it reads all.
        pads.append(
            next(p for p in range(pad, pad + stride) if _left_out(size, extent, stride, p) <= 0)
        )
    return f"padding: {pads[0] if len(set(pads)) == 1 else pads}"


RULES: tuple[Callable[[Analysis], Finding], ...] = (
    never_sees_all, sees_all_before, kernel_on_one_position, border_dropped,
)  # fmt: skip
