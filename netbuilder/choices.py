"""The closed lists of names from which a user chooses: one home for what is offered and checked."""

from __future__ import annotations

from collections.abc import Sequence

from netbuilder.errors import ConfigError

DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "fp32", "bf16")
SWITCH = ("auto", "on", "off")
"""What may be left to the program: compiling, CUDA graphs."""
SCHEDULES = ("extend", "hold")
"""What becomes of a schedule when a run is given more epochs."""
WEIGHTS = ("best", "last")
"""The epoch whose weights of a run are taken."""
TEMPLATES = ("plain", "residual", "mobile")
VERDICTS = ("met", "not met", "not judged", "running", "unfinished", "damaged")
"""What became of a run."""


def require_choice(option: str, found: str, allowed: Sequence[str]) -> None:
    """Refuse what is none of the names allowed behind ``option``.

    Raises:
        ConfigError: it is not.
    """
    if found not in allowed:
        raise ConfigError(f"{option}: found {found!r}; allowed: {', '.join(allowed)}")
