"""The names of all kinds of all families, by the module that defines them.

A module is imported when a document uses one of its kinds; the names are known without it.
"""

from __future__ import annotations

# fmt: off

_LAYERS = "netbuilder.components.layers"

LAYERS: dict[str, tuple[str, ...]] = {
    f"{_LAYERS}.containers": ("Parallel", "Residual", "Sequential"),
    f"{_LAYERS}.conv": ("Conv1d", "Conv2d", "Conv3d"),
    f"{_LAYERS}.conv_transpose": ("ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"),
    f"{_LAYERS}.linear": ("Linear",),
    f"{_LAYERS}.norm": (
        "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "GroupNorm", "InstanceNorm1d",
        "InstanceNorm2d", "InstanceNorm3d", "LayerNorm", "LocalResponseNorm", "RMSNorm",
    ),
    f"{_LAYERS}.activation": (
        "CELU", "ELU", "GELU", "GLU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh",
        "LeakyReLU", "LogSigmoid", "LogSoftmax", "Mish", "PReLU", "ReLU", "ReLU6", "RReLU", "SELU",
        "Sigmoid", "SiLU", "Softmax", "Softmax2d", "Softmin", "Softplus", "Softshrink", "Softsign",
        "Tanh", "Tanhshrink", "Threshold",
    ),
    f"{_LAYERS}.dropout": (
        "AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout",
    ),
    f"{_LAYERS}.padding": (
        "CircularPad1d", "CircularPad2d", "CircularPad3d", "ConstantPad1d", "ConstantPad2d",
        "ConstantPad3d", "ReflectionPad1d", "ReflectionPad2d", "ReflectionPad3d",
        "ReplicationPad1d", "ReplicationPad2d", "ReplicationPad3d", "ZeroPad1d", "ZeroPad2d",
        "ZeroPad3d",
    ),
    f"{_LAYERS}.adaptive": (
        "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d", "AdaptiveMaxPool1d",
        "AdaptiveMaxPool2d", "AdaptiveMaxPool3d",
    ),
    f"{_LAYERS}.pool": (
        "AvgPool1d", "AvgPool2d", "AvgPool3d", "LPPool1d", "LPPool2d", "LPPool3d", "MaxPool1d",
        "MaxPool2d", "MaxPool3d",
    ),
    f"{_LAYERS}.reshape": ("ChannelShuffle", "Flatten", "Fold", "Identity", "Unflatten", "Unfold"),
    f"{_LAYERS}.resample": (
        "PixelShuffle", "PixelUnshuffle", "Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d",
    ),
    f"{_LAYERS}.vision": ("Permute", "SqueezeExcitation", "StochasticDepth"),
}

INITIALIZERS: dict[str, tuple[str, ...]] = {
    "netbuilder.components.initializers": (
        "constant", "dirac", "eye", "kaiming_normal", "kaiming_uniform", "normal", "ones",
        "orthogonal", "sparse", "trunc_normal", "uniform", "xavier_normal", "xavier_uniform",
        "zeros",
    ),
}

DATASETS: dict[str, tuple[str, ...]] = {
    "netbuilder.components.datasets": (
        "mnist", "mnist5k", "fashion_mnist", "kmnist", "cifar10", "cifar100",
    ),
}

LOSSES: dict[str, tuple[str, ...]] = {
    "netbuilder.components.losses": ("CrossEntropyLoss", "NLLLoss", "MultiMarginLoss"),
}

OPTIMIZERS: dict[str, tuple[str, ...]] = {
    "netbuilder.components.optimizers": ("SGD", "Adam", "AdamW", "RMSprop", "NAdam"),
}

SCHEDULERS: dict[str, tuple[str, ...]] = {
    "netbuilder.components.schedulers": (
        "OneCycleLR", "StepLR", "MultiStepLR", "CosineAnnealingLR", "ExponentialLR",
        "ReduceLROnPlateau", "LinearLR",
    ),
}

AUGMENTATIONS: dict[str, tuple[str, ...]] = {
    "netbuilder.components.augmentations.geometry": (
        "RandomRotation", "RandomAffine", "RandomCrop", "RandomHorizontalFlip",
    ),
    "netbuilder.components.augmentations.pixels": ("RandomErasing",),
}
