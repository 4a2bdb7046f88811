"""Blocks, values, repetition and included files: their expansion, and the place of errors."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from run_folders import write_run

from netbuilder.config.loader import load, parse_architecture
from netbuilder.config.schema import Architecture
from netbuilder.config.yaml_nodes import Node
from netbuilder.errors import ConfigError
from netbuilder.network.analysis import analyse
from netbuilder.network.build import build

HEAD = "name: net\ninput: [3, 16, 16]\n"
UNIT = """\
blocks:
  unit:
    parameters: {channels: null, stride: 1}
    layers:
      - Conv2d: {out_channels: "${channels}", kernel_size: 3, stride: "${stride}"}
      - BatchNorm2d
"""


def parsed(text: str, *overrides: str) -> Architecture:
    return parse_architecture(HEAD + text, "net.yaml", overrides)


def plain(text: str) -> list[Any]:
    """Return the expanded layers of a document in canonical form."""
    layers: list[Any] = parsed(text).model_dump(mode="json")["layers"]
    return layers


@pytest.mark.parametrize(
    "use",
    [
        "unit: 8",
        "unit: [8]",
        "unit: [8, 1]",
        "unit: {channels: 8}",
        'unit: {stride: "${2 - 1}", channels: "${4 * 2}"}',
    ],
)
def test_a_block_takes_arguments_as_a_kind_does(use: str) -> None:
    """Arguments are one value, a list or a mapping; the other parameters have their defaults."""
    expanded = "layers: [{Sequential: {name: unit, layers: [{Conv2d: [8, 3]}, BatchNorm2d]}}]"
    assert plain(f"{UNIT}layers:\n  - {use}\n") == plain(expanded)


def test_an_index_as_exponent_doubles_the_width() -> None:
    """Each repetition has twice the channels of the one before it, and the first has no stride."""
    text = """\
layers:
  - Repeat:
      times: 3
      index: i
      layers:
        - Conv2d: ["${16 * 2 ** i}", 3, "${2 if i > 0 else 1}"]
"""
    rows = analyse(parsed(text)).rows[1:]
    assert [row.output_shape for row in rows] == [(16, 14, 14), (32, 6, 6), (64, 2, 2)]


def test_a_block_without_required_parameters_needs_no_arguments() -> None:
    """The name of the block alone is a layer, and the title of its row."""
    text = "blocks: {pair: {layers: [ReLU, Tanh]}}\nlayers: [pair]\n"
    assert [row.title for row in analyse(parsed(text)).rows] == ["pair", "ReLU", "Tanh"]


def test_expressions_are_allowed_for_any_value() -> None:
    """Text, sizes, options and kinds can be expressions of values, as can later values."""
    architecture = parsed(
        'title: "${width} wide"\n'
        'values: {width: 4, wide: "${width * 4}", act: SiLU, bias: false}\n'
        "layers:\n"
        '  - Conv2d: {out_channels: "${wide}", kernel_size: [3, "${width - 1}"], bias: "${bias}"}\n'
        "  - ${act}\n"
        "targets: {parameters: {below: ${width * 1000}}}\n".replace("${width * 1000}", "4000")
    )
    row = analyse(architecture).rows[0]
    assert (row.parameters, row.kind) == (16 * 3 * 9, "Conv2d")
    assert architecture.title == "4 wide"
    assert architecture.layers[1].kind == "SiLU"


def test_an_override_changes_a_value_before_expansion() -> None:
    """--set changes values and the defaults of blocks, and expressions use the new ones."""
    text = UNIT + "values: {width: 4}\nlayers: [{unit: '${width}'}]\n"
    changed = parsed(text, "values.width=6", "blocks.unit.parameters.stride=2")
    assert analyse(changed).output_shape == (6, 7, 7)


def test_repeat_expands_its_layers_the_given_number_of_times() -> None:
    """Layers are repeated in order with the index from 0, and omitted for 0 times."""
    text = "layers:\n  - Repeat: {times: %s, index: i, layers: [{Conv2d: ['${i + 1}', 1]}, ReLU]}\n"
    rows = analyse(parsed(text % 3)).rows
    assert [row.output_shape[0] for row in rows[1:]] == [1, 1, 2, 2, 3, 3]
    assert rows[0].title == "Repeat 3"
    assert [row.path for row in rows[1:3]] == ["0.0", "0.1"]
    assert analyse(parsed(text % 0)).output_shape == (3, 16, 16)


def test_blocks_can_be_nested_in_containers_and_blocks() -> None:
    """A block can be used in bodies, shortcuts, branches, repetitions and other blocks."""
    text = (
        "blocks:\n"
        "  conv: {parameters: {c: null}, layers: [{Conv2d: ['${c}', 3, 1, 1]}]}\n"
        "  twice: {parameters: {c: 1}, layers: [{Repeat: {times: 2, layers: [conv: '${c}']}}]}\n"
        "layers:\n"
        "  - Residual: {body: [{twice: 3}], shortcut: [{conv: 3}]}\n"
        "  - Parallel: {branches: {a: [{twice: 2}], b: []}}\n"
    )
    architecture = parsed(text)
    assert analyse(architecture).output_shape == (5, 16, 16)
    names = [name for name, _ in build(architecture).named_parameters() if "weight" in name]
    assert names == [
        "0.body.0.0.0.0.weight", "0.body.0.0.1.0.weight", "0.shortcut.0.0.weight",
        "1.a.0.0.0.0.weight", "1.a.0.0.1.0.weight",
    ]  # fmt: skip


# --- errors and their places ----------------------------------------------------------------------

USE = "layers:\n  - {}\n"
WRONG: dict[str, tuple[str, str]] = {
    "a block in itself": (
        "blocks:\n  a: {layers: [a]}\nlayers: [a]\n",
        "net.yaml:4:16: blocks.a.layers[0]: the block a, defined in net.yaml:4:3, uses itself: "
        "a → a; remove one of these uses (used in net.yaml:5:10 layers[0])",
    ),
    "blocks in each other": (
        "blocks:\n  a: {layers: [b]}\n  b: {layers: [{a: }]}\nlayers: [a]\n",
        "net.yaml:5:16: blocks.b.layers[0].a: the block a, defined in net.yaml:4:3, uses itself: "
        "a → b → a; remove one of these uses "
        "(used in net.yaml:4:16 blocks.a.layers[0]; used in net.yaml:6:10 layers[0])",
    ),
    "a value in a block": (
        UNIT + "layers: [ReLU, {unit: 0}]\n",
        "net.yaml:7:18: blocks.unit.layers[0].Conv2d.out_channels: found the number 0; "
        "allowed: at least 1 (${channels}) (used in net.yaml:9:16 layers[1].unit)",
    ),
    "a shape in a block": (
        UNIT + "layers: [{MaxPool2d: 8}, {unit: 4}]\n",
        "net.yaml:7:9: blocks.unit.layers[0].Conv2d: kernel 3x3 is larger than its input 3x2x2; "
        "use a smaller kernel, more padding, or less pooling before it "
        "(used in net.yaml:9:26 layers[1].unit)",
    ),
    "a missing parameter": (
        UNIT + "layers: [unit]\n",
        "net.yaml:9:10: layers[0]: channels is required; unit is defined in net.yaml:4:3",
    ),
    "an unknown parameter": (
        UNIT + "layers: [{unit: {chanels: 3}}]\n",
        "net.yaml:9:27: layers[0].unit.chanels: unknown parameter; did you mean channels?; "
        "see net.yaml:4:3",
    ),
    "too many arguments": (
        UNIT + "layers: [{unit: [1, 2, 3]}]\n",
        "net.yaml:9:10: layers[0].unit: found 3 arguments; unit takes at most 2: channels, stride",
    ),
    "an unknown block": (
        UNIT + "layers: [{units: 3}]\n",
        "net.yaml:9:10: layers[0]: unknown block 'units'; did you mean unit?",
    ),
    "a name of a kind": (
        "blocks: {ReLU: {layers: []}}\nlayers: [ReLU]\n",
        "net.yaml:3:10: blocks.ReLU: found the name 'ReLU'; "
        "allowed: lowercase letters, digits and underscores, a letter first",
    ),
    "a block without layers": (
        "blocks: {a: {parameters: {}}}\nlayers: [a]\n",
        "net.yaml:3:10: blocks.a: a block has a list of layers, and optionally parameters with "
        "their defaults; add layers: [...]",
    ),
    "an unknown name": (
        "values: {width: 3}\nlayers: [{Conv2d: ['${widht}', 1]}]\n",
        "net.yaml:4:20: layers[0].Conv2d[0]: ${widht}: unknown name 'widht'; did you mean width?",
    ),
    "a later value": (
        "values: {a: '${b}', b: 1}\nlayers: [ReLU]\n",
        "net.yaml:3:10: values.a: ${b}: unknown name 'b'",
    ),
    "an open brace": (
        "layers: [{Conv2d: ['${3', 1]}]\n",
        "net.yaml:3:20: layers[0].Conv2d[0]: ${3: a '${' is not closed; end it with '}'",
    ),
    "times that are not a whole number": (
        "layers: [{Repeat: {times: 1.5, layers: [ReLU]}}]\n",
        "net.yaml:3:27: layers[0].Repeat.times: found the number 1.5; "
        "allowed: a whole number from 0 to 10,000",
    ),
    "an index that hides a value": (
        "values: {i: 3}\nlayers: [{Repeat: {times: 1, index: i, layers: [ReLU]}}]\n",
        "net.yaml:4:37: layers[0].Repeat.index: i is already defined; "
        "choose another name",
    ),
    "quotes that are missing": (
        "layers: [{Conv2d: [${3}, 1]}]\n",
        "net.yaml:3:21: not YAML: did not find expected ',' or ']' while parsing a flow sequence; "
        'write "${...}" with quotes inside [ ] and { }',
    ),
    "an include without a folder": (
        "include: blocks.yaml\nlayers: [ReLU]\n",
        "net.yaml:3:10: include: a document without a file cannot include others; "
        "remove the section",
    ),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_a_mistake_in_a_block_names_its_definition_and_its_use(wrong: str) -> None:
    """The message is one line with the place of the mistake and each place of use."""
    text, message = WRONG[wrong]
    end = "" if wrong == "a later value" else "$"
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}{end}"):
        analyse(parsed(text)).require_sound()


def test_a_mistake_in_a_block_is_reported_once() -> None:
    """Three uses of a block with the same mistake give one problem."""
    with pytest.raises(ConfigError, match="out_channels: found the number 0") as error:
        parsed(UNIT + "layers: [{unit: 0}, {unit: 0}, {unit: 0}]\n")
    assert len(error.value.problems) == 1


BOMBS = {
    "blocks": "blocks:\n"
    + "".join(f"  b{i}: {{layers: [{f'b{i - 1}, ' * 10}]}}\n" for i in range(1, 12))
    + "  b0: {layers: [ReLU]}\nlayers: [b11]\n",
    "repetitions": "layers: [{Repeat: {times: 10000, layers: [{Repeat: {times: 10000, "
    "layers: [{Repeat: {times: 10000, layers: [ReLU]}}]}}]}}]\n",
    "repeated empty lists": "layers: [{Repeat: {times: 10000, layers: [{Repeat: {times: 10000, "
    "layers: []}}]}}]\n",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_an_exponential_expansion_is_refused(bomb: str) -> None:
    """A document that expands to billions of values is refused, and the message has the limit."""
    with pytest.raises(ConfigError, match=r"more than 120,000 values with its blocks expanded"):
        parsed(BOMBS[bomb])


def test_an_expansion_is_measured_before_it_creates_nodes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Identical repetitions are counted without nodes, and text counts by its length."""
    nodes = 0

    def count_node(*arguments: Any, **keywords: Any) -> Node:
        nonlocal nodes
        nodes += 1
        return Node(*arguments, **keywords)

    monkeypatch.setattr("netbuilder.config.yaml_nodes.Node", count_node)
    long = "x" * 50_000
    text = "layers: [{Repeat: {times: 10000, layers: [{Conv2d: '${a}${a}${a}'}]}}]\n"
    for bomb in (BOMBS["repetitions"], f"values: {{a: {long}}}\n" + text):
        with pytest.raises(ConfigError, match=r"more than 120,000 values"):
            parsed(bomb)
    assert nodes < 100


def test_a_document_may_have_ten_thousand_layers() -> None:
    """Ten thousand layers load, listed or repeated, with constant or computed arguments."""
    conv = "{Conv2d: {out_channels: 3, kernel_size: 3, padding: 1, bias: false}}"
    assert len(parsed(f"layers: [{', '.join([conv] * 10_000)}]\n").layers) == 10_000
    computed = conv.replace("3, p", "'${1 + 2 * (i % 2)}', p").replace("1, b", "'${i % 2}', b")
    for repeated in (conv, computed):
        index = "index: i, " if "${" in repeated else ""
        text = f"layers: [{{Repeat: {{times: 10000, {index}layers: [{repeated}]}}}}]\n"
        assert analyse(parsed(text)).layers == 10_000


def test_every_mistake_in_blocks_is_reported_at_once() -> None:
    """One mistake does not hide another, in definitions or in layers."""
    text = (
        "values: {a: '${b}', c: [1]}\nblocks: {d: {layer: []}, E: {layers: []}}\nlayers: [ReLU]\n"
    )
    with pytest.raises(ConfigError, match=r"values\.a: ") as error:
        parsed(text)
    assert [p.field for p in error.value.problems] == [
        "values.a", "values.c", "blocks.d.layer", "blocks.E",
    ]  # fmt: skip
    text = (
        "title: ${x}\n" + UNIT + "layers: [unit, {unit: {c: 1}}, {Residual: {body: [unit, units]}}"
        ", {Repeat: {times: 3, index: i, layers: [{Conv2d: '${j}'}]}}]\n"
    )
    with pytest.raises(ConfigError, match="title: ") as error:
        parsed(text)
    assert [p.field for p in error.value.problems] == [
        "title", "layers[0]", "layers[1].unit.c", "layers[2].Residual.body[0]",
        "layers[2].Residual.body[1]", "layers[3].Repeat.layers[0].Conv2d",
    ]  # fmt: skip


def test_a_mistake_computed_from_an_override_names_the_override(tmp_path: Path) -> None:
    """The place is the override if the value depends on it, and otherwise the document."""
    text = (
        "values: {w: 4, twice: '${w * 2}', other: 0}\n"
        "blocks: {conv: {parameters: {c: '${twice}'}, layers: [{Conv2d: ['${c}', 3]}]}}\n"
        "layers: [conv, {Conv2d: ['${other}', 3]}]\n"
    )
    with pytest.raises(ConfigError, match=r"^--set values\.w=0: ") as error:
        parsed(text, "values.w=0")
    assert str(error.value).splitlines() == [
        "--set values.w=0: blocks.conv.layers[0].Conv2d.out_channels: found the number 0; "
        "allowed: at least 1 (${c}) (used in net.yaml:5:10 layers[0])",
        "net.yaml:5:26: layers[1].Conv2d.out_channels: found the number 0; "
        "allowed: at least 1 (${other})",
    ]
    with pytest.raises(
        ConfigError, match=r"^--set values\.v=1: values\.v: unknown value; known: w"
    ):
        parsed("values: {w: 1}\nlayers: [ReLU]\n", "values.v=1")
    with pytest.raises(ConfigError, match=r"^--set values\.n=-1: layers\[0\]\.Repeat\.times"):
        parsed(
            "values: {n: 1}\nlayers: [{Repeat: {times: '${n}', layers: [ReLU]}}]\n", "values.n=-1"
        )
    path = write(
        tmp_path,
        net=HEAD + "include: parts.yaml\nlayers: [{Conv2d: ['${width}', 3]}]\n",
        parts="values: {width: 5}\n",
    )
    assert analyse(load(path, ["values.width=7"])).output_shape == (7, 14, 14)
    with pytest.raises(ConfigError, match=r"^--set values\.width=0: layers\[0\]\.Conv2d"):
        load(path, ["values.width=0"])


def test_an_override_changes_an_argument_of_a_block() -> None:
    """The override applies to each form in which a document can use the block."""
    for use in ("unit: 4", "unit: [4]", "unit: {channels: 4}"):
        changed = parsed(UNIT + f"layers: [{use}]\n", "layers[0].unit.stride=2")
        assert analyse(changed).output_shape == (4, 7, 7)


def test_a_mistake_in_a_scalar_argument_shows_its_expression() -> None:
    """The message ends with the expression, as for an argument by name."""
    with pytest.raises(ConfigError, match=r"allowed: at least 1 \(\$\{w\}\)$"):
        parsed("values: {w: 0}\nlayers: [Flatten, {Linear: '${w}'}]\n")


def test_containers_are_nested_up_to_a_limit() -> None:
    """Sixty nested containers are analyzed and built, and more are refused."""

    def nested_blocks(blocks: int) -> str:
        chain = "".join(
            f"  b{i}: {{layers: [{{Sequential: [b{i - 1}]}}]}}\n" for i in range(1, blocks)
        )
        return f"blocks:\n  b0: {{layers: [ReLU]}}\n{chain}layers: [b{blocks - 1}]\n"

    architecture = parsed(nested_blocks(30))
    assert max(row.depth for row in analyse(architecture).rows) == 59
    assert len(build(architecture)) == 1
    with pytest.raises(
        ConfigError, match=r"nested in more than 60 containers with blocks expanded"
    ):
        parsed(nested_blocks(31))


def test_a_long_chain_of_blocks_is_refused() -> None:
    """A chain of 900 blocks gives an error message, not a RecursionError."""
    chain = "".join(f"  b{i}: {{layers: [b{i + 1}]}}\n" for i in range(900))
    with pytest.raises(ConfigError, match=r"deeper than 40 levels"):
        parsed(f"blocks:\n{chain}  b900: {{layers: [ReLU]}}\nlayers: [b0]\n")


# --- included files -------------------------------------------------------------------------------


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder / "net.yaml"


def test_an_included_file_defines_blocks_and_values(tmp_path: Path) -> None:
    """The document uses them as its own, and a run folder contains a copy of the file."""
    net = HEAD.replace("16", "32") + "include: parts.yaml\nlayers: [{unit: '${width}'}]\n"
    net += "train: {dataset: cifar10, epochs: 1, optimizer: Adam}\n"
    path = write(tmp_path, net=net, parts=UNIT + "values: {width: 5}\n")
    architecture = load(path)
    assert analyse(architecture).output_shape == (5, 30, 30)
    run = write_run(tmp_path / "runs", architecture, [], finished=False)
    assert (run.path / "included" / "parts.yaml").read_text() == UNIT + "values: {width: 5}\n"
    assert (run.path / "architecture.yaml").read_text() == net


def test_a_mistake_in_an_included_block_names_its_file(tmp_path: Path) -> None:
    """The place is in the included file, and the place of use is in the document."""
    path = write(tmp_path, net=HEAD + "include: parts.yaml\nlayers: [{unit: 0}]\n", parts=UNIT)
    place = re.escape(f"{tmp_path}/parts.yaml:5:18: blocks.unit.layers[0].")
    use = re.escape(f"used in {path}:4:10 layers[0].unit")
    with pytest.raises(ConfigError, match=f"^{place}.*{use}"):
        load(path)


@pytest.mark.parametrize(
    ("include", "message"),
    [
        (
            "../parts.yaml",
            r"found '\.\./parts\.yaml'; allowed: a file in the folder of the document",
        ),
        ("/etc/passwd", r"found '/etc/passwd'; allowed: a file in the folder of the document"),
        ("link.yaml", r"found 'link\.yaml'; allowed: a file in the folder of the document"),
        ("missing.yaml", r"include: 'missing\.yaml': no such file"),
        ("other.yaml", r"other\.yaml:1:1: layers: an included file has only values and blocks"),
        ("twice.yaml", r"unit is already defined, in .*net|unit is already defined"),
        ("3", r"found the number 3; allowed: the name of a file"),
    ],
)
def test_an_invalid_include_is_refused(tmp_path: Path, include: str, message: str) -> None:
    """A file outside the folder is not read, and a file may contain definitions alone."""
    folder = tmp_path / "documents"
    folder.mkdir()
    (tmp_path / "parts.yaml").write_text(UNIT)
    (folder / "link.yaml").symlink_to(tmp_path / "parts.yaml")
    net = HEAD + f"include: {include}\n" + UNIT + "layers: [ReLU]\n"
    path = write(folder, net=net, other="layers: [ReLU]\n", twice=UNIT)
    with pytest.raises(ConfigError, match=message):
        load(path)


# --- expansion equals a document without blocks ---------------------------------------------------

sizes = st.integers(1, 6)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(sizes, sizes), min_size=1, max_size=5), sizes, st.integers(0, 3))
def test_expansion_equals_the_document_without_blocks(
    uses: list[tuple[int, int]], width: int, times: int
) -> None:
    """A document with blocks expands to the layers of one that lists each use in full."""
    short = (
        f"values: {{width: {width}}}\n"
        "blocks:\n"
        "  part:\n"
        "    parameters: {a: null, b: '${width}'}\n"
        "    layers:\n"
        f"      - Repeat: {{times: {times}, index: i, "
        "layers: [{Conv2d: ['${a + b * i}', 1]}, ReLU]}\n"
        "layers:\n" + "".join(f"  - part: [{a}, {b}]\n  - part: {a}\n" for a, b in uses)
    )
    long = "layers:\n"
    for a, b in uses:
        for c in (b, width):
            copies = ", ".join(f"{{Conv2d: [{a + c * i}, 1]}}, ReLU" for i in range(times))
            inner = f"{{Sequential: {{name: Repeat {times}, layers: [{copies}]}}}}"
            long += f"  - Sequential: {{name: part, layers: [{inner}]}}\n"
    assert plain(short) == plain(long)
