"""Small archives in the published formats, for tests that need no real images."""

from __future__ import annotations

import gzip
import hashlib
import pickle
import tarfile
from io import BytesIO
from pathlib import Path

import pytest
import torch

from netbuilder.components.datasets import Cifar10, Dataset, FashionMnist

COUNTS = {"train": 40, "t10k": 20}
PLACE = Path("FashionMNIST", "raw")


def publish_counts(kind: type[Dataset], train: int, test: int) -> None:
    """Replace the published facts of a data set for the rest of the process; no digest is known."""
    kind.train_size, kind.test_size, kind.digest = train, test, None


def patch_counts(monkeypatch: pytest.MonkeyPatch, kind: type[Dataset], *counts: int) -> None:
    """Replace the published facts of a data set for a test."""
    for fact in ("train_size", "test_size", "digest"):
        monkeypatch.setattr(kind, fact, getattr(kind, fact))
    publish_counts(kind, *counts)


def pixels_of(kind: type[Dataset], count: int, generator: torch.Generator) -> torch.Tensor:
    """Draw images (N, C, H, W) with the mean of a data set."""
    noise = torch.randint(-20, 21, (count, *kind.shape), generator=generator)
    means = torch.tensor(kind.mean).mul(255).round().long().view(-1, 1, 1)
    return (means + noise).to(torch.uint8)


def md5(path: Path) -> str:
    """The MD5 of a file, in hex."""
    return hashlib.md5(path.read_bytes()).hexdigest()


def write_fashion(root: Path) -> list[tuple[str, str]]:
    """Write Fashion-MNIST's four archives with random pixels; return their names and MD5s."""
    generator = torch.Generator().manual_seed(0)
    folder = root / PLACE
    folder.mkdir(parents=True)
    resources = []
    for part, count in COUNTS.items():
        images = pixels_of(FashionMnist, count, generator).squeeze(1)
        labels = torch.randint(0, 10, (count,), generator=generator, dtype=torch.uint8)
        for name, values in (("images-idx3", images), ("labels-idx1", labels)):
            header = bytes([0, 0, 8, values.ndim])
            sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
            path = folder / f"{part}-{name}-ubyte.gz"
            path.write_bytes(gzip.compress(header + sizes + values.numpy().tobytes(), mtime=0))
            resources.append((path.name, md5(path)))
    return resources


def publish_fashion(resources: list[tuple[str, str]], mirror: str) -> None:
    """Replace torchvision's published archives by these for the rest of the process."""
    from torchvision import datasets

    publish_counts(FashionMnist, *COUNTS.values())
    datasets.FashionMNIST.resources = resources
    datasets.FashionMNIST.mirrors = [mirror]


@pytest.fixture
def fashion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data root with small Fashion-MNIST archives, and no network."""
    from torchvision import datasets

    root = tmp_path / "root"
    patch_counts(monkeypatch, FashionMnist, *COUNTS.values())
    monkeypatch.setattr(datasets.FashionMNIST, "resources", write_fashion(root))
    # Nothing listens on this port: the connection is refused at once.
    monkeypatch.setattr(datasets.FashionMNIST, "mirrors", ["http://127.0.0.1:9/"])
    return root


def write_cifar10(root: Path, monkeypatch: pytest.MonkeyPatch) -> torch.Tensor:
    """Write CIFAR-10's archive with 6 random images, the last for tests; return (N, C, H, W)."""
    from torchvision import datasets

    root.mkdir()
    patch_counts(monkeypatch, Cifar10, 5, 1)
    images = pixels_of(Cifar10, 6, torch.Generator().manual_seed(0))
    folder = datasets.CIFAR10.base_folder
    contents: dict[str, object] = {
        f"data_batch_{i + 1}": {"data": images[i : i + 1].flatten(1).numpy(), "labels": [i]}
        for i in range(5)
    }
    contents["test_batch"] = {"data": images[5:].flatten(1).numpy(), "labels": [9]}
    contents["batches.meta"] = {"label_names": [str(i) for i in range(10)]}
    archive = root / datasets.CIFAR10.filename
    sums = {}
    with tarfile.open(archive, "w:gz") as tar:
        for name, content in contents.items():
            packed = pickle.dumps(content)
            sums[name] = hashlib.md5(packed).hexdigest()
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(packed)
            tar.addfile(member, BytesIO(packed))
    batches = [[name, sums[name]] for name in contents if name.startswith("data_")]
    monkeypatch.setattr(datasets.CIFAR10, "train_list", batches)
    monkeypatch.setattr(datasets.CIFAR10, "test_list", [["test_batch", sums["test_batch"]]])
    monkeypatch.setitem(datasets.CIFAR10.meta, "md5", sums["batches.meta"])
    monkeypatch.setattr(datasets.CIFAR10, "tgz_md5", md5(archive))
    return images
