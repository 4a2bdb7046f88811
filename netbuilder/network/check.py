"""Whether a document describes a network that can be built and trained."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

from netbuilder.components.shapes import written
from netbuilder.config.schema import Architecture, Place
from netbuilder.config.source import TextSource
from netbuilder.errors import ConfigError, Problem
from netbuilder.network.analysis import Analysis, analyse


def require_trainable(architecture: Architecture) -> Analysis:
    """The analysis of an architecture that can be trained as its document says.

    Raises:
        ConfigError: it has no ``train`` section, a layer cannot take what reaches it, or the output
            does not fit the classes.
    """
    analysis = analyse(architecture)
    analysis.require_sound()
    if architecture.train is None:
        message = "the document has no train section; add one with dataset, epochs and optimizer"
        raise ConfigError([architecture.problem(("train",), message)])
    require_classes(analysis)
    return analysis


def require_classes(analysis: Analysis) -> None:
    """Refuse a network whose output does not hold one value for each class of its data set.

    Raises:
        ConfigError: with the shape that the network ends with.
    """
    train = analysis.architecture.train
    if train is None or analysis.fault:
        return
    classes, found = len(train.dataset.classes), analysis.output_shape
    if prod(found) != classes:
        last = len(analysis.architecture.layers) - 1
        message = (
            f"the network ends with {written(found)} = {prod(found)} values, but "
            f"{train.dataset.kind} has {classes} classes; end with {classes} channels of 1x1, "
            f"or with Linear: {classes}"
        )
        place: Place = ("layers", last, analysis.architecture.layers[last].kind)
        raise ConfigError([analysis.architecture.problem(place, message)])


def _shape_problems(plain: dict[str, Any], source: TextSource) -> list[Problem]:
    """The layer that cannot take what reaches it, in a document whose fault lies elsewhere."""
    parts = {name: plain.get(name) for name in ("input", "layers")}
    network = Architecture.model_validate({"name": "network", **parts})
    network._source = source
    fault = analyse(network).fault
    return [fault] if fault else []


def _examined(path: Path) -> tuple[list[Problem], Analysis | None]:
    """A document's problems, and what is known of it if it can be read."""
    from netbuilder.config.loader import load
    from netbuilder.network.analysis import analyse

    try:
        analysis = analyse(load(path))
    except ConfigError as error:
        return error.problems, None
    return _unsound(analysis), analysis


def _unsound(analysis: Analysis) -> list[Problem]:
    """The layer that cannot take what reaches it, or that the data set has other classes."""
    from netbuilder.network.check import require_classes

    try:
        analysis.require_sound()
        require_classes(analysis)
    except ConfigError as error:
        return error.problems
    return []
