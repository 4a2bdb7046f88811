"""What a shell offers behind a command: documents, run folders, names.

Where nothing is offered, a shell falls back to files and folders, as is right for ``--out``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from netbuilder.runs import RUNS

DOCUMENTS = (".yaml", ".yml")
MARK = "config.json"
"""The file that makes a folder a run's."""


def documents(incomplete: str) -> list[str]:
    """YAML files, and folders to look into."""
    return _offered(incomplete, lambda path: path.suffix.lower() in DOCUMENTS)


def runs(incomplete: str) -> list[str]:
    """Run folders below ``runs``, the newest first; else folders to look into."""
    found = [config.parent for config in RUNS.glob(f"*/[!.]*/{MARK}")]
    found.sort(key=lambda path: path.name, reverse=True)
    names = [str(path) for path in found if str(path).startswith(incomplete)]
    return [_quoted(name) for name in names] or _offered(incomplete, _is_run)


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
    """The data sets' names."""
    from netbuilder.recipe.datasets import DATASETS

    return _names((kind.kind for kind in DATASETS), incomplete)


def peers(incomplete: str) -> list[str]:
    """The bench's peers, each behind those that the list holds already."""
    from netbuilder.bench.rounds import PEERS

    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in _names(("all", *PEERS), last)]


def _names(known: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in known if name.startswith(incomplete)]


def _is_run(path: Path) -> bool:
    return (path / MARK).is_file()


def _offered(incomplete: str, wanted: Callable[[Path], bool]) -> list[str]:
    """Folders and what is ``wanted``, that begin so.

    A shell ends the word behind a single offer: of a single folder, what lies in it is offered.
    """
    found = [path for path in _begun(incomplete) if path.is_dir() or wanted(path)]
    if len(found) == 1 and found[0].is_dir() and not _is_run(found[0]):
        inside = _offered(f"{found[0]}/", wanted)
        if inside:
            return inside
    return [_quoted(_written(path)) for path in found]


def _begun(incomplete: str) -> Iterator[Path]:
    """What lies where ``incomplete`` points to and begins as it does."""
    folder, _, start = incomplete.rpartition("/")
    place = Path(f"{folder}/" if "/" in incomplete else ".")
    try:
        there = sorted(place.iterdir())
    except OSError:
        return
    for path in there:
        if path.name.startswith(start) and (start or not path.name.startswith(".")):
            yield path


def _written(path: Path) -> str:
    return f"{path}/" if path.is_dir() and not _is_run(path) else str(path)


def _quoted(name: str) -> str:
    """As the word must stand in bash's line, which takes it as it comes; other shells quote."""
    if os.environ.get("_NETBUILDER_COMPLETE") != "complete_bash":
        return name
    words = os.environ.get("COMP_WORDS", "").split("\n")
    word = words[min(int(os.environ.get("COMP_CWORD", "0")), len(words) - 1)]
    if word[:1] in ("'", '"'):
        return name
    return re.sub(r"([^\w@%+=:,./~-])", r"\\\1", name)
