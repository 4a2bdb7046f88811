"""Write a report to a folder: HTML, markdown and pictures."""

from __future__ import annotations

import re
from collections import defaultdict
from io import BytesIO
from pathlib import Path

from netbuilder._files import (
    UnfitFileError,
    is_regular,
    remove_leftovers,
    report_write_errors,
    require_regular,
    write_to,
)
from netbuilder._text import printable
from netbuilder.errors import ConfigError
from netbuilder.render.drawing import draw
from netbuilder.render.report.html import page
from netbuilder.render.report.markdown import text_of
from netbuilder.render.report.model import Report, ReportEntry
from netbuilder.render.report.text import MOST_CLASSES, one_line, title

MARKDOWN, HTML = "report.md", "report.html"

SIZES = "accuracy-against-parameters.png"

LABEL = 20
"""The longest name of a class in a picture, in characters."""

MAX_MANIFEST = 1 << 20
"""The longest list of pictures, in bytes."""

MAX_PICTURE = 16 << 20
"""The largest picture of a run that a report contains, in bytes."""

PNG = b"\x89PNG\r\n\x1a\n"

_MANIFEST = re.compile(r"<!-- netbuilder report:([A-Za-z0-9._ -]*) -->\n\Z")
"""The last line of the markdown: the pictures of the report, which a later one replaces."""


def write_report(report: Report, out: Path, *, force: bool = False) -> list[Path]:
    """Write the report to ``out`` and return the paths of the markdown and the page.

    An earlier report is replaced. Other files in ``out`` stay; they require ``force``.

    Links in the folder are written through.

    Raises:
        ConfigError: ``out`` is not a folder, or it has other files.
        MachineError: The report cannot be written.
    """
    earlier = _earlier(out, force=force)
    mistakes = _mistakes(report)
    pictures = _pictures(report) | {f"{key}-mistakes.png": png for key, png in mistakes.items()}
    for iteration in report.iterations:
        if not iteration.analysis.fault:
            pictures[f"{iteration.key}-network.svg"] = draw(iteration.analysis).encode()
    names = " ".join(sorted(pictures))
    text = f"{text_of(report, pictures)}\n<!-- netbuilder report: {names} -->\n"
    html = page(report, mistakes)
    with report_write_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        remove_leftovers(out)
        for name in earlier - set(pictures):
            (out / name).unlink(missing_ok=True)
    # The markdown is first: it lists the pictures, so that an incomplete report can be replaced.
    for name, content in {MARKDOWN: text.encode(), **pictures, HTML: html.encode()}.items():
        with report_write_errors(out / name):
            write_to(out / name, content)
    return [out / MARKDOWN, out / HTML]


def _earlier(out: Path, *, force: bool) -> set[str]:
    """Return the pictures of an earlier report in ``out``."""
    if out.exists() and not out.is_dir():
        raise ConfigError(printable(f"--out {out}: it is a file; name a folder"))
    if not out.exists():
        return set()
    names = {path.name for path in out.iterdir() if not path.name.startswith(".")}
    manifest = _MANIFEST.search(_last_part(out / MARKDOWN)) if MARKDOWN in names else None
    pictures = set(manifest[1].split()) if manifest else set()
    others = sorted(names - (pictures | {MARKDOWN, HTML} if manifest else set()))
    if others and not force:
        listed = ", ".join(others[:5]) + (" …" if len(others) > 5 else "")
        raise ConfigError(
            printable(
                f"--out {out}: it has other files than a report: {listed}; choose another "
                "folder, or add --force to keep them and write the report"
            )
        )
    return {name for name in pictures if name.endswith((".png", ".svg")) and (out / name).is_file()}


def _last_part(path: Path) -> str:
    """Return the end of a text; empty if it is not a regular file."""
    try:
        size = require_regular(path)
    except UnfitFileError:
        return ""
    with path.open("rb") as file:
        file.seek(max(0, size - MAX_MANIFEST))
        return file.read(MAX_MANIFEST).decode(errors="replace")


def _mistakes(report: Report) -> dict[str, bytes]:
    """Return the plot of the worst mistakes of each network's first run, if any."""
    from netbuilder.render.plots.style import with_palette

    pictures = {}
    for iteration in report.iterations:
        if not iteration.evaluated:
            continue
        path = iteration.trained[0].run.path / "misclassified.png"
        if is_regular(path, MAX_PICTURE) and (png := path.read_bytes()).startswith(PNG):
            photos = iteration.analysis.architecture.input[0] > 1
            pictures[iteration.key] = with_palette(png, photos=photos)
    return pictures


def _pictures(report: Report) -> dict[str, bytes]:
    """Return the pictures of the markdown by file name."""
    import numpy as np

    from netbuilder.render.plots.curves import draw_curves_of_seeds
    from netbuilder.render.plots.images import draw_confusion
    from netbuilder.render.plots.pareto import ParetoPoint, draw_pareto

    pictures: dict[str, BytesIO] = defaultdict(BytesIO)
    sizes = [
        ParetoPoint(i.key, i.dataset, i.analysis.parameters, tested.mean, tested.low, tested.high)
        for i in report.iterations
        if (tested := i.best_test) and i.analysis.parameters
    ]
    if len(report.iterations) > 1 and sizes:
        draw_pareto(pictures[SIZES], sizes)
    for iteration in report.iterations:
        name = _heading(iteration)
        if iteration.trained:
            target = iteration.analysis.architecture.targets.test_accuracy
            runs = [run.metrics for run in iteration.trained]
            goal = target.at_least if target else None
            draw_curves_of_seeds(pictures[f"{iteration.key}-curves.png"], name, runs, goal)
        if iteration.evaluated and len(iteration.evaluated[0].classes) <= MOST_CLASSES:
            classes = [_short(one_line(name)) for name in iteration.evaluated[0].classes]
            picture = pictures[f"{iteration.key}-confusion.png"]
            draw_confusion(picture, name, classes, np.array(iteration.confusion))
    return {name: picture.getvalue() for name, picture in pictures.items()}


def _short(name: str) -> str:
    """Return the name of a class, shortened to fit a plot."""
    return name if len(name) <= LABEL else f"{name[: LABEL - 1]}…"


def _heading(iteration: ReportEntry) -> str:
    return f"{iteration.key}: {title(iteration)}" if title(iteration) else iteration.key
