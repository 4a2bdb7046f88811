"""Groups of layer kinds that rules have in common, by name, so that none of them is imported."""

from __future__ import annotations

CONVOLUTIONS = ("Conv1d", "Conv2d", "Conv3d")

TRANSPOSED_CONVOLUTIONS = ("ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d")

BATCH_NORMS = ("BatchNorm1d", "BatchNorm2d", "BatchNorm3d")

INSTANCE_NORMS = ("InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d")

POOLS = tuple(f"{kind}Pool{axes}d" for kind in ("Max", "Avg", "LP") for axes in (1, 2, 3))

# fmt: off

DROPOUTS = (
    "AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout",
    "StochasticDepth",
)
"""Kinds that pass on their input in evaluation mode, and where their ``p`` is 0."""

# fmt: on

VIEWS = ("Flatten", "Identity", "Permute", "Unflatten")
"""Kinds whose output may share memory with their input, in every mode."""
