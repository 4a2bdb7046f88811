"""The house's arrows: what may import what, and that looking at a document stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import netbuilder

ROOT = Path(__file__).parents[1]
ROOMS = (
    ("errors", "shapes", "files", "windows", "watching", "choices", "reading"),
    ("receptive_field",),
    ("strict",),
    ("component", "arithmetic"),
    ("layers", "recipe"),
    ("schema",),
    ("yaml_text", "analysis"),
    ("definitions",),
    ("expansion",),
    ("loader", "targets"),
    ("alignment",),
    ("difference",),
    ("json_schema", "builder", "contract", "drafting", "advice"),
    ("data", "python_code", "importing"),
    ("run_files",),
    ("runs",),
    ("subjects", "listing", "range_test", "figures"),
    ("training",),
    ("bench", "exporting", "predicting"),
    ("columns",),
    ("console", "fitted", "markdown"),
    ("tables", "formats", "plots", "results", "live", "tensorboard_log", "changes", "report"),
    ("cli",),
    ("__main__",),
)
"""From left to right; nothing imports from a room to its right."""
RANK = {room: rank for rank, rooms in enumerate(ROOMS) for room in rooms}

HEAVY = {"torch", "torchvision", "numpy", "matplotlib", "safetensors", "PIL"}
HEAVY_ROOMS = (
    "contract", "data", "training", "bench.peers", "bench.keras_model", "plots", "layers.modules",
    "recipe.augmentations.tensors",
)  # fmt: skip
"""The only places that may import something heavy when they are imported themselves."""


def sources() -> dict[str, str]:
    """The text of every module of the package, by its name without ``netbuilder.``."""
    package = ROOT / "netbuilder"
    texts = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        texts[name] = path.read_text()
    return texts


def imported(nodes: Iterator[ast.AST]) -> set[str]:
    """The full names that import statements among ``nodes`` name."""
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "the house imports by full names"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def at_module_level(tree: ast.AST) -> Iterator[ast.AST]:
    """What runs when the module is imported: no function bodies, nothing for type checkers."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        yield from at_module_level(node)


def wrong_arrows(texts: Mapping[str, str]) -> list[str]:
    """Each import, in whatever depth, of a room further to the right."""
    wrong = []
    for module, text in texts.items():
        if not module:
            continue  # the package itself names what it offers, and imports it at its first use
        for name in sorted(imported(ast.walk(ast.parse(text)))):
            package, _, rest = name.partition(".")
            if package == "netbuilder" and rest:
                here, there = module.partition(".")[0], rest.partition(".")[0]
                if there in RANK and RANK[there] > RANK[here]:
                    wrong.append(f"{module} imports {there}")
    return wrong


def heavy_at_module_level(texts: Mapping[str, str]) -> list[str]:
    """Each module that imports something heavy as soon as it is imported, and what."""
    return [
        f"{module} imports {name.partition('.')[0]}"
        for module, text in texts.items()
        for name in sorted(imported(at_module_level(ast.parse(text))))
        if name.partition(".")[0] in HEAVY and not module.startswith(HEAVY_ROOMS)
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
    """A new module at the top of the package is given a place among the arrows."""
    rooms = {module.partition(".")[0] for module in sources()} - {""}
    assert rooms == set(RANK)


def test_imports_point_to_the_left() -> None:
    """No room imports from one to its right, not even inside a function or for types alone."""
    assert wrong_arrows(sources()) == []


@pytest.mark.parametrize(
    "text",
    [
        "from netbuilder.training import train",
        "def f():\n    from netbuilder import training",
        "if TYPE_CHECKING:\n    import netbuilder.training.loop",
    ],
)
def test_a_wrong_arrow_is_found(text: str) -> None:
    """The check can fail: it finds an import to the right at every depth and in every form."""
    assert wrong_arrows({"layers.conv": text}) == ["layers.conv imports training"]


def test_heavy_packages_are_imported_where_they_are_needed() -> None:
    """Only rooms that compute or draw import torch and the like when they are imported."""
    assert heavy_at_module_level(sources()) == []


def test_a_heavy_import_is_found() -> None:
    """The check can fail, and passes what stands in a function or is there for types alone."""
    texts = {
        "shapes": "try:\n    from torch import nn\nexcept ImportError:\n    pass",
        "layers.conv": "def f():\n    import torch",
        "schema": "if TYPE_CHECKING:\n    import numpy",
        "contract": "import torch",
    }
    assert heavy_at_module_level(texts) == ["shapes imports torch"]


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


def test_every_name_that_the_package_offers_is_there() -> None:
    """The offered names are sorted, and each is found at its first use."""
    assert netbuilder.__all__ == sorted(netbuilder.__all__)
    assert all(getattr(netbuilder, name) is not None for name in netbuilder.__all__)
    assert set(netbuilder.__all__) <= set(dir(netbuilder))


def test_a_name_that_the_package_does_not_offer_is_refused() -> None:
    """The message says which name and which module."""
    with pytest.raises(AttributeError, match="'netbuilder' has no attribute 'summarise'"):
        _ = netbuilder.summarise
