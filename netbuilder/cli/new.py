"""``netbuilder new``."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from netbuilder._text import printable
from netbuilder.cli._completion import MARK, earlier
from netbuilder.cli._options import Force, Plugins, choice, require_writable, write_output
from netbuilder.config.scaffold import TEMPLATES
from netbuilder.errors import ConfigError


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The new document's name.")],
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="NAME|PATH",
            help="The document before it; a name is looked for in . and archs.",
            autocompletion=earlier,
        ),
    ] = None,
    template: Annotated[str | None, choice("--template", TEMPLATES, "Begin afresh.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="The file; else NAME.yaml beside the one before it, or in archs."),
    ] = None,
    force: Force = False,
    plugins: Plugins = None,
) -> None:
    """Write the next document, with what the last one taught.

    It says what to edit, line by line.

    Example: netbuilder new iter11 --from archs/iter10.yaml --out iter11.yaml
    """
    from netbuilder.config.scaffold import from_template, named_schema, next_document

    if (source is None) == (template is None):
        raise ConfigError(
            "name one of both: --from the document before it, or --template plain, residual or "
            "mobile"
        )
    path = _found(source) if source is not None else None
    archs = Path("archs") if Path("archs").is_dir() else Path()
    # A run folder is a record; nothing is written beside the document in it.
    beside = path is not None and not (path.parent / MARK).is_file()
    out = out or (path.parent if path and beside else archs) / f"{name}.yaml"
    require_writable(out, force)
    if path is None:
        draft = from_template(template or "", name)
    else:
        draft = next_document(path, name, out.parent)
    write_output(draft.text, out)
    for line, what in draft.edit:
        print(printable(f"{out}:{line}: {what}"))
    schema = named_schema(draft.text)
    if schema and not (out.parent / schema[1]).is_file():
        there = quote(str(out.parent / schema[1]))
        print(printable(f"{out}:{schema[0]}: for editors: netbuilder schema --out {there}"))
    written = quote(str(out))
    train = f" && netbuilder train {written}" if draft.trained else ""
    print(printable(f"then: netbuilder check {written}{train}"))


def _found(source: str) -> Path:
    """The document of a path or a name."""
    names = (source, f"{source}.yaml")
    places = [Path(name) for name in names] + [Path("archs") / name for name in names]
    for path in places:
        if path.is_file():
            return path
    from netbuilder._text import did_you_mean

    there = sorted(
        path.stem for folder in (Path(), Path("archs")) for path in folder.glob("*.yaml")
    )
    hint = did_you_mean(Path(source).stem, there) if there else "; there is none in . and archs"
    raise ConfigError(f"--from {source}: no such document{hint}")
