"""The commands that look over runs: runs."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from netbuilder.errors import ConfigError, printable

if TYPE_CHECKING:
    from netbuilder.listing import Listed

RUN_COLUMNS = (
    "run", "started", "data set", "device", "epochs", "best test", "last test", "verdict",
)  # fmt: skip


def runs(
    folder: Annotated[
        Path, typer.Argument(metavar="[FOLDER]", help="Where runs lie.", file_okay=False)
    ] = Path("runs"),
    name: Annotated[str, typer.Option(help="Only architectures of this name; * for any.")] = "*",
    verdict: Annotated[
        str | None, typer.Option(help="met, not-met, not-judged, unfinished or damaged.")
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="Only what trained on this data set.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the newest so many.")] = None,
    output: Annotated[str, typer.Option("--format", help="text, markdown or json.")] = "text",
) -> None:
    """List run folders, the newest first.

    Example: netbuilder runs archs/results --name 'iter*' --limit 5
    """
    from netbuilder.listing import VERDICTS, list_runs

    if output not in ("text", "markdown", "json"):
        raise ConfigError(f"--format: found {output!r}; allowed: text, markdown, json")
    wanted = verdict.replace("-", " ") if verdict else None
    if wanted and wanted not in VERDICTS:
        allowed = ", ".join(known.replace(" ", "-") for known in VERDICTS)
        raise ConfigError(f"--verdict: found {verdict!r}; allowed: {allowed}")
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder; `netbuilder train` makes it, or name another")
    rows = [
        row
        for row in list_runs(folder)
        if fnmatchcase(row.name or "", name)
        and wanted in (None, row.verdict)
        and dataset in (None, row.dataset)
    ][:limit]
    if output == "json":
        print(json.dumps([asdict(row) | {"path": str(row.path)} for row in rows], indent=2))
        return
    cells = [_cells(row, folder) for row in rows]
    if output == "markdown":
        from netbuilder.formats import markdown_table

        print(markdown_table(RUN_COLUMNS, cells), end="")
        return
    if not rows:
        print(f"{folder}: no run of that kind in it")
        return
    from rich.table import Table
    from rich.text import Text

    from netbuilder.tables import show

    plain = not sys.stdout.isatty()
    table = Table(*RUN_COLUMNS, box=None) if plain else Table(*RUN_COLUMNS)
    styles = {"met": "green", "not met": "red", "damaged": "red", "unfinished": "yellow"}
    for row, line in zip(rows, cells, strict=True):
        style = styles.get(row.verdict, "")
        table.add_row(*map(Text, line[:-1]), Text(line[-1], style=style))
    show(table, plain=plain)


def _cells(row: Listed, folder: Path) -> list[str]:
    def percent(value: float | None) -> str:
        return "" if value is None else f"{value:.2f}"

    path = printable(str(row.path.relative_to(folder)))
    if row.verdict == "damaged":
        return [path, *[""] * 6, f"damaged: {printable(row.fault)}"]
    return [
        path,
        (row.started or "")[:16].replace("T", " "),
        printable(row.dataset or ""),
        row.device or "",
        f"{row.epochs} of {row.asked}",
        percent(row.best),
        percent(row.last),
        row.verdict,
    ]
