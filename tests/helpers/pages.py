"""The README and the guide as text: their examples, their links and their generated parts.

``python tests/helpers/pages.py`` writes every generated part: the transcripts of commands, the
tables between ``<!-- name -->`` marks, the catalogue, the pictures and the report of the ten
iterations.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import StringIO
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from omissions import LEFT_OUT
from paths import ROOT
from rich.console import Console, Group
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

from netbuilder.components.component import Component
from netbuilder.components.documentation import default_of, summary, torch_page
from netbuilder.components.field_texts import text_of
from netbuilder.components.init import INITIALIZERS
from netbuilder.components.layers.base import LAYERS
from netbuilder.components.registries import AUGMENTATIONS, DATASETS, LOSSES, OPTIMIZERS, SCHEDULERS
from netbuilder.components.registry import Registry
from netbuilder.config.loader import load
from netbuilder.config.schema import COMPONENTS
from netbuilder.network.analysis import analyse
from netbuilder.render.drawing import draw
from netbuilder.render.progress import HEADER, closing_line, epoch_row, opening_line, verdict_table
from netbuilder.runs.run import Run
from netbuilder.training.compile import COMPILED_FROM_EPOCH_2

GUIDE = ROOT / "netbuilder" / "guide"
README = ROOT / "README.md"
CATALOGUE = GUIDE / "catalogue.md"
PICTURE = GUIDE / "images" / "summary.svg"
DRAWING = GUIDE / "images" / "iter10.svg"
PAGES = (README, *sorted(GUIDE.glob("*.md")))
TEXTS = {page: page.read_text(encoding="utf-8") for page in PAGES}

TRAIN = "netbuilder train archs/iter10.yaml"
"""The one transcript that is not run: it is printed from the record in archs/results."""
RESULTS = "netbuilder results archs/results --format markdown"
REPORT = "netbuilder report archs/iter*.yaml --runs archs/results --out archs/results/report"

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[(?:[^\]\[]|!?\[[^\]]*\]\([^)]*\))*\]\(([^)\s]+)\)")
IMAGE = re.compile(r"!\[[^\]]*\]\(([^)\s]+)\)")


# --- reading -------------------------------------------------------------------------------------


def blocks(page: Path, *languages: str) -> list[str]:
    """Return the contents of a page's fenced blocks in any of ``languages``."""
    return [text for language, text in FENCE.findall(TEXTS[page]) if language in languages]


def transcripts(page: Path) -> dict[str, str]:
    """Return each command of a page with the output that the page shows."""
    parts = (block[2:].partition("\n") for block in blocks(page, "console"))
    return {command: output for command, _, output in parts}


def links(page: Path) -> list[str]:
    """Return the targets of a page's links and images, those in fenced blocks left out."""
    prose = FENCE.sub("", TEXTS[page])
    return LINK.findall(prose) + IMAGE.findall(prose)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings on a code host."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", TEXTS[page]), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def commands(page: Path) -> list[str]:
    """Return every ``netbuilder`` command line of a page, in blocks and inline."""
    shell = "".join(blocks(page, "bash", "sh")).splitlines()
    inline = re.findall(r"`(netbuilder [^`\n]+)`", FENCE.sub("", TEXTS[page]))
    lines = [*shell, *transcripts(page), *inline]
    return [line.partition("  #")[0].strip() for line in lines if line.startswith("netbuilder ")]


@contextmanager
def workplace() -> Iterator[Path]:
    """Create the folder of the transcripts: the repository's documents and ``digits.yaml``."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        for linked in ("archs", "tests"):
            (folder / linked).symlink_to(ROOT / linked)
        document = blocks(GUIDE / "getting-started.md", "yaml")[0]
        (folder / "digits.yaml").write_text(document, encoding="utf-8")
        yield folder


def run(command: str, cwd: Path, **environment: str) -> str:
    """Return what a ``netbuilder`` command prints, without the colors of a terminal."""
    program, *arguments = shlex.split(command)
    assert program == "netbuilder"
    process = subprocess.run(
        [sys.executable, "-m", "netbuilder", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
    )
    assert "Traceback" not in process.stderr, process.stderr
    return process.stdout + process.stderr


def transcript(command: str) -> str:
    """Return the expected transcript of ``command``."""
    if command == TRAIN:
        return recorded_training()
    with workplace() as folder:
        return run(command, folder)


# --- generated parts -----------------------------------------------------------------------------


def recorded_training() -> str:
    """Return what training the tenth iteration printed after its summary, from its record."""
    [folder] = (ROOT / "archs/results/iter10").glob("*-seed0")
    record = Run.open(folder)
    # The record is of an earlier version, which worded this differently.
    environment = record.environment.model_copy(update={"compile": COMPILED_FROM_EPOCH_2})
    best, lines = 0.0, [opening_line(environment, record.path), HEADER]
    for epoch in record.metrics:
        lines.append(epoch_row(epoch, best=epoch.test_accuracy > best))
        best = max(best, epoch.test_accuracy)
    assert record.result is not None
    lines += verdict_table(record.result).render("plain").splitlines()
    printed = "\n".join([*lines, closing_line(record.result, record.path)]) + "\n"
    return "…\n" + printed.replace(str(folder.parent.parent), "runs")


def results() -> str:
    """Return the table of the ten iterations, generated from the records in archs/results."""
    return run(RESULTS, ROOT)


def zoo() -> str:
    """Return the table of the documents in archs/zoo."""
    lines = [
        "| network | lines | parameters | MACs | input |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for path in sorted((ROOT / "archs/zoo").glob("*.yaml")):
        analysis = analyse(load(path))
        shape = "x".join(map(str, analysis.architecture.input))
        lines.append(
            f"| [{analysis.architecture.name}](../../archs/zoo/{path.name}) "
            f"| {len(path.read_text().splitlines())} | {analysis.parameters:,} "
            f"| {analysis.macs:,} | {shape} |"
        )
    return "\n".join([*lines, ""])


LAYER_FAMILIES = {
    "activation": "Activations",
    "adaptive": "Adaptive pooling",
    "containers": "Containers",
    "conv": "Convolutions",
    "conv_transpose": "Transposed convolutions",
    "dropout": "Dropout",
    "linear": "Linear",
    "norm": "Normalization",
    "padding": "Padding",
    "pool": "Pooling",
    "resample": "Resampling",
    "reshape": "Reshaping",
    "vision": "From torchvision",
}
"""The heading of each module of layers."""


def catalogue() -> str:
    """Return the page that lists every kind of every family."""
    lines = [
        "# Catalogue",
        "",
        "Look up every kind that a document can name, with its arguments.",
        "",
        "Names, arguments, order and defaults are those of torch and torchvision. An argument",
        "without a default is required. Arguments are listed in positional order; those after",
        "`*` are written by name. Sizes that follow from the layer before, such as `in_channels`,",
        "are inferred and never written. [Documents](documents.md) describes the grammar.",
        "",
        "This page is generated by `python tests/helpers/pages.py`.",
        "",
        "## Layers",
        "",
        "`x` is the input of the layer and `(C, H, W)` the shape of one sample. `Repeat` and",
        "blocks are described in [Blocks](blocks.md).",
        "",
    ]
    for module, kinds in groupby(
        LAYERS.kinds.values(), key=lambda kind: kind.__module__.rpartition(".")[2]
    ):
        lines += [f"### {LAYER_FAMILIES[module]}", "", *_kinds(kinds), ""]
    families: dict[str, Registry[Any]] = {
        "Optimizers": OPTIMIZERS,
        "Schedulers": SCHEDULERS,
        "Losses": LOSSES,
        "Augmentations": AUGMENTATIONS,
        "Data sets": DATASETS,
        "Initializers": INITIALIZERS,
    }
    for title, family in families.items():
        lines += [f"## {title}", "", *_kinds(family.kinds.values()), ""]
    lines += ["## Arguments", "", "Editors show these texts, too.", "", *_texts(), ""]
    reasons: dict[str, list[str]] = {}
    for name, reason in LEFT_OUT.items():
        reasons.setdefault(reason, []).append(f"`{name}`")
    lines += [
        "## Modules of torch.nn without a kind",
        "",
        "A test compares the catalogue with `torch.nn`. These modules are left out on purpose.",
        "",
        "| reason | modules |",
        "| --- | --- |",
        *(f"| {reason} | {', '.join(names)} |" for reason, names in reasons.items()),
    ]
    return "\n".join([*lines, ""])


def _kinds(kinds: Iterable[type[Component]]) -> list[str]:
    lines = ["| kind | description | arguments |", "| --- | --- | --- |"]
    for kind in kinds:
        about, name = summary(kind).replace("|", r"\|"), f"`{kind.kind}`"
        if torch_name := kind.torch_name():
            name = f"[{name}]({torch_page(torch_name)})"
        lines.append(f"| {name} | {about} | {_arguments(kind)} |")
    return lines


def _arguments(kind: type[Component]) -> str:
    names = kind.positional()
    by_name = [name for name in kind.model_fields if name not in names]
    arguments = [_argument(kind, name) for name in names]
    if by_name:
        arguments += ["`*`", *(_argument(kind, name) for name in by_name)]
    return ", ".join(arguments) or "–"


def _argument(kind: type[Component], name: str) -> str:
    if kind.model_fields[name].is_required():
        return f"`{name}`"
    return f"`{name}={json.dumps(default_of(kind, name))}`"


def _texts() -> list[str]:
    """Return the table of what arguments mean, each with the kinds that have it."""
    rows: dict[tuple[str, str], tuple[str, list[str]]] = {}
    for kind in COMPONENTS.values():
        for name in kind.model_fields:
            text = text_of(kind, name)
            null = f"; by default {text.null}" if text.null else ""
            _, kinds = rows.setdefault((name, f"{text.meaning}{null}"), (text.unit, []))
            kinds.append(kind.kind)
    return [
        "| argument | meaning | unit | of |",
        "| --- | --- | --- | --- |",
        *(
            f"| `{name}` | {meaning} | {unit} | {', '.join(kinds)} |"
            for (name, meaning), (unit, kinds) in sorted(rows.items())
        ),
    ]


def picture() -> str:
    """Return the README's picture: the first document of the guide beside its summary."""
    with workplace() as folder:
        document = (folder / "digits.yaml").read_text(encoding="utf-8")
        (folder / "typo.yaml").write_text(document.replace("ReLU", "Relu", 1), encoding="utf-8")
        outputs = {
            command: run(command, folder, COLUMNS="68", FORCE_COLOR="1", TERM="xterm-256color")
            for command in (
                "netbuilder summarize digits.yaml --format rich",
                "netbuilder check typo.yaml",
            )
        }
    source = Syntax(document.rstrip(), "yaml", theme="monokai", background_color="default")
    panels = [
        Panel(Text.from_ansi(text.rstrip()), title=command, title_align="left", border_style="dim")
        for command, text in outputs.items()
    ]
    grid = Table.grid(padding=(0, 1))
    grid.add_row(
        Panel(source, title="digits.yaml", title_align="left", border_style="dim"), Group(*panels)
    )
    console = Console(record=True, width=114, file=StringIO(), force_terminal=True)
    console.print(grid)
    svg = console.export_svg(title="netbuilder", theme=DIMMED_MONOKAI)
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # loads nothing
    return svg.replace("Fira Code, monospace", "Menlo, Consolas, DejaVu Sans Mono, monospace")


def drawing() -> str:
    """Return the guide's picture of a network, the tenth iteration."""
    return draw(analyse(load(ROOT / "archs/iter10.yaml")))


TABLES: dict[str, Callable[[], str]] = {"results": results, "zoo": zoo}
"""The functions that generate the text between ``<!-- name -->`` and ``<!-- /name -->``."""


def table(page: Path, name: str) -> list[str]:
    """Return the contents between the marks ``name`` of a page."""
    return _marks(name).findall(TEXTS[page])


def _marks(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<=<!-- {name} -->\n).*?(?=<!-- /{name} -->)", re.DOTALL)


def regenerated(page: Path) -> str:
    """Return the text of a page with its generated parts replaced."""
    if page == CATALOGUE:
        return catalogue()
    text = TEXTS[page]
    for command in transcripts(page):
        output = transcript(command)
        block = re.compile(rf"(```console\n\$ {re.escape(command)}\n).*?(?=^```$)", re.M | re.S)
        text = block.sub(lambda match, output=output: match[1] + output, text)  # type: ignore[misc]
    for name, make in TABLES.items():
        if table(page, name):
            text = _marks(name).sub(lambda _, make=make: make(), text)  # type: ignore[misc]
    return text


def regenerate() -> None:
    """Write every generated part again."""
    documents = " ".join(f"archs/iter{number}.yaml" for number in range(1, 11))
    print(run(REPORT.replace("archs/iter*.yaml", documents), ROOT), end="")
    PICTURE.write_text(picture(), encoding="utf-8")
    DRAWING.write_text(drawing(), encoding="utf-8")
    for page in PAGES:
        page.write_text(regenerated(page), encoding="utf-8")
        print(page.relative_to(ROOT))


def is_document(text: str) -> bool:
    """Whether a YAML example is a whole document rather than a part of one."""
    content = yaml.safe_load(text)
    return isinstance(content, dict) and {"name", "input", "layers"} <= content.keys()


if __name__ == "__main__":
    regenerate()
