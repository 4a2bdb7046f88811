"""Convolutions whose positional values are those of torch's call, the input channels first.

`Conv2d: [1, 10, 3]` is one channel, kernel 10 and stride 3; torch's `Conv2d(1, 10, 3)` is ten
channels and kernel 3. Both are valid, so only numbers that are hardly meant are suspects.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from netbuilder._text import flow, plural
from netbuilder.components.component import accepts
from netbuilder.components.kind_groups import CONVOLUTIONS, TRANSPOSED_CONVOLUTIONS
from netbuilder.components.layers.base import Layer
from netbuilder.components.shapes import Shape, spatial
from netbuilder.config.schema import Architecture, Place

KINDS = CONVOLUTIONS + TRANSPOSED_CONVOLUTIONS

UNUSUAL_KERNEL = 8
"""The kernel size from which on it is more likely to be a number of channels."""

UNUSUAL_STRIDE = 3
"""The stride from which on it is more likely to be the size of a kernel."""

IMAGE_CHANNELS = 4
"""The most channels that an image has."""


class Use(NamedTuple):
    """A layer, its place in the document and the shape of its input."""

    layer: Layer
    place: Place
    x: Shape


class Suspect(NamedTuple):
    """A convolution whose list is probably torch's call.

    Attributes:
        use: The convolution.
        values: The list.
    """

    use: Use
    values: list[Any]

    @property
    def torch_call(self) -> str:
        """The call of torch that the list repeats."""
        return f"{self.use.layer.kind}({', '.join(map(flow, self.values))})"

    @property
    def document_form(self) -> str:
        """The same call as a document writes it."""
        return f"{self.use.layer.kind}: [{', '.join(map(flow, self.values[1:]))}]"

    @property
    def remedy(self) -> str:
        """What to write if the list is torch's call."""
        return f"if it is torch's {self.torch_call}, write {self.document_form}"


def suspects(architecture: Architecture, uses: Iterable[Use]) -> list[Suspect]:
    """Return the convolutions of a network that repeat torch's call, in their order.

    If one is certain, those that would only be unusual are suspects, too.
    """
    certain, possible = set(), {}
    intended: int | None = None
    for number, use in enumerate(use for use in uses if use.layer.kind in KINDS):
        values = architecture.value_at(use.place)
        if not isinstance(values, list) or not _is_torch_call(use.layer, values):
            intended = None
            continue
        first, kernel = values[0], values[1]
        continues = first == intended != use.x[0]  # the channels of a suspect, read as torch's call
        if continues or (first == use.x[0] and _is_unusual(use, values)):
            certain.add(number)
        if first == use.x[0] or kernel >= UNUSUAL_KERNEL or continues:
            possible[number] = Suspect(use, values)
        intended = kernel if number in certain else None
    return [possible[number] for number in sorted(possible)] if certain else []


def hint(architecture: Architecture, uses: Iterable[Use], place: Place) -> str:
    """Return the end of a message about the layer at ``place``; empty without a suspect.

    It names the first suspect, which may be the cause.
    """
    causes = suspects(architecture, uses)
    if not causes:
        return ""
    first, *rest = causes
    others = f", and so for {plural(len(rest), 'layer')} after it" if rest else ""
    if tuple(first.use.place) == tuple(place):
        return f"; {first.remedy}{others}"
    text = f"{first.use.layer.kind}: [{', '.join(map(flow, first.values))}]"
    at = architecture.problem(first.use.place, "").place
    return f"; the cause may be {at}, {text}: {first.remedy}{others}"


def _is_torch_call(layer: Layer, values: list[Any]) -> bool:
    """Return whether a list of a document is a call of torch that people write."""
    if len(values) < 3 or not all(type(value) is int for value in values[:2]):
        return False
    kernel, stride, *_ = [*values[2:], 1]
    steps = [max(size) if isinstance(size, list) else size for size in (kernel, stride)]
    if not all(type(step) is int for step in steps) or steps[1] > max(steps[0], 2):
        return False
    names = type(layer).positional()
    rest = dict(zip(names, values[1:], strict=False))
    return accepts(type(layer), rest) and values[0] % rest.get("groups", 1) == 0


def _is_unusual(use: Use, values: list[Any]) -> bool:
    """Return whether the numbers are hardly meant as channels, kernel and stride."""
    channels, kernel = values[0], values[1]
    steps = use.layer.arguments()["stride"]
    if set(steps) == {1}:
        # A kernel as large as the input is usual, an odd one with padding is a large kernel.
        is_whole = kernel in spatial(use.x)
        return kernel >= UNUSUAL_KERNEL and kernel % 2 == 0 and not is_whole and len(values) == 3
    if set(steps) == {kernel}:  # patches, which need no padding
        return kernel >= UNUSUAL_STRIDE and len(values) > 3 and values[3] not in (0, "valid")
    is_audio = use.layer.kind == "Conv1d" and channels > IMAGE_CHANNELS
    if is_audio or use.layer.kind in TRANSPOSED_CONVOLUTIONS:
        is_overlap = {2 * step for step in steps} == {kernel}  # a usual way to resample
        if is_overlap and len(values) <= 4:
            return False
    return bool(kernel >= UNUSUAL_KERNEL or max(steps) >= UNUSUAL_STRIDE)
