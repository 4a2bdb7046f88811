"""The command line: the table of commands, and the code that all commands share.

The module of a command is imported when the command runs or its help is shown.
"""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from io import TextIOWrapper
from keyword import iskeyword
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec, cast

import typer
from typer.core import TyperGroup

import netbuilder
from netbuilder._commands import command_line
from netbuilder._text import did_you_mean
from netbuilder.cli._output import echo
from netbuilder.errors import ConfigError, MachineError, NetbuilderError

if TYPE_CHECKING:
    from typer.core import TyperCommand

P = ParamSpec("P")

COMMANDS = {
    "new": "Draft a document from a template or from an earlier document.",
    "summarize": "Show the shape, receptive field, parameters and cost of every layer.",
    "check": "List every problem in a document.",
    "train": "Train each document and report whether its targets are met.",
    "evaluate": "Test the saved weights of a run.",
    "predict": "Predict the class of each image.",
    "lr-find": "Find the learning rates that a network can be trained with.",
    "diff": "Show the differences between two documents or runs.",
    "runs": "List run folders, newest first.",
    "compare": "Compare networks by size, cost and the accuracy of their runs.",
    "results": "Compare finished runs with published results.",
    "report": "Write a report on networks and their runs.",
    "bench": "Measure how fast a network trains on this machine.",
    "guide": "Show a page of the guide, or list its pages.",
    "import": "Write the document of a network that Python code builds.",
    "export": "Export a network as Python code, ONNX, torch.export or safetensors.",
    "schema": "Print the JSON Schema of documents, for editors.",
}
"""Every command with the first line of its help, so that listing them imports none of them."""

WRONG_PATH = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP)

WRONG_USE = 2

PIPE_CLOSED = 141
"""The exit code that a shell reports for a program that SIGPIPE ended; 0 and 1 are verdicts."""

FRAME: dict[str, Any] = {
    "add_completion": False,
    "pretty_exceptions_enable": False,
    "rich_markup_mode": None,
}


def command_function(name: str) -> Callable[..., None]:
    """Import the function of a command: ``lr_find`` of ``cli/lr_find.py`` for ``lr-find``."""
    function = name.replace("-", "_") + "_" * iskeyword(name)
    command: Callable[..., None] = getattr(import_module(f"netbuilder.cli.{function}"), function)
    return command


class CommandGroup(TyperGroup):
    """Commands that are imported when they are used; `COMMANDS` lists them."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | None:
        if cmd_name not in COMMANDS:
            return None
        frame = typer.Typer(**FRAME)
        frame.command(cmd_name)(_handle_output_errors(command_function(cmd_name)))
        return cast("TyperCommand", typer.main.get_command(frame))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _handle_output_errors(command: Callable[P, None]) -> Callable[P, None]:
    """Wrap a command: end silently when its output is closed, and report paths that fail."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            try:
                command(*args, **kwargs)
            finally:
                if sys.stdout is not None:  # None if it was closed before the start
                    sys.stdout.flush()
        except BrokenPipeError:
            _discard_output()
            raise typer.Exit(PIPE_CLOSED) from None
        except OSError as error:
            if error.errno in WRONG_PATH:
                message = f"{error.filename}: {error.strerror}; choose another path"
                raise ConfigError(message) from error
            if error.filename is not None:  # a path that a system call refuses, not the output
                advice = "fix its permissions or choose another path"
                raise MachineError(f"{error.filename}: {error.strerror}; {advice}") from error
            _discard_output()
            from netbuilder._files import errno_message

            message = f"the output cannot be written: {errno_message(error)}; redirect it elsewhere"
            raise MachineError(message) from error

    return run


def _discard_output() -> None:
    """Discard buffered output, which Python would try to write at exit, with an error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


app = typer.Typer(
    **FRAME | {"add_completion": True},
    cls=CommandGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""Declarative YAML to torch networks: checked, shown, trained.

    Example: netbuilder summarize archs/iter10.yaml

    Example: netbuilder train archs/iter10.yaml
    """,
)


def _print_version(requested: bool) -> None:
    if requested:
        echo(f"netbuilder {netbuilder.__version__}")
        raise typer.Exit


@app.callback()
def options(
    ctx: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Handle the options before the command; without a command, show the help."""
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help(), err=True)
        raise typer.Exit(WRONG_USE)


def main() -> None:
    """Run a command; a user's mistake ends it with one message and an exit code."""
    if isinstance(sys.stdout, TextIOWrapper):
        # A title may contain characters that the terminal's encoding lacks.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with command_line():
            code = app(standalone_mode=False) or 0
        sys.exit(code)
    except typer.TyperException as error:
        echo(usage_message(error), err=True)
        sys.exit(WRONG_USE)
    except NetbuilderError as error:
        for line in str(error).split(
            "\n"
        ):  # one per problem; other control characters come from the user
            echo(line, err=True)
        sys.exit(error.exit_code)


def usage_message(error: Any) -> str:
    """Return a usage error as one line: the command, the mistake, and how to correct it.

    The output of typer has three lines, suggests commands but not values, and has no example.
    typer exports only the base class of its usage errors, so attributes distinguish them.
    """
    from netbuilder.cli._foreign_words import right_command, right_option

    context = getattr(error, "ctx", None)
    if context is None:  # the parser does not attach the command to an option without its value
        return f"{error.message.rstrip('.')}; see netbuilder COMMAND --help"
    command, path = context.command, context.command_path
    option, parameter = getattr(error, "option_name", None), getattr(error, "param", None)
    if parameter is not None and error.message and parameter.type_descriptor.choices:
        [line] = error.__cause__.errors()
        allowed = ", ".join(parameter.type_descriptor.choices)
        return f"{_display_name(parameter)}: found {line['input']!r}; allowed: {allowed}"
    if option and hasattr(error, "possibilities"):
        names = [name for param in command.params for name in param.opts if name.startswith("--")]
        hint = right_option(option, names) or did_you_mean(option, names)
        problem = f"no such option {option}{hint}"
    elif match := re.match(r"No such command '(.*?)'\.", error.message):
        hint = right_command(match[1]) or did_you_mean(match[1], COMMANDS)
        problem = f"no such command {match[1]}{hint}"
    elif parameter is not None and not error.message:
        hint = _example(command.help) or f"see {path} --help"
        problem = f"{_display_name(parameter)} is missing; {hint}"
    elif parameter is not None:
        problem = f"{_display_name(parameter)}: {error.message}; see {path} --help"
    elif match := re.match(r"Got unexpected extra argument\S* \((.*)\)", error.message):
        problem = f"unexpected argument {match[1]}; {_example(command.help)}"
    else:
        usage = " ".join(context.get_usage().replace("Usage: ", "usage: ").split())
        problem = f"{error.message[:1].lower()}{error.message[1:].rstrip('.')}; {usage}"
    return f"{path}: {problem}"


def _display_name(parameter: Any) -> str:
    """Return the name of a parameter as its help shows it."""
    return str(parameter.opts[0] if parameter.opts[0].startswith("-") else parameter.metavar)


def _example(text: str | None) -> str:
    """Return the first example of a help text."""
    match = re.search("Example: (.*)", text or "")
    return f"example: {match[1]}" if match else ""
