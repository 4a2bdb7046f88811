"""Commands that messages print: quoted for a shell, with the options that they need too."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

REPEATED: dict[str, tuple[str, ...]] = {
    "--plugin": (
        "new", "summarize", "check", "train", "evaluate", "predict", "lr-find", "diff",
        "compare", "results", "report", "draw", "import", "export", "schema",
    ),
    "--data-dir": ("train", "evaluate", "lr-find", "bench", "export"),
    "--logger": ("train",),
}  # fmt: skip
"""The options that a command line hands on to the commands it prints, and what accepts them."""

StrPath = str | os.PathLike[str]

_options: ContextVar[tuple[tuple[str, str], ...]] = ContextVar("options", default=())


@contextmanager
def command_line() -> Iterator[None]:
    """Forget, at the end of the ``with`` block, the options that it repeats."""
    token = _options.set(())
    try:
        yield
    finally:
        _options.reset(token)


def repeat(option: str, value: StrPath) -> None:
    """Add an option to every command that is printed from now on, if the command accepts it."""
    entry = (option, os.fspath(value))
    if entry not in _options.get():
        _options.set((*_options.get(), entry))


def command(name: str, *words: StrPath, **options: StrPath | None) -> str:
    """Return a command of netbuilder as one line for a shell.

    Args:
        name: The command.
        words: Its arguments; a path may begin with a dash.
        options: Further options, such as ``data_dir``; None leaves one out.
    """
    own = {f"--{key.replace('_', '-')}": value for key, value in options.items()}
    parts = ["netbuilder", name, *(_argument(word) for word in words)]
    for option, value in own.items():
        if value is not None:
            parts += [option, _argument(value)]
    for option, value in _options.get():
        if name in REPEATED[option] and own.get(option) is None:
            parts += [option, _argument(Path(value) if option == "--data-dir" else value)]
    return " ".join(map(shell_word, parts))


def resume_command(run: Path, **options: StrPath | None) -> str:
    """Return the command that resumes a run."""
    if str(run) == "auto":  # which stands for the newest run
        run = run.absolute()
    return command("train", "--resume", run, **options)


def shell_word(text: str) -> str:
    """Return a text as one word of a shell; characters that are not printable are escaped."""
    if text.isprintable():
        return shlex.quote(text)
    data = "".join(
        character if character.isprintable() and character not in "\\'" else _escape(character)
        for character in text
    )
    return f"$'{data}'"


def _argument(word: StrPath) -> str:
    """Return an argument; a path that would look like an option begins with a dot."""
    text = os.fspath(word)
    return f".{os.sep}{text}" if not isinstance(word, str) and text.startswith("-") else text


def _escape(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(character))
