"""Whether a document describes a network that can be built and trained: the one answer to that."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from os import PathLike

from netbuilder.components.shapes import format_shape
from netbuilder.config.loader import DocumentError, load
from netbuilder.config.schema import Architecture, Place
from netbuilder.errors import ConfigError, Problem
from netbuilder.network.analysis import Analysis, analyse
from netbuilder.network.targets import Verdict, judge_document


@dataclass(frozen=True)
class DocumentCheck:
    """What is wrong with a document, and what is known of its network.

    Attributes:
        problems: every problem, in the order of the text; empty for a sound document.
        analysis: of the network; of the layers before the first wrong value where the document has
            one; None where there are no such layers.
        verdicts: of the targets that need no training; empty where a value is wrong.
    """

    problems: tuple[Problem, ...]
    analysis: Analysis | None
    verdicts: tuple[Verdict, ...] = ()

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong with the document; a target may still be missed."""
        return not self.problems

    @property
    def meets_targets(self) -> bool:
        """Whether no target is missed that needs no training."""
        return all(verdict.met is not False for verdict in self.verdicts)

    def require_sound(self) -> Analysis:
        """The analysis of a sound document.

        Raises:
            ConfigError: with every problem.
        """
        if self.problems or self.analysis is None:
            raise ConfigError(self.problems)
        return self.analysis


def check_document(path: str | PathLike[str], overrides: Iterable[str] = ()) -> DocumentCheck:
    """Check the document in a file: its values, the shapes of its layers, and its classes.

    Args:
        path: the document.
        overrides: changes of single fields, as `netbuilder.load` takes them.
    """
    try:
        return check_architecture(load(path, overrides))
    except DocumentError as error:
        if error.network is None:
            return DocumentCheck(tuple(error.problems), None)
        analysis = analyse(error.network)
        faults = [analysis.fault] if analysis.fault else []
        return DocumentCheck(tuple(sorted([*error.problems, *faults])), analysis)
    except ConfigError as error:
        return DocumentCheck(tuple(error.problems), None)


def check_architecture(architecture: Architecture) -> DocumentCheck:
    """Check an architecture: the shapes of its layers, and its classes."""
    analysis = analyse(architecture)
    problems = [analysis.fault] if analysis.fault else _class_problems(analysis)
    return DocumentCheck(tuple(problems), analysis, tuple(judge_document(analysis)))


def require_trainable(architecture: Architecture) -> Analysis:
    """The analysis of an architecture that can be trained as its document says.

    Raises:
        ConfigError: it has no ``train`` section, a layer cannot take its input, or the output does
            not fit the classes.
    """
    analysis = check_architecture(architecture).require_sound()
    if architecture.train is None:
        message = "the document has no train section; add one with dataset, epochs and optimizer"
        raise ConfigError([architecture.problem(("train",), message)])
    return analysis


def _class_problems(analysis: Analysis) -> list[Problem]:
    """That the output does not hold one value for each class of the data set."""
    architecture = analysis.architecture
    if architecture.train is None:
        return []
    dataset, shape = architecture.train.dataset, analysis.output_shape
    classes = len(dataset.classes)
    if prod(shape) == classes:
        return []
    last = len(architecture.layers) - 1
    message = (
        f"the network ends with {format_shape(shape)} = {prod(shape)} values, but "
        f"{dataset.kind} has {classes} classes; end with {classes} channels of 1x1, "
        f"or with Linear: {classes}"
    )
    place: Place = ("layers", last, architecture.layers[last].kind)
    return [architecture.problem(place, message)]
