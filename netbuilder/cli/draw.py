"""``netbuilder draw``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from netbuilder.cli._completion import either
from netbuilder.cli._options import Changes, Force, Plugins, require_writable, whole, write_output
from netbuilder.errors import ConfigError

if TYPE_CHECKING:
    from netbuilder.network.analysis import Analysis


def draw(
    path: Annotated[
        Path,
        typer.Argument(metavar="PATH", help="A document or a run folder.", autocompletion=either),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Output file, or - for the terminal; by default NAME.svg."),
    ] = None,
    depth: Annotated[
        int | None, whole("--depth", 0, "Fold containers nested more than N deep into one block.")
    ] = None,
    unfold: Annotated[
        bool, typer.Option("--unfold", help="Draw every layer, without folding repeats.")
    ] = False,
    changes: Changes = None,
    force: Force = False,
    plugins: Plugins = None,
) -> None:
    """Draw a network and its receptive field as SVG.

    Layers go from left to right, branches are one above another, and equal blocks in sequence are
    drawn once with their number. A large network is drawn in less detail; --unfold draws all of it.

    Example: netbuilder draw archs/iter10.yaml --out iter10.svg
    """
    from netbuilder.render.drawing import draw as draw_network

    require_writable(out, force)
    analysis = _analysis(path, changes or [])
    if out is None:
        out = Path(f"{analysis.architecture.name}.svg")
        require_writable(out, force)
    text = draw_network(analysis, depth=depth, unfold=unfold)
    write_output(text, out)


def _analysis(path: Path, changes: list[str]) -> Analysis:
    """Return the analysis of a document or of the network of a run."""
    if not path.is_dir():
        from netbuilder.network.check import require_sound_documents

        [analysis] = require_sound_documents([path], changes)
        return analysis
    if changes:
        raise ConfigError(f"--set: {path} is a run folder; name a document to change its fields")
    from netbuilder.runs.run import Run

    return Run.open(path).analysis
