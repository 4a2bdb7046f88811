"""The options of a training that take a name from a closed list."""

from __future__ import annotations

DEVICES = ("auto", "cpu", "cuda", "mps")

PRECISIONS = ("auto", "fp32", "bf16")

SWITCH = ("auto", "on", "off")
"""What may be left to the program: compiling, CUDA graphs."""

SCHEDULES = ("extend", "hold")
"""What becomes of a schedule when a run is given more epochs."""

WEIGHTS = ("best", "last")
"""The epoch whose weights of a run are taken."""
