"""The picture of a network: its places, its folds, its text and its colors."""

from __future__ import annotations

import re
from collections import Counter
from itertools import combinations, pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from budgets import examples
from command import run
from documents import SMALL, analysis_of, network
from hypothesis import given, settings
from hypothesis import strategies as st
from nested import NESTS, nested
from paths import ROOT

from netbuilder.components.layers.base import Elementwise
from netbuilder.components.layers.conv import Conv2d
from netbuilder.config.loader import load
from netbuilder.config.schema import Architecture
from netbuilder.errors import ShapeError
from netbuilder.network.analysis import Analysis, analyse
from netbuilder.render.drawing import draw
from netbuilder.render.drawing.families import OTHER, family_of
from netbuilder.render.drawing.field import MOST_STEPS, steps_of, thin
from netbuilder.render.drawing.folding import MOST_BLOCKS, choose_chain
from netbuilder.render.drawing.fonts import shorten, text_width, wrap
from netbuilder.render.drawing.marks import Border, Card, Join, Label, Wire
from netbuilder.render.drawing.model import Block, Repeat, blocks_of, count_blocks, count_layers
from netbuilder.render.drawing.page import picture
from netbuilder.render.drawing.style import DARK, LIGHT, stylesheet
from netbuilder.render.drawing.svg import Picture

SVG = "{http://www.w3.org/2000/svg}"
DOCUMENTS = sorted([*(ROOT / "archs").glob("*.yaml"), *(ROOT / "archs" / "zoo").glob("*.yaml")])
SHAPES = st.sampled_from([(4,), (4, 8), (4, 8, 8), (4, 6, 6, 6)])
Box = tuple[float, float, float, float]


@pytest.fixture(scope="module", params=DOCUMENTS, ids=lambda path: path.stem)
def document(request: pytest.FixtureRequest) -> Analysis:
    """The analysis of each document of the repository."""
    return analyse(load(request.param))


def picture_of(analysis: Analysis, *, unfold: bool = False) -> Picture:
    """Return the picture with its places."""
    return picture(analysis, choose_chain(analysis, unfold=unfold))


def elements(svg: str, name: str) -> list[ET.Element]:
    """Return the elements of a picture by their name, after a parser of XML."""
    return list(ET.fromstring(svg).iter(f"{SVG}{name}"))


def visible(svg: str) -> list[str]:
    """Return each line of text that a reader sees."""
    return ["".join(element.itertext()) for element in elements(svg, "text")]


def card_box(mark: Card | Join) -> Box:
    """Return the left, top, right and bottom of a card or join with its labels."""
    return mark.x, mark.y - mark.above, mark.x + mark.width, mark.y + mark.below


def label_box(label: Label) -> Box:
    """Return the left, top, right and bottom of a line of text."""
    size = {"name": 16.0, "line": 12.0, "title": 12.0, "heading": 12.0}.get(label.style, 11.0)
    bold = label.style in ("name", "title", "heading", "whole")
    width = text_width(" ".join(filter(None, (label.number, label.text, label.note))), 11.0)
    width = max(width, text_width(label.text, size, bold=bold))
    left = label.x - (width / 2 if label.anchor == "middle" else 0)
    return left, label.y - 0.75 * size, left + width, label.y + 2


def overlap(a: Box, b: Box) -> bool:
    """Whether two boxes share more than an edge."""
    return a[0] < b[2] - 0.1 and b[0] < a[2] - 0.1 and a[1] < b[3] - 0.1 and b[1] < a[3] - 0.1


def contains(outer: Box, inner: Box) -> bool:
    """Whether a box is inside another one."""
    starts = all(a <= b + 0.1 for a, b in zip(outer[:2], inner[:2], strict=True))
    return starts and all(a >= b - 0.1 for a, b in zip(outer[2:], inner[2:], strict=True))


def check_places(drawing: Picture) -> None:
    """Check that nothing overlaps or is cut, and that no wire crosses a text."""
    cards = [mark for mark in drawing.marks if isinstance(mark, Card | Join)]
    frames = [
        (mark.x, mark.y, mark.x + mark.width, mark.y + mark.height)
        for mark in drawing.marks
        if isinstance(mark, Border)
    ]
    boxes = [card_box(card) for card in cards]
    labels = [label for card in cards for label in card.labels]
    free = [mark for mark in drawing.marks if isinstance(mark, Label)]
    texts = [label_box(label) for label in (*labels, *free)]
    boxes += [label_box(label) for label in free]
    for a, b in combinations(boxes, 2):
        assert not overlap(a, b), (a, b)
    for card in cards:
        for label in card.labels:
            assert contains(card_box(card), label_box(label)), label
    page = (0.0, 0.0, drawing.width, drawing.height)
    for box in (*boxes, *frames):
        assert contains(page, box), box
    for frame in frames:
        for box in (*boxes, *frames):
            assert not overlap(frame, box) or contains(frame, box) or contains(box, frame)
    wires = [mark for mark in drawing.marks if isinstance(mark, Wire)]
    for wire in wires:
        for (x, y), (u, v) in pairwise(wire.points):
            segment = (min(x, u) - 0.2, min(y, v) - 0.2, max(x, u) + 0.2, max(y, v) + 0.2)
            crossings = [text for text in texts if overlap(segment, text)]
            assert not crossings, (wire, crossings)


# --- places --------------------------------------------------------------------------------------


@examples(10, 400, settings(NESTS, deadline=None))
@given(architecture=nested(SHAPES))
def test_nothing_overlaps_or_is_cut(architecture: Architecture) -> None:
    """Of random networks: blocks and texts are apart, in the picture, and off the wires."""
    analysis = analyse(architecture)
    for unfold in (False, True):
        check_places(picture_of(analysis, unfold=unfold))


def test_nothing_overlaps_in_pictures_of_documents(document: Analysis) -> None:
    """The same of each document of the repository, in a width of at most 1,250."""
    drawing = picture_of(document)
    check_places(drawing)
    assert drawing.width < 1250


def test_a_slab_shows_channels_and_spatial_size() -> None:
    """More channels make it wider, a larger image higher; a sequence has no depth."""
    analysis = network("Conv2d: [4, 1]", "Conv2d: [64, 1]", "MaxPool2d: 2", "Flatten")
    cards = [mark for mark in picture_of(analysis).marks if isinstance(mark, Card)]
    image, few, many, half, flat = (card.slab for card in cards)
    assert image.width < few.width < many.width == half.width
    assert image.height == few.height == many.height > half.height > flat.height
    assert many.back > half.back > flat.back == 0


# --- what is drawn -------------------------------------------------------------------------------


def paths_of(svg: str) -> list[str]:
    """Return the path of each layer that the picture describes."""
    hints = [e.text or "" for e in elements(svg, "title")[1:]]
    return [line.split(" ")[0] for hint in hints for line in hint.split("\n")]


@examples(10, 400, settings(NESTS, deadline=None))
@given(architecture=nested(SHAPES))
def test_each_layer_is_drawn_once_without_folds(architecture: Architecture) -> None:
    """With ``unfold``, each layer has one place; with folds, the counts have the same sum."""
    analysis = analyse(architecture)
    svg = draw(analysis, unfold=True)
    counts = Counter(paths_of(svg))
    leaves = [row.path for row in analysis.rows if not row.is_container]
    assert {path: counts[path] for path in leaves} == dict.fromkeys(leaves, 1)
    assert count_layers(choose_chain(analysis)) == analysis.layers
    assert count_layers(choose_chain(analysis, depth=0)) == analysis.layers
    assert svg == draw(analyse(architecture), unfold=True)  # deterministic, and well-formed


def test_folds_have_the_layers_of_the_document(document: Analysis) -> None:
    """The blocks of a picture, each times its count, are all layers; they are not too many."""
    chain = choose_chain(document)
    assert count_layers(chain) == document.layers
    assert count_blocks(chain) <= MOST_BLOCKS


def test_a_layer_and_its_followers_are_one_block() -> None:
    """Norm, activation and dropout join the layer before them, each with its name."""
    analysis = network("Conv2d: [4, 3]", "BatchNorm2d", "ReLU", "MaxPool2d: 2", "Dropout")
    blocks = [b for b in blocks_of(choose_chain(analysis)) if isinstance(b, Block)]
    titles = [[row.title for row in block.rows] for block in blocks]
    assert titles == [["Conv2d", "BatchNorm2d", "ReLU"], ["MaxPool2d", "Dropout"]]
    assert {"0 Conv2d 3x3", "BatchNorm2d", "ReLU", "4x10x10"} <= set(visible(draw(analysis)))


@pytest.mark.parametrize(
    ("layers", "times"),
    [
        (("Conv2d: {out_channels: 1, kernel_size: 1}",) * 3, "0–2 × 3"),
        (("Conv2d: {out_channels: 1, kernel_size: 1}", "MaxPool2d: 1") * 4, "0–7 × 4"),
        (("Repeat: {times: 5, layers: [{Residual: {body: [{Conv2d: [1, 1]}]}}]}",), "0 × 5"),
        (("Sequential: {name: a, layers: [{Conv2d: [1, 1]}, {Conv2d: [1, 3]}]}",), ""),
    ],
)
def test_equal_layers_in_sequence_are_folded(layers: tuple[str, ...], times: str) -> None:
    """A frame says how often they repeat; unlike layers are not folded."""
    texts = visible(draw(network(*layers)))
    assert [text for text in texts if "×" in text] == ([times] if times else [])
    assert not [text for text in visible(draw(network(*layers), unfold=True)) if "×" in text]


def test_a_long_name_hides_no_count() -> None:
    """The name of a frame is shortened, but not how often its layers repeat."""
    layers = "[{Conv2d: [1, 1]}, {Conv2d: [1, 1, 1, 0]}, MaxPool2d: 1]"
    long = f"Sequential: {{name: {'n' * 80}, layers: {layers}}}"
    [title] = [t for t in visible(draw(network(long, long, long))) if t.endswith("× 3")]
    assert re.fullmatch("0–2 n+… × 3", title)


def test_blocks_that_differ_in_dropout_are_folded_in_a_large_network() -> None:
    """ConvNeXt drops each block more often than the one before; the picture says so."""
    analysis = analyse(load(ROOT / "archs" / "zoo" / "convnext_tiny.yaml"))
    texts = visible(draw(analysis))
    assert "6 stage: convnext × 9, dropout differs" in texts
    small = [layer for p in (1, 2, 3) for layer in ("Conv2d: [1, 1]", f"Dropout: 0.{p}")]
    assert not any(isinstance(i, Repeat) for i in choose_chain(network(*small)))


def test_layers_that_differ_are_not_folded() -> None:
    """An argument, a shape or a branch that differs is a difference."""
    same = "Residual: {body: [{Conv2d: {out_channels: 1, kernel_size: 1}}]}"
    for other in (
        same.replace("1}}", "1, bias: false}}"),
        same.replace("]}", "], join: multiply}"),
    ):
        assert not any(isinstance(i, Repeat) for i in choose_chain(network(same, other)))
    shrinking = network("Conv2d: [1, 3]", "Conv2d: [1, 3]")
    assert not any(isinstance(i, Repeat) for i in choose_chain(shrinking))


def test_branches_are_named_and_joined() -> None:
    """The names of branches, the identity, the split and the join are written."""
    parallel = (
        "Parallel: {split: true, join: concat, branches: {left: [], right: [{Conv2d: [2, 1]}]}}"
    )
    texts = visible(draw(network("Conv2d: [4, 1]", parallel)))
    assert {"left: identity", "right", "split", "1 concat"} <= set(texts)
    residual = "Residual: {body: [{Conv2d: [4, 1]}], activation: ReLU}"
    texts = visible(draw(network("Conv2d: [4, 1]", residual)))
    assert {"shortcut", "1 add", "ReLU"} <= set(texts)


def test_depth_folds_containers() -> None:
    """A container at the depth is one block that says how many layers it has."""
    analysis = analyse(load(ROOT / "archs" / "zoo" / "googlenet.yaml"))
    svg = draw(analysis, depth=0)
    assert sum("inception" in text for text in visible(svg)) == 9
    assert "19 layers" in visible(svg)


@pytest.mark.parametrize("count", [100, 2_000])
def test_a_long_network_is_drawn_in_less_detail(count: int) -> None:
    """Layers that all differ are folded by their spatial size, so that the picture is readable."""
    layers = [f"Conv2d: {{out_channels: {2 + i * i % 97}, kernel_size: 1}}" for i in range(count)]
    layers[-1] = "AdaptiveAvgPool2d: 1"
    analysis = network(*layers, shape="[1, 2, 2]")
    chain = choose_chain(analysis)
    assert (count_blocks(chain), count_layers(chain)) == ((count, 2)[count > 100], count)
    assert len(draw(analysis)) < 100_000


# --- the receptive field -------------------------------------------------------------------------


def test_the_receptive_field_is_that_of_the_analysis(document: Analysis) -> None:
    """Each outline has its layer and the analysis' text; only the first whole layer is marked."""
    svg = draw(document)
    steps = thin(steps_of(document), document.architecture.input[1:])
    assert len(steps) <= MOST_STEPS
    texts = visible(svg)
    for step in steps:
        assert f"{step.row.path} {step.row.title}" in texts
    whole = document.first_whole()
    marks = [e for e in elements(svg, "text") if "n-whole" in e.get("class", "")]
    assert [e.text for e in marks][:1] == ([f"{whole.path} {whole.title}"] if whole else [])
    outlines = [e for e in elements(svg, "rect") if "n-field" in e.get("class", "")]
    assert len(outlines) == len(steps)


def test_holes_are_dashed_and_named() -> None:
    """A layer that reads with holes has a dashed outline and says so."""
    analysis = network("Conv2d: {out_channels: 1, kernel_size: 3, dilation: 2}")
    svg = draw(analysis)
    assert "5, 3 of 12, with holes" in visible(svg)
    assert 'class="n-field n-holes"' in svg


@pytest.mark.parametrize(
    ("layer", "shape", "text"),
    [
        ("Conv1d: [4, 3]", "[1, 40]", "input of 40 positions"),
        ("Conv3d: [4, 3]", "[1, 6, 8, 8]", "input of 6x8x8, of which the last two axes are drawn"),
        ("Linear: 3", "[7]", "input of 7 positions"),
        ("ReLU", "[2, 5, 5]", "input of 5x5"),
        ("Residual: {body: []}", "[2, 5, 5]", "0 add"),
        ("Conv2d: [4, [1, 900]]", "[1, 2, 9000]", "input of 2x9000"),
    ],
)
def test_inputs_have_any_number_of_axes(layer: str, shape: str, text: str) -> None:
    """Sequences are lines, volumes are drawn by their last axes."""
    analysis = network(layer, shape=shape)
    check_places(picture_of(analysis))
    assert text in visible(draw(analysis))


# --- text and style ------------------------------------------------------------------------------


@examples(20, 500, settings(deadline=None))
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_a_title_is_text(text: str) -> None:
    """Any title is escaped: the picture is well-formed, and a parser returns what is printable."""
    analysis = analysis_of(SMALL)
    other = Analysis(
        analysis.architecture.model_copy(update={"title": text}), analysis.rows, analysis.fault
    )
    check_places(picture_of(other))
    [title] = elements(draw(other), "title")[:1]
    assert (title.text or "").startswith("The network small")


def test_names_in_documents_are_escaped_and_shortened() -> None:
    """A long name with markup is shown as text, its end left out, and whole under the pointer."""
    name = "<script>&amp; " + "x" * 60
    layer = f"Sequential: {{name: '{name}', layers: [{{Conv2d: [2, 3]}}, {{Conv2d: [1, 3]}}]}}"
    svg = draw(network(layer))
    assert "<script" not in svg
    assert any(
        text.startswith("0 <script>&amp; xx") and text.endswith("…") for text in visible(svg)
    )


def test_a_legend_names_what_is_drawn() -> None:
    """It has the families of the drawn layers, and the parts of windows with an example each."""
    conv = "Conv2d: {out_channels: 4, kernel_size: [3, 1], stride: 2, padding: 1, groups: 1}"
    texts = visible(draw(network(conv, "AdaptiveAvgPool2d: 1", "ReLU")))
    assert "3x1: kernel; /2: stride; p1: padding" in texts
    assert {"convolution", "pooling", "activation"} <= set(texts)
    assert not {"norm", "linear", "folded"} & set(texts)
    assert not [text for text in visible(draw(network("AdaptiveAvgPool2d: 1"))) if "kernel" in text]


def test_a_plugin_has_the_family_of_the_kind_that_it_extends() -> None:
    """One that extends no kind, only a base class, is of another family."""

    class WideConv(Conv2d):
        pass

    class Negation(Elementwise):
        pass

    assert family_of(WideConv(out_channels=2, kernel_size=(3, 3))) == "convolution"
    assert family_of(Negation()) == OTHER


def test_a_picture_survives_any_encoding() -> None:
    """Its text is ASCII, with references for other characters."""
    analysis = analysis_of(SMALL.replace("A small one", "日本 é ×"))
    assert draw(analysis).isascii()
    assert "small: 日本 é ×" in visible(draw(analysis))


def test_a_picture_loads_and_runs_nothing() -> None:
    """It has no script, no link and no address except that of its namespace."""
    svg = draw(analyse(load(ROOT / "archs" / "zoo" / "shufflenet_v2_x1_0.yaml")))
    names = {element.tag.removeprefix(SVG) for element in ET.fromstring(svg).iter()}
    assert names <= {
        "svg",
        "title",
        "desc",
        "style",
        "rect",
        "path",
        "circle",
        "text",
        "tspan",
        "g",
    }
    assert re.findall(r"\w+://", svg) == ["http://"]
    assert not re.search(r"url\(|@import|href", svg)


def test_a_screen_reader_has_title_and_description() -> None:
    """They are the first elements, and the root has the role of an image."""
    root = ET.fromstring(draw(analysis_of(SMALL)))
    assert root.get("role") == "img"
    assert [child.tag for child in root][:2] == [f"{SVG}title", f"{SVG}desc"]
    assert root[0].text == "The network small: A small one"
    assert (root[1].text or "").startswith("6 layers: ")


@pytest.mark.parametrize("in_page", [False, True])
def test_every_color_has_a_light_and_a_dark_value(in_page: bool) -> None:
    """Each variable that a rule uses is defined twice; no class lacks a rule."""
    style = stylesheet(in_page=in_page)
    light, dark = style.split("@media (prefers-color-scheme: dark)")
    for name in set(re.findall(r"var\(--(\w+)\)", style)):
        assert f"--{name}: #" in light
        assert f"--{name}: #" in dark
    rules = set(re.findall(r"\.n-(\w+)", style))
    svg = draw(analyse(load(ROOT / "archs" / "zoo" / "googlenet.yaml")))
    names = {name for group in re.findall(r'class="(n-[^"]*)"', svg) for name in group.split()}
    assert {name.removeprefix("n-") for name in names} - rules == {"part"}


def test_colors_agree_with_the_report() -> None:
    """The page of a report has the same base colors, light and dark."""
    css = (ROOT / "netbuilder/render/report/page/page.css").read_text()
    light, dark = css.split("@media (prefers-color-scheme: dark)")
    for part, colors in ((light, LIGHT), (dark, DARK)):
        page = dict(re.findall(r"--(\w+): (#\w+);", part.split("}\n}")[0]))
        assert {name: page[name] for name in colors} == colors


@examples(40, 2_000)
@given(text=st.text(max_size=50), width=st.floats(0, 300))
def test_a_shortened_text_fits(text: str, width: float) -> None:
    """A text that is too long ends with an ellipsis; lines of a wrapped text fit, too."""
    short = shorten(text, 11, width)
    assert short == text or short.endswith("…")
    assert text_width(short, 11) <= max(width, text_width("…", 11))
    if width > 30:
        assert all(text_width(line, 11) <= width for line in wrap(text, 11, width))


# --- the command ---------------------------------------------------------------------------------


def test_the_command_writes_a_file_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By default NAME.svg; an existing file stays without --force; - prints the picture."""
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(SMALL)
    expected = draw(analysis_of(SMALL))
    assert run("draw", "small.yaml").out == "wrote small.svg\n"
    assert Path("small.svg").read_text() == expected
    assert run("draw", "small.yaml", "--out", "-").out == expected
    again = run("draw", "small.yaml")
    assert (again.code, again.err) == (
        2, "--out small.svg: the file exists; --force replaces it\n",
    )  # fmt: skip
    assert run("draw", "small.yaml", "--force").code == 0
    assert run("draw", "small.yaml", "--out", "none/a.svg").code == 2


def test_the_command_changes_a_field(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``--set`` changes the document, as in training."""
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(SMALL)
    change = "layers[0].Conv2d.out_channels=9"
    assert ">9x12x12<" in run("draw", "small.yaml", "--set", change, "--out", "-").out


def test_a_faulty_network_is_not_drawn() -> None:
    """The fault is an error with its place."""
    with pytest.raises(ShapeError, match=r"layers\[0\].*larger than its input"):
        draw(network("Conv2d: [1, 40]"))
