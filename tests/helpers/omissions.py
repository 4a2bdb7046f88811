"""The modules of torch.nn that have no kind, each with the reason."""

from __future__ import annotations

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
