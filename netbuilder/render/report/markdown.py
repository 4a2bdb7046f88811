"""The report as markdown for a code host, with its pictures as files."""

from __future__ import annotations

from collections.abc import Iterable

from netbuilder.render.markdown import escaped, items
from netbuilder.render.network_text import totals
from netbuilder.render.report import tables
from netbuilder.render.report import text as words
from netbuilder.render.report.model import Report, ReportEntry


def text_of(report: Report, pictures: Iterable[str]) -> str:
    """Return the whole text; ``pictures`` are the names of the picture files."""
    files = set(pictures)
    lines = [f"# {escaped(words.heading(report))}", "", *map(escaped, words.lead(report)), ""]
    lines += [
        tables.overview_table(report).render("markdown"),
        escaped(words.overview_note(report)),
        "",
    ]
    if "accuracy-against-parameters.png" in files:
        about = "Best test accuracy against the number of parameters"
        lines += [f"![{about}](accuracy-against-parameters.png)", ""]
    for iteration in report.iterations:
        lines += _section(iteration, files)
    return "\n".join(lines)


def _section(i: ReportEntry, files: set[str]) -> list[str]:
    notes, analysis = i.analysis.architecture.notes, i.analysis
    title = escaped(f"{i.key} {words.title(i)}".strip())
    lines = [f'<a id="iteration-{i.key}"></a>', "", f"## {title}", ""]
    lines += [line for remark in i.remarks for line in (f"> {escaped(words.one_line(remark))}", "")]
    if words.paragraphs(notes.target) or i.goals:
        lines += ["### Target", "", *_prose(notes.target)]
        if i.goals:
            lines += [tables.goals_table(i).render("markdown")]
    if i.before:
        lines += [f"### Changes since {escaped(i.before)}", ""]
        lines.append(items(i.changes or ["The layers and the training are the same."]))
    elif words.paragraphs(notes.choices):
        lines += ["### Choices", ""]
    lines += _prose(notes.choices)
    layers = [tables.layers_table(i, "").render("markdown")]
    lines += ["### Network", ""]
    lines += [escaped(str(analysis.fault)), ""] if analysis.fault else []
    if len(analysis.rows) > tables.LONG:
        head = f"<details><summary>{len(analysis.rows)} rows</summary>"
        layers = [head, "", *layers, "</details>", ""]
    lines += _picture(f"{i.key}-network.svg", f"The network {i.key}", files)
    lines += [*layers, escaped(totals(analysis)), ""]
    if i.trained:
        lines += ["### Results", "", escaped(words.seeds_note(i)), ""]
        lines += [tables.seeds_table(i).render("markdown")]
        picture = _picture(f"{i.key}-curves.png", f"Loss and accuracy of {i.key}", files)
        lines += [*picture, words.CURVES_NOTE, ""] if picture else []
    if i.evaluated:
        lines += ["### Confusion", "", escaped(words.confusion_note(i)), ""]
        lines += _picture(f"{i.key}-confusion.png", f"Confusion matrix of {i.key}", files)
        lines += ["### Worst mistakes", ""]
        picture = _picture(f"{i.key}-mistakes.png", f"Worst mistakes of {i.key}", files)
        lines += [words.picture_note(i), "", *picture] if picture else []
        if i.mistakes:
            table = tables.mistakes_table(i.mistakes).render("markdown")
            lines += [words.MISTAKES_NOTE, "", table]
        else:
            lines += ["No mistakes are recorded.", ""]
    lines += ["### What the numbers show", "", items(words.observations(i))]
    if words.paragraphs(notes.analysis):
        lines += ["### The author's analysis", "", *_prose(notes.analysis)]
    return lines


def _prose(text: str) -> list[str]:
    return [line for part in words.paragraphs(text) for line in (escaped(part), "")]


def _picture(name: str, about: str, files: set[str]) -> list[str]:
    return [f"![{escaped(about)}]({name})", ""] if name in files else []
