"""Names of kinds that documents do not use: those of torch without a kind, of Keras and others.

It is imported only for a message about an unknown name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from netbuilder.components import kinds

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
    "augmentation": (
        "AugMix", "AutoAugment", "CenterCrop", "ClampBoundingBoxes", "ClampKeyPoints",
        "ColorJitter", "Compose", "ConvertBoundingBoxFormat", "ConvertImageDtype", "CutMix",
        "ElasticTransform", "FiveCrop", "GaussianBlur", "GaussianNoise", "Grayscale", "Identity",
        "JPEG", "Lambda", "LinearTransformation", "MixUp", "Normalize", "PILToTensor", "Pad", "RGB",
        "RandAugment", "RandomAdjustSharpness", "RandomApply", "RandomAutocontrast",
        "RandomChannelPermutation", "RandomChoice", "RandomEqualize", "RandomGrayscale",
        "RandomInvert", "RandomIoUCrop", "RandomOrder", "RandomPerspective",
        "RandomPhotometricDistort", "RandomPosterize", "RandomResize", "RandomResizedCrop",
        "RandomShortestSize", "RandomSolarize", "RandomVerticalFlip", "RandomZoomOut", "Resize",
        "SanitizeBoundingBoxes", "SanitizeKeyPoints", "ScaleJitter", "SetClampingMode", "TenCrop",
        "ToDtype", "ToImage", "ToPILImage", "ToPureTensor", "ToTensor", "TrivialAugmentWide",
        "UniformTemporalSubsample",
    ),
    "data set": (
        "CLEVRClassification", "CREStereo", "Caltech101", "Caltech256", "CarlaStereo", "CelebA",
        "Cityscapes", "CocoCaptions", "CocoDetection", "Country211", "DTD", "DatasetFolder",
        "EMNIST", "ETH3DStereo", "EuroSAT", "FER2013", "FGVCAircraft", "FakeData",
        "FallingThingsStereo", "Flickr30k", "Flickr8k", "Flowers102", "FlyingChairs",
        "FlyingThings3D", "Food101", "GTSRB", "HD1K", "HMDB51", "INaturalist", "ImageFolder",
        "ImageNet", "Imagenette", "InStereo2k", "Kinetics", "Kitti", "Kitti2012Stereo",
        "Kitti2015Stereo", "KittiFlow", "LFWPairs", "LFWPeople", "LSUN", "LSUNClass",
        "Middlebury2014Stereo", "MovingMNIST", "Omniglot", "OxfordIIITPet", "PCAM", "PhotoTour",
        "Places365", "QMNIST", "RenderedSST2", "SBDataset", "SBU", "SEMEION", "STL10", "SUN397",
        "SVHN", "SceneFlowStereo", "Sintel", "SintelStereo", "StanfordCars", "UCF101", "USPS",
        "VOCDetection", "VOCSegmentation", "WIDERFace",
    ),
}
"""The names of torch and torchvision that netbuilder does not serve, by family in messages."""

_FAMILIES: dict[str, dict[str, tuple[str, ...]]] = {
    "layer": kinds.LAYERS,
    "optimizer": kinds.OPTIMIZERS,
    "scheduler": kinds.SCHEDULERS,
    "loss": kinds.LOSSES,
    "augmentation": kinds.AUGMENTATIONS,
    "initializer": kinds.INITIALIZERS,
    "data set": kinds.DATASETS,
}

_FIELDS = {"layer": "layers", "initializer": "init"}
"""The fields of a document that have a family; the train section has the other families."""

_ENDS = (1, 2, 3)


def _per_axes(*stems: str, kind: str, more: str = "") -> dict[str, str]:
    """Return the words for names that end in 1D, 2D and 3D."""
    return {f"{stem}{n}d": f"{kind}{n}d{more}" for stem in stems for n in _ENDS}


def _any_axes(*stems: str, kind: str, more: str = "") -> dict[str, str]:
    """Return the words for names without their number of axes."""
    names = [f"{kind}{n}d{more}" for n in _ENDS]
    return dict.fromkeys(stems, f"{names[0]}, {names[1]} or {names[2]}")


_ALREADY = "images are tensors and normalized before augmentation; remove it"

_WORDS: dict[str, dict[str, str]] = {
    "layer": {
        **dict.fromkeys(("dense", "fullyconnected", "fc", "affine", "innerproduct"), "Linear"),
        **_per_axes("convolution", kind="Conv"),
        **_per_axes("deconv", "transposedconv", "convtransp", kind="ConvTranspose"),
        **{f"conv{n}dtranspose": f"ConvTranspose{n}d" for n in _ENDS},
        **_per_axes("depthwiseconv", kind="Conv", more=" with groups"),
        **_per_axes("separableconv", kind="Conv", more=" with groups, and one of kernel 1"),
        **_per_axes("maxpooling", kind="MaxPool"),
        **_per_axes("averagepooling", "avgpooling", "averagepool", kind="AvgPool"),
        **_per_axes("globalaveragepooling", "globalaveragepool", "globalavgpool",
                    kind="AdaptiveAvgPool", more=": 1"),
        **_per_axes("globalmaxpooling", "globalmaxpool", kind="AdaptiveMaxPool", more=": 1"),
        **_per_axes("zeropadding", kind="ZeroPad"),
        **_per_axes("spatialdropout", kind="Dropout"),
        **_any_axes("conv", "convolution", kind="Conv"),
        **_any_axes("convtranspose", "deconv", "deconvolution", kind="ConvTranspose"),
        **_any_axes("maxpool", "maxpooling", kind="MaxPool"),
        **_any_axes("avgpool", "averagepool", "averagepooling", kind="AvgPool"),
        **_any_axes("globalaveragepooling", "globalavgpool", "gap", kind="AdaptiveAvgPool",
                    more=": 1"),
        **_any_axes("adaptiveavgpool", kind="AdaptiveAvgPool"),
        **_any_axes("adaptivemaxpool", kind="AdaptiveMaxPool"),
        **_any_axes("batchnorm", "batchnormalization", "bn", kind="BatchNorm"),
        **_any_axes("instancenorm", "instancenormalization", kind="InstanceNorm"),
        **_any_axes("zeropad", "zeropadding", "padding", "pad", kind="ZeroPad"),
        "pool": "MaxPool2d or AvgPool2d", "pooling": "MaxPool2d or AvgPool2d",
        **dict.fromkeys(("upsampling1d", "upsampling2d", "upsampling3d", "interpolate", "resize",
                         "upsampling"), "Upsample"),
        "layernormalization": "LayerNorm", "groupnormalization": "GroupNorm",
        "rmsnormalization": "RMSNorm", "lrn": "LocalResponseNorm",
        **dict.fromkeys(("swish", "swiglu"), "SiLU"),
        "activation": "the activation itself, such as ReLU",
        **dict.fromkeys(("reshape", "view"), "Unflatten, or Flatten"),
        **dict.fromkeys(("squeeze", "ravel"), "Flatten"),
        **dict.fromkeys(("transpose", "movedim"), "Permute"),
        **dict.fromkeys(("add", "sum", "skip", "shortcut", "skipconnection"),
                        "Residual, or Parallel with join: add"),
        **dict.fromkeys(("basicblock", "bottleneck", "resblock", "residualblock", "resnetblock"),
                        "Residual"),
        **dict.fromkeys(("concatenate", "concat", "cat", "branches"),
                        "Parallel with join: concat"),
        "multiply": "Parallel with join: multiply", "average": "Parallel with join: mean",
        **dict.fromkeys(("seblock", "selayer", "squeezeexcite", "semodule"), "SqueezeExcitation"),
        "droppath": "StochasticDepth",
        **dict.fromkeys(("block", "modules", "stack", "seq"), "Sequential"),
        **dict.fromkeys(("loop", "repeat", "times"), "Repeat: {times: 2, layers: [...]}"),
        **dict.fromkeys(("randomflip", "randomcrop", "randomrotation", "cutout"),
                        "augment in the train section"),
        **dict.fromkeys(("input", "inputlayer"), "input at the top level of the document"),
        **{
            f"lazy{stem}{n}d": f"{kind}{n}d, whose sizes are inferred"
            for stem, kind in (("batchnorm", "BatchNorm"), ("conv", "Conv"),
                               ("convtranspose", "ConvTranspose"), ("instancenorm", "InstanceNorm"))
            for n in _ENDS
        },
        "lazylinear": "Linear, whose sizes are inferred",
    },
    "optimizer": {
        **dict.fromkeys(("momentum", "nesterov"), "SGD with momentum"),
        "adamweightdecay": "AdamW",
    },
    "scheduler": {
        **dict.fromkeys(("cosine", "cosinedecay", "cosinelr"), "CosineAnnealingLR"),
        **dict.fromkeys(("exponential", "exponentialdecay"), "ExponentialLR"),
        **dict.fromkeys(("step", "steps", "stepdecay"), "StepLR"),
        **dict.fromkeys(("multistep", "piecewiseconstant", "piecewiseconstantdecay"),
                        "MultiStepLR"),
        **dict.fromkeys(("onecycle", "onecyclepolicy"), "OneCycleLR"),
        "plateau": "ReduceLROnPlateau",
        **dict.fromkeys(("linear", "warmup", "linearwarmup"), "LinearLR"),
    },
    "loss": dict.fromkeys(
        ("crossentropy", "categoricalcrossentropy", "sparsecategoricalcrossentropy", "ce",
         "softmaxcrossentropy"), "CrossEntropyLoss",
    ) | {"nll": "NLLLoss"} | dict.fromkeys(
        ("hinge", "categoricalhinge", "multimargin"), "MultiMarginLoss"),
    "augmentation": {
        **dict.fromkeys(("randomflip", "horizontalflip", "hflip", "flip"), "RandomHorizontalFlip"),
        **dict.fromkeys(("randomtranslation", "randomshear", "randomscale", "shiftscalerotate",
                         "affine", "randomzoom"), "RandomAffine"),
        **dict.fromkeys(("rotate", "rotation", "randomrotate"), "RandomRotation"),
        **dict.fromkeys(("cutout", "coarsedropout", "erasing"), "RandomErasing"),
        "crop": "RandomCrop",
    },
    "initializer": {
        **{f"he{kind}": f"kaiming_{kind}" for kind in ("normal", "uniform")},
        **{f"glorot{kind}": f"xavier_{kind}" for kind in ("normal", "uniform")},
        "truncatednormal": "trunc_normal", "randomnormal": "normal", "randomuniform": "uniform",
        "identity": "eye, or dirac for convolutions", "zero": "zeros", "one": "ones",
        **dict.fromkeys(("kaiming", "he", "msra"), "kaiming_normal or kaiming_uniform"),
        **dict.fromkeys(("xavier", "glorot"), "xavier_normal or xavier_uniform"),
    },
}
"""The words to write instead of names of other libraries, by names in the form of `plain`."""

_SENTENCES: dict[str, dict[str, str]] = {
    "augmentation": dict.fromkeys(
        ("totensor", "toimage", "todtype", "topuretensor", "piltotensor", "convertimagedtype",
         "normalize", "rescaling", "normalization"), _ALREADY,
    ) | {"compose": "augment is a list; write its items"},
    "layer": dict.fromkeys(
        ("rescaling", "normalization", "normalize"),
        "images are normalized before the first layer; remove it",
    ),
}

_ALIASES = {
    "mse": "MSELoss", "meansquarederror": "MSELoss", "l2": "MSELoss", "mae": "L1Loss",
    "meanabsoluteerror": "L1Loss", "l1": "L1Loss", "bce": "BCELoss", "huber": "HuberLoss",
    "binarycrossentropy": "BCELoss", "kldivergence": "KLDivLoss", "kldiv": "KLDivLoss",
    "polynomialdecay": "PolynomialLR", "cosinedecayrestarts": "CosineAnnealingWarmRestarts",
    "cosinewarmrestarts": "CosineAnnealingWarmRestarts", "cyclic": "CyclicLR",
    "simplernn": "RNN", "attention": "MultiheadAttention",
}
"""Other words for names of torch that are not served."""

# fmt: on


def foreign_name(noun: str, name: str, known: Iterable[str]) -> str:
    """Return the end of a message about a name from elsewhere; empty if it is not one.

    Args:
        noun: What messages call the family, such as ``layer``.
        name: The unknown name.
        known: The names of the family.
    """
    names, word = tuple(known), plain(last_name(name))
    if right := plain_names(names).get(word):
        is_foreign = plain(name) != word or re.search("[1-3]D", name)
        return f"; write {right}" if is_foreign else f"; did you mean {right}?"
    if right := _WORDS.get(noun, {}).get(word):
        return f"; write {right}"
    if sentence := _SENTENCES.get(noun, {}).get(word):
        return f"; {sentence}"
    if original := plain_names(TORCH.get(noun, ())).get(plain(_ALIASES.get(word, word))):
        return _torch_has(noun, original, names)
    for other in _FAMILIES:
        if other != noun and (right := _names_of(other).get(word)):
            a, of = article(noun), article(other)
            field = _FIELDS.get(other, "the train section")
            return f"; {right} is {of} {other}, not {a} {noun}; name {of} {other} in {field}"
    return ""


def article(noun: str) -> str:
    """Return the indefinite article of a noun."""
    return "an" if noun[0] in "aeiou" else "a"


def last_name(name: str) -> str:
    """Return the name in a dotted name or a call: ``Conv2d`` of ``nn.Conv2d(1, 8, 3)``."""
    return name.partition("(")[0].strip().rpartition(".")[2]


def _torch_has(noun: str, name: str, known: tuple[str, ...]) -> str:
    if noun == "layer":
        return (
            f"; torch has {name}; netbuilder does not serve it: use another layer, or a "
            "plugin, see netbuilder guide own-layers"
        )
    owner = "torchvision" if noun in ("augmentation", "data set") else "torch"
    return f"; {owner} has {name}; netbuilder serves {', '.join(known)}"


def plain(name: str) -> str:
    """Return a name in lower case, without what separates words."""
    return name[:60].lower().translate(_SEPARATORS)


_SEPARATORS = str.maketrans("", "", "_- ")


@lru_cache(maxsize=32)
def plain_names(names: tuple[str, ...]) -> dict[str, str]:
    """Return names by their plain form."""
    return {plain(name): name for name in names}


@lru_cache(maxsize=8)
def _names_of(noun: str) -> dict[str, str]:
    """Return the names of a family, those that only torch has included, by plain form."""
    served = [name for names in _FAMILIES[noun].values() for name in names]
    # The names of torchvision that are not served, such as Lambda, are too general.
    more = TORCH[noun] if noun in ("layer", "loss", "optimizer", "scheduler") else ()
    return plain_names((*more, *served))
