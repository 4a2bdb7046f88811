"""Check documents: values, layer shapes, classes, and the targets that need no training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from os import PathLike, fspath
from typing import TYPE_CHECKING

from netbuilder.components.shapes import format_shape
from netbuilder.config.loader import DocumentError, load
from netbuilder.config.schema import Architecture, Place
from netbuilder.errors import ConfigError, Problem, ShapeError
from netbuilder.network.analysis import Analysis, analyse
from netbuilder.network.targets import Verdict, judge_before_training
from netbuilder.network.trainable import start_problems

if TYPE_CHECKING:
    from netbuilder.network.lint import Advice


@dataclass(frozen=True)
class DocumentCheck:
    """What is wrong with a document, and what is known of its network.

    Attributes:
        problems: Every problem, in the order of the text; empty for a sound document.
        analysis: The analysis of the network, or of the layers before the first invalid value; None
            if there are no such layers.
        verdicts: The verdicts on the targets, one per target; those that only a training can judge
            are not judged. Empty if a value is invalid.
        is_partial: Whether a value is invalid, so that the analysis lacks layers.
    """

    problems: tuple[Problem, ...]
    analysis: Analysis | None
    verdicts: tuple[Verdict, ...] = ()
    is_partial: bool = False

    @cached_property
    def warnings(self) -> tuple[Advice, ...]:
        """What is valid, but almost certainly not what the author means; empty with a problem."""
        if self.problems or self.analysis is None:
            return ()
        # Commands that print no warnings do not load the rules.
        from netbuilder.network.lint import warn

        return tuple(warn(self.analysis))

    @property
    def is_sound(self) -> bool:
        """Whether the document has no problem; it may still miss a target."""
        return not self.problems

    @property
    def meets_targets(self) -> bool:
        """Whether no target that needs no training is missed."""
        return all(verdict.met is not False for verdict in self.verdicts)

    def require_sound(self) -> Analysis:
        """Return the analysis of a sound document.

        Raises:
            ConfigError: The document has problems; the error carries all of them.
        """
        if self.problems or self.analysis is None:
            raise ConfigError(self.problems)
        return self.analysis


def check_document(
    path: str | PathLike[str], overrides: Iterable[str] = (), *, to_train: bool = False
) -> DocumentCheck:
    """Check the document in a file.

    Args:
        path: The document.
        overrides: Changes of single fields, as `netbuilder.load` takes them.
        to_train: Report a missing ``train`` section as a problem.
    """
    try:
        return check_architecture(load(path, overrides), to_train=to_train)
    except DocumentError as error:
        if error.network is None:
            return DocumentCheck(tuple(error.problems), None, is_partial=True)
        try:
            analysis = analyse(error.network)
        except ShapeError as failure:  # a plugin fails
            problems = sorted([*error.problems, *failure.problems])
            return DocumentCheck(tuple(problems), None, is_partial=True)
        faults = [analysis.fault] if analysis.fault else []
        problems = sorted([*error.problems, *faults])
        return DocumentCheck(tuple(problems), analysis, is_partial=True)
    except ConfigError as error:
        problems = error.problems or [Problem(fspath(path), None, None, "", str(error))]
        return DocumentCheck(tuple(problems), None, is_partial=True)


def check_architecture(
    architecture: Architecture | Analysis, *, to_train: bool = False
) -> DocumentCheck:
    """Check an architecture: the shapes of its layers, its classes, and the start of a training.

    Args:
        architecture: The architecture, or its analysis, which is then not repeated.
        to_train: Report a missing ``train`` section as a problem.
    """
    analysis = architecture if isinstance(architecture, Analysis) else analyse(architecture)
    problems = _network_problems(analysis) or start_problems(analysis)
    if to_train and analysis.architecture.train is None:
        message = "the document has no train section; add one with dataset, epochs and optimizer"
        problems = sorted([*problems, analysis.architecture.problem(("train",), message)])
    return DocumentCheck(tuple(problems), analysis, tuple(judge_before_training(analysis)))


def require_sound_documents(
    paths: Sequence[str | PathLike[str]], overrides: Sequence[str] = (), *, to_train: bool = False
) -> list[Analysis]:
    """Return the analyses of documents that are all sound.

    Args:
        paths: The documents.
        overrides: Changes of single fields of every document.
        to_train: Require a ``train`` section.

    Raises:
        ConfigError: A document has problems; the error carries those of all documents.
    """
    checks = [check_document(path, overrides, to_train=to_train) for path in paths]
    problems = [problem for check in checks for problem in check.problems]
    if problems:
        raise ConfigError(problems)
    return [check.require_sound() for check in checks]


def require_trainable(architecture: Architecture | Analysis) -> Analysis:
    """Return the analysis of an architecture, which must be trainable as its document says.

    Raises:
        ConfigError: It has no ``train`` section, a layer does not accept its input, the output does
            not fit the classes, or a training could not start or end.
    """
    return check_architecture(architecture, to_train=True).require_sound()


def require_network(architecture: Architecture) -> Analysis:
    """Return the analysis of the architecture of a run, whose network can be built and evaluated.

    What prevents only the start of a training does not matter: a run that an older version trained
    stays readable.

    Raises:
        ConfigError: A layer does not accept its input, or the output does not fit the classes.
    """
    analysis = analyse(architecture)
    if problems := _network_problems(analysis):
        raise ConfigError(problems)
    return analysis


def _network_problems(analysis: Analysis) -> list[Problem]:
    """Return the fault of the network, or the problem of its classes."""
    return [analysis.fault] if analysis.fault else _class_problems(analysis)


def _class_problems(analysis: Analysis) -> list[Problem]:
    """Return the problem of an output that does not have one value per class."""
    architecture = analysis.architecture
    if architecture.train is None:
        return []
    dataset, shape = architecture.train.dataset, analysis.output_shape
    classes = len(dataset.classes)
    if prod(shape) == classes:
        return []
    last = len(architecture.layers) - 1
    size = f"{format_shape(shape)} = " if len(shape) > 1 else ""
    message = (
        f"the network ends with {size}{prod(shape):,} values, but "
        f"{dataset.kind} has {classes} classes; end with {classes} channels of 1x1, "
        f"or with {'Flatten and ' if len(shape) > 1 else ''}Linear: {classes}"
    )
    place: Place = ("layers", last, architecture.layers[last].kind)
    return [architecture.problem(place, message)]
