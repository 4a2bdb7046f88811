"""The ranges of elementwise functions: the least and the largest value over an interval."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from netbuilder.components.layers.base import Layer

INFINITY = math.inf

SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717

LOWEST_SILU, LOWEST_GELU, LOWEST_MISH = -1.2784645427610738, -0.7517915246935645, -1.1924361
"""Where these functions have their minimum."""


def _sigmoid(v: float) -> float:
    return 1 / (1 + math.exp(-v)) if v >= 0 else math.exp(v) / (1 + math.exp(v))


def _softplus(v: float) -> float:
    return max(v, 0.0) + math.log1p(math.exp(-abs(v)))


def _clip(v: float, low: float, high: float) -> float:
    return min(max(v, low), high)


def _times(v: float, factor: float) -> float:
    """Return the product, 0 where ``factor`` falls faster than ``v`` grows."""
    return v * factor if factor else 0.0


def _linear_unit(v: float, slope: float) -> float:
    return v if v > 0 else _times(v, slope)


def _exponential_unit(v: float, alpha: float, scale: float = 1.0) -> float:
    return v if v > 0 else alpha * math.expm1(v / scale)


FUNCTIONS: dict[str, Callable[[float, Any], tuple[float, ...]]] = {
    "CELU": lambda v, a: (_exponential_unit(v, a.alpha, a.alpha),),
    "ELU": lambda v, a: (_exponential_unit(v, a.alpha),),
    # The approximation by tanh differs by less than 0.001.
    "GELU": lambda v, a: (_times(v, (1 + math.erf(v / math.sqrt(2))) / 2),),
    "Hardshrink": lambda v, a: (v if abs(v) > a.lambd else 0.0,),
    "Hardsigmoid": lambda v, a: (_clip(v / 6 + 0.5, 0, 1),),
    "Hardswish": lambda v, a: (_times(v, _clip(v / 6 + 0.5, 0, 1)),),
    "Hardtanh": lambda v, a: (_clip(v, a.min_val, a.max_val),),
    "Identity": lambda v, a: (v,),
    "LeakyReLU": lambda v, a: (_linear_unit(v, a.negative_slope),),
    "LogSigmoid": lambda v, a: (-_softplus(-v),),
    "Mish": lambda v, a: (_times(v, math.tanh(_softplus(v))),),
    "PReLU": lambda v, a: (v,) if v >= 0 else (-INFINITY, INFINITY),  # its slope is learned
    "ReLU": lambda v, a: (max(v, 0.0),),
    "ReLU6": lambda v, a: (_clip(v, 0, 6),),
    "RReLU": lambda v, a: (_linear_unit(v, a.lower), _linear_unit(v, a.upper)),
    "SELU": lambda v, a: (SELU_SCALE * _exponential_unit(v, SELU_ALPHA),),
    "Sigmoid": lambda v, a: (_sigmoid(v),),
    "SiLU": lambda v, a: (_times(v, _sigmoid(v)),),
    "Softplus": lambda v, a: (v if a.beta * v > a.threshold else _softplus(a.beta * v) / a.beta,),
    "Softshrink": lambda v, a: (v - _clip(v, -a.lambd, a.lambd),),
    "Softsign": lambda v, a: (math.copysign(1 / (1 / abs(v) + 1), v) if v else 0.0,),
    "Tanh": lambda v, a: (math.tanh(v),),
    "Tanhshrink": lambda v, a: (v - math.tanh(v),),
    "Threshold": lambda v, a: (v if v > a.threshold else a.value,),
}
"""Each elementwise kind: the values that its function, or its family of functions, can have."""

TURNS: dict[str, Callable[[Any], tuple[float, ...]]] = {
    "GELU": lambda a: (LOWEST_GELU,),
    "Hardshrink": lambda a: (a.lambd, -a.lambd, 0.0),
    "Hardswish": lambda a: (-1.5, -3.0),
    "Mish": lambda a: (LOWEST_MISH,),
    "SiLU": lambda a: (LOWEST_SILU,),
    "Softplus": lambda a: (a.threshold / a.beta,),
    "Threshold": lambda a: (a.threshold,),
}
"""Where a kind's function turns or jumps; all of them may do so at 0."""


def elementwise_range(layer: Layer, low: float, high: float) -> tuple[float, float]:
    """Return the least and the largest value of a kind of `FUNCTIONS` over [low, high]."""
    function = FUNCTIONS[layer.kind]
    turns = (0.0, *TURNS[layer.kind](layer)) if layer.kind in TURNS else (0.0,)
    points = [low, high]
    for turn in turns:
        step = 1e-12 * max(1.0, abs(turn))  # to both sides of a jump
        points += [point for point in (turn - step, turn, turn + step) if low < point < high]
    values = [value for point in points for value in function(point, layer)]
    return min(values), max(values)
