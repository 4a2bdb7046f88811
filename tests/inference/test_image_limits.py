"""Files that are not pictures: what is read and decoded is bounded, and the others count."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from budgets import examples
from deep import deep_folders
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile, ImageOps
from small import run_until_stopped, small

from netbuilder.components.datasets import Cifar10, Mnist
from netbuilder.inference import images
from netbuilder.inference.images import UnusableImageError, find_images, read_image
from netbuilder.inference.predict import predict_run
from netbuilder.runs.run import Run
from netbuilder.training.loop import train

MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk of a PNG."""
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def png_header(width: int, height: int, depth: int, color: int) -> bytes:
    """Return a PNG without pixels, which claims a size."""
    size = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    parts = (chunk(b"IHDR", size), chunk(b"IDAT", b""), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def jpeg_header(width: int, height: int) -> bytes:
    """Return a JPEG without pixels, which claims a size."""
    file = BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG", progressive=True)
    content = file.getvalue()
    frame = content.index(b"\xff\xc2") + 5
    size = struct.pack(">HH", height, width)
    return content[:frame] + size + content[frame + 4 :]


def picture(mode: str, width: int, height: int, seed: int) -> Image.Image:
    """Return random pixels in a mode."""
    draws = np.random.default_rng(seed)
    if mode == "I;16":
        return Image.fromarray(draws.integers(0, 1 << 16, (height, width), dtype=np.uint16))
    channels = draws.integers(0, 256, (height, width, 4), dtype=np.uint8)
    return Image.fromarray(channels).convert(mode)


@pytest.mark.parametrize(
    "content",
    [
        *(png_header(9_400, 9_400, *kind) for kind in ((1, 0), (8, 0), (8, 3), (16, 6))),
        png_header(80_000_000, 1, 8, 2),
        jpeg_header(9_400, 9_400),
        jpeg_header(65_000, 1_300),
    ],
)
def test_no_memory_is_allocated_for_pixels_that_a_file_cannot_have(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The size of the file bounds the pixels before the first of them is decoded."""

    def load(self: ImageFile.ImageFile) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    path = tmp_path / "file.png"
    path.write_bytes(content)
    with pytest.raises(UnusableImageError, match=r"bytes cannot have [0-9]+ x [0-9]+ pixels; save"):
        read_image(path, Mnist())


@pytest.mark.parametrize("progressive", [False, True])
def test_a_blank_picture_that_compresses_well_is_read(progressive: bool, tmp_path: Path) -> None:
    """A blank picture compresses as well as its format can, and is read."""
    for mode in ("1", "L", "RGB"):
        for name in ("file.png", "file.jpg"):
            if (mode, name) != ("1", "file.jpg"):
                Image.new(mode, (2_100, 2_100)).save(
                    tmp_path / name, optimize=True, progressive=progressive
                )
                read_image(tmp_path / name, Cifar10())


@examples(25, 400, settings(suppress_health_check=[HealthCheck.function_scoped_fixture]))
@given(
    mode=st.sampled_from(MODES),
    width=st.integers(1, 90),
    height=st.integers(1, 90),
    side=st.integers(1, 40),
    seed=st.integers(0, 99),
)
def test_a_picture_in_tiles_equals_the_whole(
    mode: str, width: int, height: int, side: int, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tile by tile, a large picture has the pixels of one reduction of all of it."""
    monkeypatch.setattr(images, "MAX_SIDE", side)
    whole = picture(mode, width, height, seed)
    reduced = images._reduced(whole.copy())
    assert max(reduced.size) <= side or max(whole.size) <= side
    factor = -(-max(whole.size) // side)
    if factor == 1:
        return
    expected = images._eight_bits(whole)
    expected = expected.convert("RGBA" if expected.has_transparency_data else "RGB")
    assert np.array_equal(np.asarray(reduced), np.asarray(expected.reduce(factor)))


@pytest.mark.parametrize("orientation", range(10))
def test_every_orientation_is_that_of_pillow(orientation: int, tmp_path: Path) -> None:
    """Pillow turns the picture upright by the same tag; unknown values change nothing."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "file.png"
    picture("RGB", 32, 32, 0).save(path, exif=exif)
    with Image.open(path) as file:
        expected = np.asarray(ImageOps.exif_transpose(file))
    assert np.array_equal(read_image(path, Cifar10()).permute(1, 2, 0).numpy(), expected)


@pytest.mark.parametrize(
    "error", [MemoryError, RecursionError, ZeroDivisionError, IndexError, struct.error, OSError]
)
def test_one_bad_picture_does_not_lose_the_others(
    error: type[Exception], trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the decoder raises, the predictions for the other pictures are there."""
    for name in ("a.png", "bad.png", "c.png"):
        Image.linear_gradient("L").resize((28, 28)).save(tmp_path / name)
    (tmp_path / "bad.png").write_bytes(png_header(1, 1, 8, 0))
    real = ImageFile.ImageFile.load

    def load(self: ImageFile.ImageFile) -> object:
        if self.size == (1, 1):
            raise error("\x1b[2J")
        return real(self)

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    result = predict_run(trained, [tmp_path])
    assert [row.path.name for row in result.images] == ["a.png", "c.png"]
    [problem] = result.unusable
    assert Path(problem.file).name == "bad.png"
    assert problem.message.isprintable()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of a small network."""
    records = train(small("train.epochs=1"), out=tmp_path_factory.mktemp("runs"))
    folder, _ = run_until_stopped(records)
    return Run(folder)


def test_pictures_in_deep_folders_are_listed() -> None:
    """Folders nest deeper than Python's functions may; links in a circle are not followed."""
    with deep_folders() as (folder, deepest):
        (deepest / "1.png").touch()
        (deepest / "loop").symlink_to(folder)
        assert find_images([folder]) == [deepest / "1.png"]
