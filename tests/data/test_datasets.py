"""Data sets: where they come from, what serves where they cannot be had, and what batches draw."""

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
from netbuilder.data.open import _open_fallback, data_root, open_dataset
from netbuilder.data.transforms import epoch_order, generator_for, normalise, seed_for, to_unit
from netbuilder.errors import DataError

__all__ = ["fashion"]  # a fixture

REAL = Path(os.environ.get("NETBUILDER_DATA", "nowhere"))
needs_mnist = pytest.mark.skipif(
    not (REAL / "MNIST/raw/train-images-idx3-ubyte.gz").is_file(),
    reason="NETBUILDER_DATA names no folder with MNIST's archives",
)


@pytest.fixture
def mnist(tmp_path: Path) -> Path:
    """A data root with the real archives of MNIST."""
    shutil.copytree(REAL / "MNIST" / "raw", tmp_path / "MNIST" / "raw")
    return tmp_path


@pytest.fixture
def mirror(fashion: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that a local server gives out as Fashion-MNIST's mirror; it holds the archives."""
    folder = fashion.parent / "mirror"
    shutil.move(fashion / PLACE, folder)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # its own name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/"
        monkeypatch.setattr(datasets.FashionMNIST, "mirrors", ["http://127.0.0.1:9/", address])
        yield folder
        server.shutdown()


def test_embedded_counts() -> None:
    """mnist5k holds 400 images of each digit to train on and 100 others to test on."""
    data = open_dataset(Mnist5k())
    assert data.train_images.shape == (4000, 1, 28, 28)
    assert data.test_images.shape == (1000, 1, 28, 28)
    assert data.train_images.dtype == torch.uint8
    assert data.train_labels.bincount().tolist() == [400] * 10
    assert data.test_labels.bincount().tolist() == [100] * 10
    seen = {image.numpy().tobytes() for image in (*data.train_images, *data.test_images)}
    assert len(seen) == 5000
    assert data.digest == "c447def775766b836e5d2e89e9771fd4a91a01e8b0142c10b54c47f47c2cc289"


@needs_mnist
def test_embedded_is_mnist(mnist: Path) -> None:
    """mnist5k is the first 500 images of each digit of MNIST's training set."""
    data, full = open_dataset(Mnist5k()), open_dataset(Mnist(), mnist)
    for digit in range(10):
        mine = torch.cat(
            [
                data.train_images[data.train_labels == digit],
                data.test_images[data.test_labels == digit],
            ]
        )
        assert torch.equal(mine, full.train_images[full.train_labels == digit][:500])


@needs_mnist
def test_mnist(mnist: Path) -> None:
    """MNIST's archives give torchvision's own images and labels, on which they are decoded."""
    data = open_dataset(Mnist(), mnist)
    assert data.train_images.shape == (60000, 1, 28, 28)
    assert data.train_labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert data.test_labels[:5].tolist() == [7, 2, 1, 0, 4]
    mean, std = to_unit(data.train_images).mean(), to_unit(data.train_images).std()
    assert (round(float(mean), 4), round(float(std), 4)) == (Mnist.mean[0], Mnist.std[0])


def test_cifar10(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Colour images come as channels, height, width, in the order of the archive's batches."""
    images = write_cifar10(tmp_path / "root", monkeypatch)
    data = open_dataset(Cifar10(), tmp_path / "root")
    assert torch.equal(data.train_images, images[:5])
    assert torch.equal(data.test_images, images[5:])
    assert data.train_labels.tolist() == [0, 1, 2, 3, 4]
    assert data.test_labels.dtype == torch.int64


def test_moved_data_keep_their_facts(fashion: Path) -> None:
    """Data on another device are the same data set with the same digest."""
    data = open_dataset(FashionMnist(), fashion)
    moved = data.to("meta")
    assert moved.train_images.device.type == moved.test_labels.device.type == "meta"
    assert (moved.digest, moved.dataset) == (data.digest, data.dataset)


def test_the_data_folder_is_the_first_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The argument comes before NETBUILDER_DATA; ``~`` is the home folder in both."""
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
    """Data sets downloaded by any version are found again; an empty NETBUILDER_DATA is none."""
    monkeypatch.setenv("NETBUILDER_DATA", "")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert data_root() == Path(expected)


def test_download(mirror: Path, fashion: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Missing archives come from the first mirror that works, are kept, and print nothing."""
    data = open_dataset(FashionMnist(fallback="mnist5k"), fashion)
    assert data.fallback_for is None
    assert len(data.train_images) == COUNTS["train"]
    kept = {path.name: path.read_bytes() for path in (fashion / PLACE).iterdir()}
    assert kept == {path.name: path.read_bytes() for path in mirror.iterdir()}
    assert capfd.readouterr() == ("", "")


def test_only_what_is_missing_is_downloaded(mirror: Path, fashion: Path) -> None:
    """An archive that lies in the root is not asked of the network."""
    name = "train-images-idx3-ubyte.gz"
    (fashion / PLACE).mkdir()
    shutil.move(mirror / name, fashion / PLACE / name)
    assert open_dataset(FashionMnist(), fashion).fallback_for is None


def test_wrong_download(mirror: Path, fashion: Path) -> None:
    """A mirror that gives something else than the archive counts as out of reach."""
    (mirror / "train-images-idx3-ubyte.gz").write_text("please sign in to the hotel's network")
    with pytest.raises(DataError, match="returned another file"):
        open_dataset(FashionMnist(), fashion)
    assert not (fashion / PLACE / "train-images-idx3-ubyte.gz").exists()


def test_fallback(fashion: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Without network and archives the declared stand-in serves, says why, and prints nothing."""
    shutil.rmtree(fashion / PLACE)
    data = open_dataset(FashionMnist(fallback="mnist5k"), fashion)
    assert data.dataset == Mnist5k()
    assert data.fallback_for == FashionMnist(fallback="mnist5k")
    assert "fashion_mnist cannot be downloaded (http://127.0.0.1:9/" in data.fallback_reason
    assert capfd.readouterr() == ("", "")


def test_no_way(fashion: Path) -> None:
    """Without network, archives and stand-in the error names the places and three ways out."""
    shutil.rmtree(fashion / PLACE)
    with pytest.raises(DataError, match="Three ways to fix this") as caught:
        open_dataset(FashionMnist(), fashion)
    assert caught.value.exit_code == 3
    text = str(caught.value)
    assert str(fashion / PLACE / "t10k-labels-idx1-ubyte.gz") in text
    assert "--data-dir" in text
    assert "NETBUILDER_DATA" in text
    assert "dataset: mnist5k" in text
    assert "{fashion_mnist: {fallback: mnist5k}}" in text


@pytest.mark.parametrize("kind", [kind for kind in DATASETS.kinds if kind != "mnist5k"])
def test_the_ways_out_are_ways_that_work(kind: str, tmp_path: Path) -> None:
    """The package's images are proposed only where they fit, and as a document accepts them."""
    dataset = DATASETS.parse(kind)
    with pytest.raises(DataError) as caught:
        _open_fallback(dataset, tmp_path, "no network")
    text = str(caught.value)
    if dataset.shape == Mnist5k().shape:
        assert f"dataset: {{{kind}: {{fallback: mnist5k}}}}" in text
        assert DATASETS.parse({kind: {"fallback": "mnist5k"}}).fallback_dataset == Mnist5k()
    else:
        assert "Two ways to fix this" in text
        assert "mnist5k" not in text


def test_silent_server(fashion: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that takes the connection and never answers is given up."""
    shutil.rmtree(fashion / PLACE)
    monkeypatch.setattr(download, "STALL_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        monkeypatch.setattr(datasets.FashionMNIST, "mirrors", [address])
        data = open_dataset(FashionMnist(fallback="mnist5k"), fashion)
    # by the socket, or on a busy machine by the watch over it
    assert re.search("timed out|nothing came", data.fallback_reason)


def test_stall_without_a_time_out(fashion: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What no socket time-out covers, such as a name that never resolves, is given up as well."""
    shutil.rmtree(fashion / PLACE)
    released = threading.Event()
    monkeypatch.setattr(download, "STALL_SECONDS", -0.5)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: released.wait(30) and [])
    data = open_dataset(FashionMnist(fallback="mnist5k"), fashion)
    released.set()
    assert "no data for" in data.fallback_reason


def test_generators() -> None:
    """A generator is a function of its key, and neighbouring keys share nothing."""
    first, again, other = (
        torch.rand(1000, generator=generator_for("cpu", *key))
        for key in ((0, 1, 2), (0, 1, 2), (0, 1, 3))
    )
    assert torch.equal(first, again)
    assert abs(float(torch.corrcoef(torch.stack((first, other)))[0, 1])) < 0.1
    seeds = {seed_for(seed, epoch) for seed in range(50) for epoch in range(50)}
    assert len(seeds) == 2500
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert seed_for(1, 23) != seed_for(12, 3)


def test_order() -> None:
    """An epoch's order is a permutation that seed and epoch alone settle."""
    order = epoch_order(0, 3, 1000)
    assert order.sort().values.tolist() == list(range(1000))
    assert torch.equal(order, epoch_order(0, 3, 1000))
    for seed, epoch in ((0, 4), (1, 3)):
        same = (order == epoch_order(seed, epoch, 1000)).sum()
        assert same < 20


def test_normalise() -> None:
    """Bytes become [0, 1], and then mean 0 and deviation 1 in each channel, as torchvision does."""
    images = torch.randint(0, 256, (5, 3, 8, 8), dtype=torch.uint8)
    unit = to_unit(images)
    assert (unit.min() >= 0) & (unit.max() <= 1)
    before = unit.clone()
    from torchvision.transforms import functional

    expected = functional.normalize(unit, Cifar10.mean, Cifar10.std)
    assert torch.allclose(normalise(unit, Cifar10.mean, Cifar10.std), expected)
    one = normalise(unit[:, :1], Mnist.mean, Mnist.std)
    assert torch.allclose(one, functional.normalize(unit[:, :1], Mnist.mean, Mnist.std))
    assert torch.equal(unit, before)
