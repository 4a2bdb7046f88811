"""Predictions for picture files of every form, preprocessed like the training data."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from command import run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from small import run_until_stopped, small

from netbuilder.components.datasets import Cifar10, Mnist, Mnist5k
from netbuilder.data.dataset import LoadedData
from netbuilder.data.open import open_dataset
from netbuilder.errors import ConfigError
from netbuilder.inference.evaluate import evaluate_run
from netbuilder.inference.images import UnusableImageError, find_images, read_image
from netbuilder.inference.predict import Predictions, predict_run
from netbuilder.runs.run import Run
from netbuilder.training.loop import train

Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of a small network."""
    folder, _ = run_until_stopped(train(small(), out=tmp_path_factory.mktemp("runs")))
    return Run(folder)


@pytest.fixture(scope="module")
def data() -> LoadedData:
    return open_dataset(Mnist5k())


@pytest.fixture(scope="module")
def plain(trained: Run, data: LoadedData, tmp_path_factory: pytest.TempPathFactory) -> Predictions:
    """The predictions for all test images as PNG files."""
    folder = tmp_path_factory.mktemp("plain")
    for i, image in enumerate(data.test_images):
        Image.fromarray(image[0].numpy()).save(folder / f"{i:04}.png")
    return predict_run(trained, [folder])


def test_predictions_of_the_test_set_equal_its_evaluation(trained: Run, plain: Predictions) -> None:
    """Files of the data set's size have the same classes and exactly the same probabilities."""
    evaluation, _ = evaluate_run(trained)
    assert [prediction.best for prediction in plain.images] == evaluation.guesses.tolist()
    assert [
        max(prediction.probabilities) for prediction in plain.images
    ] == evaluation.confidences.tolist()
    for prediction in plain.images:
        assert sum(prediction.probabilities) == pytest.approx(1)


def on_paper(image: Image.Image) -> Image.Image:
    sheet = Image.new("RGB", (image.width + 90, image.height + 30), "white")
    sheet.paste(Image.eval(image, lambda value: 255 - value).convert("RGB"), (70, 5))
    return sheet


def transparent(image: Image.Image) -> Image.Image:
    ink = Image.new("RGBA", image.size, "black")
    ink.putalpha(image)
    return ink


def noisy(image: Image.Image) -> Image.Image:
    gray = np.asarray(on_paper(image).convert("L"), dtype=float)
    noise = np.random.default_rng(0).normal(0, 5, gray.shape)
    return Image.fromarray((50 + 0.6 * gray + noise).clip(0, 255).astype(np.uint8))


def ink_on_sheet(image: Image.Image) -> NDArray[np.float64]:
    """Return the amount of ink in [0, 1] per pixel of a larger sheet."""
    ink = np.asarray(image, dtype=float) / 255
    return np.pad(ink, ((image.height // 4,) * 2, (image.width // 8, image.width // 2)))


def in_light(image: Image.Image, darkest: float, brightest: float, ink: float) -> Image.Image:
    """Light a sheet from one corner and add noise; negative ``ink`` darkens, positive brightens."""
    sheet = ink_on_sheet(image)
    y, x = (np.linspace(0, 1, size) for size in sheet.shape)
    light = darkest + (brightest - darkest) * np.add.outer(y, x) / 2
    noise = np.random.default_rng(0).normal(0, 4, sheet.shape)
    lit = light + sheet * (ink * light if ink < 0 else ink * (255 - light)) + noise
    return Image.fromarray(lit.clip(0, 255).astype(np.uint8))


def in_colors(
    image: Image.Image, paper: tuple[int, int, int], ink: tuple[int, int, int]
) -> Image.Image:
    share = ink_on_sheet(image)[..., None]
    mixed = share * np.asarray(ink) + (1 - share) * np.asarray(paper)
    return Image.fromarray(mixed.round().astype(np.uint8))


def dirty(image: Image.Image) -> Image.Image:
    """Add four grains of dirt beside the digit, each a hundredth of the sheet wide."""
    sheet = 230 - 200 * ink_on_sheet(image)
    height, width = sheet.shape
    grain = max(1, width // 100)
    for y, x in ((0.05, 0.1), (0.9, 0.3), (0.5, 0.95), (0.05, 0.7)):
        row, column = int(y * height), int(x * width)
        sheet[row : row + grain, column : column + grain] = 60
    return Image.fromarray(sheet.astype(np.uint8))


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "on black": lambda image: image,
    "on paper": on_paper,
    "transparent": transparent,
    "bright on transparent": lambda image: Image.merge(
        "LA", (Image.new("L", image.size, 255), image)
    ),
    "one bit": lambda image: image.convert("1", dither=Image.Dither.NONE),
    "a palette": lambda image: on_paper(image).quantize(16),
    "16 bits": lambda image: Image.fromarray(np.asarray(image).astype(np.uint16) * 257),
    "a gray, noisy photograph": noisy,
    "ink where light falls off": lambda image: in_light(image, 60, 230, -0.6),
    "pencil where light falls off": lambda image: in_light(image, 150, 230, -0.3),
    "chalk where light falls off": lambda image: in_light(image, 20, 110, 0.6),
    "ink on a dark card": lambda image: in_colors(image, (110, 110, 108), (25, 25, 30)),
    "chalk on a bright card": lambda image: in_colors(image, (140, 142, 140), (245, 245, 245)),
    "colors of one brightness": lambda image: in_colors(image, (60, 150, 60), (200, 60, 60)),
    "dirt": dirty,
}


SMALL = ("one bit", "a palette", "dirt")
"""Changes that destroy a small digit."""


@pytest.mark.parametrize(
    ("change", "times"),
    [
        pytest.param(name, times, marks=[pytest.mark.long] * (times == 7))
        for name in CHANGES
        for times in (0.8, 3, 7)
        if times > 1 or name not in SMALL
    ],
)
def test_a_digit_keeps_its_class_in_every_size_and_form(
    change: str, times: float, trained: Run, data: LoadedData, plain: Predictions, tmp_path: Path
) -> None:
    """At least 95 % of 200 changed test images keep their predicted class."""
    side = round(28 * times)
    for i in range(200):
        image = Image.fromarray(data.test_images[i, 0].numpy())
        image = image.resize((side, side), Image.Resampling.BICUBIC)
        CHANGES[change](image).save(tmp_path / f"{i:04}.png")
    changed = predict_run(trained, [tmp_path])
    assert not changed.unusable
    same = sum(a.best == b.best for a, b in zip(changed.images, plain.images, strict=False))
    assert same >= 190, f"{same} of 200"


@pytest.mark.parametrize(("paper", "ink"), [(200, 60), (110, 20), (0, 80)])
def test_a_faint_drawing_of_the_data_sets_size_keeps_its_position(
    paper: int, ink: int, data: LoadedData, tmp_path: Path
) -> None:
    """Its paper becomes black and its ink white, without a shift or a change of scale."""
    for image in data.test_images[:50, 0].numpy().astype(float):
        path = tmp_path / "faint.png"
        Image.fromarray((paper + (ink - paper) * image / 255).round().astype(np.uint8)).save(path)
        pixels = read_image(path, Mnist())[0].numpy().astype(float)
        # The brightest twentieth of the ink is clipped to white.
        assert np.abs(pixels - image).max() < 24


def test_a_large_scan_equals_a_small_one(data: LoadedData, tmp_path: Path) -> None:
    """Both sizes of a picture give nearly the same image."""
    digit = Image.fromarray(255 - data.test_images[3, 0].numpy())
    for name, side in (("small", 700), ("large", 5600)):
        sheet = Image.new("L", (side, side), 255)
        half = digit.resize((side // 2, side // 2), Image.Resampling.BICUBIC)
        sheet.paste(half, (side // 8, side // 8))
        sheet.save(tmp_path / f"{name}.png")
    small, large = (read_image(tmp_path / f"{name}.png", Mnist()) for name in ("small", "large"))
    assert (small.float() - large.float()).abs().mean() < 2


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    digit=st.integers(0, 999),
    above=st.integers(2, 30),
    below=st.integers(2, 30),
    before=st.integers(2, 30),
    after=st.integers(2, 30),
)
def test_a_drawing_is_centered_like_mnist(
    digit: int, above: int, below: int, before: int, after: int, data: LoadedData, tmp_path: Path
) -> None:
    """An MNIST digit that is cropped and moved returns to its position, within one pixel."""
    original = data.test_images[digit, 0].numpy()
    rows, columns = (np.flatnonzero(original.any(axis)) for axis in (1, 0))
    cut = original[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    path = tmp_path / "moved.png"
    Image.fromarray(np.pad(cut, ((above, below), (before, after)))).save(path)
    pixels = read_image(path, Mnist())[0].numpy().astype(float)
    places = [
        original[max(0, y) : 28 + min(0, y), max(0, x) : 28 + min(0, x)]
        for y in (-1, 0, 1)
        for x in (-1, 0, 1)
    ]
    shifted = [
        pixels[max(0, -y) : 28 + min(0, -y), max(0, -x) : 28 + min(0, -x)]
        for y in (-1, 0, 1)
        for x in (-1, 0, 1)
    ]
    # Its bounding box may lack the faintest pixels at the edge; it is then scaled to 20 pixels.
    difference = min(np.abs(a - b).mean() for a, b in zip(places, shifted, strict=True))
    assert difference < 0.35 * original.mean(), difference


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_the_orientation_of_a_camera_is_applied(
    orientation: int, data: LoadedData, tmp_path: Path
) -> None:
    """A picture that is rotated by its EXIF data equals the upright one."""
    upright = Image.fromarray(data.test_images[7, 0].numpy()).resize((90, 90))
    turns = {
        3: Image.Transpose.ROTATE_180,
        6: Image.Transpose.ROTATE_90,
        8: Image.Transpose.ROTATE_270,
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright.save(tmp_path / "upright.png")
    upright.transpose(turns[orientation]).save(tmp_path / "turned.png", exif=exif)
    images = [read_image(tmp_path / f"{name}.png", Mnist()) for name in ("upright", "turned")]
    assert torch.equal(*images)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "CMYK"])
def test_a_photograph_is_cropped_around_its_center(mode: str, tmp_path: Path) -> None:
    """The central square keeps its colors in every mode of the file."""
    picture = Image.new("RGB", (300, 200), (10, 10, 10))
    picture.paste((200, 120, 40), (50, 0, 250, 200))
    path = tmp_path / ("photo.jpg" if mode == "CMYK" else "photo.png")
    picture.convert(mode).save(path)
    pixels = read_image(path, Cifar10())
    assert pixels.shape == (3, 32, 32)
    expected = (
        Image.new("RGB", (1, 1), (200, 120, 40)).convert(mode).convert("RGB").getpixel((0, 0))
    )
    inner = (
        pixels.permute(1, 2, 0).numpy().astype(int)[:, 2:-2]
    )  # resizing smooths the edge of the crop
    assert np.abs(inner - expected).max() <= 8


def png(pixels: Pixels) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


GRADIENT = np.arange(64 * 64, dtype=np.uint32).reshape(64, 64).astype(np.uint8)
UNUSABLE = {
    "empty": (b"", "not a PNG or JPEG file"),
    "text": (b"no picture", "not a PNG or JPEG file"),
    "gif": (b"GIF89a\x01\x00\x01\x00\x00\x00\x00;", "not a PNG or JPEG file"),
    "cut off": (png(GRADIENT)[:-60], "cannot be read"),
    "damaged": (png(GRADIENT)[:80] + b"damage" + png(GRADIENT)[86:], "cannot be read"),
    "white": (png(np.full((40, 40), 255, np.uint8)), "its contrast is below"),
    "white as an image": (png(np.full((28, 28), 255, np.uint8)), "its contrast is below"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_an_unusable_file_is_reported(name: str, tmp_path: Path) -> None:
    """The error names the reason."""
    content, reason = UNUSABLE[name]
    path = tmp_path / "file.png"
    path.write_bytes(content)
    with pytest.raises(UnusableImageError, match=reason):
        read_image(path, Mnist())


def test_a_picture_with_too_many_pixels_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the allowed number."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    path = tmp_path / "file.png"
    path.write_bytes(png(GRADIENT))
    with pytest.raises(UnusableImageError, match="more than 1,000 pixels; scale it down"):
        read_image(path, Mnist())


def test_pictures_of_a_folder_and_its_subfolders_are_listed(tmp_path: Path) -> None:
    """They are selected by ending; a folder without any and a missing path are in one error."""
    for folder in ("a/b", "none", ".cache", "album.png"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "loop").symlink_to(tmp_path)
    names = ("z.JPG", "a/2.png", "a/b/1.jpeg", "a/notes.txt", ".hidden.png", ".cache/3.png")
    for name in names:
        (tmp_path / name).write_bytes(b"")
    paths = find_images([tmp_path / "a", tmp_path / "a" / "notes.txt", tmp_path])
    assert [str(path.relative_to(tmp_path)) for path in paths] == [
        "a/2.png", "a/b/1.jpeg", "a/notes.txt", "a/2.png", "a/b/1.jpeg", "z.JPG",
    ]  # fmt: skip
    with pytest.raises(ConfigError, match=r"missing: no such file(.|\n)*none: no image in it"):
        find_images([tmp_path / "none", tmp_path / "missing"])


def test_a_file_that_cannot_be_opened_is_reported(tmp_path: Path) -> None:
    """A pipe, a dangling link and a name that is too long are an error each."""
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "link.png").symlink_to(tmp_path / "nothing")
    assert [path.name for path in find_images([tmp_path])] == ["link.png", "pipe.png"]
    with pytest.raises(UnusableImageError, match="not a regular file; save the image as one"):
        read_image(tmp_path / "pipe.png", Mnist())
    with pytest.raises(
        UnusableImageError, match="cannot be opened: No such file or directory; name a readable"
    ):
        read_image(tmp_path / "link.png", Mnist())
    with pytest.raises(ConfigError, match="File name too long; name PNG or JPEG files"):
        find_images([tmp_path / f"{'x' * 300}.png"])


def test_the_command_reports_unusable_files_after_the_predictions(
    trained: Run, data: LoadedData, tmp_path: Path
) -> None:
    """It prints one row per picture and one line per unusable file; the exit code is 2."""
    good, bad = tmp_path / "[red]three.png", tmp_path / "bad\x1b[2J.png"
    Image.fromarray(data.test_images[3, 0].numpy()).save(good)
    bad.write_text("no picture")
    result = run("predict", str(trained.path), str(bad), str(good))
    assert result.code == 2
    assert result.out.splitlines()[1].split()[:2] == [str(good), "3"]
    assert result.err == (
        f"{tmp_path}/bad\\x1b[2J.png: not a PNG or JPEG file; convert it to one\n"
    )
    report = json.loads(
        run("predict", str(trained.path), str(bad), str(good), "--format", "json").out
    )
    (prediction,) = report["predictions"]
    assert prediction["path"] == str(good)
    assert prediction["class"] == "3"
    assert prediction["probability"] == max(prediction["probabilities"])
    assert [problem["path"] for problem in report["unusable"]] == [str(bad)]


def test_a_run_without_weights_is_refused_with_a_next_step(trained: Run, tmp_path: Path) -> None:
    """An empty folder is not a run; an unfinished run can be resumed."""
    half = tmp_path / "half"
    half.mkdir()
    empty = run("predict", str(half), str(tmp_path))
    assert (empty.code, "not a run folder" in empty.err) == (2, True)
    for name in ("config.json", "environment.json", "architecture.yaml"):
        (half / name).write_bytes((trained.path / name).read_bytes())
    (tmp_path / "one.png").write_bytes(png(GRADIENT))
    result = run("predict", str(half), str(tmp_path))
    assert result.code == 3
    assert f"resume it with: netbuilder train --resume {half}" in result.err.lower()
