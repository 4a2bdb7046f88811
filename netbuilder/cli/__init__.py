"""The command line: parse, call, present. Whatever is heavy is imported inside its command."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

import netbuilder
from netbuilder.cli import inspecting, training
from netbuilder.errors import NetbuilderError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Declarative YAML to torch networks: checked, shown, trained.",
)
for command in (
    inspecting.summarize,
    inspecting.check,
    training.train,
    training.evaluate,
    training.results,
    inspecting.schema,
):
    app.command()(command)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"netbuilder {netbuilder.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Say which.")
    ] = False,
) -> None:
    """Hold the options that stand before a command."""


def main() -> None:
    """Run a command; a user's mistake ends it with one message and an exit code."""
    try:
        app(standalone_mode=True)
    except NetbuilderError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read the output has gone; closing stdout again at exit would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
