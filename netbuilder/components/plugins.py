"""Layer kinds from outside: of installed packages, or of modules that a command names.

A package offers kinds as entry points of the group ``netbuilder.layers``, each under the kind's
name; it is imported once a document uses that name. A document itself never names code.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from netbuilder.components.component import validation_error
from netbuilder.components.layers.base import LAYERS, Layer
from netbuilder.errors import ConfigError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints


GROUP = "netbuilder.layers"


def import_named(module: str, said: str) -> ModuleType:
    """Import a module that a command names; the current folder is searched too, as ``-m`` does.

    Raises:
        ConfigError: it cannot be imported; the message begins with ``said``.
    """
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        return import_module(module)
    except (Exception, SystemExit) as error:  # whatever a module of others raises
        raise ConfigError(
            f"{said}: cannot be imported: {exception_text(error)}; mend it or its name"
        ) from None


def load_plugin(module: str) -> tuple[type[Layer], ...]:
    """Import a module, and serve the layer kinds that are defined in it.

    Raises:
        ConfigError: it cannot be imported, or defines no kind that can be served.
    """
    found = import_named(module, f"--plugin {module}")
    kinds = tuple(
        value
        for value in vars(found).values()
        if isinstance(value, type)
        and issubclass(value, Layer)
        and value.__module__ == found.__name__
        and not value.abstract
    )
    if not kinds:
        raise ConfigError(
            f"--plugin {module}: it defines no layer kind; "
            "a kind is a subclass of netbuilder.plugin.Layer"
        )
    for kind in kinds:
        if LAYERS.kinds.get(kind.kind, kind) is not kind:
            raise ConfigError(
                f"--plugin {module}: there is a layer kind {kind.kind} already; rename the class"
            )
    LAYERS.add(kinds)
    return kinds


@lru_cache(maxsize=64)  # a name may stand in a document ten thousand times
def offered(name: str) -> EntryPoints:
    """What installed packages offer under ``name``."""
    from importlib.metadata import entry_points

    return entry_points(group=GROUP, name=name)


def installed(name: str) -> type[Layer] | None:
    """The kind that an installed package offers under ``name``, if one does.

    Raises:
        PydanticCustomError: it cannot be imported, or is no layer kind of that name.
    """
    for entry in offered(name):
        said = f"layer {name} is offered by the installed plugin {entry.value}, which"
        try:
            kind = entry.load()
        except (Exception, SystemExit) as error:  # whatever a module of others raises
            raise validation_error(
                f"{said} cannot be imported: {exception_text(error)}; mend or remove it"
            ) from None
        if not (isinstance(kind, type) and issubclass(kind, Layer)) or kind.abstract:
            raise validation_error(f"{said} is no layer kind; it must be a subclass of Layer")
        if kind.kind != name:
            raise validation_error(
                f"{said} is the kind {kind.kind}; the two names must be the same"
            )
        return kind
    return None


def load_installed() -> None:
    """Serve every kind that installed packages offer, as for the grammar of documents.

    Raises:
        ConfigError: one of them cannot be served.
    """
    from importlib.metadata import entry_points

    from pydantic_core import PydanticCustomError

    for entry in entry_points(group=GROUP):
        try:
            LAYERS.kind(entry.name)
        except PydanticCustomError as error:
            raise ConfigError(str((error.context or {})["message"])) from None


def exception_text(error: BaseException) -> str:
    """An exception of others as one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())
