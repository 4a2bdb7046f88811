"""The rooms of the package: what may import what, and that looking at a document stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

import pytest
from paths import ROOT
from rooms import (
    ALLOWED,
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
"""The only modules that may import something heavy when they are imported themselves."""


def at_module_level(tree: ast.AST) -> Iterator[ast.AST]:
    """What runs when the module is imported: no function bodies, nothing for type checkers."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        yield from at_module_level(node)


def heavy_imports(texts: Mapping[str, str]) -> list[str]:
    """Each module that imports something heavy as soon as it is imported, and what.

    An ``__init__`` must not, whatever its room: importing a light neighbor would import it too.
    """
    return [
        f"{module} imports {room_of(name)}"
        for module, text in texts.items()
        for name in sorted(imports(at_module_level(ast.parse(text))))
        if room_of(name) in HEAVY and (module.endswith(".") or not module.startswith(HEAVY_MODULES))
    ]


def heavy_after(*arguments: str, module: str = "netbuilder") -> set[str]:
    """What heavy packages a process holds behind ``python -m module arguments``."""
    code = (
        "import runpy, sys\n"
        f"sys.argv = {['', *arguments]!r}\n"
        "try:\n"
        f"    runpy.run_module({module!r}, run_name='__main__', alter_sys=False)\n"
        "except SystemExit as done:\n"
        "    assert done.code in (0, None, 2), done.code\n"
        "finally:\n"
        f"    print(*sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stderr.splitlines()[-1].split())


def test_every_module_has_its_room() -> None:
    """A new module at the top of the package is given a room."""
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


def test_modules_and_rooms_import_each_other_in_no_cycle() -> None:
    """The graph of all imports, those inside functions and for types included, has no cycle."""
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


def test_heavy_packages_are_imported_where_they_are_needed() -> None:
    """Only modules that compute or draw import torch and the like when they are imported."""
    assert heavy_imports(sources()) == []


def test_a_heavy_import_is_detected() -> None:
    """The check can fail, and passes what is inside a function or for types alone."""
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
def test_looking_at_documents_imports_nothing_heavy(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    """Neither torch nor numpy nor matplotlib is loaded when such a command ends."""
    assert heavy_after(*(word.replace("OUT", str(tmp_path)) for word in arguments)) == set()


def test_a_heavy_process_is_found(tmp_path: Path) -> None:
    """The check can fail: a module that imports numpy is seen to have done so."""
    assert heavy_after(str(tmp_path), module="numpy.version") == {"numpy"}


def test_importing_the_package_imports_nothing_heavy() -> None:
    """``import netbuilder`` and reading a document by it are light."""
    code = (
        "import sys, netbuilder\n"
        "netbuilder.analyse(netbuilder.load('archs/iter10.yaml'))\n"
        f"print(*sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "\n"


@pytest.mark.parametrize("module", [netbuilder, plugin], ids=lambda module: module.__name__)
def test_every_public_name_can_be_imported(module: ModuleType) -> None:
    """``__all__`` is sorted and complete, and each name is there at its first use."""
    assert module.__all__ == sorted(module.__all__)
    assert all(getattr(module, name) is not None for name in module.__all__)
    assert set(module.__all__) <= set(dir(module))


def test_a_name_that_the_package_does_not_offer_is_refused() -> None:
    """The message says which name and which module."""
    with pytest.raises(AttributeError, match="'netbuilder' has no attribute 'summarise'"):
        _ = netbuilder.summarise
