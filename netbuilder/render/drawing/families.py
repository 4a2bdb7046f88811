"""The families of layer kinds that a picture colors alike."""

from __future__ import annotations

from netbuilder.components.layers.base import Layer

FAMILY_OF_MODULE = {
    "conv": "convolution",
    "conv_transpose": "convolution",
    "linear": "linear",
    "norm": "norm",
    "activation": "activation",
    "dropout": "dropout",
    "pool": "pooling",
    "adaptive": "pooling",
    "padding": "reshape",
    "reshape": "reshape",
    "resample": "reshape",
}
"""The family of the kinds in each module of layers."""

FAMILY_OF_KIND = {"Permute": "reshape", "StochasticDepth": "dropout"}
"""The family of kinds in a module without one."""

INPUT, FOLD, OTHER = "input", "folded", "other"
"""What is not a layer, what stands for several, and kinds without a family, such as a plugin's."""

FAMILIES = (
    *dict.fromkeys(FAMILY_OF_MODULE.values()),
    OTHER,
    FOLD,
)
"""Every family, in the order of a legend."""

FOLLOWERS = frozenset({"norm", "activation", "dropout"})
"""The families that are drawn as a part of the layer before them."""


def family_of(layer: Layer) -> str:
    """Return the family of a layer; a plugin's kind has that of the kind it extends."""
    for base in type(layer).__mro__:
        module = base.__module__.rpartition(".")
        if module[0] != "netbuilder.components.layers":
            continue
        family = FAMILY_OF_KIND.get(base.__name__) or FAMILY_OF_MODULE.get(module[2])
        if family:
            return family
    return OTHER
