"""Picture files as a network takes them: brought to what its data set's images look like."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from netbuilder.errors import ConfigError, Problem
from netbuilder.recipe.datasets import Dataset

ENDINGS = (".png", ".jpg", ".jpeg")
FORMATS = ("PNG", "JPEG")
STRAY = 4
"""Median deviations of the border's brightness within which a pixel belongs to the background."""
FAINT = 16
"""Levels of 256 by which a drawing stands out at least; below, noise would be taken for one."""

Grey = NDArray[np.float64]
"""Brightness in [0, 255] of shape (H, W)."""


_BLANK = f"nothing in it stands out by {FAINT} levels of 256; take one with more contrast"


class Unusable(Exception):
    """A file is no picture, or nothing is drawn in it; the message says which and what to do."""


def find_pictures(paths: Iterable[Path]) -> list[Path]:
    """The files named, and of each folder those in it and below it that end as pictures do.

    Raises:
        ConfigError: a path does not exist, or a folder holds none; all such paths are named.
    """
    found: list[Path] = []
    problems = []
    for path in paths:
        if path.is_dir():
            inside = [file for file in path.rglob("[!.]*") if file.suffix.lower() in ENDINGS]
            if not inside:
                message = f"no picture in it; allowed: files that end with {', '.join(ENDINGS)}"
                problems.append(Problem(str(path), 0, 0, "", message))
            found += sorted(inside)
        elif path.exists():
            found.append(path)
        else:
            message = "no such file; name PNG or JPEG files, or a folder of them"
            problems.append(Problem(str(path), 0, 0, "", message))
    if problems:
        raise ConfigError(problems)
    return found


def read_picture(path: Path, dataset: Dataset) -> Tensor:
    """A picture as an image of ``dataset``: uint8 of shape ``dataset.shape``.

    Drawings become bright on black, fill the data set's box and are centred as its images are; one
    that has the data set's size keeps its pixels. Photographs are scaled until they cover the
    image and cropped around their centre.

    Raises:
        Unusable: it cannot be read, or nothing is drawn in it.
    """
    channels, height, width = dataset.shape
    picture = _opened(path)
    if dataset.box is None:
        picture = picture.convert("L" if channels == 1 else "RGB")
        if picture.size != (width, height):
            picture = ImageOps.fit(picture, (width, height), Image.Resampling.BICUBIC)
        pixels = torch.from_numpy(np.array(picture)).reshape(height, width, channels)
        return pixels.permute(2, 0, 1).contiguous()
    grey: Grey = np.asarray(picture.convert("L"), dtype=np.float64)
    if np.median(_border(grey)) > 127:  # drawn on paper
        grey = 255 - grey
    if np.ptp(grey) < FAINT:
        raise Unusable(_BLANK)
    if grey.shape != (height, width):
        grey = _placed(_drawing(grey), (height, width), dataset.box, by_mass=dataset.by_mass)
    return torch.from_numpy(grey.round().astype(np.uint8)).expand(channels, -1, -1).contiguous()


def _opened(path: Path) -> Image.Image:
    """The picture upright, without transparency, in 8 bits a channel."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as file:
                file.load()
                picture = ImageOps.exif_transpose(file)
    except UnidentifiedImageError:
        raise Unusable("not a PNG or JPEG file; convert it to one") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        most = f"{Image.MAX_IMAGE_PIXELS:,}"
        raise Unusable(f"more than {most} pixels; scale it down") from None
    except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises on damaged files
        reason = getattr(error, "strerror", None) or error
        raise Unusable(f"cannot be read: {reason}; save it again as PNG or JPEG") from None
    if picture.mode.startswith("I"):  # 16 bits, which Pillow would cut off at 255
        deep = np.asarray(picture).astype(np.uint32)
        return Image.fromarray((deep >> 8).astype(np.uint8))
    return _flattened(picture) if picture.has_transparency_data else picture


def _flattened(picture: Image.Image) -> Image.Image:
    """A transparent picture on white, or on black where what is opaque is bright."""
    layers = np.asarray(picture.convert("RGBA"), dtype=np.float64)
    opacity = layers[..., 3:] / 255
    seen = opacity.sum()
    brightness = (layers[..., :3] * opacity).sum() / (3 * seen) if seen else 0
    ground = 0 if brightness > 127 else 255
    flat = layers[..., :3] * opacity + ground * (1 - opacity)
    return Image.fromarray(flat.round().astype(np.uint8))


def _border(grey: Grey) -> Grey:
    return np.concatenate([grey[0], grey[-1], grey[1:-1, 0], grey[1:-1, -1]])


def _drawing(grey: Grey) -> Grey:
    """What is drawn, cut out along its edges, its background 0 and its brightest 255.

    Raises:
        Unusable: nothing stands out from the background.
    """
    border = _border(grey)
    ground = np.median(border)
    # A median: what is drawn may touch the border in places.
    ground += STRAY * np.median(np.abs(border - ground))
    contrast = grey.max() - ground
    if contrast < FAINT:
        raise Unusable(_BLANK)
    grey = np.clip(grey - ground, 0, None) * (255 / contrast)
    inked = grey > 127  # of half the ink at least, so that no speck of noise widens the box
    top, bottom = np.flatnonzero(inked.any(1))[[0, -1]]
    left, right = np.flatnonzero(inked.any(0))[[0, -1]]
    cut: Grey = grey[top : bottom + 1, left : right + 1]
    return cut


def _placed(drawing: Grey, size: tuple[int, int], box: int, *, by_mass: bool) -> Grey:
    """The drawing scaled to ``box`` pixels along its longer side, in the middle of black.

    As MNIST's images were made (LeCun, Cortes, Burges): their centre of mass lies at the middle
    pixel of the field, and their longer side measures 20 pixels.
    """
    longest = max(drawing.shape)
    height, width = (max(1, round(side * box / longest)) for side in drawing.shape)
    scaled = Image.fromarray(drawing.astype(np.float32)).resize(
        (width, height), Image.Resampling.BILINEAR
    )
    ink = np.asarray(scaled, dtype=np.float64)
    ink = np.clip(ink * (255 / ink.max()), 0, 255)  # a thin line loses brightness as it shrinks
    start = []
    for axis, (field, side) in enumerate(zip(size, ink.shape, strict=True)):
        offset = (field - side) // 2
        if by_mass:
            mass = ink.sum(1 - axis)
            offset = round(field / 2 - float(mass @ np.arange(side)) / float(mass.sum()))
        start.append(min(max(offset, 0), field - side))
    placed: Grey = np.zeros(size)
    placed[start[0] : start[0] + height, start[1] : start[1] + width] = ink
    return placed
