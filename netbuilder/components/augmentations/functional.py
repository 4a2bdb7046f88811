"""Batched tensor functions of the augmentations, without synchronization with the device.

Coordinates follow torchvision's tensor transforms: x to the right and y down, in pixels from the
middle of the image.
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
    """Return float32 of shape (count), drawn uniformly from the lower to the upper bound."""
    low, high = bounds
    values = torch.empty(count, device=generator.device)
    return values.uniform_(low, high, generator=generator)


def bernoulli(p: float, count: int, generator: torch.Generator) -> Tensor:
    """Return bool of shape (count), each true with probability ``p``."""
    return torch.rand(count, generator=generator, device=generator.device) < p


def rectangles(
    count: int,
    shape: Shape,
    scale: Sequence[float],
    ratio: Sequence[float],
    attempts: int,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """Draw rectangles and return the first of ``attempts`` that fits, for each sample.

    Returns:
        ``top``, ``left``, ``height``, ``width`` as int64 of shape (count), and ``erased``, bool:
        whether a rectangle fits.
    """
    _, rows, columns = shape
    tries = count * attempts
    area = uniform(scale, tries, generator).mul_(rows * columns).view(count, attempts)
    logs = (math.log(ratio[0]), math.log(ratio[1]))
    aspect = uniform(logs, tries, generator).exp_().view(count, attempts)
    height, width = (area * aspect).sqrt_().round_(), (area / aspect).sqrt_().round_()
    fits = (height < rows) & (width < columns)
    first = fits.int().argmax(1, keepdim=True)  # argmax returns the first maximum
    height, width, erased = (values.gather(1, first)[:, 0] for values in (height, width, fits))
    # The product is rounded to float32, so a draw next to 1 can reach the bound itself.
    top, left = (
        torch.minimum((uniform((0, 1), count, generator) * (limit + 1)).floor_(), limit).long()
        for limit in (rows - height, columns - width)
    )
    return {
        "top": top,
        "left": left,
        "height": height.long(),
        "width": width.long(),
        "erased": erased,
    }


# --- constants, cached because creating a tensor on an accelerator synchronizes ------------------


@lru_cache(maxsize=64)
def per_channel(values: tuple[float, ...], device: torch.device) -> Tensor:
    """Return float32 of shape (1, C, 1, 1), where C is the number of values."""
    return torch.tensor(values, device=device).view(1, -1, 1, 1)


@lru_cache(maxsize=64)
def _axes(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Return the pixel centers along x and y, and the factors (2, 1) from pixels to grid units."""
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
    """Return the inverses of torchvision's affine transforms, which map output to input pixels.

    The transform shears along y, shears along x, scales and rotates clockwise about ``center``,
    then shifts. The inverse of its linear part [[a, b], [c, d]], whose determinant is 1 before
    scaling, is [[d, -b], [-c, a]] divided by the scale.

    Args:
        angle: Degrees, of shape (N), as all tensors that follow.
        center: The center (x, y), from the middle of the image.
        shift_x: Pixels to the right.
        shift_y: Pixels down.
        scale: Factors above 0.
        shear_x: Degrees along x.
        shear_y: Degrees along y.

    Returns:
        Shape (N, 2, 3): the maps of (x, y, 1) in the output to (x, y) in the input.
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
    """Return the images, each transformed by its matrix.

    Args:
        images: Float tensor of shape (N, C, H, W).
        inverse: Shape (N, 2, 3), from `inverse_affine`.
        interpolation: ``nearest`` or ``bilinear``.
        fill: The values outside the image: one for all channels, or one per channel.
    """
    x, y, unit = _axes(*images.shape[-2:], images.device)
    # Sums instead of a matrix product, whose coordinates autocast and TF32 would round.
    matrix = inverse * unit
    along_x = torch.addcmul(matrix[:, :, 2:], matrix[:, :, :1], x)
    along_y = matrix[:, :, 1:2] * y
    grid = (along_x[:, :, None, :] + along_y[:, :, :, None]).permute(0, 2, 3, 1)
    if interpolation == "nearest" and not any(fill):
        return grid_sample(images, grid, mode="nearest", align_corners=False)
    # As in torchvision, a channel of ones becomes the share of each pixel that the image covers.
    images = torch.cat((images, torch.ones_like(images[:, :1])), 1)
    images = grid_sample(images, grid, mode=interpolation, align_corners=False)
    images, coverage = images[:, :-1], images[:, -1:]
    if interpolation == "nearest":
        return fill_where(images, coverage < 0.5, fill)
    background = per_channel(fill, images.device)
    return (images - background) * coverage + background if any(fill) else images * coverage


def shift(
    images: Tensor, down: Tensor, right: Tensor, mode: str, fill: tuple[float, ...]
) -> Tensor:
    """Return windows of the images' size whose upper left corners are at ``down`` and ``right``.

    Args:
        images: Shape (N, C, H, W).
        down: int64 of shape (N), below 0 for a corner above the image.
        right: int64 of shape (N), below 0 for a corner left of the image.
        mode: What lies outside the image: ``constant``, ``edge``, ``reflect`` or ``symmetric``.
        fill: The constant: one for all channels, or one per channel.
    """
    count, channels, height, width = images.shape
    rows = torch.arange(height, device=images.device) + down[:, None]
    columns = torch.arange(width, device=images.device) + right[:, None]
    outside = ((rows < 0) | (rows >= height))[:, None, :, None] | (
        (columns < 0) | (columns >= width)
    )[:, None, None, :]
    rows, columns = _map_back(rows, height, mode), _map_back(columns, width, mode)
    flat = (rows[:, :, None] * width + columns[:, None, :]).view(count, 1, -1)
    windows = images.flatten(2).gather(2, flat.expand(-1, channels, -1)).view(images.shape)
    return fill_where(windows, outside, fill) if mode == "constant" else windows


def _map_back(index: Tensor, size: int, mode: str) -> Tensor:
    """Map indices outside an axis of ``size`` pixels to pixels of the axis."""
    if mode == "reflect":
        index = (size - 1) - ((size - 1) - index.abs()).abs()
    elif mode == "symmetric":
        index = torch.where(index < 0, -1 - index, index)
        index = torch.where(index >= size, 2 * size - 1 - index, index)
    return index.clamp(0, size - 1)


# --- pixels --------------------------------------------------------------------------------------


def fill_where(images: Tensor, mask: Tensor, values: tuple[float, ...]) -> Tensor:
    """Return the images with ``values`` where ``mask``, which broadcasts to them, is true."""
    return torch.where(mask, per_channel(values, images.device), images)


def inside_rectangles(images: Tensor, box: dict[str, Tensor]) -> Tensor:
    """Return bool of shape (N, 1, H, W): the pixels in each sample's rectangle of `rectangles`."""
    rows = torch.arange(images.shape[-2], device=images.device)[:, None]
    columns = torch.arange(images.shape[-1], device=images.device)
    top, left, height, width = (
        box[name][:, None, None, None] for name in ("top", "left", "height", "width")
    )
    return (rows >= top) & (rows < top + height) & (columns >= left) & (columns < left + width)
