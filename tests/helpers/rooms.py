"""The rooms of the package, what each may import, and what each does import.

``python tests/helpers/rooms.py`` prints them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import TypeGuard

from paths import ROOT

GROUND = {"_text", "errors", "_files"}
ROOMS = {
    "components": GROUND,
    "config": {"components", *GROUND},
    "network": {"config", "components", *GROUND},
    "data": {"components", *GROUND},
    "runs": {"network", "config", "components", *GROUND},
    "training": {"data", "runs", "network", "config", "components", *GROUND},
    "inference": {"training", "data", "runs", "network", "config", "components", *GROUND},
    "render": {"training", "data", "runs", "network", "config", "components", *GROUND},
    "cli": {
        "inference",
        "render",
        "training",
        "data",
        "runs",
        "network",
        "config",
        "components",
        *GROUND,
    },
    "plugin": {"network", "components", *GROUND},
    "__main__": {"cli"},
}
"""Each room with the rooms that its modules may import."""
ALLOWED = {room: {room, *others} for room, others in ROOMS.items()} | {
    "_text": {"_text"},
    "errors": {"_text"},
    "_files": {"_files", "errors", "_text"},
}


def sources() -> dict[str, str]:
    """The text of every module, by its name without ``netbuilder.``.

    The package itself has the name "", and every other package a name that ends in a dot.
    """
    package = ROOT / "netbuilder"
    texts = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        name = ".".join((*parts[:-1], "")) if parts[-1] == "__init__" else ".".join(parts)
        texts[name] = path.read_text()
    return texts


def room_of(module: str) -> str:
    """The room that a module belongs to."""
    return module.partition(".")[0]


def imports(nodes: Iterable[ast.AST]) -> set[str]:
    """The full names that import statements among ``nodes`` name."""
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "the package imports by full names"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def own_imports(text: str) -> set[str]:
    """The names below ``netbuilder.`` that a module imports, at any depth and for types alone."""
    nodes = list(ast.walk(ast.parse(text)))
    names = imports(nodes)
    for node in nodes:  # netbuilder.train imports it, too
        match node:
            case ast.Attribute(value=ast.Name(id="netbuilder"), attr=name):
                names.add(f"netbuilder.{name}")
    return {name.removeprefix("netbuilder.") for name in names if name.startswith("netbuilder.")}


def modules_in_strings(text: str) -> set[str]:
    """The names below ``netbuilder.`` of rooms and modules in strings, for ``import_module``."""
    values = {node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)}
    names = {value.removeprefix("netbuilder.") for value in values if is_module_name(value)}
    return {name for name in names if room_of(name) in ALLOWED}


def is_module_name(value: object) -> TypeGuard[str]:
    """Whether a value is the full name of something in the package."""
    return isinstance(value, str) and re.fullmatch(r"netbuilder(\.\w+)+", value) is not None


def forbidden_imports(texts: Mapping[str, str]) -> list[str]:
    """Each import of a room that the importing room may not import."""
    return [
        f"{module} imports {name}"
        for module, text in texts.items()
        if module  # the package itself imports each public name at its first use
        for name in sorted(own_imports(text) | modules_in_strings(text))
        if room_of(name) not in ALLOWED[room_of(module)] | {"__version__"}
    ]


def module_graph(texts: Mapping[str, str]) -> dict[str, set[str]]:
    """Each module with the modules that it imports, at any depth and for types alone."""
    names = {module.rstrip(".") for module in texts} - {""}
    graph: dict[str, set[str]] = {}
    for module, text in texts.items():
        targets = {name if name in names else name.rpartition(".")[0] for name in own_imports(text)}
        graph[module.rstrip(".")] = (targets & names) - {module.rstrip(".")}
    del graph[""]
    return graph


def cycle(graph: Mapping[str, set[str]]) -> list[str]:
    """A cycle of a graph, from a node back to itself; empty where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def room_graph(texts: Mapping[str, str]) -> dict[str, set[str]]:
    """Each room with the other rooms that its modules import."""
    graph: dict[str, set[str]] = {}
    for module, targets in module_graph(texts).items():
        rooms = {room_of(target) for target in targets}
        graph.setdefault(room_of(module), set()).update(rooms - {room_of(module)})
    return graph


def purpose(text: str) -> str:
    """The first line of a module's docstring."""
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]


def main() -> None:
    """Print every room after those that it imports, with its purpose, imports and modules."""
    texts = sources()
    graph = room_graph(texts)
    for room in TopologicalSorter(
        {name: sorted(graph[name]) for name in sorted(graph)}
    ).static_order():
        modules = {name: text for name, text in texts.items() if name.startswith(f"{room}.")}
        lines = sum(len(text.splitlines()) for text in (modules or {room: texts[room]}).values())
        text = texts.get(f"{room}.", texts.get(room, ""))
        print(f"\n{room} ({lines:,} lines): {purpose(text)}")
        print(f"  imports {', '.join(sorted(graph[room])) or 'no other room'}")
        for name, text in modules.items():
            if not name.endswith("."):
                print(f"    {name.partition('.')[2]:30} {purpose(text)}")


if __name__ == "__main__":
    main()
