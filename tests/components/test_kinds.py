"""The table of kinds: its completeness, and the lazy import of the modules that it lists."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from paths import ROOT

from netbuilder.components import kinds
from netbuilder.components.component import Component
from netbuilder.components.layers.base import Layer
from netbuilder.components.registry import Registry
from netbuilder.config.schema import FAMILIES

TABLES = {name: table for name, table in vars(kinds).items() if name.isupper() and name[0] != "_"}
HELPERS = {"base", "container", "modules", "functional"}
"""Names of modules in the folder of a family that define no kind."""

DOCUMENT = "name: small\ninput: [1, 8, 8]\nlayers:\n  - Conv2d: [4, 3]\n"


def modules_of(table: dict[str, tuple[str, ...]]) -> set[str]:
    """Return the modules of a family: all in its folder, or those that its table lists."""
    folders = {name.rpartition(".")[0] for name in table} - {"netbuilder.components"}
    paths = [path for folder in folders for path in (ROOT / folder.replace(".", "/")).glob("*.py")]
    stems = {path.stem for path in paths} - HELPERS - {"__init__"}
    return {f"{folder}.{stem}" for folder in folders for stem in stems} or set(table)


def concrete_kinds(module: str) -> set[str]:
    """Return the names of the kinds that a module defines: components that are not base classes."""
    return {
        value.kind
        for value in vars(import_module(module)).values()
        if isinstance(value, type)
        and issubclass(value, Component)
        and value.__module__ == module
        and not is_base_class(value)
    }


def is_base_class(kind: type[Component]) -> bool:
    """Whether a class is the base of a family, private, or an abstract layer."""
    return (
        Component in kind.__bases__
        or kind.__name__.startswith("_")
        or (issubclass(kind, Layer) and kind.abstract)
    )


@pytest.mark.parametrize("name", TABLES)
def test_every_kind_of_a_family_is_listed_once(name: str) -> None:
    """The table lists every module of the family, and each kind of a module once."""
    table = TABLES[name]
    assert set(table) == modules_of(table)
    for module, names in table.items():
        assert sorted(names) == sorted(set(names))
        assert concrete_kinds(module) == set(names)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.noun)
def test_every_listed_kind_has_a_class_of_its_name(family: Registry[Component]) -> None:
    """A lookup imports the module in the table, which defines a kind of that name."""
    assert len(family.kinds) > 2
    for name, kind in family.kinds.items():
        assert kind.kind == name


def test_no_two_families_share_a_name() -> None:
    """A name is in the table of one family alone, so it is never ambiguous."""
    names = [name for table in TABLES.values() for listed in table.values() for name in listed]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("text", "imported"),
    [
        (DOCUMENT, {"layers.conv"}),
        (DOCUMENT + "  - {Relu: {}}\n", {"layers.conv"}),
        (DOCUMENT + "  - ReLU\n", {"layers.activation", "layers.conv"}),
        (DOCUMENT + "init: zeros\n", {"initializers", "layers.conv"}),
    ],
)
def test_checking_a_document_imports_the_modules_of_its_kinds_alone(
    text: str, imported: set[str], tmp_path: Path
) -> None:
    """Modules of other kinds are not imported, even to suggest a name for an unknown one."""
    (tmp_path / "small.yaml").write_text(text)
    modules = {module for table in TABLES.values() for module in table}
    code = (
        "import sys\n"
        "from netbuilder.network.check import check_document\n"
        "problems = check_document('small.yaml').problems\n"
        "assert all('did you mean ReLU?' in problem.message for problem in problems)\n"
        f"print(*sorted({modules!r} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert set(result.stdout.split()) == {f"netbuilder.components.{name}" for name in imported}
