"""Layers, by family; installed plugins add further kinds.

A new kind is a class in one of these modules, its name in `netbuilder.components.kinds` and an
example in the tests.
"""

import netbuilder.components.plugins  # noqa: F401  # it resolves the kinds of installed packages
