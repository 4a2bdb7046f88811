"""netbuilder: torch networks from declarative YAML, checked, shown and trained.

Each name is imported when it is first used, so that reading a document does not import torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netbuilder.config.loader import load as load
    from netbuilder.config.schema import Architecture as Architecture
    from netbuilder.errors import NetbuilderError as NetbuilderError
    from netbuilder.network.analysis import analyse as analyse
    from netbuilder.network.build import build as build
    from netbuilder.training.loop import train as train

_MODULES = {
    "Architecture": "netbuilder.config.schema",
    "NetbuilderError": "netbuilder.errors",
    "analyse": "netbuilder.network.analysis",
    "build": "netbuilder.network.build",
    "load": "netbuilder.config.loader",
    "train": "netbuilder.training.loop",
}
__all__ = ["Architecture", "NetbuilderError", "analyse", "build", "load", "train"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
