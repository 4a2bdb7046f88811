"""The report as one page of HTML that loads nothing, with its pictures, style and script inside.

Jinja2 escapes every text that its templates take; no text of a document is marked as safe.
"""

from __future__ import annotations

import base64
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

import netbuilder
from netbuilder.render.network import totals
from netbuilder.render.report import svg as charts
from netbuilder.render.report import tables as cells
from netbuilder.render.report import text as words
from netbuilder.render.report.model import Report, ReportEntry

SIZE = {
    "width": charts.WIDTH, "height": charts.HEIGHT, "left": charts.LEFT, "right": charts.RIGHT,
    "top": charts.TOP, "bottom": charts.BOTTOM, "wide": charts.WIDE, "tall": charts.TALL,
    "wide_left": charts.WIDE_LEFT, "wide_bottom": charts.WIDE_BOTTOM,
}  # fmt: skip


def page(report: Report, pictures: dict[str, bytes]) -> str:
    """The whole page.

    Args:
        report: what is said.
        pictures: PNGs of the worst mistakes by the keys of iterations.
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
            sizes=[charts.sizes_of(among) for among in report.tested.values()],
            size=SIZE,
            long=cells.LONG,
            overview=cells.OVERVIEW,
            overview_note=words.overview_note(report),
            goals=cells.GOALS,
            layers=cells.LAYERS,
            seeds=cells.SEEDS,
            mistakes=cells.MISTAKES,
            curves_note=words.CURVES_NOTE,
            mistakes_note=words.MISTAKES_NOTE,
            # The package's own text, the only one that is no data.
            style=Markup((parts / "page.css").read_text(encoding="utf-8")),
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
    """What the template takes of one iteration."""
    analysis = iteration.analysis
    notes = analysis.architecture.notes
    largest = iteration.largest[0].parameters if iteration.largest else 0
    return {
        "key": iteration.key,
        "anchor": f"iteration-{iteration.key}",
        "title": words.title(iteration),
        "overview": cells.overview(iteration),
        "remarks": iteration.remarks,
        "target": words.paragraphs(notes.target),
        "choices": words.paragraphs(notes.choices),
        "analysis": words.paragraphs(notes.analysis),
        "goals": [(cells.goal(goal), _kept(goal.met, goal.of)) for goal in iteration.goals],
        "before": iteration.before,
        "changes": iteration.changes,
        "fault": str(analysis.fault) if analysis.fault else "",
        "totals": totals(analysis),
        "layers": [
            (row.depth, cells.layer(row, analysis), _share(row.parameters, largest))
            for row in analysis.rows
        ],
        "seeds": [cells.seed(run) for run in iteration.trained],
        "seeds_note": words.seeds_note(iteration) if iteration.trained else "",
        "all_seeds": cells.all_seeds(iteration) if len(iteration.trained) > 1 else (),
        "curves": charts.curves_of(iteration),
        "confusion": _confusion(iteration),
        "picture": picture
        and {
            "seed": iteration.trained[0].seed,
            "note": words.picture_note(iteration),
            "data": "data:image/png;base64," + base64.b64encode(picture).decode(),
        },
        "mistakes": [cells.mistake(mistake) for mistake in iteration.mistakes],
        "observations": words.observations(iteration),
    }


def _kept(met: int | None, of: int) -> bool | None:
    return None if met is None else met == of


def _share(part: int, largest: int) -> str:
    """The length of a bar; a container's may be beyond the largest layer's."""
    return f"{min(1.0, part / largest):.4f}" if part else "0"


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
            "right": f"{100 * row[i] / sum(row):.1f} %" if sum(row) else words.NOTHING,
        }
        for i, (name, row) in enumerate(zip(names, counts, strict=True))
    ]
    return {
        "names": [words.one_line(name) for name in names],
        "note": words.confusion_note(iteration),
        "rows": rows if len(names) <= words.MOST_CLASSES else [],
    }
