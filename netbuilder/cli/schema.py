"""``netbuilder schema``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netbuilder.cli._options import Force, Plugins, require_writable, write_output
from netbuilder.errors import ConfigError


def schema(
    out: Annotated[Path | None, typer.Option(help="Output file; by default the terminal.")] = None,
    force: Force = False,
    plugins: Plugins = None,
) -> None:
    """Print the JSON Schema of documents, for editors.

    An editor completes and checks a document that names the file in its first line. An earlier
    schema is replaced.

    Example: netbuilder schema --out archs/netbuilder.schema.json
    """
    from netbuilder.components.plugins import load_installed
    from netbuilder.config.json_schema import FILE_NAME, schema_text

    if out is not None and out.is_dir():
        raise ConfigError(f"--out {out}: it is a folder; name a file, such as {out / FILE_NAME}")
    require_writable(out, force=force or (out is not None and _is_schema(out)))
    load_installed()
    write_output(schema_text(), out)


def _is_schema(path: Path) -> bool:
    """Whether a file begins as a JSON Schema does, which a new one may replace."""
    if not path.is_file():  # to open a pipe may block
        return False
    try:
        with path.open("rb") as file:
            return b'"$schema"' in file.read(200)
    except OSError:
        return False
