"""What is read is checked: caches, unpacked files, archives and downloads."""

from __future__ import annotations

import gzip
import logging
import os
import shutil
import tarfile
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from archives import COUNTS, PLACE, fashion, patch_counts, pixels_of, write_cifar10
from safetensors.torch import save_file
from torch import Tensor
from torchvision import datasets

from netbuilder._files import digest_of
from netbuilder.components.datasets import Cifar10, Cifar100, Dataset, FashionMnist, KMnist
from netbuilder.data import cache
from netbuilder.data.open import must_download, open_dataset
from netbuilder.data.published import SIZES
from netbuilder.errors import DataError

__all__ = ["fashion"]  # a fixture

Tensors = dict[str, Tensor]

IMAGES = "train-images-idx3-ubyte"


def tensors_of(kind: type[Dataset]) -> Tensors:
    """Return small tensors that pass for a data set."""
    generator = torch.Generator().manual_seed(1)
    tensors = {}
    for part, count in zip(("train", "test"), COUNTS.values(), strict=True):
        tensors[f"{part}_images"] = pixels_of(kind, count, generator)
        labels = torch.arange(count).remainder(len(kind.classes))
        tensors[f"{part}_labels"] = labels.to(torch.uint8)
    return tensors


def write_cache(root: Path, name: str, tensors: Tensors, **metadata: str) -> Path:
    """Write a cache whose recorded digest is right, as versions before this one did."""
    path = cache.cache_path(root, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, {"sha256": digest_of(tensors), **metadata})
    return path


def label_out_of_range(tensors: Tensors) -> None:
    tensors["train_labels"][3] = 10


def label_of_the_test_set_out_of_range(tensors: Tensors) -> None:
    tensors["test_labels"][-1] = 255


def fewer_images(tensors: Tensors) -> None:
    tensors["test_images"] = tensors["test_images"][:-1].contiguous()


def more_labels(tensors: Tensors) -> None:
    tensors["train_labels"] = tensors["train_labels"].repeat(2)


def other_side(tensors: Tensors) -> None:
    tensors["train_images"] = tensors["train_images"][..., :27].contiguous()


def without_channels(tensors: Tensors) -> None:
    tensors["train_images"] = tensors["train_images"].squeeze(1)


def signed_labels(tensors: Tensors) -> None:
    tensors["test_labels"] = tensors["test_labels"].to(torch.int8)


def floating_images(tensors: Tensors) -> None:
    tensors["test_images"] = tensors["test_images"].to(torch.float16)


def missing_labels(tensors: Tensors) -> None:
    del tensors["test_labels"]


def dark_images(tensors: Tensors) -> None:
    tensors["train_images"] //= 2


def other_data_set(tensors: Tensors) -> None:
    tensors.update(tensors_of(KMnist))


CHANGES: dict[Callable[[Tensors], None], str] = {
    label_out_of_range: "train_labels range up to 10, expected at most 9",
    label_of_the_test_set_out_of_range: "test_labels range up to 255, expected at most 9",
    fewer_images: r"test_images have the shape \[19, 1, 28, 28\], expected \[20, 1, 28, 28\]",
    more_labels: r"train_labels have the shape \[80\], expected \[40\]",
    other_side: r"train_images have the shape \[40, 1, 28, 27\]",
    without_channels: r"train_images have the shape \[40, 28, 28\]",
    signed_labels: "test_labels are torch.int8, expected torch.uint8",
    floating_images: "test_images are torch.float16, expected torch.uint8",
    missing_labels: "it is not complete",
    dark_images: "train_images have the mean 0.14.., expected 0.2860",
    other_data_set: "train_images have the mean 0.19.., expected 0.2860",
}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_cache_with_other_content_is_refused(
    change: Callable[[Tensors], None], fashion: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its digest is its own; with the archives it is rebuilt, without them it is an error."""
    tensors = tensors_of(FashionMnist)
    write_cache(fashion, "fashion_mnist", tensors)
    assert len(open_dataset(FashionMnist(), fashion).train_images) == COUNTS["train"]
    change(tensors)
    path = write_cache(fashion, "fashion_mnist", tensors)
    with caplog.at_level(logging.WARNING):
        assert open_dataset(FashionMnist(), fashion).digest != digest_of(tensors)
    assert f"{path}: the cache is damaged" in caplog.text
    shutil.rmtree(fashion / PLACE)
    path = write_cache(fashion, "fashion_mnist", tensors)
    with pytest.raises(DataError, match=f"{path}: the cache is damaged: {CHANGES[change]}") as e:
        open_dataset(FashionMnist(fallback="mnist5k"), fashion)
    assert "\n" not in str(e.value)


def test_a_cache_records_its_data_set(fashion: Path) -> None:
    """A cache under the name of another data set is refused although all else would fit."""
    tensors = tensors_of(FashionMnist)
    shutil.rmtree(fashion / PLACE)
    write_cache(fashion, "fashion_mnist", tensors, kind="kmnist")
    with pytest.raises(DataError, match="it has the data set 'kmnist', expected fashion_mnist"):
        open_dataset(FashionMnist(), fashion)
    write_cache(fashion, "fashion_mnist", tensors, kind="fashion_mnist")
    open_dataset(FashionMnist(), fashion)


@pytest.mark.parametrize("kind", [KMnist, Cifar10, Cifar100])
def test_the_cache_of_another_data_set_is_refused(
    kind: type[Dataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The data sets have no known digest here, and caches of earlier versions no kind."""
    served = (FashionMnist, KMnist, Cifar10, Cifar100)
    for other in served:
        patch_counts(monkeypatch, other, *COUNTS.values())
    for other in served:
        write_cache(tmp_path, kind.kind, tensors_of(other))
        if other is kind:
            open_dataset(kind(), tmp_path)
            continue
        with pytest.raises(DataError, match="the cache is damaged"):
            open_dataset(kind(), tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="there are no pipes and devices among files")
@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
@pytest.mark.parametrize("place", ["netbuilder/fashion_mnist.safetensors", f"{PLACE}/{IMAGES}.gz",
                                   f"{PLACE}/{IMAGES}"])  # fmt: skip
def test_a_place_that_is_not_a_file_is_refused(kind: str, place: str, fashion: Path) -> None:
    """It is named in one line and stays as it is, and nothing waits for it."""
    path = fashion / place
    (fashion / PLACE / f"{IMAGES}.gz").unlink()
    path.parent.mkdir(exist_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(DataError, match=f"{path}.*: not a file: it is a {kind}; delete it") as e:
        open_dataset(FashionMnist(fallback="mnist5k"), fashion)
    assert "\n" not in str(e.value)
    assert not path.is_file()
    assert path.exists()


@pytest.mark.parametrize("place", ["netbuilder/fashion_mnist.safetensors", f"{PLACE}/{IMAGES}.gz",
                                   f"{PLACE}/{IMAGES}"])  # fmt: skip
def test_a_file_that_is_too_large_is_not_read(place: str, fashion: Path) -> None:
    """The size of a terabyte, without content on the disk, is refused at once."""
    path = fashion / place
    (fashion / PLACE / f"{IMAGES}.gz").unlink()
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(DataError, match=f"{path}: .*it has 1,099,511,627,776 bytes"):
        open_dataset(FashionMnist(fallback="mnist5k"), fashion)


def unpack(root: Path) -> None:
    """Replace each archive of Fashion-MNIST by the file in it."""
    for archive in list((root / PLACE).glob("*.gz")):
        archive.with_suffix("").write_bytes(gzip.decompress(archive.read_bytes()))
        archive.unlink()


def test_unpacked_files_of_mnist_are_read(fashion: Path) -> None:
    """All of them, or some beside archives, have the digest of the archives; none is changed."""
    packed = open_dataset(FashionMnist(), fashion)
    cache.cache_path(fashion, "fashion_mnist").unlink()
    before = (fashion / PLACE / f"{IMAGES}.gz").read_bytes()
    unpack(fashion)
    assert not must_download(FashionMnist(), fashion)
    assert open_dataset(FashionMnist(), fashion).digest == packed.digest
    reference = datasets.FashionMNIST(str(fashion))
    assert torch.equal(reference.data, packed.train_images[:, 0])
    cache.cache_path(fashion, "fashion_mnist").unlink()
    (fashion / PLACE / IMAGES).unlink()
    assert must_download(FashionMnist(), fashion)
    (fashion / PLACE / f"{IMAGES}.gz").write_bytes(before)
    assert not must_download(FashionMnist(), fashion)
    assert open_dataset(FashionMnist(), fashion).digest == packed.digest


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def lose_header(path: Path) -> None:
    path.write_bytes(b"\xff" * 16 + path.read_bytes()[16:])


def halve_pixels(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:16] + bytes(value // 2 for value in content[16:]))


@pytest.mark.parametrize("damage", [cut, lose_header, halve_pixels])
def test_damaged_unpacked_files_of_mnist_are_refused(
    damage: Callable[[Path], None], fashion: Path
) -> None:
    """They have no published checksum; header, size and mean show the damage."""
    unpack(fashion)
    damage(fashion / PLACE / IMAGES)
    with pytest.raises(DataError, match=str(fashion / PLACE)) as error:
        open_dataset(FashionMnist(fallback="mnist5k"), fashion)
    assert "\n" not in str(error.value)
    assert "delete them and run again" in str(error.value)


def test_a_known_digest_holds_for_unpacked_files(
    fashion: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One changed pixel is refused where the digest of the data set is known."""
    monkeypatch.setattr(FashionMnist, "digest", open_dataset(FashionMnist(), fashion).digest)
    cache.cache_path(fashion, "fashion_mnist").unlink()
    unpack(fashion)
    content = bytearray((fashion / PLACE / IMAGES).read_bytes())
    content[-1] ^= 1
    (fashion / PLACE / IMAGES).write_bytes(content)
    with pytest.raises(DataError, match=r"gave SHA-256 .*replace unpacked files by the published"):
        open_dataset(FashionMnist(), fashion)


def test_unpacked_files_of_cifar_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They equal the archive and what torchvision reads; a damaged one is named."""
    root = tmp_path / "root"
    images = write_cifar10(root, monkeypatch)
    archive = root / datasets.CIFAR10.filename
    with tarfile.open(archive) as tar:
        tar.extractall(root, filter="data")
    archive.unlink()
    assert not must_download(Cifar10(), root)
    data = open_dataset(Cifar10(), root)
    assert torch.equal(data.train_images, images[:5])
    reference = datasets.CIFAR10(str(root))
    assert reference.targets == data.train_labels.tolist()
    assert torch.equal(torch.as_tensor(reference.data).permute(0, 3, 1, 2), data.train_images)
    cache.cache_path(root, "cifar10").unlink()
    batch = root / datasets.CIFAR10.base_folder / "data_batch_3"
    content = batch.read_bytes()
    batch.write_bytes(content[:-1] + b"!")
    with pytest.raises(DataError, match=f"{batch}: not the published file: its MD5 is"):
        open_dataset(Cifar10(), root)
    batch.unlink()
    assert must_download(Cifar10(), root)


def test_a_mirror_without_end_is_left(fashion: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more is written than the published file has, and the reason names its size."""
    shutil.rmtree(fashion / PLACE)
    monkeypatch.setitem(SIZES, "fashion_mnist", (100_000,) * 4)

    class Endless(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Send zeros until the client leaves."""
            self.send_response(200)
            self.end_headers()
            try:
                while True:
                    self.wfile.write(bytes(1 << 16))
            except OSError:
                pass

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Endless) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/"
        monkeypatch.setattr(datasets.FashionMNIST, "mirrors", [address])
        data = open_dataset(FashionMnist(fallback="mnist5k"), fashion)
        server.shutdown()
    assert "more than the published 100,000 bytes" in data.fallback_reason
    assert not any(path.is_file() for path in fashion.rglob("*"))
