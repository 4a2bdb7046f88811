"""Picture files as a network takes them: brought to what its data set's images look like."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, ImageStat, UnidentifiedImageError
from torch import Tensor

from netbuilder.components.datasets import Dataset
from netbuilder.errors import ConfigError, Problem

ENDINGS = (".png", ".jpg", ".jpeg")

FORMATS = ("PNG", "JPEG")

LARGE = 2048
"""Pixels along the longer side to which a larger picture is reduced first, for memory's sake."""

STRAY = 4
"""Median deviations from the ground within which a pixel belongs to it."""

FAINT = 16
"""Levels of 256 by which a drawing stands out at least; below, noise would be taken for one."""

FULL = 224
"""Levels of 256 that an image of a data set spans at least, as it is or saved as JPEG."""

GRID = 32
"""Cells along each side in which the ground's light is looked for."""

ROUNDS = 5
"""How often it is, each time without what stood out the time before."""

SPECKS = 0.005
"""The part of the ink that may lie outside of a drawing, on each of its sides."""


Grey = NDArray[np.float32]
"""Brightness in [0, 255] of shape (H, W)."""


_BLANK = f"nothing in it stands out by {FAINT} levels of 256; take one with more contrast"


class Unusable(Exception):
    """A file is no picture, or nothing is drawn in it; the message says which and what to do."""


def find_pictures(paths: Iterable[Path]) -> list[Path]:
    """The files named, and of each folder those in it and below it that end as pictures do.

    Nothing hidden is looked for, and no link to a folder is followed.

    Raises:
        ConfigError: a path does not exist, or a folder holds none; all such paths are named.
    """
    found: list[Path] = []
    problems = []
    for path in paths:
        try:
            path.stat()
        except OSError as error:
            reason = "no such file" if isinstance(error, FileNotFoundError) else error.strerror
            message = f"{reason}; name PNG or JPEG files, or a folder of them"
            problems.append(Problem(str(path), None, None, "", message))
            continue
        if not path.is_dir():
            found.append(path)
            continue
        inside = [file for file in path.rglob("*") if _is_listed(file, path)]
        if not inside:
            message = f"no picture in it; allowed: files that end with {', '.join(ENDINGS)}"
            problems.append(Problem(str(path), None, None, "", message))
        found += sorted(inside)
    if problems:
        raise ConfigError(problems)
    return found


def _is_listed(file: Path, folder: Path) -> bool:
    """Whether a folder is said to hold it: by its ending, and nothing hidden on the way to it."""
    hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
    return file.suffix.lower() in ENDINGS and not hidden and not file.is_dir()


def read_picture(path: Path, dataset: Dataset) -> Tensor:
    """A picture as an image of ``dataset``: uint8 of shape ``dataset.shape``.

    Drawings become bright on black, whatever the paper and the light on it, fill the data set's box
    and are centred as its images are. One that has the data set's size keeps its place, and its
    pixels if they reach from black to white. Photographs are scaled until they cover the
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
    grey = _brightness(picture)
    kept = grey.shape == (height, width)
    if kept and np.ptp(grey) >= FULL:
        grey = 255 - grey if np.median(_border(grey)) > 127 else grey
    else:
        grey = _ink(grey)
        if not kept:
            grey = _placed(_drawing(grey), (height, width), dataset.box, by_mass=dataset.by_mass)
    return torch.from_numpy(grey.round().astype(np.uint8)).expand(channels, -1, -1).contiguous()


def _opened(path: Path) -> Image.Image:
    """The picture upright, without transparency, in 8 bits a channel, and no larger than LARGE."""
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise Unusable("not a regular file; save the picture as one")
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
        if reason := getattr(error, "strerror", None):
            raise Unusable(f"cannot be opened: {reason}; name a file that can") from None
        raise Unusable(f"cannot be read: {error}; save it again as PNG or JPEG") from None
    if picture.mode.startswith("I"):  # 16 bits, which Pillow would cut off at 255
        deep = np.asarray(picture).astype(np.uint32)
        picture = Image.fromarray((deep >> 8).astype(np.uint8))
    if (step := -(-max(picture.size) // LARGE)) > 1:
        mode = "RGBA" if picture.has_transparency_data else "RGB"
        picture = picture.convert(mode).reduce(step)
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


def _brightness(picture: Image.Image) -> Grey:
    """Grey levels, or those of one colour in which the drawing stands out far more."""
    if picture.mode in ("1", "L", "LA"):
        return np.asarray(picture.convert("L"), dtype=np.float32)
    coloured = picture.convert("RGB")
    channels = [coloured.convert("L"), *coloured.split()]
    spread = [ImageStat.Stat(channel).stddev[0] for channel in channels]
    clearest = max(range(4), key=spread.__getitem__)
    # Twice as far: a single colour of a photograph is noisier than its grey.
    chosen = clearest if spread[clearest] > 2 * spread[0] else 0
    return np.asarray(channels[chosen], dtype=np.float32)


def _border(grey: Grey) -> Grey:
    return np.concatenate([grey[0], grey[-1], grey[1:-1, 0], grey[1:-1, -1]])


def _ink(grey: Grey) -> Grey:
    """How far each pixel stands out from the ground, to the brighter or the darker: 0 to 255.

    Raises:
        Unusable: nothing stands out.
    """
    away = grey - _ground(grey)
    stray = STRAY * np.median(np.abs(_border(away)))
    bright, dark = (np.clip(sign * away - stray, 0, None) for sign in (1, -1))
    ink = bright if bright.sum() >= dark.sum() else dark
    standing = ink[ink >= FAINT]
    if not standing.size:
        raise Unusable(_BLANK)
    # Not the brightest, which may be a speck of dirt.
    full: Grey = np.clip(ink * (255 / np.percentile(standing, 95)), 0, 255)
    return full


def _ground(grey: Grey) -> Grey:
    """The brightness of the ground everywhere, of shape (H, W): as light falls on paper.

    A surface of the second order through what lies near the border's brightness, and then in turns
    through what lies near that surface. A drawing may touch the border in places.
    """
    border = _border(grey)
    level = np.median(border)
    near_border = max(FAINT, STRAY * float(np.median(np.abs(border - level))))
    cells = np.asarray(Image.fromarray(grey).resize((GRID, GRID), Image.Resampling.BOX))
    terms = _surface(GRID, GRID).reshape(6, -1).T
    light = cells.ravel()
    near = np.abs(light - level) <= near_border
    if not near.any() or np.abs(light[near] - level).max() <= 1:  # even, as on a screen
        return np.full_like(grey, level)
    for _ in range(ROUNDS):
        weights = np.linalg.lstsq(terms[near], light[near], rcond=None)[0]
        away = np.abs(light - terms @ weights)
        near = away <= max(1, STRAY * float(np.median(away[near])))
    ground: Grey = np.tensordot(weights, _surface(*grey.shape), 1)
    return ground


def _surface(height: int, width: int) -> Grey:
    """The terms of the second order at the middle of each pixel, of shape (6, H, W)."""
    y, x = (2 * (np.arange(size, dtype=np.float32) + 0.5) / size - 1 for size in (height, width))
    down, right = np.meshgrid(y, x, indexing="ij")
    one = np.ones_like(down)
    return np.stack([one, down, right, down * down, down * right, right * right])


def _drawing(ink: Grey) -> Grey:
    """What is drawn, cut out along its edges."""
    inked = ink > 40  # a sixth, so that no grain of noise widens the box
    edges = []
    for axis in (1, 0):
        share = inked.sum(axis).cumsum() / inked.sum()
        first, last = np.searchsorted(share, (SPECKS, 1 - SPECKS))
        edges.append(slice(first, last + 1))
    return ink[tuple(edges)]


def _placed(drawing: Grey, size: tuple[int, int], box: int, *, by_mass: bool) -> Grey:
    """The drawing scaled to ``box`` pixels along its longer side, in the middle of black.

    As MNIST's images were made (LeCun, Cortes, Burges): their centre of mass lies at the middle
    pixel of the field, and their longer side measures 20 pixels.
    """
    longest = max(drawing.shape)
    height, width = (max(1, round(side * box / longest)) for side in drawing.shape)
    scaled = Image.fromarray(drawing).resize((width, height), Image.Resampling.BILINEAR)
    ink: Grey = np.asarray(scaled)
    ink = np.clip(ink * (255 / ink.max()), 0, 255)  # a thin line loses brightness as it shrinks
    start = []
    for axis, (field, side) in enumerate(zip(size, ink.shape, strict=True)):
        offset = (field - side) // 2
        if by_mass:
            mass = ink.sum(1 - axis)
            offset = round(field / 2 - float(mass @ np.arange(side)) / float(mass.sum()))
        start.append(min(max(offset, 0), field - side))
    placed: Grey = np.zeros(size, dtype=np.float32)
    placed[start[0] : start[0] + height, start[1] : start[1] + width] = ink
    return placed
