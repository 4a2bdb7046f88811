"""Augmentations that change the values of pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from netbuilder.components.augmentations.base import (
    MAX_CHANNELS,
    PIXEL,
    Augmentation,
    only_false,
    values_problem,
)
from netbuilder.components.fields import Interval, NumberList, Probability, Ranges
from netbuilder.components.shapes import Shape

if TYPE_CHECKING:
    import torch


Value = Annotated[
    Literal["random"] | tuple[float, ...],
    NumberList(
        PIXEL,
        range(1, MAX_CHANNELS + 1),
        "random, a number from 0 to 1, or a list of one per channel",
        scalar=PIXEL,
        words=("random",),
    ),
]

Fraction = Annotated[
    tuple[float, float], Ranges(Interval(0, 1), (2,), "a list of 2 from 0 to 1, the lower first")
]

Ratio = Annotated[
    tuple[float, float],
    Ranges(Interval(0.01, 100), (2,), "a list of 2 from 0.01 to 100, the lower first"),
]


ATTEMPTS = 10
"""Rectangles draws until one fits, as in torchvision; if none fits, nothing is erased."""


class RandomErasing(Augmentation):
    """Erases a random rectangle of the image with probability ``p`` (Zhong et al., 2017).

    ``scale`` is its area as a fraction of the image's, ``ratio`` its height divided by its width.
    Images are erased before they are normalized: a ``value`` of 0 is black, and ``random`` is
    standard normal noise in units of [0, 1].
    """

    p: Probability = 0.5
    scale: Fraction = (0.02, 0.33)
    ratio: Ratio = (0.3, 3.3)
    value: Value = (0.0,)
    inplace: Annotated[bool, *only_false("images are never changed in place; remove it")] = False

    def draw(self, count: int, shape: Shape, generator: torch.Generator) -> dict[str, torch.Tensor]:
        import torch

        from netbuilder.components.augmentations.functional import bernoulli, rectangles

        draws = rectangles(count, shape, self.scale, self.ratio, ATTEMPTS, generator)
        draws["erased"] &= bernoulli(self.p, count, generator)
        if self.value == "random":
            draws["value"] = torch.randn(
                (count, *shape), generator=generator, device=generator.device
            )
        return draws

    def apply(self, images: torch.Tensor, draws: dict[str, torch.Tensor]) -> torch.Tensor:
        from netbuilder.components.augmentations.functional import fill_where, inside_rectangles

        mask = inside_rectangles(images, draws) & draws["erased"][:, None, None, None]
        if isinstance(self.value, str):
            return draws["value"].where(mask, images)
        return fill_where(images, mask, self.value)

    def problem(self, shape: Shape) -> str | None:
        return super().problem(shape) or values_problem("value", self.value, shape)
