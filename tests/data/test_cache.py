"""The verified cache: used without archives, written atomically, checked for damage."""

from __future__ import annotations

import errno
import logging
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from archives import PLACE, fashion
from paths import HELPERS
from torchvision import datasets

from netbuilder._files import remove_leftovers
from netbuilder.components.datasets import FashionMnist
from netbuilder.data import cache
from netbuilder.data.dataset import LoadedData
from netbuilder.data.open import open_dataset
from netbuilder.errors import DataError

__all__ = ["fashion"]  # a fixture

IMAGES = PLACE / "train-images-idx3-ubyte.gz"


def files_below(root: Path) -> set[str]:
    """Return the path of every file and folder below ``root``, hidden ones included."""
    return {str(path.relative_to(root)) for path in root.rglob("*")}


def script(root: Path, body: str) -> list[str]:
    """Return the command of a process in which ``load()`` opens the small dataset."""
    head = f"""
    import os, signal, sys
    from pathlib import Path
    root = Path({str(root)!r})
    sys.path.insert(0, {str(HELPERS)!r})
    from archives import COUNTS, publish_counts, publish_fashion
    from netbuilder.components.datasets import FashionMnist
    publish_counts(FashionMnist, *COUNTS.values())
    def load():
        from netbuilder.data.open import open_dataset
        return open_dataset(FashionMnist(), root)
    def publish():
        publish_fashion({datasets.FashionMNIST.resources!r}, "http://127.0.0.1:9/")
    """
    return [sys.executable, "-c", textwrap.dedent(head) + textwrap.dedent(body)]


def are_equal(a: LoadedData, b: LoadedData) -> bool:
    """Return whether two datasets are equal in every bit."""
    return a.digest == b.digest and all(
        torch.equal(getattr(a, name), getattr(b, name))
        for name in ("train_images", "train_labels", "test_images", "test_labels")
    )


def test_a_cached_dataset_needs_no_archives(fashion: Path) -> None:
    """The cache is the only new file in the root, and suffices without the archives."""
    before = files_below(fashion)
    first = open_dataset(FashionMnist(), fashion)
    expected = {"netbuilder", "netbuilder/fashion_mnist.safetensors"}
    assert files_below(fashion) - before == expected
    for archive in (fashion / PLACE).iterdir():
        archive.unlink()
    assert are_equal(first, open_dataset(FashionMnist(), fashion))


@pytest.mark.parametrize("cached", [True, False])
def test_reading_the_cache_does_not_import_torchvision(fashion: Path, cached: bool) -> None:
    """Only a process that converts the archives imports torchvision."""
    if cached:
        open_dataset(FashionMnist(), fashion)
    body = """
    load()
    print("torchvision" in sys.modules)
    """
    if not cached:
        body = "publish()\n" + textwrap.dedent(body)
    result = subprocess.run(script(fashion, body), capture_output=True, text=True, check=True)
    assert result.stdout.strip() == str(not cached)


@pytest.mark.parametrize("fallback", [None, "mnist5k"])
def test_a_corrupt_archive_is_refused(fashion: Path, fallback: str | None) -> None:
    """The error names the archive and both checksums, even if there is a fallback."""
    content = bytearray((fashion / IMAGES).read_bytes())
    content[1000] ^= 1
    (fashion / IMAGES).write_bytes(content)
    expected = datasets.FashionMNIST.resources[0][1]
    with pytest.raises(DataError, match=rf"{IMAGES}.*MD5 is.*expected {expected}; delete it"):
        open_dataset(FashionMnist(fallback=fallback), fashion)  # type: ignore[arg-type]
    assert not cache.cache_path(fashion, "fashion_mnist").exists()


def test_a_truncated_archive_is_refused(fashion: Path) -> None:
    """The error names the archive and its size."""
    (fashion / IMAGES).write_bytes((fashion / IMAGES).read_bytes()[:100])
    with pytest.raises(DataError, match=rf"{IMAGES}.*\(100 bytes\)"):
        open_dataset(FashionMnist(), fashion)


def flip_bit(path: Path) -> None:
    """Change one bit of a pixel."""
    content = bytearray(path.read_bytes())
    content[-1000] ^= 1
    path.write_bytes(content)


def truncate(path: Path) -> None:
    """Remove the end of the file."""
    path.write_bytes(path.read_bytes()[:-1000])


def empty(path: Path) -> None:
    """Remove the content of the file."""
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [flip_bit, truncate, empty])
def test_a_damaged_cache_is_rebuilt(
    fashion: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    """A warning names the cache, which is written again from the archives."""
    first = open_dataset(FashionMnist(), fashion)
    path = cache.cache_path(fashion, "fashion_mnist")
    damage(path)
    with caplog.at_level(logging.WARNING):
        assert are_equal(first, open_dataset(FashionMnist(), fashion))
    assert f"{path}: the cache is damaged" in caplog.text
    assert cache.read(path, FashionMnist()) is not None


@pytest.mark.parametrize("damage", [flip_bit, truncate, empty])
def test_a_damaged_cache_without_archives_is_refused(
    fashion: Path, damage: Callable[[Path], None]
) -> None:
    """The error names the cache and the missing archives, even if there is a fallback."""
    open_dataset(FashionMnist(), fashion)
    path = cache.cache_path(fashion, "fashion_mnist")
    damage(path)
    (fashion / IMAGES).unlink()
    with pytest.raises(DataError, match=rf"{path}: the cache is damaged.*missing: .*{IMAGES}"):
        open_dataset(FashionMnist(fallback="mnist5k"), fashion)


@contextmanager
def unprivileged_user() -> Iterator[None]:
    """Drop the rights of root, for whom no folder is read-only."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(os.name == "nt", reason="folders have no permission bits")
def test_a_read_only_root_is_left_unchanged(fashion: Path) -> None:
    """A dataset opens from archives in a read-only folder, without a cache."""
    with tempfile.TemporaryDirectory() as parent:  # pytest's folder is closed to other users
        root = Path(parent) / "root"
        fashion.rename(root)
        Path(parent).chmod(0o755)
        root.chmod(0o555)
        before = files_below(root)
        with unprivileged_user():
            with pytest.raises(PermissionError, match="denied"):
                (root / "probe").touch()
            data = open_dataset(FashionMnist(), root)
        root.chmod(0o755)
        assert data.fallback_for is None
        assert files_below(root) == before


def test_a_dataset_opens_although_the_disk_is_full(
    fashion: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A cache that cannot be written is a warning, and leaves no file."""

    def raise_no_space(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", raise_no_space)
    assert len(open_dataset(FashionMnist(), fashion).train_images) > 0
    assert "No space left on device" in caplog.text
    assert list((fashion / "netbuilder").iterdir()) == []


def test_two_processes_may_convert_at_once(fashion: Path) -> None:
    """Both processes succeed with the same digest, and one cache remains."""
    body = """
    publish()
    print("ready", flush=True)
    sys.stdin.readline()
    print(load().digest)
    """
    processes = [
        subprocess.Popen(
            script(fashion, body), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    digests = [process.communicate()[0].strip() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert digests == [open_dataset(FashionMnist(), fashion).digest] * 2
    assert [path.name for path in (fashion / "netbuilder").iterdir()] == [
        "fashion_mnist.safetensors"
    ]


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_killed_conversion_leaves_no_cache(fashion: Path) -> None:
    """The next conversion removes the files of the killed one."""
    body = """
    publish()
    os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    load()
    """
    killed = subprocess.run(script(fashion, body), check=False)
    assert killed.returncode == -signal.SIGKILL
    folder = fashion / "netbuilder"
    # The folder of the conversion, and the file that was about to become the cache.
    assert sorted(path.is_dir() for path in folder.iterdir()) == [False, True]
    assert {path.suffix for path in folder.iterdir()} == {".tmp"}
    assert not cache.cache_path(fashion, "fashion_mnist").exists()
    open_dataset(FashionMnist(), fashion)
    assert [path.name for path in folder.iterdir()] == ["fashion_mnist.safetensors"]


def test_work_folders_of_running_processes_are_not_removed(tmp_path: Path) -> None:
    """The work folder of a running process and folders of other programs remain."""
    foreign = tmp_path / ".work-another.host-4194304-x.tmp"
    foreign.mkdir()
    with cache.work_folder(tmp_path) as (own, writable):
        remove_leftovers(tmp_path)
        assert (own.parent, own.is_dir(), writable) == (tmp_path, True, True)
    assert list(tmp_path.iterdir()) == [foreign]
