"""The command line: parse, call, present. Whatever is heavy is imported inside its command."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from functools import wraps
from io import TextIOWrapper
from typing import Annotated, ParamSpec

import typer

import netbuilder
from netbuilder.cli import (
    bench,
    comparing,
    drafting,
    exchange,
    guide,
    inspecting,
    predicting,
    reporting,
    training,
    tuning,
)
from netbuilder.cli.usage import UsageError, usage_message
from netbuilder.errors import ConfigError, MachineError, NetbuilderError, printable
from netbuilder.files import reason

P = ParamSpec("P")

WRONG_PATH = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP)
PIPE_CLOSED = 141
"""What a shell says of a program that SIGPIPE ended; 0 or 1 would be a verdict."""

WRONG_USE = 2

app = typer.Typer(
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="""Declarative YAML to torch networks: checked, shown, trained.

    Example: netbuilder summarize archs/iter10.yaml

    Example: netbuilder train archs/iter10.yaml
    """,
)


def _quiet_when_unread(command: Callable[P, None]) -> Callable[P, None]:
    """The command, ending without a word once whoever reads its output has gone."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            try:
                command(*args, **kwargs)
            finally:
                if sys.stdout is not None:  # closed before the start
                    sys.stdout.flush()
        except BrokenPipeError:
            # What is still buffered would be written, and complained about, at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(PIPE_CLOSED) from None
        except OSError as error:
            if error.errno in WRONG_PATH:
                raise ConfigError(f"{error.filename}: {error.strerror}; name another") from error
            if error.filename is not None:  # a path that a system call refuses, not the output
                # Not its reason, which is that of writing: it may as well have been read.
                message = f"{error.filename}: {error.strerror}; see to it, or name another"
                raise MachineError(message) from error
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            message = f"the output cannot be written: {reason(error)}; send it elsewhere"
            raise MachineError(message) from error

    return run


for command in (
    drafting.new,
    inspecting.summarize,
    inspecting.check,
    training.train,
    training.evaluate,
    predicting.predict,
    tuning.lr_find,
    comparing.diff,
    comparing.runs,
    comparing.compare,
    training.results,
    reporting.report,
    bench.bench,
    exchange.import_,
    exchange.export,
    inspecting.schema,
    guide.guide,
):
    app.command(command.__name__.strip("_").replace("_", "-"))(_quiet_when_unread(command))


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"netbuilder {netbuilder.__version__}")
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
    """Hold the options that stand before a command; show the help where none stands."""
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help(), err=True)
        raise typer.Exit(WRONG_USE)


def main() -> None:
    """Run a command; a user's mistake ends it with one message and an exit code."""
    if isinstance(sys.stdout, TextIOWrapper):
        # A title may hold what the terminal's encoding does not.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        sys.exit(app(standalone_mode=False) or 0)
    except UsageError as error:
        print(usage_message(error), file=sys.stderr)
        sys.exit(WRONG_USE)
    except NetbuilderError as error:
        # Its lines are its own; what else in it moves a cursor is a user's, or a file's.
        print("\n".join(map(printable, str(error).split("\n"))), file=sys.stderr)
        sys.exit(error.exit_code)
