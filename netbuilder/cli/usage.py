"""What is said of a command line that cannot be read, and what to do then."""

from __future__ import annotations

import re
from typing import Any

import typer

from netbuilder.errors import printable

UsageError: type[Any] = typer.BadParameter.__bases__[0]
"""What typer raises then; it exports only this kind of it."""


def usage_message(error: Any) -> str:
    """One line: the command, what is wrong, and the nearest right word, an example or the help."""
    from netbuilder.strict import did_you_mean

    context = error.ctx
    if context is None:  # an option without its value, or with one too many; not said of which
        said = error.message.rstrip(".")
        return printable(f"{said}; netbuilder COMMAND --help tells what it takes")
    command, path = context.command, context.command_path
    option, parameter = getattr(error, "option_name", None), getattr(error, "param", None)
    if option and hasattr(error, "possibilities"):
        known = [name for one in command.params for name in one.opts if name.startswith("--")]
        what = f"no such option {option}{did_you_mean(option, known)}"
    elif unknown := re.match(r"No such command '(.*?)'\.", error.message):
        what = f"no such command {unknown[1]}{did_you_mean(unknown[1], command.commands)}"
    elif parameter is not None and not error.message:
        what = f"{_name(parameter)} is missing; {_example(command.help) or f'see {path} --help'}"
    elif parameter is not None:
        what = f"{_name(parameter)}: {error.message}; see {path} --help"
    else:
        said = error.message[:1].lower() + error.message[1:].rstrip(".")
        what = f"{said}; {context.get_usage().replace('Usage: ', 'usage: ')}"
    return printable(f"{path}: {what}")


def _name(parameter: Any) -> str:
    """As the help shows it."""
    return str(parameter.opts[0] if parameter.opts[0].startswith("-") else parameter.metavar)


def _example(text: str | None) -> str:
    """The first example of a help text."""
    found = re.search("Example: (.*)", text or "")
    return f"example: {found[1]}" if found else ""
