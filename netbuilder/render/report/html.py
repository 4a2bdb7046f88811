"""The report as one HTML page that loads nothing: it contains its pictures, style and script.

Jinja2 and `Table` escape every text; no text of a document is marked as safe.
"""

from __future__ import annotations

import base64
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

import netbuilder
from netbuilder.render.drawing import draw
from netbuilder.render.drawing.style import stylesheet
from netbuilder.render.network_text import totals
from netbuilder.render.report import svg, tables
from netbuilder.render.report import text as words
from netbuilder.render.report.model import Report, ReportEntry
from netbuilder.render.runs import NOTHING
from netbuilder.render.table import Table

SIZE = {
    "width": svg.WIDTH, "height": svg.HEIGHT, "left": svg.LEFT, "right": svg.RIGHT,
    "top": svg.TOP, "bottom": svg.BOTTOM, "wide": svg.WIDE, "tall": svg.TALL,
    "wide_left": svg.WIDE_LEFT, "wide_bottom": svg.WIDE_BOTTOM,
}  # fmt: skip


def page(report: Report, pictures: dict[str, bytes]) -> str:
    """Return the whole page.

    Args:
        report: The content.
        pictures: PNG files of the worst mistakes, by the key of the network.
    """
    parts = files("netbuilder.render.report") / "page"
    iterations = [_iteration(i, pictures.get(i.key)) for i in report.iterations]
    return (
        _templates()
        .get_template("page.html")
        .render(
            version=netbuilder.__version__,
            heading=words.heading(report),
            lead=words.lead(report),
            iterations=iterations,
            curves={i["key"]: i["curves"].data for i in iterations if i["curves"]},
            sizes=[svg.sizes_of(among) for among in report.tested.values()],
            size=SIZE,
            long=tables.LONG,
            overview=_html(tables.overview_table(report)),
            curves_note=words.CURVES_NOTE,
            # Text of the package; all other values are data, which the template escapes.
            style=Markup(
                (parts / "page.css").read_text(encoding="utf-8") + stylesheet(in_page=True)
            ),
            script=Markup((parts / "page.js").read_text(encoding="utf-8")),
        )
    )


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("netbuilder.render.report", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _iteration(iteration: ReportEntry, picture: bytes | None) -> dict[str, Any]:
    """Return the template's values for one iteration."""
    analysis = iteration.analysis
    notes = analysis.architecture.notes
    return {
        "key": iteration.key,
        "anchor": f"iteration-{iteration.key}",
        "title": words.title(iteration),
        "remarks": iteration.remarks,
        "target": words.paragraphs(notes.target),
        "choices": words.paragraphs(notes.choices),
        "analysis": words.paragraphs(notes.analysis),
        "goals": _html(tables.goals_table(iteration)) if iteration.goals else "",
        "before": iteration.before,
        "changes": iteration.changes,
        "fault": str(analysis.fault) if analysis.fault else "",
        # `draw` escapes the names of documents.
        "drawing": "" if analysis.fault else Markup(draw(analysis, embed=True)),
        "totals": totals(analysis),
        "layers": _html(tables.layers_table(iteration, totals(analysis))),
        "rows": len(analysis.rows),
        "seeds": len(iteration.trained),
        "results": _html(tables.seeds_table(iteration)) if iteration.trained else "",
        "curves": svg.curves_of(iteration),
        "confusion": _confusion(iteration),
        "picture": picture
        and {
            "seed": iteration.trained[0].seed,
            "note": words.picture_note(iteration),
            "data": "data:image/png;base64," + base64.b64encode(picture).decode(),
        },
        "mistakes": (
            _html(tables.mistakes_table(iteration.mistakes)) if iteration.mistakes else ""
        ),
        "observations": words.observations(iteration),
    }


def _html(table: Table[Any]) -> Markup:
    """Return a table as HTML, its texts escaped."""
    return Markup(table.render("html"))


def _confusion(iteration: ReportEntry) -> dict[str, Any] | None:
    if not iteration.evaluated:
        return None
    counts, names = iteration.confusion, iteration.evaluated[0].classes
    most = max((n for i, row in enumerate(counts) for j, n in enumerate(row) if i != j), default=0)
    rows = [
        {
            "label": words.one_line(name),
            "position": i,
            "cells": [
                (count, f"{count / most:.2f}" if i != j and count else "0")
                for j, count in enumerate(row)
            ],
            "right": f"{100 * row[i] / sum(row):.1f} %" if sum(row) else NOTHING,
        }
        for i, (name, row) in enumerate(zip(names, counts, strict=True))
    ]
    return {
        "names": [words.one_line(name) for name in names],
        "note": words.confusion_note(iteration),
        "rows": rows if len(names) <= words.MOST_CLASSES else [],
    }
