"""The imports between rooms of the package, and the absence of heavy ones in looking commands."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from types import ModuleType

import pytest
from paths import ROOT

import netbuilder
from netbuilder import plugin

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
    "_files": {"errors", "_text"},
}

HEAVY = {"torch", "torchvision", "numpy", "matplotlib", "safetensors", "PIL"}
HEAVY_MODULES = (
    "network.testing", "data", "training", "inference", "render.plots",
    "components.layers.modules", "components.augmentations.functional",
)  # fmt: skip
"""The only modules that may import a heavy package when they are imported."""


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
    """The full names in the import statements among ``nodes``."""
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
    names = imports(ast.walk(ast.parse(text)))
    return {name.removeprefix("netbuilder.") for name in names if name.startswith("netbuilder.")}


def at_module_level(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that run at import, without function bodies and type checking blocks."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        yield from at_module_level(node)


def forbidden_imports(texts: Mapping[str, str]) -> list[str]:
    """Each import of a room that the importing room may not import."""
    return [
        f"{module} imports {name}"
        for module, text in texts.items()
        if module  # the package itself imports each public name at its first use
        for name in sorted(own_imports(text))
        if room_of(name) in ALLOWED and room_of(name) not in ALLOWED[room_of(module)]
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
    """A cycle of a graph, from a node back to itself, or an empty list."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def heavy_imports(texts: Mapping[str, str]) -> list[str]:
    """Each module that imports a heavy package at module level, with that package.

    No ``__init__`` may do so in any room: importing a light neighbor would import it too.
    """
    return [
        f"{module} imports {room_of(name)}"
        for module, text in texts.items()
        for name in sorted(imports(at_module_level(ast.parse(text))))
        if room_of(name) in HEAVY and (module.endswith(".") or not module.startswith(HEAVY_MODULES))
    ]


def heavy_after(*arguments: str, module: str = "netbuilder") -> set[str]:
    """The heavy packages that are loaded at the end of ``python -m module arguments``."""
    code = (
        "import runpy, sys\n"
        f"sys.argv = {['', *arguments]!r}\n"
        "try:\n"
        f"    runpy.run_module({module!r}, run_name='__main__', alter_sys=False)\n"
        "except SystemExit as stop:\n"
        "    assert stop.code in (0, None, 2), stop.code\n"
        "finally:\n"
        f"    print(*sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(process.stderr.splitlines()[-1].split())


def test_every_module_belongs_to_a_room() -> None:
    """Each module and folder at the top of the package is listed with its allowed imports."""
    assert {room_of(module) for module in sources() if module} == set(ALLOWED)


def test_the_top_of_the_package_stays_short() -> None:
    """At most 15 rooms and modules lie below ``netbuilder/``, besides Python's own files."""
    entries = {
        path.name
        for path in (ROOT / "netbuilder").iterdir()
        if not path.name.startswith("__") and path.name != "py.typed"
    }
    assert len(entries) <= 15, sorted(entries)


def test_rooms_import_only_the_rooms_before_them() -> None:
    """No room imports a later one, not even inside a function or for types alone."""
    assert forbidden_imports(sources()) == []


@pytest.mark.parametrize(
    "text",
    [
        "from netbuilder.training.loop import train",
        "def f():\n    from netbuilder import training",
        "if TYPE_CHECKING:\n    import netbuilder.training.loop",
    ],
)
def test_a_forbidden_import_is_detected(text: str) -> None:
    """The check can fail: it detects an import of a later room at every depth, in every form."""
    [line] = forbidden_imports({"components.layers.conv": text})
    assert line.startswith("components.layers.conv imports training")


def test_imports_have_no_cycle() -> None:
    """The graph of all imports, in functions and for types included, has no cycle."""
    assert cycle(module_graph(sources())) == []


def test_a_cycle_is_detected() -> None:
    """The check can fail: it detects a cycle that runs through a function and through types."""
    texts = {
        "": "",
        "runs.run": "def f():\n    from netbuilder.runs.listing import list_runs",
        "runs.listing": "if TYPE_CHECKING:\n    from netbuilder.runs.run import Run",
    }
    assert set(cycle(module_graph(texts))) == {"runs.run", "runs.listing"}


def test_only_some_modules_import_heavy_packages() -> None:
    """Only modules that compute or draw import a heavy package at module level."""
    assert heavy_imports(sources()) == []


def test_a_heavy_import_is_detected() -> None:
    """The check can fail, and accepts imports in functions or for types alone."""
    texts = {
        "components.shapes": "try:\n    from torch import nn\nexcept ImportError:\n    pass",
        "components.layers.conv": "def f():\n    import torch",
        "config.schema": "if TYPE_CHECKING:\n    import numpy",
        "network.testing": "import torch",
        "training.": "import torch",
    }
    assert heavy_imports(texts) == [
        "components.shapes imports torch",
        "training. imports torch",
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ("summarize", "archs/iter10.yaml", "archs/iter1.yaml"),
        *(
            ("summarize", "archs/iter10.yaml", "--format", output)
            for output in ("rich", "json", "markdown", "csv", "torchsummary")
        ),
        ("check", "archs/iter10.yaml"),
        ("check", "no-such-file.yaml", "--format", "json"),
        ("schema",),
        ("check", "archs/iter1.yaml", "--advice", "--runs", "archs/results"),
        ("runs", "archs/results"),
        ("diff", "archs/iter9.yaml", "archs/iter10.yaml", "--runs", "archs/results"),
        ("compare", "archs/iter9.yaml", "archs/iter10.yaml", "--runs", "archs/results"),
        ("new", "iter11", "--from", "iter10", "--out", "OUT/iter11.yaml"),
        ("export", "archs/zoo/resnet18.yaml"),
        ("train", "no-such-file.yaml"),
        ("--help",),
    ],
    ids=" ".join,
)
def test_a_looking_command_imports_nothing_heavy(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    """No heavy package is loaded when such a command ends."""
    assert heavy_after(*(word.replace("OUT", str(tmp_path)) for word in arguments)) == set()


def test_a_heavy_process_is_detected(tmp_path: Path) -> None:
    """The check can fail: it detects a module that imports numpy."""
    assert heavy_after(str(tmp_path), module="numpy.version") == {"numpy"}


def test_importing_the_package_imports_nothing_heavy() -> None:
    """``import netbuilder``, loading and analyzing a document load no heavy package."""
    code = (
        "import sys, netbuilder\n"
        "netbuilder.analyse(netbuilder.load('archs/iter10.yaml'))\n"
        f"print(*sorted({HEAVY!r} & set(sys.modules)))"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert process.stdout == "\n"


@pytest.mark.parametrize("module", [netbuilder, plugin], ids=lambda module: module.__name__)
def test_every_public_name_can_be_imported(module: ModuleType) -> None:
    """``__all__`` is sorted, and each of its names has a value and is listed by ``dir``."""
    assert module.__all__ == sorted(module.__all__)
    assert all(getattr(module, name) is not None for name in module.__all__)
    assert set(module.__all__) <= set(dir(module))


def test_an_unknown_public_name_is_refused() -> None:
    """The message names the module and the attribute."""
    with pytest.raises(AttributeError, match="'netbuilder' has no attribute 'summarise'"):
        _ = netbuilder.summarise
