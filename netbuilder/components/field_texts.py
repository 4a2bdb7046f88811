"""What each argument of a kind means: one text for all kinds that share it.

The JSON Schema shows these texts in editors, and the catalogue of the guide lists them.
"""

from __future__ import annotations

from dataclasses import dataclass
from inspect import get_annotations
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netbuilder.components.component import Component


@dataclass(frozen=True)
class FieldText:
    """What editors say about a field.

    Attributes:
        meaning: What the field is, without a period.
        unit: The unit of its numbers; empty if they have none.
        example: The value that an editor inserts; None for the default.
        null: What null stands for, where that is the default.
    """

    meaning: str
    unit: str = ""
    example: Any = None
    null: str = ""

    def description(self, default: str | None) -> str:
        """Return what editors show, for a field with this default; None if it is required."""
        unit = f" Unit: {self.unit}." if self.unit else ""
        end = "Required." if default is None else f"Default: {default}."
        return f"{self.meaning}.{unit} {end}"


_F = FieldText
_INIT = "How the weight is initialized, or weight and bias by name"

TEXTS: dict[str, FieldText] = {
    # --- convolutions and pooling
    "out_channels": _F("Number of output channels", "channels", 16),
    "out_features": _F("Size of the last output axis", "features", 10),
    "kernel_size": _F("Size of the window along each axis", "positions", 3),
    "stride": _F("Step of the window along each axis", "positions"),
    "_Pool.stride": _F("Step of the window along each axis", "positions", 2, "the kernel size"),
    "padding": _F("Padding at both ends of each axis", "positions"),
    "_Conv.padding": _F(
        "Padding at both ends of each axis; same retains the size, valid pads nothing", "positions"
    ),
    "_ConvTranspose.padding": _F("What is cut from both ends of each output axis", "positions"),
    "output_padding": _F("What is added to the end of each output axis", "positions"),
    "_Pad.padding": _F(
        "Padding of all ends, or of both ends of each axis, the last first; negative crops",
        "positions", 1,
    ),
    "padding_mode": _F("What the padding is filled with"),
    "dilation": _F("Distance between the positions that the window reads", "positions"),
    "groups": _F("Groups of channels that are convolved separately", "groups"),
    "ChannelShuffle.groups": _F("Groups whose channels are interleaved", "groups", 2),
    "Dirac.groups": _F("Groups of output channels that are filled separately", "groups"),
    "bias": _F("Whether a learned bias is added"),
    "ceil_mode": _F("Whether a last window may reach beyond the input, so that sizes round up"),
    "count_include_pad": _F("Whether padding counts in averages"),
    "divisor_override": _F(
        "What sums are divided by", "positions", 4, "the size of the window"
    ),
    "norm_type": _F("Exponent p of the p-norm", "", 2),
    "output_size": _F("Output size of each axis", "positions", 1),
    "_Sliding.output_size": _F("Height and width of the output", "positions", 28),
    "init": _F(_INIT, "", "kaiming_normal", "torch's own initialization"),
    "_BatchNorm.init": _F(_INIT, "", "ones", "torch's own initialization"),
    "_InstanceNorm.init": _F(_INIT, "", "ones", "torch's own initialization"),
    "GroupNorm.init": _F(_INIT, "", "ones", "torch's own initialization"),
    "_LastAxes.init": _F(_INIT, "", "ones", "torch's own initialization"),
    # --- normalization
    "eps": _F("Number that is added to the variance, against division by zero"),
    "RMSNorm.eps": _F(
        "Number that is added to the mean square, against division by zero", "", 1e-5,
        "the precision of the input's type",
    ),
    "momentum": _F(
        "Share of a new batch in the running statistics; null averages all batches"
    ),
    "affine": _F("Whether each channel has a learned scale and shift"),
    "elementwise_affine": _F("Whether each value has a learned scale"),
    "track_running_stats": _F("Whether running statistics are recorded, for evaluation"),
    "num_groups": _F("Groups that the channels are divided into", "groups", 4),
    "normalized_shape": _F("Sizes of the last axes, which are normalized together", "", 28),
    "LocalResponseNorm.size": _F("Neighboring channels that are summed", "channels", 5),
    "LocalResponseNorm.alpha": _F("Factor of the sum of squares"),
    "LocalResponseNorm.beta": _F("Exponent of the denominator"),
    "k": _F("Number that is added to the denominator"),
    # --- activations
    "inplace": _F("Whether the output overwrites the input, which saves memory"),
    "alpha": _F("Scale of the exponential part"),
    "beta": _F("Sharpness of the bend"),
    "threshold": _F("Values above it pass unchanged", "", 0.1),
    "Softplus.threshold": _F("Value of beta x above which the output is x"),
    "value": _F("What other values are replaced by", "", 0),
    "lambd": _F("Width of the band around 0 that becomes 0"),
    "lower": _F("Lowest random slope where x < 0"),
    "upper": _F("Highest random slope where x < 0"),
    "min_val": _F("Lowest output"),
    "max_val": _F("Highest output"),
    "negative_slope": _F("Slope where x < 0"),
    "approximate": _F("none for the exact function, tanh for a fast approximation"),
    "num_parameters": _F("Learned slopes: 1, or one per channel", "slopes"),
    "PReLU.init": _F("First value of the learned slopes"),
    "dim": _F("Axis that is divided into halves; the batch is axis 0"),
    "_SoftmaxLike.dim": _F(
        "Axis along which the values add up to 1; the batch is axis 0", "", 1,
        "axis 1, or 0 for batches of rank 3",
    ),
    "Unflatten.dim": _F("Axis that is split; the batch is axis 0", "", 1),
    # --- dropout, reshaping, resampling
    "p": _F("Probability of a zero", "", 0.1),
    "unflattened_size": _F("Sizes of the parts; one may be -1", "positions", [-1, 1]),
    "start_dim": _F("First axis that is flattened; the batch is axis 0"),
    "end_dim": _F("Last axis that is flattened; -1 is the last of all"),
    "dims": _F("Order of the axes; the batch, 0, stays first", "", [0, 1, 3, 2]),
    "upscale_factor": _F("Factor by which height and width grow", "", 2),
    "downscale_factor": _F("Factor by which height and width shrink", "", 2),
    "size": _F("Output size of each axis", "positions", 28, "the size that scale_factor gives"),
    "scale_factor": _F("Factor of each axis", "", 2, "the factor that size gives"),
    "_Upsample.mode": _F("Method of interpolation"),
    "align_corners": _F(
        "Whether the corners of input and output coincide; only for the linear and cubic modes",
        "", False, "false",
    ),
    "recompute_scale_factor": _F(
        "Whether positions are computed from the rounded output size", "", False, "false"
    ),
    # --- containers
    "layers": _F("Layers, in sequence", "", ["ReLU"]),
    "name": _F("Name of the sequence in summaries", "", "stage1"),
    "body": _F("Layers of the main branch", "", ["ReLU"]),
    "shortcut": _F("Layers of the branch around the body; without any, it is the identity"),
    "join": _F("How the outputs of the branches are merged"),
    "activation": _F("Layer after the merge", "", "ReLU", "no layer"),
    "branches": _F(
        "Layers of each branch by its name; [] is the identity", "", {"a": ["ReLU"], "b": ["Tanh"]}
    ),
    "split": _F("Whether each branch takes an equal share of the channels, not all of them"),
    "squeeze_channels": _F("Channels between the two convolutions", "channels", 4),
    "SqueezeExcitation.activation": _F("Activation between the two convolutions"),
    "scale_activation": _F("Activation that gives the scales"),
    "StochasticDepth.p": _F("Probability that the input becomes zero", "", 0.1),
    "StochasticDepth.mode": _F("row draws for each sample, batch once for all", "", "row"),
    # --- initializers
    "val": _F("Value of all entries", "", 0),
    "a": _F("Lower end of the distribution"),
    "b": _F("Upper end of the distribution"),
    "KaimingUniform.a": _F("Negative slope of the activation after the layer"),
    "KaimingNormal.a": _F("Negative slope of the activation after the layer"),
    "mean": _F("Mean of the distribution"),
    "std": _F("Standard deviation of the distribution"),
    "gain": _F("Factor of the standard deviation"),
    "mode": _F("fan_in retains the variance forward, fan_out backward"),
    "nonlinearity": _F("Activation after the layer, which sets the gain"),
    "sparsity": _F("Share of zeros in each column", "", 0.1),
    # --- data sets
    "fallback": _F(
        "Data set that is used where this one cannot be downloaded", "", "mnist5k", "none"
    ),
    # --- losses
    "label_smoothing": _F("Share of the target that is spread evenly over all classes"),
    "MultiMarginLoss.p": _F("Exponent of each class's violation of the margin"),
    "margin": _F("Difference of logits that is enough"),
    # --- optimizers
    "lr": _F("Learning rate: length of a step"),
    "Optimizer.momentum": _F("Share of the last step that is added to the next"),
    "dampening": _F("Share of the gradient that momentum leaves out"),
    "weight_decay": _F("Strength of the pull of all weights toward 0"),
    "nesterov": _F("Whether the gradient is taken ahead, after the momentum"),
    "betas": _F("Decay per step of the averages of the gradient and of its square"),
    "Optimizer.eps": _F("Number that is added to the denominator, against division by zero"),
    "amsgrad": _F("Whether steps use the largest average of squares so far"),
    "RMSprop.alpha": _F("Decay per step of the average of squares"),
    "centered": _F("Whether the mean gradient is subtracted from the squares"),
    "momentum_decay": _F("Decay of the momentum's schedule"),
    "decoupled_weight_decay": _F("Whether weights decay beside the step, as in AdamW"),
    # --- schedulers
    "max_lr": _F("Highest learning rate", "", 0.1),
    "pct_start": _F("Share of the steps in which the learning rate rises"),
    "anneal_strategy": _F("Shape of the curve: a cosine or a line"),
    "cycle_momentum": _F("Whether momentum falls while the learning rate rises"),
    "base_momentum": _F("Lowest momentum"),
    "max_momentum": _F("Highest momentum"),
    "div_factor": _F("max_lr divided by the first learning rate"),
    "final_div_factor": _F("First learning rate divided by the last"),
    "three_phase": _F("Whether the fall mirrors the rise before it goes on to the lowest rate"),
    "step_size": _F("Epochs between two changes", "epochs", 5),
    "gamma": _F("Factor of the learning rate at each change", "", 0.9),
    "milestones": _F("Epochs after which the learning rate changes", "epochs", [5, 8]),
    "T_max": _F("Epochs from the highest rate to the lowest", "epochs", 10),
    "eta_min": _F("Lowest learning rate"),
    "ReduceLROnPlateau.mode": _F("Whether the monitored value should fall"),
    "factor": _F("Factor of the learning rate at each change"),
    "patience": _F("Epochs without improvement before a change", "epochs"),
    "ReduceLROnPlateau.threshold": _F("Least change that counts as an improvement"),
    "threshold_mode": _F("Whether the threshold is a share of the best value or a difference"),
    "cooldown": _F("Epochs after a change in which none is counted", "epochs"),
    "min_lr": _F("Lowest learning rate"),
    "ReduceLROnPlateau.eps": _F("Least change of the learning rate that is applied"),
    "start_factor": _F("Factor of the learning rate in the first epoch"),
    "end_factor": _F("Factor of the learning rate at last"),
    "total_iters": _F("Epochs from the first factor to the last", "epochs"),
    # --- augmentations
    "degrees": _F("Largest angle to either side, or the lowest and the highest", "degrees", 7),
    "interpolation": _F("How values between pixels are computed"),
    "expand": _F("Whether the image grows to hold all of the rotation; only false fits a network"),
    "center": _F(
        "Center of the rotation: x, y from the upper left corner", "pixels", [14, 14],
        "the middle of the image",
    ),
    "fill": _F("Brightness outside the image, from 0 to 1, for all channels or for each"),
    "translate": _F("Largest shift in x and y", "share of the image", [0.1, 0.1], "no shift"),
    "RandomAffine.scale": _F("Lowest and highest factor of the size", "", [0.9, 1.1], "no scaling"),
    "shear": _F("Largest shear to either side, or the lowest and the highest", "degrees", 5,
                "no shear"),
    "RandomCrop.size": _F("Height and width, which must be those of the images", "pixels", 28),
    "RandomCrop.padding": _F(
        "Padding before the crop: of all sides, or left, top, right and bottom", "pixels", 2,
        "no padding",
    ),
    "pad_if_needed": _F("Without effect, since a crop of the image's size always fits"),
    "RandomHorizontalFlip.p": _F("Probability of a flip"),
    "RandomErasing.p": _F("Probability that a rectangle is erased"),
    "RandomErasing.scale": _F("Least and largest area of the rectangle", "share of the image"),
    "ratio": _F("Least and largest height of the rectangle divided by its width"),
    "RandomErasing.value": _F("Brightness of the rectangle from 0 to 1, or random for noise"),
}  # fmt: skip
"""Texts by the name of the argument.

A class in front, ``_Pool.stride``, narrows a text to the kinds of that class.
"""


def text_of(kind: type[Component], field: str) -> FieldText:
    """Return the text for a field of a kind; those of plugins are in their fields."""
    owner = next(base for base in kind.__mro__ if field in get_annotations(base))
    if owner.__module__.startswith("netbuilder."):
        names = (*(f"{base.__name__}.{field}" for base in kind.__mro__), field)
        return next((TEXTS[name] for name in names if name in TEXTS), FieldText(_OTHER + kind.kind))
    info = kind.model_fields[field]
    example = next(iter(info.examples or ()), 1 if info.is_required() else None)
    return FieldText((info.description or _OTHER + kind.kind).rstrip("."), example=example)


_OTHER = "An argument of "
