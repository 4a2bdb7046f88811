"""The command line: parse, call, present. Whatever is heavy is imported inside its command."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Callable
from functools import wraps
from io import TextIOWrapper
from typing import Annotated, Any, ParamSpec

import typer

import netbuilder
from netbuilder._files import errno_message
from netbuilder._text import printable
from netbuilder.cli import (
    bench,
    check,
    compare,
    diff,
    evaluate,
    export,
    guide,
    import_,
    lr_find,
    new,
    predict,
    report,
    results,
    runs,
    schema,
    summarize,
    train,
)
from netbuilder.errors import ConfigError, MachineError, NetbuilderError

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
            message = f"the output cannot be written: {errno_message(error)}; send it elsewhere"
            raise MachineError(message) from error

    return run


for command in (
    new.new,
    summarize.summarize,
    check.check,
    train.train,
    evaluate.evaluate,
    predict.predict,
    lr_find.lr_find,
    diff.diff,
    runs.runs,
    compare.compare,
    results.results,
    report.report,
    bench.bench,
    guide.guide,
    import_.import_,
    export.export,
    schema.schema,
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


UsageError: type[Any] = typer.BadParameter.__bases__[0]
"""What typer raises then; it exports only this kind of it."""


def usage_message(error: Any) -> str:
    """One line: the command, what is wrong, and the nearest right word, an example or the help."""
    from netbuilder._text import did_you_mean

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
