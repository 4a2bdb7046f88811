"""The next document: an earlier one's text with what was learned, or a template's."""

from __future__ import annotations

import json
import os
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Literal, get_args

from netbuilder.config.loader import parse_architecture
from netbuilder.config.schema import FOLDER_NAME, Architecture
from netbuilder.config.source import read_text
from netbuilder.config.yaml_nodes import parse
from netbuilder.errors import ConfigError, Problem, require_choice

SCHEMA_LINE = re.compile(r"^(# yaml-language-server: \$schema=)(\S+)", re.MULTILINE)

WIDTH = 96
"""Where the lines of notes are broken."""

LEFT_OUT = ("name", "title", "reference", "notes")
"""What is of one document alone."""

CARRIED = {"learned": "before it", "target": "its target", "analysis": "its analysis"}
"""The notes that go along, and how each is introduced among what was learned."""


@dataclass(frozen=True)
class Draft:
    """A document that is to be edited.

    Attributes:
        text: the whole of it.
        edit: what its author has to look at, with the line of each, from 1.
        trained: whether it says how.
    """

    text: str
    edit: tuple[tuple[int, str], ...]
    trained: bool


def next_document(source: Path, name: str, folder: Path | None = None) -> Draft:
    """The document behind ``source``: the same text, whose notes have become what was learned.

    Comments, layout and order stay. The title and the other notes are left empty, and published
    figures, which were of the network before, are left out.

    Args:
        source: the document before it.
        name: the new one's.
        folder: where it will lie, beside ``source`` unless given; what it includes must lie
            there too, and the schema that it names for editors is named as seen from there.

    Raises:
        ConfigError: the document is wrong, ``name`` is none, its text is too unusual to edit, or
            what it includes is not in ``folder``.
    """
    _require_name(name)
    text = read_text(source)
    before = parse_architecture(text, str(source), folder=source.parent)
    folder = source.parent if folder is None else folder
    for included in before.included():
        theirs, ours = source.parent / included, folder / included
        if not ours.is_file() or ours.read_bytes() != theirs.read_bytes():
            message = f"it includes {included}, which must lie in {folder} as well; copy it there"
            raise ConfigError([Problem(str(source), 0, 0, "", message)])
    sections = dict(_sections(text, str(source)))
    head = sections.pop("") + f'name: {name}\ntitle: ""\n'
    kept = (part for key, part in sections.items() if key not in LEFT_OUT)
    body = "".join(part if part.endswith("\n") else f"{part}\n" for part in (head, *kept))
    draft = _schema_from(body, source.parent, folder).rstrip("\n") + f"\n\n{_notes(before)}"
    return _checked(draft, source, name, before)


def from_template(template: str, name: str) -> Draft:
    """A fresh document that trains on MNIST.

    Raises:
        ConfigError: there is no such template, or ``name`` is none.
    """
    _require_name(name)
    require_choice("--template", template, TEMPLATES)
    file = files("netbuilder.config") / "templates" / f"{template}.yaml"
    text = file.read_text(encoding="utf-8").replace(f"name: {template}\n", f"name: {name}\n", 1)
    return _draft(text, name)


def _draft(text: str, name: str) -> Draft:
    keys = parse(text, name)[0].keys
    return Draft(text, tuple(_to_edit(keys)), "train" in keys)


def named_schema(text: str) -> tuple[int, str] | None:
    """The JSON Schema that a comment names for editors, and the comment's line, from 1."""
    for number, line in enumerate(text.splitlines(), 1):
        if found := SCHEMA_LINE.match(line):
            return number, found[2]
        if line.strip() and not line.startswith("#"):
            break
    return None


def _schema_from(text: str, old: Path, new: Path) -> str:
    """The text with the schema beside the document before it named from another folder."""
    named = named_schema(text)
    if named is None or old.resolve() == new.resolve() or not (old / named[1]).is_file():
        return text
    path = Path(os.path.relpath(old.resolve() / named[1], new.resolve())).as_posix()
    return SCHEMA_LINE.sub(lambda found: found[1] + path, text, count=1)


def _require_name(name: str) -> None:
    if name.endswith((".yaml", ".yml")):
        stem = name.rpartition(".")[0]
        raise ConfigError(f"NAME: found {name!r}; name it {stem}, the file gets its ending")
    if not re.fullmatch(FOLDER_NAME, name):
        raise ConfigError(
            f"NAME: found {name!r}; allowed: at most 64 of a to z, A to Z, digits, dots, dashes "
            "and underscores, no dot or dash first; it names the run folder too"
        )


def _sections(text: str, file: str) -> Iterator[tuple[str, str]]:
    """The lines of each key at the top of a document, its comments above it included.

    What stands above the first key has the key "".
    """
    keys = sorted((place, key) for key, place in parse(text, file)[0].keys.items())
    lines = text.splitlines(keepends=True)
    starts = [line for (line, _), _ in keys]
    if len(set(starts)) < len(starts) or any(column != 1 for (_, column), _ in keys):
        line, column = keys[0][0]
        message = "its top level is not one key a line from the first column; write it so first"
        raise ConfigError([Problem(file, line, column, "", message)])
    # Comments above the first key are the document's, and stay at its top.
    begun = [starts[0] - 1]
    begun += [_comments_above(lines, start, floor) for floor, start in pairwise(starts)]
    yield "", "".join(lines[: begun[0]])
    for (_, key), (begin, end) in zip(keys, pairwise([*begun, len(lines)]), strict=True):
        yield key, "".join(lines[begin:end])


def _comments_above(lines: list[str], start: int, floor: int) -> int:
    """The index of the first of the comments and blank lines right above line ``start``."""
    at = start - 1
    while at > floor and (not lines[at - 1].strip() or lines[at - 1].startswith("#")):
        at -= 1
    return at


def _notes(before: Architecture) -> str:
    told = []
    for field, words in CARRIED.items():
        if said := " ".join(getattr(before.notes, field).split()):
            told.append(f"{before.name}, {words}: {said}")
    notes = {"target": "", "choices": "", "analysis": "", "learned": " ".join(told)}
    return "notes:\n" + "".join(f"  {key}: {_scalar(value)}\n" for key, value in notes.items())


def _scalar(text: str) -> str:
    """A text as YAML: folded where all of it can be shown so, else in quotes."""
    if not text or not text.isprintable():
        return f'"{"".join(map(_escaped, text))}"'
    lines = textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)
    return ">-\n" + "\n".join(f"    {line}" for line in lines)


def _escaped(sign: str) -> str:
    """A sign in a quoted text; YAML takes no pair of surrogates, as JSON writes an emoji."""
    if sign.isprintable() and sign not in '"\\':
        return sign
    return json.dumps(sign)[1:-1] if ord(sign) < 1 << 16 else f"\\U{ord(sign):08x}"


def _checked(text: str, source: Path, name: str, before: Architecture) -> Draft:
    """The draft, once it is seen to be the same network.

    Raises:
        ConfigError: it is not, as where a part that was taken out held an anchor.
    """
    try:
        after = parse_architecture(text, name, folder=source.parent).model_dump()
    except ConfigError:
        after = {}
    wanted = before.model_dump() | {"name": name, "title": ""}
    if any(after.get(key) != wanted[key] for key in wanted if key not in ("reference", "notes")):
        message = "an anchor in its name, title, reference or notes is used elsewhere; move it"
        raise ConfigError([Problem(str(source), 1, 1, "", message)])
    return _draft(text, name)


def _to_edit(places: Mapping[str, tuple[int, int]]) -> Iterator[tuple[int, str]]:
    words: Mapping[str, str] = {
        "title": "what is new, in a few words",
        "layers": "the network",
        "train": "how it is trained",
        "targets": "what it has to reach",
        "notes": "the target before you train, the analysis behind it",
    }
    for key, what in words.items():
        if key in places:
            yield places[key][0], f"{key}: {what}"


TemplateName = Literal["plain", "residual", "mobile"]

TEMPLATES: tuple[str, ...] = get_args(TemplateName)
