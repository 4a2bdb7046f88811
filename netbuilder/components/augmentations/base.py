"""The base class of augmentations, and the field types that several of them share."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator, WithJsonSchema

from netbuilder._text import describe
from netbuilder.components.component import Component, validation_error
from netbuilder.components.fields import Interval, NumberList
from netbuilder.components.shapes import Shape, format_shape

if TYPE_CHECKING:
    import torch


class Augmentation(Component):
    """A random transform of training images, drawn separately for each sample.

    Drawing and applying are separate, so that a CUDA graph can capture `apply`, which neither draws
    nor synchronizes with the device.
    """

    @classmethod
    def torch_name(cls) -> str:
        return f"torchvision.transforms.v2.{cls.kind}"

    @abstractmethod
    def draw(self, count: int, shape: Shape, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Draw the random parameters of ``count`` images of ``shape``, each independently.

        Returns:
            Tensors by name, on the generator's device, with one entry per image along axis 0.
        """

    @abstractmethod
    def apply(self, images: torch.Tensor, draws: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the transformed images.

        Args:
            images: Float tensor of shape (N, C, H, W), in [0, 1]; it is not modified.
            draws: The result of `draw` for N images, on the same device.
        """

    def problem(self, shape: Shape) -> str | None:
        """Return why samples of ``shape`` cannot be augmented, or None."""
        if len(shape) != 3:
            return (
                f"found samples of {format_shape(shape)}; allowed: images (channels, height, width)"
            )
        return None


def values_problem(name: str, values: object, shape: Shape) -> str | None:
    """Return what is wrong with pixel values for images of ``shape``, or None."""
    if isinstance(values, tuple) and len(values) not in (1, shape[0]):
        return (
            f"found {len(values)} values for {name}; allowed: one, or one for each of the "
            f"{shape[0]} channels"
        )
    return None


def only_false(reason: str) -> tuple[BeforeValidator, WithJsonSchema]:
    """Return the annotations of an argument of torchvision that must be false."""

    def read(value: object) -> bool:
        if value is not False:
            raise validation_error(f"found {describe(value)}; allowed: false; {reason}")
        return value

    return BeforeValidator(read), WithJsonSchema({"const": False})


MAX_CHANNELS = 16
PIXEL = Interval(0, 1)
"""The values of a pixel."""

PixelValues = Annotated[
    tuple[float, ...],
    NumberList(
        PIXEL,
        range(1, MAX_CHANNELS + 1),
        "a number from 0 to 1, or a list of one per channel; images are in [0, 1], so 1 stands for "
        "a byte of 255",
        scalar=PIXEL,
    ),
]
"""Pixel values: one for all channels, or one per channel."""
