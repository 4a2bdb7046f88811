"""Load documents: from the text of a file to a checked `Architecture`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from netbuilder._text import limited_suggestions
from netbuilder.config.expansion import Expander, needs_expansion
from netbuilder.config.overrides import apply_override, split_overrides
from netbuilder.config.schema import Architecture, Place
from netbuilder.config.source import TextSource, read_text, replace_value
from netbuilder.config.yaml_nodes import parse
from netbuilder.errors import ConfigError, Problem

USED = " (used in "
"""Separates a message from the uses of the block in which the problem is."""
MAX_PROBLEMS = 100
"""Problems that are listed per document; more of them usually repeat one mistake."""
MAX_LOCATED = 1_000
"""Errors in layers whose places are looked up before the first `MAX_PROBLEMS` are chosen."""


class DocumentError(ConfigError):
    """A document has problems.

    Attributes:
        network: The valid part of the network: the input, and the layers before the first problem.
            None if the input is invalid or no layer comes before the problem.
    """

    def __init__(self, problems: Iterable[Problem], network: Architecture | None = None) -> None:
        super().__init__(problems)
        self.network = network


def load(path: str | PathLike[str], overrides: Iterable[str] = ()) -> Architecture:
    """Load the architecture that a YAML file describes.

    Args:
        path: The document.
        overrides: Changes of single fields, such as ``train.optimizer.SGD.lr=0.05``: the path of a
            field, and a value in YAML. The document is checked with these changes.

    Raises:
        ConfigError: The file cannot be read, or its top level is not a mapping.
        DocumentError: The document has problems; ``problems`` lists all problems of its values,
            each with file, line, column and field. Shapes and classes are not checked; see
            `netbuilder.network.check.check_document`.
    """
    path = Path(path)
    return parse_architecture(read_text(path), str(path), overrides, path.parent)


def parse_architecture(
    text: str, file: str, overrides: Iterable[str] = (), folder: Path | None = None
) -> Architecture:
    """Return the architecture that a text describes.

    Args:
        text: The text of the document.
        file: The name of the document in messages.
        overrides: As for `load`.
        folder: The folder of the files that it includes; without one, it can include none.

    Raises:
        ConfigError: As `load`.
    """
    with limited_suggestions():
        return _parse(text, file, overrides, folder)


def _parse(text: str, file: str, overrides: Iterable[str], folder: Path | None) -> Architecture:
    root, problems = parse(text, file)
    if not isinstance(root.value, dict):
        message = "a document is a mapping with name, input and layers"
        raise ConfigError([Problem(file, root.line, root.column, "", message)])
    plain: Any = root.plain()
    values, others = split_overrides(overrides)
    changes = {apply_override(plain, override): override for override in others}
    included: Mapping[str, str] = {}
    if values or needs_expansion(plain, "".join([text, *changes.values()])):
        if problems:
            raise DocumentError(_limit(problems))
        expander = Expander(file, folder, values)
        try:
            root = expander.expand(replace_value(root, plain) if changes else root)
        except ConfigError as error:
            raise DocumentError(_limit(error.problems)) from None
        included, plain = expander.included, root.plain()
    source = TextSource(text, file, root, changes, included)
    try:
        architecture = Architecture.model_validate(plain)
    except ValidationError as error:
        lines = error.errors(include_url=False)
        network = _valid_part(plain, [line["loc"] for line in lines])
        if network is not None:
            network._source = source
        raise DocumentError(_locate(problems, lines, source), network) from None
    architecture._source = source
    if problems:
        raise DocumentError(_limit(problems), architecture)
    return architecture


def _valid_part(plain: Any, places: Iterable[Place]) -> Architecture | None:
    """Return the network of the layers before the first problem; None if there is none.

    Args:
        plain: The document.
        places: The places of its problems.
    """
    invalid = [place[1] for place in places if place[0] == "layers" and len(place) > 1]
    try:
        parts = {"name": "network", "input": plain["input"], "layers": plain["layers"]}
        if invalid:
            parts["layers"] = parts["layers"][: min(invalid)]
        return Architecture.model_validate(parts)
    except (LookupError, TypeError, ValidationError):
        return None


def _locate(
    problems: list[Problem], lines: list[ErrorDetails], source: TextSource
) -> list[Problem]:
    """Return problems and the errors of a validation, as `_limit` does.

    The layers of a document may have tens of thousands of errors. They come in the order of the
    text, so that the places of the first decide which are reported, unless most of these are uses
    of one block.
    """

    def located(lines: Iterable[ErrorDetails]) -> list[Problem]:
        return [source.problem(line["loc"], line["ctx"]["message"]) for line in lines]

    layers = [line for line in lines if line["loc"][0] == "layers"]
    first, rest = layers[:MAX_LOCATED], layers[MAX_LOCATED:]
    problems = problems + located(line for line in lines if line["loc"][0] != "layers")
    reported = _limit(problems + located(first), len(rest))
    if len(reported) > MAX_PROBLEMS or not rest:
        return reported
    return _limit(problems + located(layers))


def _limit(problems: list[Problem], others: int = 0) -> list[Problem]:
    """Return at most `MAX_PROBLEMS` problems in order, and only the first use of each block.

    Args:
        problems: The problems.
        others: The number of further problems, which come after these.
    """
    distinct: dict[object, Problem] = {}
    for problem in sorted(problems):
        message = problem.message.partition(USED)[0]
        key = (problem.file, problem.line, problem.column, problem.field, message)
        distinct.setdefault(key, problem)
    problems = list(distinct.values())
    if len(problems) <= MAX_PROBLEMS:
        return problems
    last = problems[MAX_PROBLEMS - 1]
    count = len(problems) - MAX_PROBLEMS + others
    more = f"… and {count:,} more problems after this one; fix these first"
    return [*problems[:MAX_PROBLEMS], Problem(last.file, last.line, last.column, "", more)]
