"""Creates new documents, from an earlier document or from a template."""

from __future__ import annotations

import json
import os
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from filecmp import cmp
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Literal, get_args

from netbuilder.config.loader import parse_architecture
from netbuilder.config.schema import FOLDER_NAME, FOLDER_NAME_RULE, Architecture
from netbuilder.config.source import read_text
from netbuilder.config.yaml_nodes import parse
from netbuilder.errors import ConfigError, Problem, require_choice

SCHEMA_LINE = re.compile(r"^(# yaml-language-server: \$schema=)(\S+)", re.MULTILINE)

NOTE_WIDTH = 96
"""Characters of a line of notes."""
OWN_SECTIONS = ("name", "title", "reference", "notes")
"""The sections that a new document does not copy."""
COPIED_NOTES = {"learned": "before it", "target": "its target", "analysis": "its analysis"}
"""The notes that become ``learned`` in a new document, each with its label."""
SECTION_HINTS = {
    "title": "what is new, in a few words",
    "layers": "the network",
    "train": "how it is trained",
    "targets": "what it must reach",
    "notes": "the target before you train, the analysis after it",
}
"""The sections of a new document that its author edits, each with a hint."""
TemplateName = Literal["plain", "residual", "mobile"]

TEMPLATES: tuple[str, ...] = get_args(TemplateName)


@dataclass(frozen=True)
class Draft:
    """A new document, to be edited.

    Attributes:
        text: The text of the document.
        edit: The sections to edit: the line, from 1, and a hint.
        trained: Whether it has a ``train`` section.
    """

    text: str
    edit: tuple[tuple[int, str], ...]
    trained: bool


def next_document(source: Path, name: str, folder: Path | None = None) -> Draft:
    """Create the document that follows ``source``: the same network with empty notes.

    Comments, layout and order stay. The notes of ``source`` become the note ``learned``. Its title
    and its published results are dropped.

    Args:
        source: The document before it.
        name: The name of the new document.
        folder: The folder of the new document, by default that of ``source``. Included files must
            exist there, and the path of the JSON Schema is changed to be relative to it.

    Raises:
        ConfigError: The document or ``name`` is invalid, the layout of the text cannot be edited,
            or ``folder`` lacks an included file.
    """
    _require_name(name)
    text = read_text(source)
    before = parse_architecture(text, str(source), folder=source.parent)
    folder = source.parent if folder is None else folder
    for included in before.included():
        original, copy = source.parent / included, folder / included
        if not copy.is_file() or not cmp(original, copy, shallow=False):
            message = f"it includes {included}, which {folder} lacks or has changed; copy it there"
            raise ConfigError.at(source, message)
    sections = dict(_sections(text, str(source)))
    head = sections.pop("") + f'name: {name}\ntitle: ""\n'
    copied = (part for key, part in sections.items() if key not in OWN_SECTIONS)
    body = "".join(part if part.endswith("\n") else f"{part}\n" for part in (head, *copied))
    text = _move_schema(body, source.parent, folder).rstrip("\n") + f"\n\n{_notes(before)}"
    _check_same_network(text, source, name, before)
    return _draft(text, name)


def from_template(template: str, name: str) -> Draft:
    """Create a document from a template; it trains on MNIST.

    Raises:
        ConfigError: The template does not exist, or ``name`` is invalid.
    """
    _require_name(name)
    require_choice("--template", template, TEMPLATES)
    file = files("netbuilder.config") / "templates" / f"{template}.yaml"
    text = file.read_text(encoding="utf-8").replace(f"name: {template}\n", f"name: {name}\n", 1)
    return _draft(text, name)


def _draft(text: str, name: str) -> Draft:
    positions = parse(text, name)[0].keys
    edit = ((positions[key][0], f"{key}: {hint}") for key, hint in SECTION_HINTS.items()
            if key in positions)  # fmt: skip
    return Draft(text, tuple(edit), "train" in positions)


def named_schema(text: str) -> tuple[int, str] | None:
    """Return the line, from 1, of the comment that names the JSON Schema, and the schema."""
    for number, line in enumerate(text.splitlines(), 1):
        if match := SCHEMA_LINE.match(line):
            return number, match[2]
        if line.strip() and not line.startswith("#"):
            break
    return None


def _move_schema(text: str, old: Path, new: Path) -> str:
    """Change the path of the JSON Schema from relative to ``old`` to relative to ``new``."""
    named = named_schema(text)
    if named is None or old.resolve() == new.resolve() or not (old / named[1]).is_file():
        return text
    path = Path(os.path.relpath(old.resolve() / named[1], new.resolve())).as_posix()
    return SCHEMA_LINE.sub(lambda match: match[1] + path, text, count=1)


def _require_name(name: str) -> None:
    if name.endswith((".yaml", ".yml")):
        stem = name.rpartition(".")[0]
        raise ConfigError(f"NAME: found {name!r}; use {stem}, the file gets the suffix .yaml")
    if not re.fullmatch(FOLDER_NAME, name):
        raise ConfigError(
            f"NAME: found {name!r}; allowed: {FOLDER_NAME_RULE}; it is also the name of the run "
            "folder"
        )


def _sections(text: str, file: str) -> Iterator[tuple[str, str]]:
    """Yield the top-level sections of a document, each with the comments above it.

    The lines above the first section have the key "".
    """
    keys = sorted((position, key) for key, position in parse(text, file)[0].keys.items())
    lines = text.splitlines(keepends=True)
    starts = [line for (line, _), _ in keys]
    if len(set(starts)) < len(starts) or any(column != 1 for (_, column), _ in keys):
        line, column = keys[0][0]
        message = "it must have one section per line, from the first column; change its layout"
        raise ConfigError([Problem(file, line, column, "", message)])
    # Comments above the first section belong to the document.
    first_lines = [starts[0] - 1]
    first_lines += [_first_comment(lines, start, floor) for floor, start in pairwise(starts)]
    yield "", "".join(lines[: first_lines[0]])
    for (_, key), (first, end) in zip(keys, pairwise([*first_lines, len(lines)]), strict=True):
        yield key, "".join(lines[first:end])


def _first_comment(lines: list[str], start: int, floor: int) -> int:
    """Return the index of the first comment or blank line directly above line ``start``."""
    index = start - 1
    while index > floor and (not lines[index - 1].strip() or lines[index - 1].startswith("#")):
        index -= 1
    return index


def _notes(before: Architecture) -> str:
    """Return the notes of the new document: all empty except ``learned``."""
    parts = []
    for field, label in COPIED_NOTES.items():
        if note := " ".join(getattr(before.notes, field).split()):
            parts.append(f"{before.name}, {label}: {note}")
    notes = {"target": "", "choices": "", "analysis": "", "learned": " ".join(parts)}
    return "notes:\n" + "".join(f"  {key}: {_scalar(value)}\n" for key, value in notes.items())


def _scalar(text: str) -> str:
    """Return a string as YAML: folded if all of it is printable, else in quotes."""
    if not text or not text.isprintable():
        return f'"{"".join(map(_escape, text))}"'
    lines = textwrap.wrap(text, NOTE_WIDTH, break_long_words=False, break_on_hyphens=False)
    return ">-\n" + "\n".join(f"    {line}" for line in lines)


def _escape(character: str) -> str:
    """Return a character as in a quoted YAML string, which has no pairs of surrogates."""
    if character.isprintable() and character not in '"\\':
        return character
    if ord(character) < 1 << 16:
        return json.dumps(character)[1:-1]
    return f"\\U{ord(character):08x}"


def _check_same_network(text: str, source: Path, name: str, before: Architecture) -> None:
    """Check that the new document has the network of the one before it.

    Raises:
        ConfigError: It has not, because a dropped section contains an anchor.
    """
    try:
        after = parse_architecture(text, name, folder=source.parent).model_dump()
    except ConfigError:
        after = {}
    expected = before.model_dump() | {"name": name, "title": ""}
    for key, value in expected.items():
        if key not in ("reference", "notes") and after.get(key) != value:
            message = "an anchor in its name, title, reference or notes is used elsewhere; move it"
            raise ConfigError([Problem(str(source), 1, 1, "", message)])
