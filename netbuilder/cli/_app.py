"""The command line: the table of commands, and the code that all commands share.

The module of a command is imported when the command runs or its help is shown.
"""

from __future__ import annotations

import errno
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from io import TextIOWrapper
from keyword import iskeyword
from typing import Annotated, Any, cast

import typer
from typer.core import TyperCommand, TyperGroup

import netbuilder
from netbuilder._text import did_you_mean
from netbuilder._text.commands import command_line
from netbuilder.cli._output import (
    SIGPIPE,
    discard,
    echo,
    echo_error,
    open_streams,
    output_fault,
)
from netbuilder.errors import ConfigError, MachineError, NetbuilderError

COMMANDS = {
    "new": "Draft a document from a template or from an earlier document.",
    "summarize": "Show the shape, receptive field, parameters and cost of every layer.",
    "check": "List every problem in a document.",
    "draw": "Draw a network and its receptive field as SVG.",
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

PIPE_CLOSED = 128 + SIGPIPE
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


class SingleCommand(TyperCommand):
    """A command that refuses a second value of an option that takes one."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not ctx.resilient_parsing:  # completing a line refuses nothing
            # The parser returns each option once per use.
            order = self.make_parser(ctx).parse_args(args=list(args))[2]
            for option in dict.fromkeys(order):
                if is_single_valued(option) and (count := order.count(option)) > 1:
                    raise ConfigError(
                        f"{ctx.command_path}: {_display_name(option)}: found {count} values; "
                        "allowed: one; leave the others out"
                    )
        return super().parse_args(ctx, args)


def is_single_valued(parameter: Any) -> bool:
    """Whether a parameter is an option with one value; a flag has none."""
    is_option = parameter.param_type_name == "option"
    return is_option and not (parameter.is_flag or parameter.multiple or parameter.count)


class CommandGroup(TyperGroup):
    """Commands that are imported when they are used; `COMMANDS` lists them."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        with report_output_errors():  # of --help and --version
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        with report_output_errors():
            return super().invoke(ctx)

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | None:
        if cmd_name not in COMMANDS:
            return None
        frame = typer.Typer(**FRAME)
        frame.command(cmd_name, cls=SingleCommand)(command_function(cmd_name))
        return cast("TyperCommand", typer.main.get_command(frame))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@contextmanager
def report_output_errors() -> Iterator[None]:
    """End silently when the output is closed, and report output and paths that fail.

    Raises:
        typer.Exit: The reader of the output closed it.
        ConfigError: A path does not exist.
        MachineError: A path or the output cannot be read or written.
    """
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        discard(sys.stdout)
        raise typer.Exit(PIPE_CLOSED) from None
    except OSError as error:
        if error.errno in WRONG_PATH and error.filename is not None:
            message = f"{error.filename}: {error.strerror}; choose another path"
            raise ConfigError(message) from error
        if error.filename is not None:  # a path that a system call refuses, not the output
            advice = "fix its permissions or choose another path"
            raise MachineError(f"{error.filename}: {error.strerror}; {advice}") from error
        discard(sys.stdout)
        raise MachineError(output_fault(error)) from error


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
        for line in ctx.get_help().splitlines():
            echo(line, err=True)
        raise typer.Exit(WRONG_USE)


def main() -> None:
    """Run a command; a user's mistake ends it with one message and an exit code."""
    open_streams()
    if isinstance(sys.stdout, TextIOWrapper):
        # A title may contain characters that the terminal's encoding lacks.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with command_line():
            code = app(standalone_mode=False) or 0
    except typer.TyperException as error:
        echo(usage_message(error), err=True)
        sys.exit(WRONG_USE)
    except NetbuilderError as error:
        echo_error(error)
        sys.exit(error.exit_code)
    except BaseException as error:  # the code of a plugin can raise any exception
        from netbuilder.components.foreign_code import fault_text, is_foreign_fault

        if isinstance(error, KeyboardInterrupt) or not is_foreign_fault(error):
            raise
        echo(f"the code of a plugin failed: {fault_text(error)}; correct the plugin", err=True)
        sys.exit(ConfigError.exit_code)
    sys.exit(code)


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
