"""The catalogue held against torch.nn's own list: what is missing is missing by name."""

from __future__ import annotations

from torch import nn

from netbuilder.components.layers.base import LAYERS, Layer
from netbuilder.components.layers.container import Container

LOSS = "takes predictions and targets; losses stand in the train section"
SEVERAL = "takes or gives several tensors, or other things than floats"
ATTENTION = "is attention, whose tensors the analysis does not follow"
DRAWN = "draws its windows at random, in evaluation too"
HOLDER = "holds modules or parameters; the containers of documents do that"
PARALLEL = "is about several devices"
BASE = "is a base class"
OTHER_NAME = "is served under another name"

LEFT_OUT: dict[str, str] = {
    **dict.fromkeys(
        (
            "AdaptiveLogSoftmaxWithLoss", "BCELoss", "BCEWithLogitsLoss", "CTCLoss",
            "CosineEmbeddingLoss", "CrossEntropyLoss", "GaussianNLLLoss", "HingeEmbeddingLoss",
            "HuberLoss", "KLDivLoss", "L1Loss", "LinearCrossEntropyLoss", "MSELoss",
            "MarginRankingLoss", "MultiLabelMarginLoss", "MultiLabelSoftMarginLoss",
            "MultiMarginLoss", "NLLLoss", "NLLLoss2d", "PoissonNLLLoss", "SmoothL1Loss",
            "SoftMarginLoss", "TripletMarginLoss", "TripletMarginWithDistanceLoss",
        ),
        LOSS,
    ),
    **dict.fromkeys(
        (
            "Bilinear", "CosineSimilarity", "Embedding", "EmbeddingBag", "GRU", "GRUCell", "LSTM",
            "LSTMCell", "MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d", "MultiheadAttention",
            "PairwiseDistance", "RNN", "RNNBase", "RNNCell", "RNNCellBase", "Transformer",
            "TransformerDecoder", "TransformerDecoderLayer",                     ),
        SEVERAL,
    ),
    **dict.fromkeys(("TransformerEncoder", "TransformerEncoderLayer"), ATTENTION),
    **dict.fromkeys(("FractionalMaxPool2d", "FractionalMaxPool3d"), DRAWN),
    **dict.fromkeys(("ModuleDict", "ModuleList", "ParameterDict", "ParameterList"), HOLDER),
    **dict.fromkeys(("DataParallel", "SyncBatchNorm"), PARALLEL),
    **dict.fromkeys(("Container", "Module"), BASE),
    "CrossMapLRN2d": OTHER_NAME,
    **{
        f"Lazy{stem}{axes}d": "infers its sizes when it runs; documents always infer them"
        for stem in ("BatchNorm", "Conv", "ConvTranspose", "InstanceNorm")
        for axes in (1, 2, 3)
    },
    "LazyLinear": "infers its sizes when it runs; documents always infer them",
}  # fmt: skip
"""Modules of torch.nn that no document has, and why."""

OURS = {"Parallel", "Permute", "Residual", "SqueezeExcitation", "StochasticDepth"}
"""Kinds beside torch.nn: containers, and layers of torchvision.ops."""


def offered() -> set[str]:
    """Every module class that torch.nn offers."""
    return {
        name
        for name, value in vars(nn).items()
        if isinstance(value, type) and issubclass(value, nn.Module)
    }


def test_all_of_torch_is_served_or_left_out_by_name() -> None:
    """A module of torch.nn is a kind or stands in the list of what is left out, never both."""
    kinds = set(LAYERS.kinds)
    assert offered() - kinds - set(LEFT_OUT) == set()
    assert kinds & set(LEFT_OUT) == set()


def test_every_kind_is_one_of_torch_or_said_to_be_ours() -> None:
    """No kind has a name of its own but those that are listed."""
    assert set(LAYERS.kinds) - offered() == OURS


def test_every_kind_says_what_it_is() -> None:
    """Each has a docstring of its own, which editors show."""
    for kind in LAYERS.kinds.values():
        assert kind.__doc__
        assert kind.__doc__ not in (Layer.__doc__, Container.__doc__), kind
