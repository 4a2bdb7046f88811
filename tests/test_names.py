"""Identifiers are nouns and verbs: participles and filler words name nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from paths import ROOT

FILLER = {
    "found", "made", "said", "told", "given", "kept", "seen", "taken", "held", "begun", "asked",
    "wanted", "shown", "drawn", "written", "behind", "inside", "there", "here", "what", "one",
}  # fmt: skip


def identifiers(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield each name that a module binds or declares, with its line."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.lineno, node.name
            case ast.arg():
                yield node.lineno, node.arg
            case ast.Name(ctx=ast.Store()):
                yield node.lineno, node.id
            case ast.Attribute(ctx=ast.Store()):
                yield node.lineno, node.attr
            case ast.alias(asname=str(name)) | ast.ExceptHandler(name=str(name)):
                yield node.lineno, name
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield node.lineno, name


def fillers(text: str) -> list[tuple[int, str]]:
    """Return the identifiers of a module that are participles or filler words, with their lines."""
    names = identifiers(ast.parse(text))
    return [(line, name) for line, name in names if name.strip("_").lower() in FILLER]


@pytest.mark.parametrize(
    "path",
    [path for room in ("netbuilder", "tests") for path in sorted((ROOT / room).rglob("*.py"))],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_identifiers_are_nouns_and_verbs(path: Path) -> None:
    """No variable, parameter, attribute, function or class has the name of a filler word."""
    assert fillers(path.read_text()) == []


def test_a_filler_word_is_detected() -> None:
    """The check can fail: it detects a filler word in every place that binds a name."""
    text = (
        "import json as found\n"
        "def kept(given): ...\n"
        "self.seen = 1\n"
        "try: ...\nexcept OSError as told: ...\n"
        "for one in (): ...\n"
    )
    assert {name for _, name in fillers(text)} == {"found", "kept", "given", "seen", "told", "one"}
