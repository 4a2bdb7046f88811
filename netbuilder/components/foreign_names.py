"""Names that documents do not use: those of torch without a kind, and those of Keras and Hydra."""

from __future__ import annotations

from collections.abc import Iterable

# fmt: off

TORCH: dict[str, tuple[str, ...]] = {
    "layer": (
        "Bilinear", "CosineSimilarity", "CrossMapLRN2d", "DataParallel", "Embedding",
        "EmbeddingBag", "FractionalMaxPool2d", "FractionalMaxPool3d", "GRU", "GRUCell", "LSTM",
        "LSTMCell", "MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d", "ModuleDict", "ModuleList",
        "MultiheadAttention", "PairwiseDistance", "ParameterDict", "ParameterList", "RNN",
        "RNNBase", "RNNCell", "RNNCellBase", "SyncBatchNorm", "Transformer", "TransformerDecoder",
        "TransformerDecoderLayer", "TransformerEncoder", "TransformerEncoderLayer",
    ),
    "optimizer": (
        "ASGD", "Adadelta", "Adafactor", "Adagrad", "Adamax", "LBFGS", "Muon", "RAdam", "Rprop",
        "SparseAdam",
    ),
    "scheduler": (
        "ChainedScheduler", "ConstantLR", "CosineAnnealingWarmRestarts", "CyclicLR", "LambdaLR",
        "MultiplicativeLR", "PolynomialLR", "SequentialLR",
    ),
    "loss": (
        "AdaptiveLogSoftmaxWithLoss", "BCELoss", "BCEWithLogitsLoss", "CTCLoss",
        "CosineEmbeddingLoss", "GaussianNLLLoss", "HingeEmbeddingLoss", "HuberLoss", "KLDivLoss",
        "L1Loss", "LinearCrossEntropyLoss", "MSELoss", "MarginRankingLoss", "MultiLabelMarginLoss",
        "MultiLabelSoftMarginLoss", "NLLLoss2d", "PoissonNLLLoss", "SmoothL1Loss",
        "SoftMarginLoss", "TripletMarginLoss", "TripletMarginWithDistanceLoss",
    ),
}
"""The names of torch that netbuilder does not serve, by what messages call the family."""

LOSSES = (*TORCH["loss"], "CrossEntropyLoss", "MultiMarginLoss", "NLLLoss")

_RIGHT_WORDS: dict[str, dict[str, str]] = {
    "layer": {
        "Dense": "Linear",
        **{f"Conv{n}D": f"Conv{n}d" for n in (1, 2, 3)},
        **{f"Conv{n}DTranspose": f"ConvTranspose{n}d" for n in (1, 2, 3)},
        **{f"Convolution{n}D": f"Conv{n}d" for n in (1, 2, 3)},
        **{f"DepthwiseConv{n}D": f"Conv{n}d with groups" for n in (1, 2)},
        **{f"MaxPooling{n}D": f"MaxPool{n}d" for n in (1, 2, 3)},
        **{f"MaxPool{n}D": f"MaxPool{n}d" for n in (1, 2, 3)},
        **{f"AveragePooling{n}D": f"AvgPool{n}d" for n in (1, 2, 3)},
        **{f"AvgPool{n}D": f"AvgPool{n}d" for n in (1, 2, 3)},
        **{f"GlobalAveragePooling{n}D": f"AdaptiveAvgPool{n}d: 1" for n in (1, 2, 3)},
        **{f"GlobalMaxPooling{n}D": f"AdaptiveMaxPool{n}d: 1" for n in (1, 2, 3)},
        **{f"ZeroPadding{n}D": f"ZeroPad{n}d" for n in (1, 2, 3)},
        **{f"UpSampling{n}D": "Upsample" for n in (1, 2, 3)},
        **{f"SpatialDropout{n}D": f"Dropout{n}d" for n in (1, 2, 3)},
        "BatchNormalization": "BatchNorm1d, BatchNorm2d or BatchNorm3d",
        "LayerNormalization": "LayerNorm",
        "GroupNormalization": "GroupNorm",
        "Activation": "the activation itself, such as ReLU",
        "Reshape": "Unflatten, or Flatten",
        "Add": "Residual, or Parallel with join: add",
        "Concatenate": "Parallel with join: concat",
        "Input": "input at the top level of the document",
        "InputLayer": "input at the top level of the document",
        **{
            f"Lazy{stem}{n}d": f"{stem}{n}d, whose sizes are inferred"
            for stem in ("BatchNorm", "Conv", "ConvTranspose", "InstanceNorm") for n in (1, 2, 3)
        },
        "LazyLinear": "Linear, whose sizes are inferred",
    },
    "scheduler": {"CosineDecay": "CosineAnnealingLR", "ExponentialDecay": "ExponentialLR"},
    "loss": {
        "CategoricalCrossentropy": "CrossEntropyLoss",
        "SparseCategoricalCrossentropy": "CrossEntropyLoss",
    },
}
"""The words to write instead of names of Keras, and of layers of torch under another name."""

TARGET_KEYS = ("_target_", "class_path", "class_name")
"""Keys with which Hydra, Lightning and Keras name a class."""

# fmt: on


def foreign_name(noun: str, name: str, known: Iterable[str]) -> str:
    """Return the end of a message about a name from elsewhere; empty if it is not one.

    Args:
        noun: What messages call the family, such as ``layer``.
        name: The unknown name.
        known: The names of the family.
    """
    names = tuple(known)
    if name in TORCH.get(noun, ()):
        if noun == "layer":
            return (
                f"; torch has {name}; netbuilder does not serve it: use another layer, or a "
                "plugin, see netbuilder guide own-layers"
            )
        return f"; torch has {name}; netbuilder serves {', '.join(names)}"
    if noun == "layer" and name in LOSSES:
        return f"; {name} is a loss, not a layer; name a loss in the train section"
    if right := _RIGHT_WORDS.get(noun, {}).get(name):
        return f"; write {right}"
    _, dot, last = name.rpartition(".")
    if dot and last in names:
        return f"; write {last}"
    return ""
