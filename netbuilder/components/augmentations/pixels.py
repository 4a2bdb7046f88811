"""Augmentations that change pixels where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from netbuilder.components.augmentations.base import (
    MAX_CHANNELS,
    Augmentation,
    numbers,
    only_false,
    values_problem,
)
from netbuilder.components.fields import Probability
from netbuilder.components.shapes import Shape

if TYPE_CHECKING:
    import torch


Value = Annotated[
    Literal["random"] | tuple[float, ...],
    *numbers(
        range(1, MAX_CHANNELS + 1),
        0,
        1,
        "random, a number from 0 to 1, or a list of one a channel",
        single=True,
        word="random",
    ),
]

Part = Annotated[
    tuple[float, float],
    *numbers((2,), 0, 1, "a list of 2 from 0 to 1, the lower first", ordered=True),
]

Ratio = Annotated[
    tuple[float, float],
    *numbers((2,), 0.01, 100, "a list of 2 from 0.01 to 100, the lower first", ordered=True),
]


ATTEMPTS = 10
"""As torchvision: rectangles drawn until one fits; if none does, the image stays as it is."""


class RandomErasing(Augmentation):
    """A rectangle of the image replaced by ``value``, with probability ``p``.

    ``scale`` is its area as a part of the image's, ``ratio`` its height by its width. Images are
    erased before they are normalised: value 0 is black, and ``random`` is standard normal noise in
    units of [0, 1] (Zhong et al., 2017).
    """

    p: Probability = 0.5
    scale: Part = (0.02, 0.33)
    ratio: Ratio = (0.3, 3.3)
    value: Value = (0.0,)
    inplace: Annotated[bool, *only_false("images are never changed in place; leave it out")] = False

    def draw(self, count: int, shape: Shape, generator: torch.Generator) -> dict[str, torch.Tensor]:
        import torch

        from netbuilder.components.augmentations.functional import chosen, rectangles

        drawn = rectangles(count, shape, self.scale, self.ratio, ATTEMPTS, generator)
        drawn["erased"] &= chosen(self.p, count, generator)
        if self.value == "random":
            drawn["value"] = torch.randn(
                (count, *shape), generator=generator, device=generator.device
            )
        return drawn

    def apply(self, images: torch.Tensor, drawn: dict[str, torch.Tensor]) -> torch.Tensor:
        from netbuilder.components.augmentations.functional import filled, within

        where = within(images, drawn) & drawn["erased"][:, None, None, None]
        if isinstance(self.value, str):
            return drawn["value"].where(where, images)
        return filled(images, where, self.value)

    def problem(self, shape: Shape) -> str | None:
        return super().problem(shape) or values_problem("value", self.value, shape)
