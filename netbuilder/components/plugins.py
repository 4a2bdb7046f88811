"""Layer kinds of installed packages and of modules that a command names.

A package offers kinds as entry points of the group ``netbuilder.layers``, each under the name of
the kind. It is imported when a document uses that name. A document never names code itself.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from netbuilder.components.component import validation_error
from netbuilder.components.foreign_code import remember_package, report_faults, value_text
from netbuilder.components.layers.base import LAYERS, Layer
from netbuilder.components.own_streams import own_descriptors
from netbuilder.errors import ConfigError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint, EntryPoints

    from pydantic_core import PydanticCustomError


GROUP = "netbuilder.layers"


def import_named(module: str, label: str) -> ModuleType:
    """Import a module that a command names; like ``python -m``, search the current folder, too.

    Raises:
        ConfigError: The module cannot be imported; the message starts with ``label``.
    """
    if (folder := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, folder)
    remember_package(module)

    def error(fault: str) -> ConfigError:
        return ConfigError(f"{label}: cannot be imported: {fault}; fix the module or its name")

    with report_faults(error), own_descriptors():
        return import_module(module)


def load_plugin(module: str) -> tuple[type[Layer], ...]:
    """Import a module and register the layer kinds that it defines.

    Raises:
        ConfigError: The module cannot be imported, or defines no kind that can be registered.
    """
    plugin = import_named(module, f"--plugin {module}")
    kinds = tuple(
        value
        for value in getattr(plugin, "__dict__", {}).values()
        # Not isinstance(), which asks an object for its class.
        if issubclass(type(value), type)
        and issubclass(value, Layer)
        and value.__module__ == module
        and not value.abstract
    )
    if not kinds:
        raise ConfigError(
            f"--plugin {module}: it defines no layer kind; "
            "a kind is a subclass of netbuilder.plugin.Layer"
        )
    for kind in kinds:
        if not (type(kind.kind) is str and kind.kind.isidentifier()):
            raise ConfigError(
                f"--plugin {module}: class {kind.__name__}: kind is {value_text(kind.kind)}; "
                "allowed: a name, such as that of the class"
            )
        if kind.kind in LAYERS.kinds and LAYERS.kinds[kind.kind] is not kind:
            raise ConfigError(
                f"--plugin {module}: the layer kind {kind.kind} already exists; rename the class"
            )
    LAYERS.add(kinds)
    return kinds


@lru_cache(maxsize=1)  # a document may use ten thousand unknown names
def entry_points_of(group: str) -> EntryPoints:
    """Return the entry points of installed packages in ``group``."""
    from importlib.metadata import entry_points

    return entry_points(group=group)


def resolve_installed(name: str) -> type[Layer] | None:
    """Return the kind that an installed package offers under ``name``, or None.

    Raises:
        PydanticCustomError: The package cannot be imported, or has no layer kind of that name.
    """
    for entry in (entry for entry in entry_points_of(GROUP) if entry.name == name):
        label = f"layer {name} comes from the installed plugin {entry.value}, which"
        remember_package(entry.module)
        kind = _load(entry, label)
        if not (isinstance(kind, type) and issubclass(kind, Layer)) or kind.abstract:
            raise validation_error(f"{label} is not a layer kind; it must be a subclass of Layer")
        if kind.kind != name:
            raise validation_error(
                f"{label} is the kind {kind.kind}; the two names must be the same"
            )
        return kind
    return None


def _load(entry: EntryPoint, label: str) -> Any:
    def error(fault: str) -> PydanticCustomError:
        return validation_error(f"{label} cannot be imported: {fault}; fix or uninstall it")

    with report_faults(error), own_descriptors():
        return entry.load()


LAYERS.resolve_missing = resolve_installed


def load_installed() -> None:
    """Register every kind of installed packages, for the JSON Schema.

    Raises:
        ConfigError: A kind cannot be imported.
    """
    from importlib.metadata import entry_points

    from pydantic_core import PydanticCustomError

    for entry in entry_points(group=GROUP):
        try:
            LAYERS.kind(entry.name)
        except PydanticCustomError as error:
            raise ConfigError(str((error.context or {})["message"])) from None
