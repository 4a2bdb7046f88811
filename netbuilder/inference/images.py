"""Read picture files and convert them to images like those of a data set."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, ImageStat, UnidentifiedImageError
from torch import Tensor

from netbuilder._files import UnfitFileError, folders_below, leads_to_folder, require_regular
from netbuilder._text import printable
from netbuilder.components.datasets import Dataset
from netbuilder.errors import ConfigError, Problem

SUFFIXES = (".png", ".jpg", ".jpeg")

FORMATS = ("PNG", "JPEG")

MAX_SIDE = 2048
"""The pixels of the longer side above which a picture is reduced first, to save memory."""

MAX_PIXELS_PER_BYTE = {"PNG": 8 * 1032, "JPEG": 8 * 64}
"""The pixels that a byte of a file can hold, by format.

A PNG has at least a bit per pixel, and deflate at most 1032 bytes per byte. A JPEG has at least a
bit per block of 64 pixels.
"""

ORIENTATION = 0x0112
"""The EXIF tag of the orientation of a camera."""

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The operation that turns a picture upright, by its orientation."""

NOISE_DEVIATIONS = 4
"""The median deviations from the background within which a pixel belongs to it."""

MIN_CONTRAST = 16
"""The contrast of a drawing with the background, in levels of 256; less is noise."""

FULL_RANGE = 224
"""The range in levels of 256 above which an image is taken as one of the data set's."""

GRID = 32
"""The cells per side of the grid to which the background is fitted."""

FIT_ROUNDS = 5
"""The number of fits of the background; each leaves out the outliers of the previous one."""

OUTLIER_SHARE = 0.005
"""The part of the ink to ignore on each side of a drawing, as specks of dirt."""


Gray = NDArray[np.float32]
"""Brightness in [0, 255] of shape (H, W)."""


_BLANK = f"its contrast is below {MIN_CONTRAST} of 256 levels; use an image with more contrast"


class UnusableImageError(Exception):
    """A file is not a picture, or has no visible content; the message is the reason and the fix."""


def find_images(paths: Iterable[Path]) -> list[Path]:
    """List the files, and the pictures in each folder and its subfolders.

    Pictures in folders are recognized by suffix; hidden files and linked folders are skipped.

    Raises:
        ConfigError: Paths do not exist, or folders contain no pictures; one problem for each.
    """
    files: list[Path] = []
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
            files.append(path)
            continue
        pictures = list(_pictures_below(path))
        if not pictures:
            message = f"no image in it; allowed: files that end with {', '.join(SUFFIXES)}"
            problems.append(Problem(str(path), None, None, "", message))
        files += sorted(pictures)
    if problems:
        raise ConfigError(problems)
    return files


def _pictures_below(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder that end like pictures, without hidden ones."""
    for below, entries in folders_below(folder):
        if any(part.startswith(".") for part in below.relative_to(folder).parts):
            continue
        for entry in entries:
            named = entry.name.lower().endswith(SUFFIXES) and not entry.name.startswith(".")
            if named and not leads_to_folder(entry):
                yield below / entry.name


def read_image(path: Path, dataset: Dataset) -> Tensor:
    """Read a picture as an image of ``dataset``: uint8 of shape ``dataset.shape``.

    For data sets of drawings, the background is subtracted, so that the drawing is bright on black;
    it is scaled to the data set's box and centered like the data set's images. A picture of the
    data set's size is not moved, and not changed at all if it has the full range of brightness.
    For data sets of photographs, the picture is scaled to cover the image and cropped to its
    center.

    Raises:
        UnusableImageError: The file cannot be read, or has no visible content.
    """
    channels, height, width = dataset.shape
    picture = _load(path)
    if dataset.box is None:
        picture = picture.convert("L" if channels == 1 else "RGB")
        if picture.size != (width, height):
            picture = ImageOps.fit(picture, (width, height), Image.Resampling.BICUBIC)
        pixels = torch.from_numpy(np.array(picture)).reshape(height, width, channels)
        return pixels.permute(2, 0, 1).contiguous()
    gray = _brightness(picture)
    has_size = gray.shape == (height, width)
    if has_size and np.ptp(gray) >= FULL_RANGE:
        gray = 255 - gray if np.median(_border(gray)) > 127 else gray
    else:
        gray = _ink(gray)
        if not has_size:
            gray = _place(_crop(gray), (height, width), dataset.box, by_mass=dataset.by_mass)
    return torch.from_numpy(gray.round().astype(np.uint8)).expand(channels, -1, -1).contiguous()


def _load(path: Path) -> Image.Image:
    """Load a picture upright, opaque, with 8 bits per channel and at most `MAX_SIDE` per side."""
    try:
        picture, orientation = _decode(path)
    except UnfitFileError:
        raise UnusableImageError("not a regular file; save the image as one") from None
    except UnusableImageError:
        raise
    except UnidentifiedImageError:
        raise UnusableImageError("not a PNG or JPEG file; convert it to one") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        limit = f"{Image.MAX_IMAGE_PIXELS:,}"
        raise UnusableImageError(f"more than {limit} pixels; scale it down") from None
    except MemoryError:
        raise UnusableImageError("larger than the memory; scale it down") from None
    except Exception as error:  # a damaged file can raise any exception in Pillow's decoders
        if reason := getattr(error, "strerror", None):
            message = f"cannot be opened: {reason}; name a readable file"
        else:
            reason = str(error) or type(error).__name__
            message = f"cannot be read: {printable(reason)}; save it again as PNG or JPEG"
        raise UnusableImageError(message) from None
    if orientation in UPRIGHT:
        picture = picture.transpose(UPRIGHT[orientation])
    return _composite(picture) if picture.has_transparency_data else picture


def _decode(path: Path) -> tuple[Image.Image, int | None]:
    """Return a picture of at most `MAX_SIDE` pixels per side, and the orientation in its EXIF data.

    Only the reduced picture stays in memory.
    """
    size = require_regular(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path, formats=FORMATS) as file:
            _require_content(file, size)
            file.draft(None, (MAX_SIDE, MAX_SIDE))  # a large JPEG is decoded at a smaller size
            return _reduced(file), file.getexif().get(ORIENTATION)


def _require_content(file: Image.Image, size: int) -> None:
    """Check, before memory for its pixels is allocated, that a file may contain all of them.

    Args:
        file: The picture; only its header is read yet.
        size: The size of the file in bytes.

    Raises:
        UnusableImageError: The file is too small.
    """
    width, height = file.size
    if width * height > MAX_PIXELS_PER_BYTE.get(file.format or "", 8 * 64) * size:
        raise UnusableImageError(
            f"cannot be read: its {size:,} bytes cannot have {width} x {height} pixels; "
            "save it again as PNG or JPEG"
        )


def _reduced(picture: Image.Image) -> Image.Image:
    """Decode a picture to 8 bits per channel and at most `MAX_SIDE` pixels per side.

    A large one is converted tile by tile, because each copy of all pixels costs as much memory as
    the picture itself.
    """
    picture.load()
    if (factor := -(-max(picture.size) // MAX_SIDE)) <= 1:
        return _eight_bits(picture)
    width, height = picture.size
    side = factor * max(1, MAX_SIDE // factor)
    mode = "RGBA" if _eight_bits(picture.crop((0, 0, 1, 1))).has_transparency_data else "RGB"
    reduced = Image.new(mode, (-(-width // factor), -(-height // factor)))
    for top in range(0, height, side):
        for left in range(0, width, side):
            box = (left, top, min(left + side, width), min(top + side, height))
            tile = _eight_bits(picture.crop(box)).convert(mode).reduce(factor)
            reduced.paste(tile, (left // factor, top // factor))
    return reduced


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Convert 16 bits per pixel, which Pillow would clip at 255, to 8."""
    if not picture.mode.startswith("I"):
        return picture
    deep = np.asarray(picture).astype(np.uint32)
    return Image.fromarray((deep >> 8).astype(np.uint8))


def _composite(picture: Image.Image) -> Image.Image:
    """Put a transparent picture on white, or on black if its opaque part is bright."""
    rgba = np.asarray(picture.convert("RGBA"), dtype=np.float32)
    opacity = rgba[..., 3:] / 255
    total = opacity.sum(dtype=np.float64)
    ink = rgba[..., :3] * opacity
    brightness = ink.sum(dtype=np.float64) / (3 * total) if total else 0
    background = 0 if brightness > 127 else 255
    ink += background * (1 - opacity)
    return Image.fromarray(ink.round().astype(np.uint8))


def _brightness(picture: Image.Image) -> Gray:
    """The gray levels, or those of the color channel with far more contrast, if there is any."""
    if picture.mode in ("1", "L", "LA"):
        return np.asarray(picture.convert("L"), dtype=np.float32)
    rgb = picture.convert("RGB")
    channels = [rgb.convert("L"), *rgb.split()]
    deviations = [ImageStat.Stat(channel).stddev[0] for channel in channels]
    best = max(range(4), key=deviations.__getitem__)
    # Twice the contrast, because a single color of a photograph is noisier than its gray.
    index = best if deviations[best] > 2 * deviations[0] else 0
    return np.asarray(channels[index], dtype=np.float32)


def _border(gray: Gray) -> Gray:
    return np.concatenate([gray[0], gray[-1], gray[1:-1, 0], gray[1:-1, -1]])


def _ink(gray: Gray) -> Gray:
    """The contrast of each pixel with the background, brighter or darker, scaled to [0, 255].

    Raises:
        UnusableImageError: No pixel has enough contrast.
    """
    difference = gray - _background(gray)
    noise = NOISE_DEVIATIONS * np.median(np.abs(_border(difference)))
    bright, dark = (np.clip(sign * difference - noise, 0, None) for sign in (1, -1))
    ink = bright if bright.sum() >= dark.sum() else dark
    visible = ink[ink >= MIN_CONTRAST]
    if not visible.size:
        raise UnusableImageError(_BLANK)
    # Scale by a high percentile, because the maximum may be a speck of dirt.
    scaled: Gray = np.clip(ink * (255 / np.percentile(visible, 95)), 0, 255)
    return scaled


def _background(gray: Gray) -> Gray:
    """Fit the brightness of the background, such as unevenly lit paper, of shape (H, W).

    A quadratic surface, fitted by least squares to the cells whose brightness is near that of the
    border, and again to the cells near the previous surface. A drawing may touch the border.
    """
    border = _border(gray)
    level = np.median(border)
    deviation = float(np.median(np.abs(border - level)))
    image = Image.fromarray(gray).resize((GRID, GRID), Image.Resampling.BOX)
    cells = np.asarray(image).ravel()
    terms = _quadratic_terms(GRID, GRID).reshape(6, -1).T
    near = np.abs(cells - level) <= max(MIN_CONTRAST, NOISE_DEVIATIONS * deviation)
    if not near.any() or np.abs(cells[near] - level).max() <= 1:  # uniform, as in a screenshot
        return np.full_like(gray, level)
    for _ in range(FIT_ROUNDS):
        weights = np.linalg.lstsq(terms[near], cells[near], rcond=None)[0]
        residual = np.abs(cells - terms @ weights)
        near = residual <= max(1, NOISE_DEVIATIONS * float(np.median(residual[near])))
    background: Gray = np.tensordot(weights, _quadratic_terms(*gray.shape), 1)
    return background


def _quadratic_terms(height: int, width: int) -> Gray:
    """1, y, x, y², yx and x² at the center of each pixel, for y and x in [-1, 1]: (6, H, W)."""
    rows, columns = (
        2 * (np.arange(size, dtype=np.float32) + 0.5) / size - 1 for size in (height, width)
    )
    y, x = np.meshgrid(rows, columns, indexing="ij")
    return np.stack([np.ones_like(y), y, x, y * y, y * x, x * x])


def _crop(ink: Gray) -> Gray:
    """Crop to the drawing."""
    mask = ink > 40  # a sixth of the range, so that noise does not widen the box
    edges = []
    for axis in (1, 0):
        share = mask.sum(axis).cumsum() / mask.sum()
        first, last = np.searchsorted(share, (OUTLIER_SHARE, 1 - OUTLIER_SHARE))
        edges.append(slice(first, last + 1))
    return ink[tuple(edges)]


def _place(drawing: Gray, size: tuple[int, int], box: int, *, by_mass: bool) -> Gray:
    """Scale a drawing to ``box`` pixels on its longer side, and center it on black.

    With ``by_mass``, the center of mass is at the center, as in MNIST (LeCun, Cortes, Burges),
    whose box is 20 pixels.
    """
    longest = max(drawing.shape)
    height, width = (max(1, round(side * box / longest)) for side in drawing.shape)
    resized = Image.fromarray(drawing).resize((width, height), Image.Resampling.BILINEAR)
    ink: Gray = np.asarray(resized)
    ink = np.clip(ink * (255 / ink.max()), 0, 255)  # thin lines lose brightness in resizing
    start = []
    for axis, (total, side) in enumerate(zip(size, ink.shape, strict=True)):
        offset = (total - side) // 2
        if by_mass:
            mass = ink.sum(1 - axis)
            offset = round(total / 2 - float(mass @ np.arange(side)) / float(mass.sum()))
        start.append(min(max(offset, 0), total - side))
    image: Gray = np.zeros(size, dtype=np.float32)
    image[start[0] : start[0] + height, start[1] : start[1] + width] = ink
    return image
