"""What a shell offers behind a command: documents, run folders, or either."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

DOCUMENTS = (".yaml", ".yml")
MARK = "config.json"
"""The file that makes a folder a run's."""


def documents(incomplete: str) -> list[str]:
    """YAML files, and folders to look into."""
    return [
        _written(path)
        for path in _begun(incomplete)
        if path.is_dir() or path.suffix.lower() in DOCUMENTS
    ]


def runs(incomplete: str) -> list[str]:
    """Run folders below ``runs``, the newest first; else folders to look into."""
    found = [config.parent for config in Path("runs").glob(f"*/[!.]*/{MARK}")]
    found.sort(key=lambda path: path.name, reverse=True)
    names = [str(path) for path in found if str(path).startswith(incomplete)]
    return names or [_written(path) for path in _begun(incomplete) if path.is_dir()]


def either(incomplete: str) -> list[str]:
    """Documents, then run folders."""
    return list(dict.fromkeys([*documents(incomplete), *runs(incomplete)]))


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
    return f"{path}/" if path.is_dir() and not (path / MARK).is_file() else str(path)
