"""``netbuilder schema``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netbuilder.cli._options import Plugins, require_writable, write_output
from netbuilder.errors import ConfigError


def schema(
    out: Annotated[Path | None, typer.Option(help="Output file; by default the terminal.")] = None,
    plugins: Plugins = None,
) -> None:
    """Print the JSON Schema of documents, for editors.

    An editor completes and checks a document that names the file in its first line.

    Example: netbuilder schema --out archs/netbuilder.schema.json
    """
    from netbuilder.components.plugins import load_installed
    from netbuilder.config.json_schema import FILE_NAME, schema_text

    if out is not None and out.is_dir():
        raise ConfigError(f"--out {out}: it is a folder; name a file, such as {out / FILE_NAME}")
    require_writable(out, force=True)  # an existing file is an earlier schema
    load_installed()
    write_output(schema_text(), out)
