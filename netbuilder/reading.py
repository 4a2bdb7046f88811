"""The text of a document's file."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from netbuilder.errors import ConfigError, Problem

MAX_BYTES = 1024 * 1024


def read_text(path: Path) -> str:
    """The text of a file.

    Raises:
        ConfigError: it is missing, a folder, unreadable, too large, empty or not UTF-8.
    """

    def refuse(message: str) -> ConfigError:
        return ConfigError([Problem(str(path), 0, 0, "", message)])

    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise refuse(f"no such file; {_meant(path)}") from None
    except IsADirectoryError:
        example = min(path.glob("*.yaml"), default="archs/iter10.yaml")
        raise refuse(f"it is a folder; name a document in it, such as {example}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise refuse(f"cannot be read: {reason}; name a file that can be") from None
    if len(data) > MAX_BYTES:
        raise refuse(f"more than {MAX_BYTES} bytes; a document is far smaller; name one")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refuse(f"not UTF-8 at byte {error.start}; save the file as UTF-8") from None
    if not text.strip():
        raise refuse("it is empty; a document has at least name, input and layers")
    return text


def _meant(path: Path) -> str:
    """Which document may be meant by a path that leads to none."""
    there = {
        found.stem: found
        for folder in (Path("archs"), path.parent)
        for found in sorted(folder.glob("*.yaml"))
    }
    near = get_close_matches(path.stem, there, n=1)
    return f"did you mean {there[near[0]]}?" if near else "check the path"
