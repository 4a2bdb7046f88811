"""Layers, by family; installed plugins add further kinds.

A new kind is a class in one of these modules, its name in `netbuilder.components.kinds` and an
example in the tests.
"""

from __future__ import annotations

from netbuilder.components import plugins
from netbuilder.components.layers.base import LAYERS

LAYERS.resolve_missing = plugins.installed
