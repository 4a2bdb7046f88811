"""netbuilder: declarative YAML → torch networks, checked, shown, trained.

Names are imported at their first use, so that reading a document never waits for torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netbuilder.analysis import analyse as analyse
    from netbuilder.builder import build as build
    from netbuilder.errors import NetbuilderError as NetbuilderError
    from netbuilder.loader import load as load
    from netbuilder.schema import Architecture as Architecture
    from netbuilder.training import train as train

_HOMES = {
    "Architecture": "netbuilder.schema",
    "NetbuilderError": "netbuilder.errors",
    "analyse": "netbuilder.analysis",
    "build": "netbuilder.builder",
    "load": "netbuilder.loader",
    "train": "netbuilder.training",
}
__all__ = ["Architecture", "NetbuilderError", "analyse", "build", "load", "train"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
