"""Documents from files: text → checked `Architecture`, every problem with its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from netbuilder._text import limited_suggestions
from netbuilder.config.expansion import Expander, needs_expansion
from netbuilder.config.overrides import apply_override, split_overrides
from netbuilder.config.schema import Architecture, Place
from netbuilder.config.source import TextSource, read_text, replace_value
from netbuilder.config.yaml_nodes import parse
from netbuilder.errors import ConfigError, Problem


class DocumentError(ConfigError):
    """A document is wrong; ``network`` is the part of it that is sound.

    That is its input and the layers before the first problem, or None where there are none.
    """

    def __init__(self, problems: Iterable[Problem], network: Architecture | None = None) -> None:
        super().__init__(problems)
        self.network = network


def load(path: str | PathLike[str], overrides: Iterable[str] = ()) -> Architecture:
    """The architecture in a YAML file.

    Args:
        path: the document.
        overrides: changes to it, each as ``train.optimizer.SGD.lr=0.05``: the path of a field of
            the document, and a value that is read as YAML. The whole is checked as if the document
            said so.

    Raises:
        ConfigError: the file cannot be read, or it is not a document at all.
        DocumentError: the document is wrong; ``problems`` holds every problem of its values, each
            with file, line, column and field. `netbuilder.network.check.check_document` lists the
            problems of shapes and classes too.
    """
    path = Path(path)
    return parse_architecture(read_text(path), str(path), overrides, path.parent)


def parse_architecture(
    text: str, file: str, overrides: Iterable[str] = (), folder: Path | None = None
) -> Architecture:
    """As `load`, from text; ``file`` names it in messages, ``folder`` holds what it includes."""
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
            raise DocumentError(_limited(problems))
        expander = Expander(file, folder, values)
        try:
            root = expander.expand(replace_value(root, plain) if changes else root)
        except ConfigError as error:
            raise DocumentError(_limited(error.problems)) from None
        included, plain = expander.included, root.plain()
    source = TextSource(text, file, root, changes, included)
    try:
        architecture = Architecture.model_validate(plain)
    except ValidationError as error:
        lines = error.errors(include_url=False)
        problems += [source.problem(line["loc"], line["ctx"]["message"]) for line in lines]
        network = _sound_layers(plain, [line["loc"] for line in lines])
        if network is not None:
            network._source = source
        raise DocumentError(_limited(problems), network) from None
    architecture._source = source
    if problems:
        raise DocumentError(_limited(problems), architecture)
    return architecture


def _sound_layers(plain: Any, places: Iterable[Place]) -> Architecture | None:
    """The network of the layers before the first problem; None where its input is wrong."""
    wrong = [place[1] for place in places if place[0] == "layers" and len(place) > 1]
    try:
        parts = {"name": "network", "input": plain["input"], "layers": plain["layers"]}
        if wrong:
            parts["layers"] = parts["layers"][: min(wrong)]
        return Architecture.model_validate(parts)
    except (LookupError, TypeError, ValidationError):
        return None


USED = " (used in "

MAX_PROBLEMS = 100
"""Problems listed per document: whoever has more has repeated one mistake."""


def _limited(problems: list[Problem]) -> list[Problem]:
    # A problem in a block concerns each of its uses; the first use is enough to find it.
    distinct = {(p.file, p.line, p.column, p.field, p.message.partition(USED)[0]): p
                for p in sorted(problems, reverse=True)}  # fmt: skip
    problems = sorted(distinct.values())
    if len(problems) <= MAX_PROBLEMS:
        return problems
    last = problems[MAX_PROBLEMS - 1]
    more = f"… and {len(problems) - MAX_PROBLEMS:,} more problems after this one; fix these first"
    return [*problems[:MAX_PROBLEMS], Problem(last.file, last.line, last.column, "", more)]
