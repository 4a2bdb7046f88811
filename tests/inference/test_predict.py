"""Pictures to classes: as the network was trained, whatever the file looks like."""

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
    """What the network makes of all test images as PNG files."""
    folder = tmp_path_factory.mktemp("plain")
    for i, image in enumerate(data.test_images):
        Image.fromarray(image[0].numpy()).save(folder / f"{i:04}.png")
    return predict_run(trained, [folder])


def test_pictures_of_the_test_set_give_what_evaluate_gives(
    trained: Run, plain: Predictions
) -> None:
    """Every class, and its probability to the bit: files of the data set's size keep theirs."""
    evaluation, _ = evaluate_run(trained)
    assert [made.best for made in plain.images] == evaluation.guesses.tolist()
    assert [max(made.probabilities) for made in plain.images] == evaluation.confidences.tolist()
    for made in plain.images:
        assert sum(made.probabilities) == pytest.approx(1)


def on_paper(image: Image.Image) -> Image.Image:
    sheet = Image.new("RGB", (image.width + 90, image.height + 30), "white")
    sheet.paste(Image.eval(image, lambda value: 255 - value).convert("RGB"), (70, 5))
    return sheet


def transparent(image: Image.Image) -> Image.Image:
    ink = Image.new("RGBA", image.size, "black")
    ink.putalpha(image)
    return ink


def noisy(image: Image.Image) -> Image.Image:
    grey = np.asarray(on_paper(image).convert("L"), dtype=float)
    noise = np.random.default_rng(0).normal(0, 5, grey.shape)
    return Image.fromarray((50 + 0.6 * grey + noise).clip(0, 255).astype(np.uint8))


def sheet_of_ink(image: Image.Image) -> NDArray[np.float64]:
    """How much ink is where, in [0, 1], on a larger sheet."""
    ink = np.asarray(image, dtype=float) / 255
    return np.pad(ink, ((image.height // 4,) * 2, (image.width // 8, image.width // 2)))


def in_light(image: Image.Image, darkest: float, brightest: float, ink: float) -> Image.Image:
    """On a sheet whose one corner is near the lamp, with noise; ``ink`` dims, or brightens."""
    sheet = sheet_of_ink(image)
    y, x = (np.linspace(0, 1, size) for size in sheet.shape)
    light = darkest + (brightest - darkest) * np.add.outer(y, x) / 2
    noise = np.random.default_rng(0).normal(0, 4, sheet.shape)
    shown = light + sheet * (ink * light if ink < 0 else ink * (255 - light)) + noise
    return Image.fromarray(shown.clip(0, 255).astype(np.uint8))


def in_colours(
    image: Image.Image, paper: tuple[int, int, int], ink: tuple[int, int, int]
) -> Image.Image:
    share = sheet_of_ink(image)[..., None]
    mixed = share * np.asarray(ink) + (1 - share) * np.asarray(paper)
    return Image.fromarray(mixed.round().astype(np.uint8))


def dirty(image: Image.Image) -> Image.Image:
    """Four grains of dirt lie beside the digit, each a hundredth of the sheet wide."""
    sheet = 230 - 200 * sheet_of_ink(image)
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
    "a grey, noisy photograph": noisy,
    "ink where light falls off": lambda image: in_light(image, 60, 230, -0.6),
    "pencil where light falls off": lambda image: in_light(image, 150, 230, -0.3),
    "chalk where light falls off": lambda image: in_light(image, 20, 110, 0.6),
    "ink on a dark card": lambda image: in_colours(image, (110, 110, 108), (25, 25, 30)),
    "chalk on a bright card": lambda image: in_colours(image, (140, 142, 140), (245, 245, 245)),
    "colours of one brightness": lambda image: in_colours(image, (60, 150, 60), (200, 60, 60)),
    "dirt": dirty,
}


SMALL = ("one bit", "a palette", "dirt")
"""Too little is left of a small digit."""


@pytest.mark.parametrize(
    ("change", "times"),
    [
        pytest.param(name, times, marks=[pytest.mark.long] * (times == 7))
        for name in CHANGES
        for times in (0.8, 3, 7)
        if times > 1 or name not in SMALL
    ],
)
def test_a_digit_of_any_size_and_polarity_stays_the_digit(
    change: str, times: float, trained: Run, data: LoadedData, plain: Predictions, tmp_path: Path
) -> None:
    """Of 200 test images at least 95 in 100 keep the class that they have as they are."""
    side = round(28 * times)
    for i in range(200):
        image = Image.fromarray(data.test_images[i, 0].numpy())
        image = image.resize((side, side), Image.Resampling.BICUBIC)
        CHANGES[change](image).save(tmp_path / f"{i:04}.png")
    found = predict_run(trained, [tmp_path])
    assert not found.unusable
    same = sum(a.best == b.best for a, b in zip(found.images, plain.images, strict=False))
    assert same >= 190, f"{same} of 200"


@pytest.mark.parametrize(("paper", "ink"), [(200, 60), (110, 20), (0, 80)])
def test_a_faint_drawing_of_the_data_set_s_size_keeps_its_place(
    paper: int, ink: int, data: LoadedData, tmp_path: Path
) -> None:
    """Its paper becomes black and its ink white; nothing is moved or scaled."""
    for image in data.test_images[:50, 0].numpy().astype(float):
        path = tmp_path / "faint.png"
        Image.fromarray((paper + (ink - paper) * image / 255).round().astype(np.uint8)).save(path)
        found = read_image(path, Mnist())[0].numpy().astype(float)
        # What is brighter than all but a twentieth of the ink is white.
        assert np.abs(found - image).max() < 24


def test_a_picture_of_a_scanner_s_size_gives_what_a_small_one_gives(
    data: LoadedData, tmp_path: Path
) -> None:
    """It is reduced before anything is computed of it."""
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
    left=st.integers(2, 30),
    right=st.integers(2, 30),
)
def test_a_drawing_is_put_where_mnist_puts_it(
    digit: int, above: int, below: int, left: int, right: int, data: LoadedData, tmp_path: Path
) -> None:
    """An MNIST digit, cut out and put anywhere, comes back on its place, a pixel off at most."""
    original = data.test_images[digit, 0].numpy()
    rows, columns = (np.flatnonzero(original.any(axis)) for axis in (1, 0))
    cut = original[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    path = tmp_path / "moved.png"
    Image.fromarray(np.pad(cut, ((above, below), (left, right)))).save(path)
    found = read_image(path, Mnist())[0].numpy().astype(float)
    places = [
        original[max(0, y) : 28 + min(0, y), max(0, x) : 28 + min(0, x)]
        for y in (-1, 0, 1)
        for x in (-1, 0, 1)
    ]
    shifted = [
        found[max(0, -y) : 28 + min(0, -y), max(0, -x) : 28 + min(0, -x)]
        for y in (-1, 0, 1)
        for x in (-1, 0, 1)
    ]
    # Its box may lack the faintest pixels at the edge, and is scaled to 20 pixels then.
    off = min(np.abs(a - b).mean() for a, b in zip(places, shifted, strict=True))
    assert off < 0.35 * original.mean(), off


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_camera_s_orientation_is_heeded(
    orientation: int, data: LoadedData, tmp_path: Path
) -> None:
    """A picture that EXIF says is turned gives the same image as the upright one."""
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
    found = [read_image(tmp_path / f"{name}.png", Mnist()) for name in ("upright", "turned")]
    assert torch.equal(*found)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "CMYK"])
def test_a_photograph_is_cropped_around_its_centre(mode: str, tmp_path: Path) -> None:
    """Its colours stay, its middle square is kept, whatever the file's mode."""
    picture = Image.new("RGB", (300, 200), (10, 10, 10))
    picture.paste((200, 120, 40), (50, 0, 250, 200))
    path = tmp_path / ("photo.jpg" if mode == "CMYK" else "photo.png")
    picture.convert(mode).save(path)
    found = read_image(path, Cifar10())
    assert found.shape == (3, 32, 32)
    wanted = Image.new("RGB", (1, 1), (200, 120, 40)).convert(mode).convert("RGB").getpixel((0, 0))
    inner = found.permute(1, 2, 0).numpy().astype(int)[:, 2:-2]  # the crop's edge is smoothed
    assert np.abs(inner - wanted).max() <= 8


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
def test_a_file_that_is_no_drawing_is_told(name: str, tmp_path: Path) -> None:
    """What is wrong with it, and what to do."""
    content, reason = UNUSABLE[name]
    path = tmp_path / "file.png"
    path.write_bytes(content)
    with pytest.raises(UnusableImageError, match=reason):
        read_image(path, Mnist())


def test_a_picture_of_far_too_many_pixels_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told with the number that is allowed."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    path = tmp_path / "file.png"
    path.write_bytes(png(GRADIENT))
    with pytest.raises(UnusableImageError, match="more than 1,000 pixels; scale it down"):
        read_image(path, Mnist())


def test_a_folder_gives_all_pictures_in_and_below_it(tmp_path: Path) -> None:
    """By their endings, in order; a folder without any and a missing path are told together."""
    for folder in ("a/b", "none", ".cache", "album.png"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "loop").symlink_to(tmp_path)
    names = ("z.JPG", "a/2.png", "a/b/1.jpeg", "a/notes.txt", ".hidden.png", ".cache/3.png")
    for name in names:
        (tmp_path / name).write_bytes(b"")
    found = find_images([tmp_path / "a", tmp_path / "a" / "notes.txt", tmp_path])
    assert [str(path.relative_to(tmp_path)) for path in found] == [
        "a/2.png", "a/b/1.jpeg", "a/notes.txt", "a/2.png", "a/b/1.jpeg", "z.JPG",
    ]  # fmt: skip
    with pytest.raises(ConfigError, match=r"missing: no such file(.|\n)*none: no image in it"):
        find_images([tmp_path / "none", tmp_path / "missing"])


def test_what_cannot_be_opened_is_told(tmp_path: Path) -> None:
    """A pipe is not waited for; a link to nothing and a name too long are a line each."""
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


def test_the_command_tells_what_it_cannot_read_behind_what_it_can(
    trained: Run, data: LoadedData, tmp_path: Path
) -> None:
    """A row a picture, a line a bad file, exit code 2; the same as JSON."""
    good, bad = tmp_path / "[red]three.png", tmp_path / "bad\x1b[2J.png"
    Image.fromarray(data.test_images[3, 0].numpy()).save(good)
    bad.write_text("no picture")
    shown = run("predict", str(trained.path), str(bad), str(good))
    assert shown.code == 2
    assert shown.out.splitlines()[1].split()[:2] == [str(good), "3"]
    assert shown.err == (f"{tmp_path}/bad\\x1b[2J.png: not a PNG or JPEG file; convert it to one\n")
    told = json.loads(
        run("predict", str(trained.path), str(bad), str(good), "--format", "json").out
    )
    (made,) = told["predictions"]
    assert made["path"] == str(good)
    assert made["class"] == "3"
    assert made["probability"] == max(made["probabilities"])
    assert [problem["path"] for problem in told["unusable"]] == [str(bad)]


def test_a_run_without_weights_is_told_with_what_to_do(trained: Run, tmp_path: Path) -> None:
    """A half-written run, and a folder that is none."""
    half = tmp_path / "half"
    half.mkdir()
    nothing = run("predict", str(half), str(tmp_path))
    assert (nothing.code, "not a run folder" in nothing.err) == (2, True)
    for name in ("config.json", "environment.json", "architecture.yaml"):
        (half / name).write_bytes((trained.path / name).read_bytes())
    (tmp_path / "one.png").write_bytes(png(GRADIENT))
    ran = run("predict", str(half), str(tmp_path))
    assert ran.code == 3
    assert f"resume it with: netbuilder train --resume {half}" in ran.err.lower()
