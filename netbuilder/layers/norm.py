"""Normalisation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field

from netbuilder.errors import ShapeError
from netbuilder.layers.base import Weighted
from netbuilder.shapes import Shape, written
from netbuilder.strict import Probability
from netbuilder.windows import ReceptiveField


class _BatchNorm(Weighted, abstract=True):
    """Batch normalisation of each channel; the features come from the layer before."""

    ranks: ClassVar[Mapping[int, str]]
    """The ranks of sample that the kind takes, and how each is written."""

    eps: Annotated[float, Field(gt=0, lt=1)] = 1e-5  # 10 here was meant as num_features
    momentum: Probability | None = 0.1
    affine: bool = True
    track_running_stats: bool = True

    def output_shape(self, x: Shape) -> Shape:
        if len(x) not in self.ranks:
            allowed = " or ".join(self.ranks.values())
            other = {1: "BatchNorm1d", 2: "BatchNorm1d", 3: "BatchNorm2d"}.get(len(x))
            hint = f"use {other} here, or move it" if other else "change the input"
            raise ShapeError(f"it takes {allowed}, found {written(x)}; {hint}")
        return x

    def parameter_shapes(self, x: Shape) -> dict[str, tuple[int, ...]]:
        return {"weight": (x[0],), "bias": (x[0],)} if self.affine else {}

    def macs(self, x: Shape) -> int:
        return 0

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        return field

    def inferred(self, x: Shape) -> dict[str, int]:
        return {"num_features": x[0]}


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of (C) or (C, L)."""

    ranks: ClassVar = {1: "features", 2: "channels x length"}


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of (C, H, W)."""

    ranks: ClassVar = {3: "channels x height x width"}
