"""The imports between rooms of the package, and the absence of heavy ones in looking commands."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import ModuleType

import pytest
from paths import ROOT
from rooms import (
    ALLOWED,
    GROUND,
    ROOMS,
    cycle,
    forbidden_imports,
    imports,
    module_graph,
    room_graph,
    room_of,
    sources,
)

import netbuilder
from netbuilder import plugin

HEAVY = {"torch", "torchvision", "numpy", "matplotlib", "safetensors", "PIL"}
HEAVY_MODULES = (
    "network.testing", "data", "training", "inference", "render.plots",
    "components.layers.modules", "components.augmentations.functional",
)  # fmt: skip
"""The only modules that may import a heavy package when they are imported."""


def at_module_level(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that run at import, without function bodies and type checking blocks."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from at_module_level(ast.Module(node.orelse, []))
            continue
        yield node
        yield from at_module_level(node)


def loaded_modules(module: str, text: str, modules: Collection[str]) -> set[str]:
    """The modules of the package that the import of a module loads, and their packages."""
    names = imports(at_module_level(ast.parse(text)))
    names = {name.removeprefix("netbuilder.") for name in names if name.startswith("netbuilder.")}
    loaded = set()
    for name in {*names, module.rstrip(".")}:
        parts = name.split(".")
        prefixes = {".".join(parts[:length]) for length in range(1, len(parts) + 1)}
        loaded |= {entry for prefix in prefixes for entry in (prefix, f"{prefix}.")}
    return (loaded & set(modules)) - {module}


def heavy_imports(texts: Mapping[str, str]) -> list[str]:
    """Each module that loads a heavy package when it is imported, with what it imports for that.

    No ``__init__`` may do so in any room: importing a light neighbor would import it too.
    """
    causes: dict[str, str] = {}
    for module, text in texts.items():
        names = imports(at_module_level(ast.parse(text)))
        if packages := sorted({room_of(name) for name in names} & HEAVY):
            causes[module] = packages[0]
    loaded = {module: loaded_modules(module, text, texts) for module, text in texts.items()}
    previous = -1
    while len(causes) > previous:
        previous = len(causes)
        for module, targets in loaded.items():
            if module not in causes and (heavy := sorted(targets & causes.keys())):
                causes[module] = heavy[0].rstrip(".")
    return [
        f"{module} imports {causes[module]}"
        for module in texts
        if module in causes and (module.endswith(".") or not may_be_heavy(module))
    ]


def may_be_heavy(module: str) -> bool:
    """Whether a module, or its room, is among `HEAVY_MODULES`."""
    return any(f"{module}.".startswith(f"{name}.") for name in HEAVY_MODULES)


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


def test_rooms_are_listed_in_their_order() -> None:
    """Each room may import only rooms that are listed before it, so that no two form a cycle."""
    rooms = list(ROOMS)
    for position, room in enumerate(rooms):
        assert ROOMS[room] <= GROUND | set(rooms[:position]), room


def test_rooms_import_only_the_rooms_before_them() -> None:
    """No room imports a later one, not even inside a function or for types alone."""
    assert forbidden_imports(sources()) == []


@pytest.mark.parametrize(
    "text",
    [
        "from netbuilder.training.loop import train",
        "def f():\n    from netbuilder import training",
        "def f():\n    from netbuilder import train",
        "import netbuilder\n\ndef f():\n    return netbuilder.train",
        "def f():\n    import_module('netbuilder.training.loop')",
        "if TYPE_CHECKING:\n    import netbuilder.training.loop",
    ],
)
def test_a_forbidden_import_is_detected(text: str) -> None:
    """The check can fail: it detects an import of a later room at every depth, in every form."""
    [line] = forbidden_imports({"components.layers.conv": text})
    assert line.startswith("components.layers.conv imports train")


def test_imports_have_no_cycle() -> None:
    """The graph of all imports, in functions and for types included, has no cycle."""
    assert cycle(module_graph(sources())) == []
    assert cycle(room_graph(sources())) == []


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


@pytest.mark.parametrize(
    ("module", "text", "cause"),
    [
        ("components.shapes", "try:\n    from torch import nn\nexcept OSError:\n    pass", "torch"),
        ("components.shapes", "class A:\n    import numpy", "numpy"),
        ("components.shapes", "if TYPE_CHECKING:\n    pass\nelse:\n    import torch", "torch"),
        ("training.", "import torch", "torch"),
        ("training.", "from netbuilder.training.step import Step", "training.step"),
        ("network.check", "from netbuilder.network.testing import check_layer", "network.testing"),
        ("network.check", "import netbuilder.network.testing", "network.testing"),
        ("network.check", "from netbuilder.network import testing", "network.testing"),
    ],
)  # fmt: skip
def test_a_heavy_import_is_detected(module: str, text: str, cause: str) -> None:
    """The check can fail: it detects imports in all statements, and through other modules."""
    texts = {"network.testing": "import torch", "training.step": "import torch", module: text}
    assert heavy_imports(texts) == [f"{module} imports {cause}"]


def test_a_light_import_is_accepted() -> None:
    """Functions, types and some modules may import a heavy package."""
    texts = {
        "components.layers.conv": "def f():\n    import torch",
        "config.schema": "if TYPE_CHECKING:\n    import numpy",
        "network.testing": "import torch",
        "network.check": "def f():\n    from netbuilder.network.testing import check_layer",
    }
    assert heavy_imports(texts) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("summarize", "archs/iter10.yaml", "archs/iter1.yaml"),
        *(
            ("summarize", "archs/iter10.yaml", "--format", output)
            for output in ("rich", "json", "markdown", "csv", "torchsummary")
        ),
        ("check", "archs/iter10.yaml"),
        ("draw", "archs/iter10.yaml", "--out", "-"),
        ("check", "no-such-file.yaml", "--format", "json"),
        ("schema",),
        ("check", "archs/iter1.yaml", "--advice", "--runs", "archs/results", "--for", "onnx"),
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
