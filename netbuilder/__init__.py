"""netbuilder: torch networks from declarative YAML, checked, shown and trained.

`__all__` is the whole public API. The authors of plugins import from `netbuilder.plugin`. Each name
is imported when it is first used, so that reading a document does not import torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netbuilder.config.loader import DocumentError as DocumentError
    from netbuilder.config.loader import load as load
    from netbuilder.config.schema import Architecture as Architecture
    from netbuilder.errors import CheckFailed as CheckFailed
    from netbuilder.errors import CheckpointError as CheckpointError
    from netbuilder.errors import ConfigError as ConfigError
    from netbuilder.errors import DataError as DataError
    from netbuilder.errors import Diverged as Diverged
    from netbuilder.errors import Interrupted as Interrupted
    from netbuilder.errors import MachineError as MachineError
    from netbuilder.errors import NetbuilderError as NetbuilderError
    from netbuilder.errors import Problem as Problem
    from netbuilder.errors import ShapeError as ShapeError
    from netbuilder.inference.evaluate import evaluate_run as evaluate_run
    from netbuilder.inference.export import export_run as export_run
    from netbuilder.inference.predict import predict_run as predict_run
    from netbuilder.network.analysis import Analysis as Analysis
    from netbuilder.network.analysis import analyse as analyse
    from netbuilder.network.build import build as build
    from netbuilder.network.check import DocumentCheck as DocumentCheck
    from netbuilder.network.check import check_document as check_document
    from netbuilder.network.targets import Verdict as Verdict
    from netbuilder.runs.run import Run as Run
    from netbuilder.training.events import Compiling as Compiling
    from netbuilder.training.events import EpochEnded as EpochEnded
    from netbuilder.training.events import Event as Event
    from netbuilder.training.events import Finished as Finished
    from netbuilder.training.events import Started as Started
    from netbuilder.training.events import Stepped as Stepped
    from netbuilder.training.loop import resume as resume
    from netbuilder.training.loop import train as train

_MODULES = {
    "netbuilder.config.loader": ("DocumentError", "load"),
    "netbuilder.config.schema": ("Architecture",),
    "netbuilder.errors": (
        "CheckFailed",
        "CheckpointError",
        "ConfigError",
        "DataError",
        "Diverged",
        "Interrupted",
        "MachineError",
        "NetbuilderError",
        "Problem",
        "ShapeError",
    ),
    "netbuilder.inference.evaluate": ("evaluate_run",),
    "netbuilder.inference.export": ("export_run",),
    "netbuilder.inference.predict": ("predict_run",),
    "netbuilder.network.analysis": ("Analysis", "analyse"),
    "netbuilder.network.build": ("build",),
    "netbuilder.network.check": ("DocumentCheck", "check_document"),
    "netbuilder.network.targets": ("Verdict",),
    "netbuilder.runs.run": ("Run",),
    "netbuilder.training.events": (
        "Compiling",
        "EpochEnded",
        "Event",
        "Finished",
        "Started",
        "Stepped",
    ),
    "netbuilder.training.loop": ("resume", "train"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "Analysis",
    "Architecture",
    "CheckFailed",
    "CheckpointError",
    "Compiling",
    "ConfigError",
    "DataError",
    "Diverged",
    "DocumentCheck",
    "DocumentError",
    "EpochEnded",
    "Event",
    "Finished",
    "Interrupted",
    "MachineError",
    "NetbuilderError",
    "Problem",
    "Run",
    "ShapeError",
    "Started",
    "Stepped",
    "Verdict",
    "analyse",
    "build",
    "check_document",
    "evaluate_run",
    "export_run",
    "load",
    "predict_run",
    "resume",
    "train",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
