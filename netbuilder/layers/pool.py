"""Pooling: windows that keep the channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from netbuilder.errors import ShapeError
from netbuilder.layers.base import Unparametrised, require_image
from netbuilder.shapes import Shape, spatial, written
from netbuilder.strict import LARGEST, Pair, PairFromZero, describe, fault
from netbuilder.windows import ReceptiveField, Window


class _Pool2d(Unparametrised, abstract=True):
    """A window slides over (C, H, W); ``stride`` is the kernel's size unless it is given."""

    kernel_size: Pair
    stride: Pair | None = None
    padding: PairFromZero = (0, 0)
    if TYPE_CHECKING:  # each kind declares it, at its own place in torch's order
        ceil_mode: bool

    @model_validator(mode="after")
    def _pads_at_most_half(self) -> _Pool2d:
        if any(
            pad > kernel // 2 for pad, kernel in zip(self.padding, self.kernel_size, strict=True)
        ):
            raise fault(
                f"padding {written(self.padding)} is more than half of "
                f"kernel {written(self.kernel_size)}"
            )
        return self

    @property
    def _dilation(self) -> tuple[int, ...]:
        return (1,) * len(self.kernel_size)

    @property
    def _extent(self) -> tuple[int, ...]:
        """Input positions from the first to the last that the window covers."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel_size, self._dilation, strict=True))

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        stride = self.stride or self.kernel_size
        axes = zip(self.kernel_size, stride, self.padding, self._dilation, strict=True)
        return field.read(None, *(Window.sliding(*axis) for axis in axes))

    def output_shape(self, x: Shape) -> Shape:
        require_image(self, x)
        axes = zip(x[1:], self.padding, self._extent, self.stride or self.kernel_size, strict=True)
        out = tuple(self._positions(*axis) for axis in axes)
        if min(out) < 1:
            padded = f" with padding {written(self.padding)}" if any(self.padding) else ""
            raise ShapeError(
                f"window {written(self._extent)} is larger than its input {written(x)}{padded}; "
                "use a smaller kernel, or remove the layer"
            )
        return (x[0], *out)

    def _positions(self, size: int, pad: int, extent: int, stride: int) -> int:
        room = size + 2 * pad - extent
        if not self.ceil_mode:
            return room // stride + 1
        out = -(-room // stride) + 1
        # torch drops a last window that would start in the padding behind the input.
        return out - 1 if (out - 1) * stride >= size + pad else out


class MaxPool2d(_Pool2d):
    """The largest value of each window over (C, H, W)."""

    keyword_only = frozenset({"ceil_mode"})  # torch's return_indices stands before it

    dilation: Pair = (1, 1)
    ceil_mode: bool = False

    @property
    def _dilation(self) -> tuple[int, ...]:
        return self.dilation


class AvgPool2d(_Pool2d):
    """The mean of each window over (C, H, W)."""

    ceil_mode: bool = False
    count_include_pad: bool = True
    divisor_override: Annotated[int, Field(ge=1, le=LARGEST)] | None = None


def _read_output_size(value: object) -> tuple[int | None, int | None]:
    items: Any = value if isinstance(value, list | tuple) else [value, value]
    if len(items) != 2 or any(
        item is not None and (type(item) is not int or not 1 <= item <= LARGEST) for item in items
    ):
        raise fault(
            f"found {describe(value)}; allowed: a whole number of at least 1, "
            "or a list of 2 of them (null keeps an axis)"
        )
    return items[0], items[1]


_ONE: dict[str, Any] = {"type": ["integer", "null"], "minimum": 1, "maximum": LARGEST}


class _AdaptivePool2d(Unparametrised, abstract=True):
    """As many windows as ``output_size`` asks for, spread over the whole of (C, H, W)."""

    output_size: Annotated[
        tuple[int | None, int | None],
        BeforeValidator(_read_output_size),
        WithJsonSchema(
            {"anyOf": [_ONE, {"type": "array", "items": _ONE, "minItems": 2, "maxItems": 2}]}
        ),
    ]

    def output_shape(self, x: Shape) -> Shape:
        require_image(self, x)
        height, width = self.output_size
        return (x[0], height or x[1], width or x[2])

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        axes = zip(x[1:], spatial(self.output_shape(x)), strict=True)
        return field.read(None, *(Window.adaptive(*axis) for axis in axes))


class AdaptiveAvgPool2d(_AdaptivePool2d):
    """The mean of each of ``output_size`` windows over (C, H, W)."""


class AdaptiveMaxPool2d(_AdaptivePool2d):
    """The largest value of each of ``output_size`` windows over (C, H, W)."""
