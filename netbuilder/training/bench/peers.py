"""Ways to train a network; each yields the number of images after every optimizer step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset

from netbuilder._files import temporary_folder
from netbuilder.config.schema import Architecture
from netbuilder.data.dataset import LoadedData
from netbuilder.data.open import open_dataset
from netbuilder.data.transforms import epoch_order, normalize, to_unit
from netbuilder.network.build import build
from netbuilder.training.compile import compiled, forward_pass, has_compiler
from netbuilder.training.cuda_graph import Body, CudaGraphed
from netbuilder.training.device import Device
from netbuilder.training.events import Stepped
from netbuilder.training.loop import train

Peer = Callable[[Architecture, Path | None], Iterator[int]]


def netbuilder(architecture: Architecture, data_dir: Path | None) -> Iterator[int]:
    """Train with netbuilder."""
    with temporary_folder(Path(gettempdir()) / "bench") as out:
        images = 0
        for event in train(architecture, out=out, data_dir=data_dir):
            if isinstance(event, Stepped):
                yield event.images - (images if event.images > images else 0)
                images = event.images


class Pictures(Dataset[tuple[Any, int]]):
    """A data set in memory, one picture at a time, as torchvision's data sets give it."""

    def __init__(self, data: LoadedData, transform: Callable[[Image.Image], Any]) -> None:
        # height, width, channels; a gray picture has no axis for channels
        self._pixels = data.train_images.permute(0, 2, 3, 1).contiguous().numpy()
        if self._pixels.shape[-1] == 1:
            self._pixels = self._pixels[..., 0]
        self._labels = data.train_labels
        self._transform = transform

    def __len__(self) -> int:
        return len(self._pixels)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        return self._transform(Image.fromarray(self._pixels[index])), int(self._labels[index])


def loader(
    architecture: Architecture, data_dir: Path | None, workers: int
) -> DataLoader[tuple[Any, int]]:
    """Return an ordinary DataLoader: pictures, with the transforms of torchvision."""
    from torchvision import transforms

    config = architecture.trained
    transform = transforms.Compose(
        [
            transforms.RandomRotation(7),
            transforms.ToTensor(),
            transforms.Normalize(config.dataset.mean, config.dataset.std),
        ]
    )
    pictures = Pictures(open_dataset(config.dataset, data_dir), transform)
    return DataLoader(pictures, batch_size=config.batch_size, shuffle=True, num_workers=workers)


def _parts(
    architecture: Architecture, device: torch.device, steps_per_epoch: int, *, fused: bool
) -> tuple[nn.Module, torch.optim.Optimizer, list[Any], nn.Module]:
    config = architecture.trained
    model = build(architecture).to(device)
    optimizer = config.optimizer.build(model.parameters(), fused=fused)
    schedule = [
        scheduler.build(optimizer, epochs=config.epochs, steps_per_epoch=steps_per_epoch)
        for scheduler in config.scheduler
        if scheduler.every_step
    ]
    return model, optimizer, schedule, config.loss.build()


def _ordinary(workers: int) -> Peer:
    def run(architecture: Architecture, data_dir: Path | None) -> Iterator[int]:
        device = Device.choose().device
        batches = loader(architecture, data_dir, workers)
        model, optimizer, schedule, loss = _parts(architecture, device, len(batches), fused=False)
        while True:
            for batch in batches:
                images, labels = (part.to(device) for part in batch)
                optimizer.zero_grad()
                loss(model(images).flatten(1), labels).backward()
                optimizer.step()
                for scheduler in schedule:
                    scheduler.step()
                yield len(labels)

    return run


def _on_device(*, fastest: bool) -> Peer:
    def run(architecture: Architecture, data_dir: Path | None) -> Iterator[int]:
        hardware = Device.choose(precision="auto" if fastest else "fp32")
        config = architecture.trained
        data = open_dataset(config.dataset, data_dir).to(hardware.device)
        count, size = len(data.train_labels), config.batch_size
        unit = to_unit(data.train_images)
        unit = normalize(unit, config.dataset.mean, config.dataset.std)
        model, optimizer, schedule, loss = _parts(
            architecture, hardware.device, -(-count // size), fused=fastest
        )
        forward = forward_pass(model, loss, hardware)
        if fastest and has_compiler():
            forward = compiled(forward)

        def passes(images: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, ...]:
            value, _ = forward(images, labels)
            value.backward()  # type: ignore[no-untyped-call]  # torch's own
            return (value.detach(),)

        body: Body = passes
        if fastest and hardware.device.type == "cuda":
            body = CudaGraphed(passes, model)
        epoch = 0
        while True:
            order = epoch_order(0, epoch, count).to(hardware.device)
            for indices in torch.split(order, size):
                labels = data.train_labels[indices]
                if len(labels) < min(size, count):
                    continue  # a smaller batch would be compiled separately
                optimizer.zero_grad()
                body(unit[indices], labels)
                optimizer.step()
                for scheduler in schedule:
                    scheduler.step()
                yield len(labels)
            epoch += 1

    return run


def lightning(architecture: Architecture, data_dir: Path | None) -> Iterator[int]:
    """Train with Lightning's Trainer."""
    import lightning as pl

    from netbuilder.training.bench.handover import iterate_steps

    batches = loader(architecture, data_dir, 2)

    class Module(pl.LightningModule):
        def __init__(self, report: Callable[[int], None]) -> None:
            super().__init__()
            parts = _parts(architecture, torch.device("cpu"), len(batches), fused=False)
            self.model, self.optimizer, self.schedule, self.loss = parts
            self.report = report

        def training_step(self, batch: Any, index: int) -> torch.Tensor:
            images, labels = batch
            value: torch.Tensor = self.loss(self.model(images).flatten(1), labels)
            return value

        def on_train_batch_end(self, outputs: Any, batch: Any, index: int) -> None:
            self.report(len(batch[1]))

        def configure_optimizers(self) -> Any:
            schedulers = [{"scheduler": s, "interval": "step"} for s in self.schedule]
            return [self.optimizer], schedulers

    def fit(report: Callable[[int], None]) -> None:
        trainer = pl.Trainer(
            max_epochs=10**6,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(Module(report), batches)

    yield from iterate_steps(fit)


def _keras(backend: str) -> Peer:
    def run(architecture: Architecture, data_dir: Path | None) -> Iterator[int]:
        from netbuilder.training.bench.keras_model import fit_steps

        yield from fit_steps(architecture, data_dir, backend)

    return run


BY_NAME: dict[str, Peer] = {
    "netbuilder": netbuilder,
    "bound": _on_device(fastest=True),
    "ordinary": _ordinary(2),
    "ordinary-0": _ordinary(0),
    "device": _on_device(fastest=False),
    "lightning": lightning,
    "keras-jax": _keras("jax"),
    "keras-torch": _keras("torch"),
}
