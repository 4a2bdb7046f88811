"""Lint rules on receptive fields, kernels and borders."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

from netbuilder._text import plural
from netbuilder.components.kind_groups import CONVOLUTIONS, POOLS
from netbuilder.components.layers.container import Container
from netbuilder.components.layers.containers import Sequential
from netbuilder.components.shapes import format_shape, spatial
from netbuilder.network.analysis import Analysis
from netbuilder.network.lint.base import Evidence, Finding, Rule, kernel_size, leaf_rows
from netbuilder.network.rows import Row

SIGNIFICANT_SHARE = 1 / 50
"""The part of an axis from which on a dropped border is reported."""


def never_sees_all(analysis: Analysis, _evidence: Evidence) -> Iterator[Finding]:
    """No output position depends on the whole input."""
    size, field = spatial(analysis.architecture.input), analysis.receptive_field
    leaves, read = leaf_rows(analysis), analysis.coverage.position or field
    missing = max(total - part for part, total in zip(read, size, strict=True))
    if missing <= 0 or not leaves or any(analysis.coverage.holes):
        return
    reason = (
        f"the output sees {format_shape(read)} of the {format_shape(size)} input, never all of it"
    )
    if all(part >= total for part, total in zip(field, size, strict=True)):
        reason = (
            f"one output position spans {format_shape(field)} of the {format_shape(size)} input "
            f"and reads at most {format_shape(read)}, never all of it"
        )
    dropping = [row for row in leaves if _dropped_border(row)]
    # Each dropped position is worth `jump` positions of the input, and a border is less than that.
    if missing <= sum(max(_dropped_border(row).values()) * max(row.jump) for row in dropping):
        if any(_significant_loss(row) for row in dropping):
            return  # border-dropped reports it
        yield Finding(
            dropping[0].place,
            f"{reason}: the windows of this layer drop a border",
            "pad, or choose the layers before it so that the size is a multiple of the stride",
        )
        return
    widest = max(leaves, key=lambda row: row.receptive_field)
    yield Finding(
        widest.place,
        reason,
        "add convolutions or pooling, or end with an average over the whole map",
    )


def gridding(analysis: Analysis, _evidence: Evidence) -> Iterator[Finding]:
    """One position skips positions between those that it reads."""
    row = analysis.first_with_holes()
    if row and row.coverage.position:
        yield Finding(
            row.place,
            f"one position spans {format_shape(row.receptive_field)} with holes and reads at most "
            f"{format_shape(row.coverage.position)} of the "
            f"{format_shape(spatial(analysis.architecture.input))} input",
            "use less dilation or stride here, or larger kernels before it",
        )


def input_unread(analysis: Analysis, _evidence: Evidence) -> Iterator[Finding]:
    """No output position depends on a part of the input."""
    size = spatial(analysis.architecture.input)
    for row in analysis.outermost:
        together = row.coverage.together
        if together is None or together == size:
            continue
        # The other rules report a border that windows drop.
        if not any(_dropped_border(leaf) for leaf in leaf_rows(analysis)):
            yield Finding(
                row.place,
                f"together its positions read {format_shape(together)} of the "
                f"{format_shape(size)} input: no output depends on the rest",
                "pad, or choose sizes, strides and kernels that leave no position out",
            )
        return


def sees_all_before(analysis: Analysis, _evidence: Evidence) -> Iterator[Finding]:
    """Convolutions with large kernels follow although one position already sees the whole input."""
    size = spatial(analysis.architecture.input)
    late: list[Row] = []
    sees_all = prod(size) == 1
    for row in analysis.rows:
        if isinstance(row.layer, Container):
            if not isinstance(row.layer, Sequential):
                break  # a path around the layers of this container sees less
            continue
        kernel = kernel_size(row)
        # A kernel as large as its map reduces the map to one position, which is useful.
        collapses = prod(row.output_shape[1:]) == 1
        if sees_all and prod(kernel) > 1 and not collapses:
            late.append(row)
        sees_all = row.coverage.whole
    if len(late) > 1:
        share = sum(row.parameters for row in late) / (analysis.parameters or 1)
        yield Finding(
            late[0].place,
            f"a position in the middle sees all of the {format_shape(size)} input before this "
            f"layer; from here on {plural(len(late), 'convolution')} with kernels larger than 1 "
            f"have {share:.0%} of all parameters",
            "remove them, use kernels of 1, or pool later",
        )


def kernel_on_one_position(analysis: Analysis, _evidence: Evidence) -> Iterator[Finding]:
    """A convolution with a large kernel is applied to a map of one position."""
    for row in leaf_rows(analysis):
        kernel = kernel_size(row)
        single = prod(row.input_shape[1:]) == 1 and prod(row.output_shape[1:]) == 1
        if prod(kernel) > 1 and single and row.arguments["padding_mode"] == "zeros":
            yield Finding(
                (*row.place, "kernel_size"),
                f"the map is {format_shape(row.input_shape[1:])}: only one weight per channel of "
                f"the {format_shape(kernel)} kernel reads it, the others read padding",
                "write kernel_size: 1 and no padding",
            )


def border_dropped(analysis: Analysis, _evidence: Evidence) -> Iterator[Finding]:
    """The windows of a layer do not divide its input, so that no window reads the end."""
    for row in leaf_rows(analysis):
        dropped = _significant_loss(row)
        if not dropped:
            continue
        axis, count = next(iter(dropped.items()))
        yield Finding(
            row.place,
            f"its windows drop the last {count} of {row.input_shape[axis]} positions of an "
            f"axis ({format_shape(row.input_shape)} becomes {format_shape(row.output_shape)})",
            f"write {_covering_argument(row)}, or choose the layers before it so that the size is "
            "a multiple of the stride",
        )


def _dropped_border(row: Row) -> dict[int, int]:
    """By axis of the input, the number of positions at its end that no window reads; none is 0."""
    return {
        axis: count
        for axis, (size, window) in enumerate(
            zip(row.input_shape[1:], _windows(row), strict=False), start=1
        )
        if (count := _unread(size, *window)) > 0
    }


def _significant_loss(row: Row) -> dict[int, int]:
    """The dropped borders that are a significant part of their axis."""
    return {
        axis: count
        for axis, count in _dropped_border(row).items()
        if count >= row.input_shape[axis] * SIGNIFICANT_SHARE
    }


def _windows(row: Row) -> list[tuple[int, int, int]]:
    """Extent, stride and padding per axis of a convolution or pooling; empty for other layers."""
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


def _unread(size: int, extent: int, stride: int, pad: int) -> int:
    """Return the number of positions at the end of an axis that no window reads, or at most 0."""
    if not extent >= stride > 1:
        return 0  # it reads everything, or skips positions on purpose
    return (size + 2 * pad - extent) % stride - pad


def _covering_argument(row: Row) -> str:
    """The argument with which the windows of a layer read its whole input."""
    if row.kind in POOLS:
        return "ceil_mode: true"
    pads = []
    for size, (extent, stride, pad) in zip(row.input_shape[1:], _windows(row), strict=True):
        # Padding on both sides moves the rest by 2, and the next window begins at a rest of 0.
        missing = stride - (size + 2 * pad - extent) % stride
        is_read = _unread(size, extent, stride, pad) <= 0
        pads.append(pad if is_read else pad + (missing + 1) // 2)
    return f"padding: {pads[0] if len(set(pads)) == 1 else pads}"


WARNINGS = (Rule("gridding", gridding), Rule("input-unread", input_unread))

RULES = (
    Rule("never-sees-all", never_sees_all),
    Rule("sees-all-before", sees_all_before),
    Rule("kernel-on-one-position", kernel_on_one_position),
    Rule("border-dropped", border_dropped),
)
