"""The batches of an epoch, from data on the device or streamed to it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

import torch
from torch import Tensor

IMAGE_MEMORY_SHARE = 0.5
"""The part of a device's memory that images may occupy; the rest is for the network."""

PREFETCH = 3
"""The number of batches to gather in advance."""


Batch = tuple[Tensor, Tensor]
"""Uint8 images of shape (N, C, H, W) and int64 labels of shape (N), both on the device."""


class BatchLoader(Protocol):
    """Provides the batches of an epoch."""

    def batches(self, order: Tensor, size: int, first: int) -> Iterator[Batch]:
        """Yield the batches from index ``first`` on; the last one may be smaller.

        Args:
            order: A permutation of the sample indices, int64 on the CPU.
            size: The number of samples per batch.
            first: The index of the first batch, from 0.
        """


class InMemoryLoader:
    """Takes batches from data on the device by indexing."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self._images, self._labels = images, labels

    def batches(self, order: Tensor, size: int, first: int) -> Iterator[Batch]:
        """See `BatchLoader.batches`."""
        order = order.to(self._images.device)
        for start in range(first * size, len(order), size):
            indices = order[start : start + size]
            yield self._images[indices], self._labels[indices]


class StreamingLoader:
    """Gathers batches from CPU memory or a mapped file in a thread, some steps in advance."""

    def __init__(self, images: Tensor, labels: Tensor, device: torch.device) -> None:
        self._images, self._labels, self._device = images, labels, device

    def batches(self, order: Tensor, size: int, first: int) -> Iterator[Batch]:
        """See `BatchLoader.batches`."""
        pending: deque[Future[Batch]] = deque()
        with ThreadPoolExecutor(1, "gather") as pool:
            for start in range(first * size, len(order), size):
                pending.append(pool.submit(self._gather, order[start : start + size]))
                if len(pending) > PREFETCH:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()

    def _gather(self, indices: Tensor) -> Batch:
        # With numpy, because torch would start threads that compete with those of the training
        # step, which then takes 2.3 times as long on two cores.
        rows = indices.numpy()
        images, labels = (
            torch.from_numpy(data.numpy()[rows]) for data in (self._images, self._labels)
        )
        if self._device.type == "cuda":  # pinned memory is copied while the device computes
            images, labels = images.pin_memory(), labels.pin_memory()
        return (
            images.to(self._device, non_blocking=True),
            labels.to(self._device, non_blocking=True),
        )


def must_stream(images: Tensor, memory: int) -> bool:
    """Whether images are too large for a device with ``memory`` bytes."""
    return images.nbytes > IMAGE_MEMORY_SHARE * memory
