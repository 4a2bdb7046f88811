"""The allowed values of training options."""

from __future__ import annotations

from typing import Literal, get_args

DeviceName = Literal["auto", "cpu", "cuda", "mps"]
PrecisionName = Literal["auto", "fp32", "bf16"]

Switch = Literal["auto", "on", "off"]
"""Whether to compile or to use CUDA graphs; ``auto`` lets netbuilder decide."""

ScheduleExtension = Literal["extend", "hold"]
"""How to continue the learning-rate schedule of an extended run."""

WeightsName = Literal["best", "last"]
"""The epoch whose weights to use."""

DEVICES: tuple[str, ...] = get_args(DeviceName)
PRECISIONS: tuple[str, ...] = get_args(PrecisionName)
SWITCH: tuple[str, ...] = get_args(Switch)
SCHEDULES: tuple[str, ...] = get_args(ScheduleExtension)
