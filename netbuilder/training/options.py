"""The options of a training that take a name from a closed list."""

from __future__ import annotations

from typing import Literal, get_args

DeviceName = Literal["auto", "cpu", "cuda", "mps"]
PrecisionName = Literal["auto", "fp32", "bf16"]

Switch = Literal["auto", "on", "off"]
"""``auto`` leaves the choice to the program: compiling, CUDA graphs."""

ScheduleExtension = Literal["extend", "hold"]
"""How a schedule continues when a run gets more epochs."""

WeightsName = Literal["best", "last"]
"""The epoch whose weights are used."""

DEVICES: tuple[str, ...] = get_args(DeviceName)
PRECISIONS: tuple[str, ...] = get_args(PrecisionName)
SWITCH: tuple[str, ...] = get_args(Switch)
SCHEDULES: tuple[str, ...] = get_args(ScheduleExtension)
