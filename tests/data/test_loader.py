"""Batches from memory and streamed batches are equal."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import torch
from archives import patch_counts, pixels_of
from hypothesis import given
from hypothesis import strategies as st
from small import after, fingerprint, run_until_stopped, small

from netbuilder._files import digest_of
from netbuilder.components.datasets import FashionMnist
from netbuilder.data import cache
from netbuilder.data.loader import InMemoryLoader, StreamingLoader
from netbuilder.data.transforms import epoch_order
from netbuilder.training.device import Device
from netbuilder.training.loop import resume, train

CPU = torch.device("cpu")


def samples(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return images and their indices as labels; the first 256 images differ."""
    labels = torch.arange(count)
    return (labels % 256).to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 2, 2), labels


@given(count=st.integers(1, 60), size=st.integers(1, 20), seed=st.integers(0, 9), data=st.data())
def test_streamed_batches_equal_those_in_memory(
    count: int, size: int, seed: int, data: st.DataObject
) -> None:
    """From any batch on, both loaders yield the samples of the order, each once."""
    images, labels = samples(count)
    order = epoch_order(seed, 0, count)
    first = data.draw(st.integers(0, -(-count // size)))
    in_memory = list(InMemoryLoader(images, labels).batches(order, size, first))
    streamed = list(StreamingLoader(images, labels, CPU).batches(order, size, first))
    assert len(in_memory) == len(streamed) == -(-count // size) - first
    for (image, label), (streamed_image, streamed_label) in zip(in_memory, streamed, strict=True):
        assert torch.equal(image, streamed_image)
        assert torch.equal(label, streamed_label)
        assert torch.equal(image[:, 0, 0, 0], (label % 256).to(torch.uint8))
    rest = torch.cat([order[:0], *(label for _, label in in_memory)])
    assert torch.equal(rest, order[first * size :])


def test_closing_a_stream_ends_its_thread() -> None:
    """Batches that are closed in the middle of an epoch stop the thread that reads them."""
    before = threading.active_count()
    batches = StreamingLoader(*samples(50), CPU).batches(torch.arange(50), 5, 0)
    next(batches)
    assert threading.active_count() == before + 1
    batches.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_a_streamed_run_equals_a_run_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped and resumed run has the same bits, and its record has the reason to stream."""
    reference, _ = run_until_stopped(train(small("train.epochs=1"), out=tmp_path / "reference"))
    monkeypatch.setattr(Device, "memory", lambda self: 1_000_000)
    records = train(small("train.epochs=1"), out=tmp_path, stop=after(7))
    folder, finished = run_until_stopped(records)
    assert not finished
    run_until_stopped(resume(folder))
    assert fingerprint(folder) == fingerprint(reference)
    assert '"streamed": "0.0 GiB of images, too many' in (folder / "environment.json").read_text()
    assert "streamed" not in (reference / "environment.json").read_text()


def test_a_large_cache_is_memory_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its tensors are equal, and their memory is mapped from the file."""
    patch_counts(monkeypatch, FashionMnist, 20, 20)
    images = pixels_of(FashionMnist, 20, torch.Generator().manual_seed(0))
    labels = torch.arange(20).remainder(10).to(torch.uint8)
    tensors = {"train_images": images, "train_labels": labels}
    tensors |= {"test_images": images.clone(), "test_labels": labels.clone()}
    path = cache.cache_path(tmp_path, "fashion_mnist")
    path.parent.mkdir()
    cache.write(path, FashionMnist(), tensors, digest_of(tensors))
    monkeypatch.setattr(cache, "MAPPED_FROM", 1)
    loaded = cache.read(path, FashionMnist())
    assert loaded is not None
    assert all(torch.equal(loaded[0][name], tensors[name]) for name in tensors)
    address = loaded[0]["train_images"].data_ptr()
    [source] = [
        line.split()[-1]
        for line in Path("/proc/self/maps").read_text().splitlines()
        if int(line.split("-")[0], 16) <= address < int(line.split()[0].split("-")[1], 16)
    ]
    assert source == str(path)
