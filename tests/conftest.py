"""Isolate every test from the machine and from the user's settings."""

from __future__ import annotations

import locale
import os
import random
import site
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from budgets import select_long
from hypothesis import settings

from netbuilder.components.layers.base import LAYERS
from netbuilder.components.plugins import entry_points_of

UNSET = (
    "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "PY_COLORS", "COLORTERM", "GITHUB_ACTIONS",
    "TTY_COMPATIBLE", "TTY_INTERACTIVE", "CDPATH", "PAGER", "MANPAGER", "MPLBACKEND",
    "MATPLOTLIBRC", "PYTHONWARNINGS", "PYTHONOPTIMIZE", "LANGUAGE", "LC_ALL",
)  # fmt: skip
"""Environment variables that change the output of commands."""
NOWHERE = "http://127.0.0.1:9/"
"""A port that nothing listens on: a connection is refused at once."""

settings.register_profile("any machine", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("any machine")


def pytest_configure(config: pytest.Config) -> None:
    """Give this process, and those that tests start, the same environment on every machine."""
    home = tempfile.TemporaryDirectory(prefix="netbuilder-home-")
    config.add_cleanup(home.cleanup)
    for name in UNSET:
        os.environ.pop(name, None)
    os.environ.setdefault("PYTHONUSERBASE", site.getuserbase())  # packages remain importable
    os.environ |= {
        "HOME": home.name,
        "XDG_CACHE_HOME": f"{home.name}/.cache",
        "XDG_CONFIG_HOME": f"{home.name}/.config",
        "LC_CTYPE": "C.UTF-8",
        "TERM": "xterm",
        "http_proxy": NOWHERE,
        "https_proxy": NOWHERE,
        "no_proxy": "127.0.0.1,localhost",
    }
    locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    os.umask(0o022)
    # The networks of the tests are small: one thread is as fast as several, and two test processes
    # do not wait for each other's threads.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if not selects(config, "gpu"):
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    if selects(config, "long"):
        select_long()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Let a process take tests from another one, since a few of them take long."""
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Seed every test alike, whichever ran before it."""
    random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)


def selects(config: pytest.Config, marker: str) -> bool:
    """Whether ``-m`` selects the tests with a marker."""
    return marker in config.option.markexpr.replace(f"not {marker}", "")


@pytest.fixture
def plugin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty current folder; kinds and modules that a test adds are removed afterwards."""
    kinds, modules, path = set(LAYERS.kinds), set(sys.modules), list(sys.path)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.path[:] = path
    for name in set(LAYERS.kinds) - kinds:
        del LAYERS.kinds[name]
    entry_points_of.cache_clear()
    for name in set(sys.modules) - modules:
        # Others stay: torch, loaded by a test, cannot be loaded twice.
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
