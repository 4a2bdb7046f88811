"""Affine warps of a batch, each sample with a matrix of its own, as torchvision computes them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def inverse_matrices(
    angle: Tensor,
    translate: tuple[Tensor, Tensor],
    scale: Tensor,
    shear: tuple[Tensor, Tensor],
    center: tuple[float, float],
) -> Tensor:
    """The maps from output to input positions, of shape (N, 2, 3), in pixels from the middle.

    The parametrisation is that of ``torchvision.transforms.functional.affine``: angles in degrees,
    translation in pixels, each argument of shape (N).
    """
    import torch

    rotation, shear_x, shear_y = (torch.deg2rad(x) for x in (angle, *shear))
    a = torch.cos(rotation - shear_y) / torch.cos(shear_y)
    b = -a * torch.tan(shear_x) - torch.sin(rotation)
    c = torch.sin(rotation - shear_y) / torch.cos(shear_y)
    d = -c * torch.tan(shear_x) + torch.cos(rotation)
    inverse = torch.stack([d, -b, -c, a], dim=1).reshape(-1, 2, 2) / scale[:, None, None]
    x, y = center
    moved = torch.stack([-x - translate[0], -y - translate[1]], dim=1)[:, :, None]
    offset = inverse @ moved + torch.tensor([[x], [y]], device=angle.device)
    return torch.cat([inverse, offset], dim=2)


def warp(images: Tensor, matrices: Tensor, interpolation: str, fill: float) -> Tensor:
    """Each image (C, H, W) of the batch through its matrix; what comes from outside is ``fill``."""
    import torch
    from torch.nn.functional import grid_sample

    height, width = images.shape[2:]
    grid = _positions(height, width, images.device) @ matrices.transpose(1, 2)
    half_size = torch.tensor([width / 2, height / 2], device=images.device)
    grid = (grid / half_size).reshape(-1, height, width, 2)

    def sample(values: Tensor) -> Tensor:
        return grid_sample(
            values, grid, mode=interpolation, padding_mode="zeros", align_corners=False
        )

    if interpolation == "nearest" and fill == 0:
        return sample(images)
    inside = sample(torch.ones_like(images[:, :1]))
    if interpolation == "nearest":
        return torch.where(inside < 0.5, fill, sample(images))
    return sample(images) * inside + (1 - inside) * fill


@lru_cache(maxsize=8)
def _positions(height: int, width: int, device: object) -> Tensor:
    """(x, y, 1) of each pixel's middle, in pixels from the image's, of shape (H * W, 3)."""
    import torch

    x = torch.arange(width, device=device) - (width - 1) / 2  # type: ignore[call-overload]
    y = torch.arange(height, device=device) - (height - 1) / 2  # type: ignore[call-overload]
    return torch.stack(
        [x.repeat(height), y.repeat_interleave(width), torch.ones_like(x).repeat(height)], dim=1
    )
