"""Documents from files: text → checked `Architecture`, every problem with its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from netbuilder.config.expansion import Expander, needs_expansion
from netbuilder.config.overrides import _override, _split
from netbuilder.config.schema import Architecture
from netbuilder.config.source import TextSource, _changed, read_text
from netbuilder.config.yaml_nodes import parse
from netbuilder.errors import ConfigError, Problem
from netbuilder.network.check import _shape_problems


def load(path: str | PathLike[str], overrides: Iterable[str] = ()) -> Architecture:
    """The architecture in a YAML file.

    Args:
        path: the document.
        overrides: changes to it, each as ``train.optimizer.SGD.lr=0.05``: the path of a field of
            the document, and a value that is read as YAML. The whole is checked as if the document
            said so.

    Raises:
        ConfigError: the file cannot be read or the document is wrong; ``problems`` holds all that
            is, each with file, line, column and field.
    """
    path = Path(path)
    return parse_architecture(read_text(path), str(path), overrides, path.parent)


def parse_architecture(
    text: str, file: str, overrides: Iterable[str] = (), folder: Path | None = None
) -> Architecture:
    """As `load`, from text; ``file`` names it in messages, ``folder`` holds what it includes."""
    root, problems = parse(text, file)
    if not isinstance(root.value, dict):
        message = "a document is a mapping with name, input and layers"
        raise ConfigError([Problem(file, root.line, root.column, "", message)])
    plain: Any = root.plain()
    values, others = _split(overrides)
    changes = {_override(plain, override): override for override in others}
    included: Mapping[str, str] = {}
    if values or needs_expansion(plain, "".join([text, *changes.values()])):
        if problems:
            raise ConfigError(_told(problems))
        expander = Expander(file, folder, values)
        try:
            root = expander.expand(_changed(root, plain) if changes else root)
        except ConfigError as error:
            raise ConfigError(_told(error.problems)) from None
        included, plain = expander.included, root.plain()
    source = TextSource(text, file, root, changes, included)
    try:
        architecture = Architecture.model_validate(plain)
    except ValidationError as error:
        lines = error.errors(include_url=False)
        problems += [source.problem(line["loc"], line["ctx"]["message"]) for line in lines]
        if not any(line["loc"][:1] in (("input",), ("layers",)) for line in lines):
            problems += _shape_problems(plain, source)
    if problems:
        raise ConfigError(_told(problems))
    architecture._source = source
    return architecture


def load_until_fault(path: str | PathLike[str]) -> Architecture | None:
    """The network of a wrong document's layers before the first that is wrong.

    None where there is none: its text is no YAML, or a block that it uses cannot be written out.
    """
    path = Path(path)
    try:
        text = read_text(path)
        root, _ = parse(text, str(path))
        plain: Any = root.plain()
        if needs_expansion(plain, text):
            plain = Expander(str(path), path.parent, {}).expand(root).plain()
        network = {"name": path.stem, "input": plain["input"], "layers": plain["layers"]}
        try:
            return Architecture.model_validate(network)
        except ValidationError as error:
            wrong = [line["loc"] for line in error.errors(include_url=False)]
            first = min(place[1] for place in wrong if place[0] == "layers" and len(place) > 1)
            network["layers"] = network["layers"][:first]
            return Architecture.model_validate(network)
    except (ConfigError, LookupError, TypeError, ValueError):  # pydantic's is a ValueError
        return None


USED = " (used in "

MAX_TOLD = 100
"""Problems told of one document; whoever has more has made one mistake many times."""


def _told(problems: list[Problem]) -> list[Problem]:
    # A fault in a block is that of each of its uses; the first use is enough to find it.
    seen = {(p.file, p.line, p.column, p.field, p.message.partition(USED)[0]): p
            for p in sorted(problems, reverse=True)}  # fmt: skip
    problems = sorted(seen.values())
    if len(problems) <= MAX_TOLD:
        return problems
    last = problems[MAX_TOLD - 1]
    more = f"… and {len(problems) - MAX_TOLD:,} more problems behind this one; mend these first"
    return [*problems[:MAX_TOLD], Problem(last.file, last.line, last.column, "", more)]
