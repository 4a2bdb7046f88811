"""``netbuilder new``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netbuilder._text import did_you_mean
from netbuilder._text.commands import command
from netbuilder.cli import _completion as completion
from netbuilder.cli._options import Force, Plugins, is_streamed, require_writable, write_output
from netbuilder.cli._output import echo
from netbuilder.config.scaffold import TemplateName
from netbuilder.errors import ConfigError


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the new document.")],
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="NAME|PATH",
            help="An earlier document: its path, or its name in . or archs.",
            autocompletion=completion.earlier,
        ),
    ] = None,
    template: Annotated[TemplateName | None, typer.Option(help="Start from a template.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Output file; by default NAME.yaml next to the earlier document, or in archs."
        ),
    ] = None,
    force: Force = False,
    plugins: Plugins = None,
) -> None:
    """Draft a document from a template or from an earlier document.

    A draft from an earlier document repeats its lessons. Prints what to edit, line by line.

    Example: netbuilder new iter11 --from archs/iter10.yaml --out iter11.yaml
    """
    from netbuilder.config.scaffold import from_template, named_schema, next_document
    from netbuilder.runs.folders import is_run_folder

    if (source is None) == (template is None):
        raise ConfigError(
            "name an earlier document with --from, or a template with --template: plain, residual "
            "or mobile"
        )
    path = _document(source) if source is not None else None
    archs = Path("archs") if Path("archs").is_dir() else Path()
    # A run folder is a record, so nothing is written into it.
    is_run = path is not None and is_run_folder(path.parent)
    out = out or (path.parent if path and not is_run else archs) / f"{name}.yaml"
    require_writable(out, force)
    if path is None:
        draft = from_template(template or "", name)
    else:
        draft = next_document(path, name, out.parent)
    write_output(draft.text, out)
    if is_streamed(out):  # no file to name
        for line, instruction in draft.edit:
            echo(f"line {line}: {instruction}", err=True)
        return
    for line, instruction in draft.edit:
        echo(f"{out}:{line}: {instruction}")
    schema = named_schema(draft.text)
    if schema and not (out.parent / schema[1]).is_file():
        schema_command = command("schema", out=out.parent / schema[1])
        echo(f"{out}:{schema[0]}: for editors: {schema_command}")
    train = f" && {command('train', out)}" if draft.trained else ""
    echo(f"then: {command('check', out)}{train}")


def _document(source: str) -> Path:
    """Return the path of a document that is named by its path or its name."""
    names = (source, f"{source}.yaml")
    places = [Path(name) for name in names] + [Path("archs") / name for name in names]
    for path in places:
        if path.is_file():
            return path
    known = sorted(
        path.stem for folder in (Path(), Path("archs")) for path in folder.glob("*.yaml")
    )
    hint = did_you_mean(Path(source).stem, known) if known else "; . and archs have none"
    raise ConfigError(f"--from {source}: no such document{hint}")
