"""The report as markdown that a code host shows, with pictures beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from netbuilder.report import cells, words
from netbuilder.report.facts import Iteration, Report
from netbuilder.tables import totals

LONG = 40
"""Tables of layers that are longer are folded away."""

_ESCAPES = str.maketrans(
    {character: f"\\{character}" for character in "\\`*_{}[]#~$"}
    | {character: f"&#{ord(character)};" for character in "<&|@"}
)
_LINKS = re.compile(r":(?=\S)|(?<=www)\.", re.IGNORECASE)
"""What would make an address a link, or a word between colons a picture."""
_BEGINNINGS = re.compile(r"^(\d{1,9})([.)])(?=\s|$)|^([-+=>])")
"""What would begin a list, a rule, a quotation or a heading at the beginning of a line."""


def escaped(text: str) -> str:
    """One line that markdown and HTML show as it is, at the beginning of a line too."""
    text = _LINKS.sub(lambda m: f"\\{m[0]}", text.translate(_ESCAPES))
    return _BEGINNINGS.sub(lambda m: f"{m[1] or ''}\\{m[2] or m[3]}", text)


def text_of(report: Report, pictures: Iterable[str]) -> str:
    """The whole text; ``pictures`` are the names of the files that lie beside it."""
    there = set(pictures)
    lines = [f"# {escaped(words.heading(report))}", "", *map(escaped, words.lead(report)), ""]
    rows = []
    for iteration in report.iterations:
        first, *rest = map(escaped, cells.overview(iteration))
        title = escaped(words.title(iteration))
        rows.append([f"[{first}](#iteration-{iteration.key}) {title}".rstrip(), *rest])
    lines += [*_table(cells.OVERVIEW, rows, text=(0,)), words.OVERVIEW_NOTE, ""]
    if "accuracy-against-parameters.png" in there:
        about = "Best test accuracy against the number of parameters"
        lines += [f"![{about}](accuracy-against-parameters.png)", ""]
    for iteration in report.iterations:
        lines += _section(iteration, there)
    return "\n".join(lines)


def _section(i: Iteration, there: set[str]) -> list[str]:
    notes, analysis = i.analysis.architecture.notes, i.analysis
    title = escaped(f"{i.key} {words.title(i)}".strip())
    lines = [f'<a id="iteration-{i.key}"></a>', "", f"## {title}", ""]
    lines += [line for remark in i.remarks for line in (f"> {escaped(words.one_line(remark))}", "")]
    if words.paragraphs(notes.target) or i.goals:
        lines += ["### Target", "", *_prose(notes.target)]
        if i.goals:
            lines += _table(cells.GOALS, [_cells(cells.goal(goal)) for goal in i.goals], (0, 1, 3))
    if i.before:
        lines += [f"### Changes since {escaped(i.before)}", ""]
        lines += _list(i.changes or ("The layers and the training are the same.",))
    elif words.paragraphs(notes.choices):
        lines += ["### Choices", ""]
    lines += _prose(notes.choices)
    layers = _table(cells.LAYERS, [_cells(cells.layer(r, analysis)) for r in analysis.rows], (0, 1))
    lines += ["### Network", ""]
    lines += [escaped(str(analysis.fault)), ""] if analysis.fault else []
    if len(analysis.rows) > LONG:
        head = f"<details><summary>{len(analysis.rows)} rows</summary>"
        layers = [head, "", *layers, "</details>", ""]
    lines += [*layers, escaped(totals(analysis)), ""]
    if i.trained:
        rows = [cells.seed(run) for run in i.trained]
        rows += [cells.all_seeds(i)] if len(rows) > 1 else []
        lines += ["### Results", "", escaped(words.seeds_note(i)), ""]
        lines += _table(cells.SEEDS, map(_cells, rows), (0, 9, 10))
        lines += _picture(f"{i.key}-curves.png", f"Loss and accuracy of {i.key}", there)
    if i.evaluated:
        lines += ["### Confusion", "", escaped(words.confusion_note(i)), ""]
        lines += _picture(f"{i.key}-confusion.png", f"Confusion matrix of {i.key}", there)
        lines += ["### Worst mistakes", ""]
        shown = _picture(f"{i.key}-mistakes.png", f"Worst mistakes of {i.key}", there)
        lines += [words.picture_note(i), "", *shown] if shown else []
        if i.mistakes:
            made = [_cells(cells.mistake(mistake)) for mistake in i.mistakes]
            lines += [words.MISTAKES_NOTE, "", *_table(cells.MISTAKES, made, (1, 2))]
        else:
            lines += ["No mistake is on record.", ""]
    lines += ["### What the figures say", "", *_list(words.observations(i))]
    if words.paragraphs(notes.analysis):
        lines += ["### The author's analysis", "", *_prose(notes.analysis)]
    return lines


def _cells(cells: Iterable[str]) -> list[str]:
    return [escaped(cell) for cell in cells]


def _list(texts: Iterable[str]) -> list[str]:
    return [*(f"- {escaped(text)}" for text in texts), ""]


def _prose(text: str) -> list[str]:
    return [line for part in words.paragraphs(text) for line in (escaped(part), "")]


def _picture(name: str, about: str, there: set[str]) -> list[str]:
    return [f"![{escaped(about)}]({name})", ""] if name in there else []


def _table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], text: Sequence[int] = ()
) -> list[str]:
    rule = ["---" if column in text else "---:" for column in range(len(columns))]
    return [*("| " + " | ".join(row) + " |" for row in (columns, rule, *rows)), ""]
