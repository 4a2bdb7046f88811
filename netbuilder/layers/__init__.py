"""Every layer kind, one class each; adding one is its class, its entry below and an example."""

from __future__ import annotations

from netbuilder.layers import (
    activation,
    containers,
    conv,
    dropout,
    linear,
    norm,
    plugins,
    pool,
    reshape,
)
from netbuilder.layers.base import LAYERS as LAYERS
from netbuilder.layers.base import AnyLayer as AnyLayer
from netbuilder.layers.base import Layer as Layer

KINDS: tuple[type[Layer], ...] = (
    containers.Parallel,
    containers.Residual,
    containers.Sequential,
    conv.Conv2d,
    linear.Linear,
    norm.BatchNorm1d,
    norm.BatchNorm2d,
    activation.CELU,
    activation.ELU,
    activation.GELU,
    activation.GLU,
    activation.Hardshrink,
    activation.Hardsigmoid,
    activation.Hardswish,
    activation.Hardtanh,
    activation.LeakyReLU,
    activation.LogSigmoid,
    activation.LogSoftmax,
    activation.Mish,
    activation.PReLU,
    activation.ReLU,
    activation.ReLU6,
    activation.RReLU,
    activation.SELU,
    activation.Sigmoid,
    activation.SiLU,
    activation.Softmax,
    activation.Softmax2d,
    activation.Softmin,
    activation.Softplus,
    activation.Softshrink,
    activation.Softsign,
    activation.Tanh,
    activation.Tanhshrink,
    activation.Threshold,
    dropout.Dropout,
    dropout.Dropout2d,
    pool.AdaptiveAvgPool2d,
    pool.AdaptiveMaxPool2d,
    pool.AvgPool2d,
    pool.MaxPool2d,
    reshape.Flatten,
    reshape.Identity,
)

LAYERS.add(KINDS)
LAYERS.elsewhere = plugins.installed
