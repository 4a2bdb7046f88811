"""Pictures of the package: they are small and reproducible."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from netbuilder.render.plots.curves import draw_curves
from netbuilder.render.plots.images import draw_confusion, draw_mistakes
from netbuilder.render.plots.style import with_palette
from netbuilder.runs.records import EpochRecord, Mistake

COUNTS = np.array([[5, 1], [2, 7]])


def test_a_plot_has_a_palette_and_a_white_background(tmp_path: Path) -> None:
    """The picture has eight bits per pixel, and white stays white."""
    draw_confusion(tmp_path / "plot.png", "net", ["0", "1"], COUNTS)
    with Image.open(tmp_path / "plot.png") as image:
        assert image.mode == "P"
        assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)


def test_pictures_of_the_same_values_are_identical(tmp_path: Path) -> None:
    """Two files of the same counts have the same bytes."""
    for name in ("first.png", "second.png"):
        draw_confusion(tmp_path / name, "net", ["0", "1"], COUNTS)
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()


def test_photographs_keep_their_colors(tmp_path: Path) -> None:
    """A gradient over three channels keeps more than 150 colors."""
    axis = np.linspace(0, 255, 32).astype(np.uint8)
    red, green = np.meshgrid(axis, axis)
    photo = np.stack([red, green, 255 - red])
    mistake = Mistake(index=0, label="cat", guess="dog", confidence=0.9)
    draw_mistakes(tmp_path / "photos.png", "net", [(photo, mistake)])
    with Image.open(tmp_path / "photos.png") as image:
        colors = image.convert("RGB").getcolors()
    assert colors is not None
    assert len(colors) > 150


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"\x89PNG\r\n\x1a\nfalse IHDR"])
def test_a_picture_that_cannot_be_decoded_is_unchanged(content: bytes) -> None:
    """A damaged picture of an old run is not an error."""
    assert with_palette(content) == content


def test_a_palette_is_applied_once(tmp_path: Path) -> None:
    """A picture with a palette is much smaller and is returned unchanged."""
    buffer = BytesIO()
    noise = np.random.default_rng(0).integers(0, 40, (200, 200, 1), dtype=np.uint8)
    Image.fromarray(np.repeat(noise, 3, axis=2)).convert("RGBA").save(buffer, "PNG")
    small = with_palette(buffer.getvalue())
    assert len(small) < 0.6 * len(buffer.getvalue())
    assert with_palette(small) == small


def test_a_loss_below_zero_is_drawn_without_a_warning(tmp_path: Path) -> None:
    """A logarithmic axis has no place for it; matplotlib would warn on the terminal."""
    numbers = dict.fromkeys(EpochRecord.model_fields, 1.0) | {"train_loss": -0.3, "test_loss": -0.4}
    epochs = [EpochRecord.model_validate(numbers | {"epoch": number}) for number in (1, 2)]
    draw_curves(tmp_path / "curves.png", "net", epochs, None)
    assert (tmp_path / "curves.png").is_file()
