"""The batched tensor arithmetic of the augmentations: no loop over samples, no wait for the device.

Coordinates follow torchvision's tensor transforms: x to the right and y down, in pixels counted
from the middle of the image.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from netbuilder.components.shapes import Shape

# --- draws ---------------------------------------------------------------------------------------


def uniform(bounds: Sequence[float], count: int, generator: torch.Generator) -> Tensor:
    """Float32 of shape (count), evenly from the lower to the upper bound."""
    low, high = bounds
    drawn = torch.empty(count, device=generator.device)
    return drawn.uniform_(low, high, generator=generator)


def chosen(p: float, count: int, generator: torch.Generator) -> Tensor:
    """Bool of shape (count), each true with probability ``p``."""
    return torch.rand(count, generator=generator, device=generator.device) < p


def rectangles(
    count: int,
    shape: Shape,
    scale: Sequence[float],
    ratio: Sequence[float],
    attempts: int,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """The first of ``attempts`` rectangles that fits, for each sample.

    Returns:
        ``top``, ``left``, ``height``, ``width`` as int64 of shape (count), and ``erased``, bool:
        whether any of them fitted.
    """
    _, rows, columns = shape
    tries = count * attempts
    area = uniform(scale, tries, generator).mul_(rows * columns).view(count, attempts)
    logs = (math.log(ratio[0]), math.log(ratio[1]))
    aspect = uniform(logs, tries, generator).exp_().view(count, attempts)
    height, width = (area * aspect).sqrt_().round_(), (area / aspect).sqrt_().round_()
    fits = (height < rows) & (width < columns)
    first = fits.int().argmax(1, keepdim=True)  # the first of equals
    height, width, erased = (each.gather(1, first)[:, 0] for each in (height, width, fits))
    # The product is rounded to float32, so a draw next to 1 can reach the bound itself.
    top, left = (
        torch.minimum((uniform((0, 1), count, generator) * (room + 1)).floor_(), room).long()
        for room in (rows - height, columns - width)
    )
    return {
        "top": top,
        "left": left,
        "height": height.long(),
        "width": width.long(),
        "erased": erased,
    }


# --- constants, kept because making a tensor on an accelerator waits for it -----------------------


@lru_cache(maxsize=64)
def per_channel(values: tuple[float, ...], device: torch.device) -> Tensor:
    """Float32 of shape (1, C, 1, 1); C is 1 where one value serves all channels."""
    return torch.tensor(values, device=device).view(1, -1, 1, 1)


@lru_cache(maxsize=64)
def _axes(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Pixel centres along x (width) and y (height), and pixels to grid units (2, 1)."""
    x = torch.arange(width, device=device) - (width - 1) / 2
    y = torch.arange(height, device=device) - (height - 1) / 2
    return x, y, torch.tensor([[2 / width], [2 / height]], device=device)


# --- geometry ------------------------------------------------------------------------------------


def inverse_affine(
    angle: Tensor,
    center: tuple[float, float],
    *,
    shift_x: Tensor | None = None,
    shift_y: Tensor | None = None,
    scale: Tensor | None = None,
    shear_x: Tensor | None = None,
    shear_y: Tensor | None = None,
) -> Tensor:
    """Where each output pixel comes from: the inverses of torchvision's affine transforms.

    The transform shears along y, shears along x, scales and rotates clockwise about ``center``,
    then shifts. The inverse of its linear part [[a, b], [c, d]], whose determinant is 1 before
    scaling, is [[d, -b], [-c, a]] divided by the scale.

    Args:
        angle: degrees, of shape (N), as are all that follow but the centre.
        center: x, y from the middle of the image.
        shift_x: pixels to the right.
        shift_y: pixels down.
        scale: above 0.
        shear_x: degrees along x.
        shear_y: degrees along y.

    Returns:
        Shape (N, 2, 3): (x, y, 1) of the output to (x, y) of the input.
    """
    turn = angle.deg2rad()
    if shear_x is None and shear_y is None:
        a = d = turn.cos()
        c = turn.sin()
        b = -c
    else:
        lean_x = torch.zeros_like(turn) if shear_x is None else shear_x.deg2rad()
        lean_y = torch.zeros_like(turn) if shear_y is None else shear_y.deg2rad()
        a = (turn - lean_y).cos() / lean_y.cos()
        c = (turn - lean_y).sin() / lean_y.cos()
        b = -a * lean_x.tan() - turn.sin()
        d = -c * lean_x.tan() + turn.cos()
    if scale is not None:
        a, b, c, d = a / scale, b / scale, c / scale, d / scale
    if center == (0.0, 0.0) and shift_x is None:
        x = y = torch.zeros_like(turn)
    else:
        from_x = -center[0] if shift_x is None else -center[0] - shift_x
        from_y = -center[1] if shift_y is None else -center[1] - shift_y
        x = d * from_x - b * from_y + center[0]
        y = a * from_y - c * from_x + center[1]
    return torch.stack((d, -b, x, -c, a, y), 1).view(-1, 2, 3)


def warp(images: Tensor, inverse: Tensor, interpolation: str, fill: tuple[float, ...]) -> Tensor:
    """Each image pulled through its matrix.

    Args:
        images: float of shape (N, C, H, W).
        inverse: shape (N, 2, 3), from `inverse_affine`.
        interpolation: ``nearest`` or ``bilinear``.
        fill: what lies outside, one for all channels or one a channel.
    """
    x, y, unit = _axes(*images.shape[-2:], images.device)
    # Sums and not a matrix product: autocast and TF32 would round a product's coordinates away.
    matrix = inverse * unit
    along_x = torch.addcmul(matrix[:, :, 2:], matrix[:, :, :1], x)
    along_y = matrix[:, :, 1:2] * y
    grid = (along_x[:, :, None, :] + along_y[:, :, :, None]).permute(0, 2, 3, 1)
    if interpolation == "nearest" and not any(fill):
        return grid_sample(images, grid, mode="nearest", align_corners=False)
    # As in torchvision, a channel of ones tells how much of a pixel lies inside.
    images = torch.cat((images, torch.ones_like(images[:, :1])), 1)
    images = grid_sample(images, grid, mode=interpolation, align_corners=False)
    images, inside = images[:, :-1], images[:, -1:]
    if interpolation == "nearest":
        return filled(images, inside < 0.5, fill)
    outside = per_channel(fill, images.device)
    return (images - outside) * inside + outside if any(fill) else images * inside


def shifted(
    images: Tensor, down: Tensor, right: Tensor, mode: str, fill: tuple[float, ...]
) -> Tensor:
    """Windows of the images' own size whose corners lie ``down`` and ``right`` of the images'.

    Args:
        images: shape (N, C, H, W).
        down: int64 of shape (N), below 0 for a corner above the image.
        right: int64 of shape (N), below 0 for a corner left of the image.
        mode: what lies outside: ``constant``, ``edge``, ``reflect`` or ``symmetric``.
        fill: the constant, one for all channels or one a channel.
    """
    count, channels, height, width = images.shape
    rows = torch.arange(height, device=images.device) + down[:, None]
    columns = torch.arange(width, device=images.device) + right[:, None]
    outside = ((rows < 0) | (rows >= height))[:, None, :, None] | (
        (columns < 0) | (columns >= width)
    )[:, None, None, :]
    rows, columns = _inside(rows, height, mode), _inside(columns, width, mode)
    flat = (rows[:, :, None] * width + columns[:, None, :]).view(count, 1, -1)
    moved = images.flatten(2).gather(2, flat.expand(-1, channels, -1)).view(images.shape)
    return filled(moved, outside, fill) if mode == "constant" else moved


def _inside(index: Tensor, size: int, mode: str) -> Tensor:
    """Indices beyond an axis of ``size`` pixels, brought back onto it."""
    if mode == "reflect":
        index = (size - 1) - ((size - 1) - index.abs()).abs()
    elif mode == "symmetric":
        index = torch.where(index < 0, -1 - index, index)
        index = torch.where(index >= size, 2 * size - 1 - index, index)
    return index.clamp(0, size - 1)


# --- pixels --------------------------------------------------------------------------------------


def filled(images: Tensor, where: Tensor, values: tuple[float, ...]) -> Tensor:
    """The images with ``values`` wherever ``where``, which broadcasts to them, is true."""
    return torch.where(where, per_channel(values, images.device), images)


def within(images: Tensor, box: dict[str, Tensor]) -> Tensor:
    """Bool of shape (N, 1, H, W): the pixels in each sample's rectangle, from `rectangles`."""
    rows = torch.arange(images.shape[-2], device=images.device)[:, None]
    columns = torch.arange(images.shape[-1], device=images.device)
    top, left, height, width = (
        box[name][:, None, None, None] for name in ("top", "left", "height", "width")
    )
    return (rows >= top) & (rows < top + height) & (columns >= left) & (columns < left + width)
