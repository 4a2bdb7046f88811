"""Titles, notes and names are text in every format: a reader of the format returns them."""

from __future__ import annotations

import ast
import io
import json
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

import html5lib
import pytest
import yaml
from command import run
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from matplotlib import cbook
from PIL import Image
from small import DOCUMENT, small

from netbuilder._text import plural, printable
from netbuilder.components.datasets import Mnist5k
from netbuilder.config.loader import parse_architecture
from netbuilder.config.scaffold import next_document
from netbuilder.config.schema import Architecture
from netbuilder.data.open import open_dataset
from netbuilder.network.analysis import analyse
from netbuilder.network.codegen import python_code
from netbuilder.render import network as formats
from netbuilder.render import network as tables
from netbuilder.render.console import show
from netbuilder.render.plots.style import plain
from netbuilder.render.table import Column, Table

HOSTILE = (
    '=1+1 <b>"x"</b> | `a` *b* _c_ [red]d[/red] $x^2$ &amp; \'\'\' """ \\ \\n 😀 日本 שלום العربية',
    "ends in a backslash \\",
    'ends in quotes """',
    "turns \u202e what follows",
    "\x1b[31mred\x1b[0m \x9b31m \a",
    "two\nlines\r\n\tand a tab",
    "😀\n",
    "# no heading",
    "1. no list",
    "| no | table |",
    "<!-- no comment",
    "a  b",
    "$",
    r"\$a$",
)
BARE = DOCUMENT.split("targets:")[0].replace("title: Small $enough\n", "")
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


def hostile(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test with the hostile texts and with random ones."""
    for text in HOSTILE:
        test = example(text=text)(test)
    return settings(deadline=None, max_examples=60)(given(text=texts)(test))


def with_title(title: str) -> Architecture:
    """Return the small document with this title."""
    return small().model_copy(update={"title": title})


def one_space(text: str) -> str:
    """Collapse white space like a page."""
    return " ".join(text.split())


def page_text(markdown: str) -> str:
    """Return the visible text of a page in markdown."""
    page = html5lib.parse(MarkdownIt("commonmark").enable("table").render(markdown))
    return one_space("".join(page.itertext()))


@hostile
def test_a_printable_text_is_one_line(text: str) -> None:
    """Printable parts are unchanged, and a second call changes nothing."""
    line = printable(text)
    assert line.isprintable()
    assert printable(line) == line
    parts = "".join(sign if sign.isprintable() else "\0" for sign in text).split("\0")
    assert all(part in line for part in parts)


@hostile
def test_json_contains_the_exact_title(text: str) -> None:
    """Reading the JSON returns the title."""
    data = json.dumps(formats.as_data(analyse(with_title(text))))
    assert json.loads(data)["title"] == text


@hostile
def test_a_terminal_prints_a_title_as_text(text: str) -> None:
    """The first line has the title without interpreted markup."""
    with redirect_stdout(io.StringIO()) as out:
        show(*tables.summary(analyse(with_title(text)), plain=True), plain=True)
    first = out.getvalue().split("\n")[0]
    assert first.rstrip() == f"small  {printable(text)}".rstrip()


@hostile
def test_markdown_renders_a_title_as_text(text: str) -> None:
    """The rendered heading has the title without interpreted markup or HTML."""
    page = page_text(formats.as_markdown(analyse(with_title(text))))
    heading = ": ".join(filter(None, ("small", printable(text))))
    assert page.startswith(one_space(heading))


@hostile
def test_markdown_renders_a_cell_as_one_cell(text: str) -> None:
    """A rendered row of two columns has the text of two cells."""
    columns: list[Column[str]] = [Column("a", str), Column("b", lambda _: "c")]
    assert page_text(Table(columns, [text]).render("markdown")) == one_space(
        f"a b {printable(text)} c"
    )


@hostile
def test_python_code_has_the_title_in_its_docstring(text: str) -> None:
    """Quotes and backslashes of the title do not change or end the docstring."""
    module = ast.parse(python_code(with_title(text)))
    title = f"{printable(text)} " if text else ""
    assert ast.get_docstring(module, clean=False) == f"{title}(netbuilder)"


@hostile
def test_a_picture_shows_a_title_as_text(text: str) -> None:
    """No dollar sign starts a formula, and unprintable characters are escaped or replaced."""
    label = plain(text)
    assert not cbook.is_math_text(label)
    expected = "\n".join(map(printable, text.split("\n")))
    assert all(a in (b, "?") for a, b in zip(label.replace(r"\$", "$"), expected, strict=True))


@hostile
def test_a_draft_keeps_the_notes_of_the_previous_document(text: str) -> None:
    """They become the notes on what was learned, and load unchanged."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "small.yaml"
        # PyYAML writes YAML 1.1, in which 0E0 is not a number and needs no quotes.
        data = {"notes": {"analysis": text}, "title": text}
        words = yaml.safe_dump(data, allow_unicode=True, default_style='"')
        path.write_text(BARE + words, encoding="utf-8")
        draft = next_document(path, "next")
    learned = parse_architecture(draft.text, "next.yaml").notes.learned
    assert one_space(text) in learned


RED, TURNED = "\x1b[31m", "\u202e"
NAME = f"=1 [red] <b> 日本 שלום {RED}{TURNED}"


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an odd name, with a document, a run of it and a picture."""
    folder = tmp_path_factory.mktemp("odd") / NAME
    folder.mkdir()
    words = yaml.safe_dump({"title": " ".join(HOSTILE)}, allow_unicode=True, default_style='"')
    (folder / "d.yaml").write_text(BARE.replace("epochs: 3", "epochs: 1") + words, encoding="utf-8")
    image = open_dataset(Mnist5k()).test_images[3, 0].numpy()
    Image.fromarray(image).save(folder / f"{RED}{TURNED}.png")
    (folder / f"{RED}{TURNED}.jpg").write_bytes(b"none")
    assert run("train", str(folder / "d.yaml"), "--out", str(folder / "runs"), "-q").code == 0
    return folder


COMMANDS = """
summarize d.yaml
summarize none.yaml
check d.yaml --advice --runs runs
check none.yaml
train d.yaml --out new
train --resume RUN
evaluate RUN
evaluate runs
predict RUN .
lr-find d.yaml --steps 3 --out new
diff d.yaml RUN
runs runs
runs none
compare d.yaml runs --runs runs --out c.png --force
compare d.yaml --runs none
results runs
results none
report d.yaml --runs runs --out report
report d.yaml --out d.yaml
export RUN
export RUN --to safetensors --out weights --force
export none --to safetensors
export d.yaml --out d.yaml
new b --from d.yaml --out b.yaml --force
draw d.yaml --out d.svg --force
draw d.yaml --out -
draw RUN --out -
draw none
schema --out s.json
schema --out .
"""


@pytest.mark.parametrize("line", COMMANDS.split("\n")[1:-1])
def test_output_with_odd_names_is_printable(line: str, odd: Path) -> None:
    """Titles, folders and pictures with odd names are escaped in all output of a command."""
    [run_folder] = (odd / "runs" / "small").iterdir()
    paths = {"RUN": str(run_folder)} | {
        word: str(odd / word)
        for word in line.split()[1:]
        if word in (".", "runs", "none", "new", "report", "weights") or "." in word
    }
    command, *words = line.split()
    result = run(command, *(paths.get(word, word) for word in words))
    for printed in (result.out + result.err).split("\n"):
        assert printed.isprintable(), ascii(printed)


@pytest.mark.parametrize(
    ("count", "noun", "text"),
    [
        (1, "epoch", "1 epoch"),
        (3, "epoch", "3 epochs"),
        (0, "branch", "0 branches"),
        (2, "batch", "2 batches"),
        (2000, "value", "2,000 values"),
    ],
)
def test_a_noun_agrees_with_its_count(count: int, noun: str, text: str) -> None:
    """The plural of epoch has no e, unlike that of branch."""
    assert plural(count, noun) == text
