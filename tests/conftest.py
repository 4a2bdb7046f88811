"""What holds for every test."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from netbuilder.components.layers.base import LAYERS
from netbuilder.components.plugins import offered

# The networks of the tests are small: one thread is as fast as several, and two test processes do
# not wait for each other's threads. Processes that a test starts inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture
def plugin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty current folder; kinds and modules that a test brings are gone behind it."""
    kinds, modules, path = set(LAYERS.kinds), set(sys.modules), list(sys.path)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.path[:] = path
    for name in set(LAYERS.kinds) - kinds:
        del LAYERS.kinds[name]
    offered.cache_clear()
    for name in set(sys.modules) - modules:
        if not name.startswith("netbuilder"):
            del sys.modules[name]
