"""The modules of torch.nn without a kind, each with the reason."""

from __future__ import annotations

LOSS = "takes predictions and targets; losses belong to the train section"
SEVERAL = "takes or returns several tensors, or other values than floats"
ATTENTION = "is attention, which the analysis does not cover"
RANDOM = "draws its windows at random, in evaluation too"
COLLECTION = "holds modules or parameters; the containers of documents do that"
PARALLEL = "is for several devices"
BASE = "is a base class"
OTHER_NAME = "has another name in netbuilder"

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
    **dict.fromkeys(("FractionalMaxPool2d", "FractionalMaxPool3d"), RANDOM),
    **dict.fromkeys(("ModuleDict", "ModuleList", "ParameterDict", "ParameterList"), COLLECTION),
    **dict.fromkeys(("DataParallel", "SyncBatchNorm"), PARALLEL),
    **dict.fromkeys(("Container", "Module"), BASE),
    "CrossMapLRN2d": OTHER_NAME,
    **{
        f"Lazy{stem}{axes}d": "infers its sizes when it runs; documents always infer sizes"
        for stem in ("BatchNorm", "Conv", "ConvTranspose", "InstanceNorm")
        for axes in (1, 2, 3)
    },
    "LazyLinear": "infers its sizes when it runs; documents always infer sizes",
}  # fmt: skip
"""Each module of torch.nn without a kind, with the reason."""
