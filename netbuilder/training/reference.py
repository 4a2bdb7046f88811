"""Statistics for batch normalization that keeps none: those of a fixed batch of training images.

With ``track_running_stats: false``, torch normalizes by the batch in evaluation too. The answer for
an image would then depend on which others share its batch, and one image alone often has none.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from netbuilder.components.datasets import Dataset
from netbuilder.training.device import Device
from netbuilder.training.evaluation import BATCH, prediction


def normalizes_by_batch(model: nn.Module) -> bool:
    """Whether `fix_statistics` changes a network."""
    return bool(_layers_without_statistics(model))


def _layers_without_statistics(model: nn.Module) -> list[_BatchNorm]:
    return [
        module
        for module in model.modules()
        if isinstance(module, _BatchNorm) and not module.track_running_stats
    ]


@torch.no_grad()
def fix_statistics(
    model: nn.Module, dataset: Dataset, hardware: Device, train_images: Tensor
) -> None:
    """Let batch normalization without running statistics use those of the first training images.

    In training mode, the network still normalizes by its batch. The statistics are not in its
    ``state_dict``. A network without such layers is not changed.

    Args:
        model: The network on the device, with the weights to evaluate.
        dataset: The data set.
        hardware: The device and the precision.
        train_images: uint8 of shape (N, C, H, W), on any device; the first `BATCH` are used.
    """
    layers = _layers_without_statistics(model)
    if not layers:
        return
    earlier = [(layer.running_mean, layer.running_var) for layer in layers]
    for layer in layers:
        layer.running_mean = layer.running_var = None
    statistics: dict[nn.Module, tuple[Tensor, Tensor]] = {}
    hooks = [layer.register_forward_pre_hook(partial(_measure, statistics)) for layer in layers]
    was_training = model.training
    model.eval()
    try:
        prediction(model, dataset, hardware)(train_images[:BATCH].to(hardware.device))
    finally:
        model.train(was_training)
        for hook in hooks:
            hook.remove()
    for layer, buffers in zip(layers, earlier, strict=True):
        for name, buffer, value in zip(
            ("running_mean", "running_var"), buffers, statistics[layer], strict=True
        ):
            # In place, because a CUDA graph reads the tensor that it was captured with.
            fixed = value if buffer is None else buffer.copy_(value)
            layer.register_buffer(name, fixed, persistent=False)


def _measure(
    statistics: dict[nn.Module, tuple[Tensor, Tensor]], layer: nn.Module, inputs: tuple[Tensor]
) -> None:
    """Store the mean and the variance of each channel, as torch normalizes with them."""
    (batch,) = inputs
    variance, mean = torch.var_mean(batch.float().transpose(0, 1).flatten(1), 1, correction=0)
    statistics[layer] = mean, variance
