"""What every augmentation answers, and the values that several of them take."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated, Any, TypeGuard

from pydantic import BeforeValidator, WithJsonSchema

from netbuilder._text import describe
from netbuilder.components.component import Component, validation_error
from netbuilder.components.shapes import Shape, format_shape

if TYPE_CHECKING:
    import torch


class Augmentation(Component):
    """A random change of training images, drawn anew for every sample.

    Drawing and applying are apart, so that what is applied can be a captured, replayed graph:
    `apply` neither draws nor waits for the device.
    """

    @abstractmethod
    def draw(self, count: int, shape: Shape, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """One independent draw for each of ``count`` images of ``shape``.

        Every tensor is on the generator's device; its first axis is the sample.
        """

    @abstractmethod
    def apply(self, images: torch.Tensor, drawn: dict[str, torch.Tensor]) -> torch.Tensor:
        """The changed images.

        Args:
            images: float of shape (N, C, H, W), in [0, 1]; they are left as they are.
            drawn: from `draw` with ``count`` N, on the images' device.
        """

    def problem(self, shape: Shape) -> str | None:
        """Why images of ``shape`` cannot be augmented so; None if they can."""
        if len(shape) != 3:
            return f"it changes images (channels, height, width), and the samples are {format_shape(shape)}"
        return None


def values_problem(name: str, values: object, shape: Shape) -> str | None:
    """What is wrong with values that are one for all channels or one a channel."""
    if isinstance(values, tuple) and len(values) not in (1, shape[0]):
        return (
            f"found {len(values)} values for {name}; allowed: one, or one for each of the "
            f"{shape[0]} channels"
        )
    return None


def numbers(
    counts: Collection[int],
    low: float,
    high: float,
    allowed: str,
    *,
    spread: bool = False,
    single: bool = False,
    ordered: bool = False,
    word: str | None = None,
) -> tuple[BeforeValidator, WithJsonSchema]:
    """Annotations for a tuple of floats from ``low`` to ``high``.

    Args:
        counts: the lengths that a list may have, a range or a few of them.
        low: the lowest number, itself allowed, as is ``high``.
        high: the highest number.
        allowed: what the message says is allowed.
        spread: one number n of at least 0 means (-n, n), as torchvision reads an angle.
        single: one number means a tuple of it alone.
        ordered: the list is pairs, each a range with the lower bound first.
        word: text that is taken as it is.
    """

    def fits(item: object) -> TypeGuard[float]:
        # A bool is an int to isinstance, and no number in a document.
        return isinstance(item, int | float) and type(item) is not bool and low <= item <= high

    def read(value: object) -> tuple[float, ...] | str:
        if word is not None and value == word:
            return word
        if spread and fits(value) and value >= 0:
            value = (-value, value)
        elif single and fits(value):
            value = (value,)
        if not isinstance(value, list | tuple) or len(value) not in counts:
            raise validation_error(f"found {describe(value)}; allowed: {allowed}")
        for item in value:
            if not fits(item):
                raise validation_error(f"found {describe(item)}; allowed: {allowed}")
        if ordered and any(a > b for a, b in zip(value[::2], value[1::2], strict=True)):
            raise validation_error(f"found the list {list(value)}; allowed: {allowed}")
        return tuple(map(float, value))

    item = {"type": "number", "minimum": low, "maximum": high}
    lengths = (
        [(min(counts), max(counts))] if isinstance(counts, range) else [(n, n) for n in counts]
    )
    forms: list[dict[str, Any]] = [
        {"type": "array", "items": item, "minItems": least, "maxItems": most}
        for least, most in lengths
    ]
    if spread or single:
        forms.insert(0, item | {"minimum": 0} if spread else item)
    if word is not None:
        forms.insert(0, {"const": word})
    return BeforeValidator(read), WithJsonSchema({"anyOf": forms} if forms[1:] else forms[0])


def only_false(why: str) -> tuple[BeforeValidator, WithJsonSchema]:
    """Annotations for an argument of torchvision's whose other value cannot be served."""

    def read(value: object) -> bool:
        if value is not False:
            raise validation_error(f"found {describe(value)}; allowed: false; {why}")
        return value

    return BeforeValidator(read), WithJsonSchema({"const": False})


MAX_CHANNELS = 16

Values = Annotated[
    tuple[float, ...],
    *numbers(
        range(1, MAX_CHANNELS + 1),
        0,
        1,
        "a number from 0 to 1, or a list of one a channel; images are in [0, 1] here, so that 1 is "
        "what 255 is in bytes",
        single=True,
    ),
]
"""Pixel values, one for all channels or one a channel."""
