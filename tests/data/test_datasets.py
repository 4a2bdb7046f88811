"""Datasets: sources, downloads and fallbacks, random numbers and normalization."""

from __future__ import annotations

import os
import re
import shutil
import socket
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from archives import COUNTS, PLACE, fashion, write_cifar10
from torchvision import datasets

from netbuilder.components.datasets import Cifar10, FashionMnist, Mnist, Mnist5k
from netbuilder.components.registries import DATASETS
from netbuilder.data import download
from netbuilder.data.archives import archives
from netbuilder.data.open import _open_fallback, data_root, open_dataset
from netbuilder.data.transforms import epoch_order, generator_for, normalize, seed_for, to_unit
from netbuilder.errors import DataError

__all__ = ["fashion"]  # a fixture

REAL = Path(os.environ.get("NETBUILDER_DATA", "nowhere"))
needs_mnist = pytest.mark.skipif(
    not (REAL / "MNIST/raw/train-images-idx3-ubyte.gz").is_file(),
    reason="NETBUILDER_DATA is not a folder with MNIST's archives",
)


@pytest.fixture
def mnist(tmp_path: Path) -> Path:
    """A data root with the real archives of MNIST."""
    shutil.copytree(REAL / "MNIST" / "raw", tmp_path / "MNIST" / "raw")
    return tmp_path


@pytest.fixture
def mirror(fashion: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a local server with the archives, used as the mirror of Fashion-MNIST."""
    folder = fashion.parent / "mirror"
    shutil.move(fashion / PLACE, folder)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/"
        monkeypatch.setattr(datasets.FashionMNIST, "mirrors", ["http://127.0.0.1:9/", address])
        yield folder
        server.shutdown()


def test_mnist5k_has_500_images_of_each_digit() -> None:
    """mnist5k has 400 training images and 100 test images of each digit, all different."""
    data = open_dataset(Mnist5k())
    assert data.train_images.shape == (4000, 1, 28, 28)
    assert data.test_images.shape == (1000, 1, 28, 28)
    assert data.train_images.dtype == torch.uint8
    assert data.train_labels.bincount().tolist() == [400] * 10
    assert data.test_labels.bincount().tolist() == [100] * 10
    images = {image.numpy().tobytes() for image in (*data.train_images, *data.test_images)}
    assert len(images) == 5000
    assert data.digest == "c447def775766b836e5d2e89e9771fd4a91a01e8b0142c10b54c47f47c2cc289"


@pytest.mark.parametrize("kind", DATASETS.kinds)
def test_the_sizes_of_a_data_set_are_those_that_its_documentation_states(kind: str) -> None:
    """They are published facts, which checks use before anything is downloaded."""
    dataset = DATASETS.kinds[kind]
    stated = re.search(r"([0-9,]+) to train, ([0-9,]+) to test", dataset.__doc__ or "")
    assert stated
    assert [dataset.train_size, dataset.test_size] == [
        int(number.replace(",", "")) for number in stated.groups()
    ]


@pytest.mark.parametrize("kind", ["mnist5k", pytest.param("mnist", marks=needs_mnist)])
def test_the_sizes_of_a_data_set_are_those_of_its_images(
    kind: str, request: pytest.FixtureRequest
) -> None:
    """The images that exist are counted."""
    root = request.getfixturevalue("mnist") if kind == "mnist" else None
    data = open_dataset(DATASETS.parse(kind), root)
    assert data.dataset.train_size == len(data.train_images) == len(data.train_labels)
    assert data.dataset.test_size == len(data.test_images) == len(data.test_labels)


@needs_mnist
def test_mnist5k_is_a_part_of_mnist(mnist: Path) -> None:
    """mnist5k has the first 500 images of each digit of MNIST's training set."""
    data, full = open_dataset(Mnist5k()), open_dataset(Mnist(), mnist)
    for digit in range(10):
        embedded = torch.cat(
            [
                data.train_images[data.train_labels == digit],
                data.test_images[data.test_labels == digit],
            ]
        )
        assert torch.equal(embedded, full.train_images[full.train_labels == digit][:500])


@needs_mnist
def test_mnist_has_the_published_labels_and_statistics(mnist: Path) -> None:
    """Shape, first labels, mean and deviation of the decoded archives are those of MNIST."""
    data = open_dataset(Mnist(), mnist)
    assert data.train_images.shape == (60000, 1, 28, 28)
    assert data.train_labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert data.test_labels[:5].tolist() == [7, 2, 1, 0, 4]
    mean, std = to_unit(data.train_images).mean(), to_unit(data.train_images).std()
    assert (round(float(mean), 4), round(float(std), 4)) == (Mnist.mean[0], Mnist.std[0])


def test_cifar10_images_are_decoded_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images have the axes channels, height, width, and the order of the archive's batches."""
    images = write_cifar10(tmp_path / "root", monkeypatch)
    data = open_dataset(Cifar10(), tmp_path / "root")
    assert torch.equal(data.train_images, images[:5])
    assert torch.equal(data.test_images, images[5:])
    assert data.train_labels.tolist() == [0, 1, 2, 3, 4]
    assert data.test_labels.dtype == torch.int64


@pytest.mark.parametrize("kind", [name for name in DATASETS.kinds if name != "mnist5k"])
def test_every_data_set_names_its_published_archives(kind: str) -> None:
    """torchvision has the class that the data set names, with a URL and a checksum per file."""
    files = archives(kind)
    assert len(files) in (1, 4)
    assert all(len(file.md5) == 32 and file.urls for file in files)


def test_a_moved_dataset_keeps_its_digest(fashion: Path) -> None:
    """Data moved to another device have the same dataset and digest."""
    data = open_dataset(FashionMnist(), fashion)
    moved = data.to("meta")
    assert moved.train_images.device.type == moved.test_labels.device.type == "meta"
    assert (moved.digest, moved.dataset) == (data.digest, data.dataset)


def test_the_argument_overrides_the_variable_of_the_data_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The argument precedes NETBUILDER_DATA, and ``~`` is the home folder in both."""
    monkeypatch.setenv("NETBUILDER_DATA", "~/named")
    assert data_root(Path("/argument")) == Path("/argument")
    assert data_root(Path("~/argument")) == Path.home() / "argument"
    assert data_root() == Path.home() / "named"


@pytest.mark.skipif(sys.platform != "linux", reason="the XDG cache folder is Linux's")
@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"XDG_CACHE_HOME": "/cache", "HOME": "/home/ada"}, "/cache/netbuilder"),
        ({"XDG_CACHE_HOME": "", "HOME": "/home/ada"}, "/home/ada/.cache/netbuilder"),
    ],
)
def test_the_data_folder_is_in_the_cache_by_default(
    variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty NETBUILDER_DATA has no effect, and the folder is the same in every version."""
    monkeypatch.setenv("NETBUILDER_DATA", "")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert data_root() == Path(expected)


def test_missing_archives_are_downloaded(
    mirror: Path, fashion: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Archives come from the first working mirror and are stored, without output."""
    data = open_dataset(FashionMnist(fallback="mnist5k"), fashion)
    assert data.fallback_for is None
    assert len(data.train_images) == COUNTS["train"]
    downloaded = {path.name: path.read_bytes() for path in (fashion / PLACE).iterdir()}
    assert downloaded == {path.name: path.read_bytes() for path in mirror.iterdir()}
    assert capfd.readouterr() == ("", "")


def test_existing_archives_are_not_downloaded(mirror: Path, fashion: Path) -> None:
    """An archive in the root is used although no mirror has it."""
    name = "train-images-idx3-ubyte.gz"
    (fashion / PLACE).mkdir()
    shutil.move(mirror / name, fashion / PLACE / name)
    assert open_dataset(FashionMnist(), fashion).fallback_for is None


def test_a_wrong_download_is_refused(mirror: Path, fashion: Path) -> None:
    """A file that is not the archive is an error, and is not stored."""
    (mirror / "train-images-idx3-ubyte.gz").write_text("please sign in to the hotel's network")
    with pytest.raises(DataError, match="returned another file"):
        open_dataset(FashionMnist(), fashion)
    assert not (fashion / PLACE / "train-images-idx3-ubyte.gz").exists()


def test_the_fallback_replaces_a_dataset_out_of_reach(
    fashion: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Without network and archives the fallback is opened with a reason, without output."""
    shutil.rmtree(fashion / PLACE)
    data = open_dataset(FashionMnist(fallback="mnist5k"), fashion)
    assert data.dataset == Mnist5k()
    assert data.fallback_for == FashionMnist(fallback="mnist5k")
    assert "fashion_mnist cannot be downloaded (http://127.0.0.1:9/" in data.fallback_reason
    assert capfd.readouterr() == ("", "")


def test_a_dataset_out_of_reach_without_fallback_is_refused(fashion: Path) -> None:
    """The error names the missing archives and three ways to fix the problem."""
    shutil.rmtree(fashion / PLACE)
    with pytest.raises(DataError, match="Three ways to fix this") as error:
        open_dataset(FashionMnist(), fashion)
    assert error.value.exit_code == 3
    text = str(error.value)
    assert str(fashion / PLACE / "t10k-labels-idx1-ubyte.gz") in text
    assert "--data-dir" in text
    assert "NETBUILDER_DATA" in text
    assert "dataset: mnist5k" in text
    assert "{fashion_mnist: {fallback: mnist5k}}" in text


@pytest.mark.parametrize("kind", [kind for kind in DATASETS.kinds if kind != "mnist5k"])
def test_each_proposed_fix_of_missing_data_works(kind: str, tmp_path: Path) -> None:
    """The data in the package are proposed only where they fit, as a document accepts them."""
    dataset = DATASETS.parse(kind)
    with pytest.raises(DataError, match="cannot be downloaded: no network") as error:
        _open_fallback(dataset, tmp_path, "no network")
    text = str(error.value)
    if dataset.shape == Mnist5k().shape:
        assert f"dataset: {{{kind}: {{fallback: mnist5k}}}}" in text
        assert DATASETS.parse({kind: {"fallback": "mnist5k"}}).fallback_dataset == Mnist5k()
    else:
        assert "Two ways to fix this" in text
        assert "mnist5k" not in text


def test_a_silent_server_is_given_up(fashion: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that accepts the connection and never answers leads to the fallback."""
    shutil.rmtree(fashion / PLACE)
    monkeypatch.setattr(download, "STALL_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        monkeypatch.setattr(datasets.FashionMNIST, "mirrors", [address])
        data = open_dataset(FashionMnist(fallback="mnist5k"), fashion)
    # The socket times out, or on a busy machine the watchdog does.
    assert re.search("timed out|nothing came", data.fallback_reason)


def test_a_stalled_name_lookup_is_given_up(fashion: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stall that no socket timeout covers, such as a name lookup, leads to the fallback."""
    shutil.rmtree(fashion / PLACE)
    released = threading.Event()
    monkeypatch.setattr(download, "STALL_SECONDS", -0.5)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: released.wait(30) and [])
    data = open_dataset(FashionMnist(fallback="mnist5k"), fashion)
    released.set()
    assert "no data for" in data.fallback_reason


def test_a_generator_depends_on_its_key_alone() -> None:
    """Equal keys give equal numbers, and neighboring keys give uncorrelated ones."""
    first, repeated, other = (
        torch.rand(1000, generator=generator_for("cpu", *key))
        for key in ((0, 1, 2), (0, 1, 2), (0, 1, 3))
    )
    assert torch.equal(first, repeated)
    assert abs(float(torch.corrcoef(torch.stack((first, other)))[0, 1])) < 0.1
    seeds = {seed_for(seed, epoch) for seed in range(50) for epoch in range(50)}
    assert len(seeds) == 2500
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert seed_for(1, 23) != seed_for(12, 3)


def test_the_order_of_an_epoch_depends_on_seed_and_epoch_alone() -> None:
    """The order is a permutation, equal for the same seed and epoch, else different."""
    order = epoch_order(0, 3, 1000)
    assert order.sort().values.tolist() == list(range(1000))
    assert torch.equal(order, epoch_order(0, 3, 1000))
    for seed, epoch in ((0, 4), (1, 3)):
        same = (order == epoch_order(seed, epoch, 1000)).sum()
        assert same < 20


def test_normalization_matches_torchvision() -> None:
    """Images are scaled to [0, 1] and normalized per channel, without changing their input."""
    images = torch.randint(0, 256, (5, 3, 8, 8), dtype=torch.uint8)
    unit = to_unit(images)
    assert (unit.min() >= 0) & (unit.max() <= 1)
    before = unit.clone()
    from torchvision.transforms import functional

    expected = functional.normalize(unit, Cifar10.mean, Cifar10.std)
    assert torch.allclose(normalize(unit, Cifar10.mean, Cifar10.std), expected)
    gray = normalize(unit[:, :1], Mnist.mean, Mnist.std)
    assert torch.allclose(gray, functional.normalize(unit[:, :1], Mnist.mean, Mnist.std))
    assert torch.equal(unit, before)
