"""Shell completion: documents, run folders, names.

Without a completion a shell falls back to files and folders, which is right for ``--out``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from netbuilder.runs import RUNS

DOCUMENTS = (".yaml", ".yml")

MAX_DESCENT = 100
"""The folders that one completion descends into; links in a circle have no end."""


def documents(incomplete: str) -> list[str]:
    """YAML files, and folders."""
    return _paths(incomplete, lambda path: path.suffix.lower() in DOCUMENTS)


def runs(incomplete: str) -> list[str]:
    """Run folders below ``runs``, newest first; other folders if none matches."""
    from netbuilder.runs.folders import is_run_folder

    folders = [*filter(is_run_folder, RUNS.glob("*/[!.]*"))]
    folders.sort(key=lambda path: path.name, reverse=True)
    names = [str(path) for path in folders if str(path).startswith(incomplete)]
    return [_quoted(name) for name in names] or _paths(incomplete, is_run_folder)


def either(incomplete: str) -> list[str]:
    """Documents, then run folders."""
    return list(dict.fromkeys([*documents(incomplete), *runs(incomplete)]))


def earlier(incomplete: str) -> list[str]:
    """The names of documents in ``archs``, then documents by their paths."""
    names = sorted(path.stem for path in Path("archs").glob("*.yaml"))
    return [*map(_quoted, _names(names, incomplete))] or documents(incomplete)


def resumable(incomplete: str) -> list[str]:
    """``auto``, or a run folder."""
    return [*_names(("auto",), incomplete), *runs(incomplete)]


def datasets(incomplete: str) -> list[str]:
    """The names of the data sets."""
    from netbuilder.components.kinds import DATASETS

    return _names((name for names in DATASETS.values() for name in names), incomplete)


def peers(incomplete: str) -> list[str]:
    """The peers of the bench, each after those that the list already names."""
    from netbuilder.training.bench.rounds import PEERS

    listed, comma, last = incomplete.rpartition(",")
    return [f"{listed}{comma}{name}" for name in _names(("all", *PEERS), last)]


def _names(known: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in known if name.startswith(incomplete)]


def _paths(incomplete: str, accepts: Callable[[Path], bool]) -> list[str]:
    """Return the folders and the accepted paths that start with ``incomplete``.

    A shell ends the word after a single completion, so that a single folder is replaced by its
    entries.
    """
    from netbuilder.runs.folders import is_run_folder

    def accepted(start: str) -> list[Path]:
        return [path for path in _matching(start) if path.is_dir() or accepts(path)]

    paths = accepted(incomplete)
    for _ in range(MAX_DESCENT):
        if not (len(paths) == 1 and paths[0].is_dir() and not is_run_folder(paths[0])):
            break
        paths = accepted(f"{paths[0]}/") or paths
    return [
        _quoted(f"{path}/" if path.is_dir() and not is_run_folder(path) else str(path))
        for path in paths
    ]


def _matching(incomplete: str) -> Iterator[Path]:
    """Yield the paths that start with ``incomplete``."""
    folder, _, start = incomplete.rpartition("/")
    try:
        entries = sorted(Path(f"{folder}/" if "/" in incomplete else ".").iterdir())
    except OSError:
        return
    for path in entries:
        if path.name.startswith(start) and (start or not path.name.startswith(".")):
            yield path


def _quoted(name: str) -> str:
    """Return a name escaped for bash, which inserts completions literally; other shells quote."""
    if os.environ.get("_NETBUILDER_COMPLETE") != "complete_bash":
        return name
    words = os.environ.get("COMP_WORDS", "").split("\n")
    word = words[min(int(os.environ.get("COMP_CWORD", "0")), len(words) - 1)]
    if word[:1] in ("'", '"'):
        return name
    return re.sub(r"([^\w@%+=:,./~-])", r"\\\1", name)
