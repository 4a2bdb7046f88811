"""The command that begins a document: new."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from netbuilder.cli.completion import documents
from netbuilder.cli.options import Force, Plugins, give, require_free
from netbuilder.errors import ConfigError, printable


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The new document's name.")],
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="NAME|PATH",
            help="The document before it; a name is looked for in . and archs.",
            autocompletion=documents,
        ),
    ] = None,
    template: Annotated[
        str | None, typer.Option(help="Begin afresh: plain, residual or mobile.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The file; else NAME.yaml beside the one before it.")
    ] = None,
    force: Force = False,
    plugins: Plugins = None,
) -> None:
    """Write the next document, with what the last one taught, and say what to edit.

    Example: netbuilder new iter11 --from archs/iter10.yaml --out iter11.yaml
    """
    from netbuilder.drafting import from_template, next_document

    if (source is None) == (template is None):
        raise ConfigError(
            "name one of both: --from the document before it, or --template plain, residual or "
            "mobile"
        )
    if source is None:
        draft = from_template(template or "", name)
        folder = Path("archs") if Path("archs").is_dir() else Path()
    else:
        path = _found(source)
        draft = next_document(path, name)
        folder = path.parent
    out = out or folder / f"{name}.yaml"
    require_free(out, force)
    give(draft.text, out)
    for line, what in draft.edit:
        print(printable(f"{out}:{line}: {what}"))
    made = printable(quote(str(out)))
    print(f"then: netbuilder check {made} && netbuilder train {made}")


def _found(source: str) -> Path:
    """The document of a path or a name."""
    places = [Path(source), Path(f"{source}.yaml"), Path("archs") / f"{source}.yaml"]
    for path in places:
        if path.is_file():
            return path
    looked = ", ".join(map(str, places))
    raise ConfigError(f"--from {source}: no such document; looked for {looked}")
