"""The verified cache: read alone, never half-written, named when damaged."""

from __future__ import annotations

import errno
import logging
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from archives import PLACE, fashion
from paths import HELPERS
from torchvision import datasets

from netbuilder.components.datasets import FashionMnist
from netbuilder.data import cache
from netbuilder.data.dataset import LoadedData
from netbuilder.data.open import open_dataset
from netbuilder.errors import DataError

__all__ = ["fashion"]  # a fixture

IMAGES = PLACE / "train-images-idx3-ubyte.gz"


def files_below(root: Path) -> set[str]:
    """Every file and folder below ``root``, hidden ones included."""
    return {str(path.relative_to(root)) for path in root.rglob("*")}


def script(root: Path, body: str) -> list[str]:
    """The command of another process, which opens the small data set as ``load()``."""
    head = f"""
    import os, signal, sys
    from pathlib import Path
    root = Path({str(root)!r})
    def load():
        from netbuilder.data.open import open_dataset
        from netbuilder.components.datasets import FashionMnist
        return open_dataset(FashionMnist(), root)
    def publish():
        sys.path.insert(0, {str(HELPERS)!r})
        from archives import publish_fashion
        publish_fashion({datasets.FashionMNIST.resources!r}, "http://127.0.0.1:9/")
    """
    return [sys.executable, "-c", textwrap.dedent(head) + textwrap.dedent(body)]


def same(a: LoadedData, b: LoadedData) -> bool:
    """Whether two data sets are equal to the bit."""
    return a.digest == b.digest and all(
        torch.equal(getattr(a, name), getattr(b, name))
        for name in ("train_images", "train_labels", "test_images", "test_labels")
    )


def test_later_uses_read_the_cache_alone(fashion: Path) -> None:
    """With the cache written the archives are not needed; nothing else is left in the root."""
    before = files_below(fashion)
    first = open_dataset(FashionMnist(), fashion)
    made = {"netbuilder", "netbuilder/fashion_mnist.safetensors"}
    assert files_below(fashion) - before == made
    for archive in (fashion / PLACE).iterdir():
        archive.unlink()
    assert same(first, open_dataset(FashionMnist(), fashion))


@pytest.mark.parametrize("cached", [True, False])
def test_torchvision_is_not_imported(fashion: Path, cached: bool) -> None:
    """A process that reads the cache never imports torchvision; one that converts has to."""
    if cached:
        open_dataset(FashionMnist(), fashion)
    body = """
    load()
    print("torchvision" in sys.modules)
    """
    if not cached:
        body = "publish()\n" + textwrap.dedent(body)
    ran = subprocess.run(script(fashion, body), capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == str(not cached)


@pytest.mark.parametrize("fallback", [None, "mnist5k"])
def test_corrupt_archive(fashion: Path, fallback: str | None) -> None:
    """A corrupt archive is named with both checksums and never used, stand-in or not."""
    content = bytearray((fashion / IMAGES).read_bytes())
    content[1000] ^= 1
    (fashion / IMAGES).write_bytes(content)
    expected = datasets.FashionMNIST.resources[0][1]
    with pytest.raises(DataError, match=rf"{IMAGES}.*MD5 is.*expected {expected}; delete it"):
        open_dataset(FashionMnist(fallback=fallback), fashion)  # type: ignore[arg-type]
    assert not cache.cache_path(fashion, "fashion_mnist").exists()


def test_truncated_archive(fashion: Path) -> None:
    """A truncated archive is named with the size that it has."""
    (fashion / IMAGES).write_bytes((fashion / IMAGES).read_bytes()[:100])
    with pytest.raises(DataError, match=rf"{IMAGES}.*\(100 bytes\)"):
        open_dataset(FashionMnist(), fashion)


def flip_a_byte(path: Path) -> None:
    """Change one pixel."""
    content = bytearray(path.read_bytes())
    content[-1000] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    """Lose the end."""
    path.write_bytes(path.read_bytes()[:-1000])


def empty(path: Path) -> None:
    """Lose everything."""
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [flip_a_byte, cut, empty])
def test_damaged_cache(fashion: Path, damage: object, caplog: pytest.LogCaptureFixture) -> None:
    """A damaged cache is named and rebuilt from the archives."""
    first = open_dataset(FashionMnist(), fashion)
    path = cache.cache_path(fashion, "fashion_mnist")
    assert callable(damage)
    damage(path)
    with caplog.at_level(logging.WARNING):
        assert same(first, open_dataset(FashionMnist(), fashion))
    assert f"{path}: the cache is damaged" in caplog.text
    assert cache.read(path, first.digest) is not None


@pytest.mark.parametrize("damage", [flip_a_byte, cut, empty])
def test_damaged_cache_without_archives(fashion: Path, damage: object) -> None:
    """Where the archives are gone a damaged cache is an error, and no stand-in hides it."""
    open_dataset(FashionMnist(), fashion)
    path = cache.cache_path(fashion, "fashion_mnist")
    assert callable(damage)
    damage(path)
    (fashion / IMAGES).unlink()
    with pytest.raises(DataError, match=rf"{path}: the cache is damaged.*missing: .*{IMAGES}"):
        open_dataset(FashionMnist(fallback="mnist5k"), fashion)


@contextmanager
def plain_user() -> Iterator[None]:
    """Whoever may write everywhere does not see that a folder is read-only."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(os.name == "nt", reason="folders have no permission bits")
def test_read_only_root(fashion: Path) -> None:
    """Archives in a folder that may not be written serve as they are."""
    with tempfile.TemporaryDirectory() as place:  # pytest's own folder is closed to other users
        root = Path(place) / "root"
        (fashion).rename(root)
        Path(place).chmod(0o755)
        root.chmod(0o555)
        before = files_below(root)
        with plain_user():
            with pytest.raises(PermissionError, match="denied"):
                (root / "probe").touch()
            data = open_dataset(FashionMnist(), root)
        root.chmod(0o755)
        assert data.fallback_for is None
        assert files_below(root) == before


def test_full_disk(
    fashion: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A cache that cannot be kept costs the next use its time, not this one its data."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert len(open_dataset(FashionMnist(), fashion).train_images) > 0
    assert "No space left on device" in caplog.text
    assert list((fashion / "netbuilder").iterdir()) == []


def test_two_at_once(fashion: Path) -> None:
    """Processes that convert at the same time all succeed and leave one whole cache."""
    body = """
    publish()
    print("ready", flush=True)
    sys.stdin.readline()
    print(load().digest)
    """
    racers = [
        subprocess.Popen(
            script(fashion, body), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    digests = [racer.communicate()[0].strip() for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0]
    assert digests == [open_dataset(FashionMnist(), fashion).digest] * 2
    assert [path.name for path in (fashion / "netbuilder").iterdir()] == [
        "fashion_mnist.safetensors"
    ]


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_killed_half_way(fashion: Path) -> None:
    """A conversion killed before its last rename leaves no cache; the next one cleans up."""
    body = """
    publish()
    os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    load()
    """
    killed = subprocess.run(script(fashion, body), check=False)
    assert killed.returncode == -signal.SIGKILL
    folder = fashion / "netbuilder"
    [left] = folder.iterdir()
    assert any(left.rglob("*.safetensors"))
    assert not cache.cache_path(fashion, "fashion_mnist").exists()
    open_dataset(FashionMnist(), fashion)
    assert [path.name for path in folder.iterdir()] == ["fashion_mnist.safetensors"]


def test_others_at_work_are_left_alone(tmp_path: Path) -> None:
    """The sweep takes neither a living process's work folder nor another machine's."""
    mine = cache.work_folder(tmp_path)
    elsewhere = tmp_path / ".work-another.host-4194304-x.tmp"
    elsewhere.mkdir()
    cache.remove_stale_work(tmp_path)
    assert mine.is_dir()
    assert elsewhere.is_dir()
