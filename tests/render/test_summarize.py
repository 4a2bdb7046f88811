"""An analysis as a table, on a terminal and in a pipe."""

from __future__ import annotations

import io

import pytest
from documents import FAULTY, HOSTILE, SMALL, analysis_of, network
from rich.console import Console, Group

from netbuilder.network.targets import Verdict, judge_document
from netbuilder.render.console import Block, show
from netbuilder.render.network import NETWORKS, summary
from netbuilder.render.network_text import (
    field_text,
    layer_labels,
    memory_text,
    verdict_line,
    window_text,
)
from netbuilder.render.table import Table


def console_text(blocks: list[Block], width: int = 100) -> str:
    """Return the output of a console of this width, without colors and trailing blanks."""
    console = Console(file=io.StringIO(), width=width, color_system=None, legacy_windows=False)
    with console.capture() as capture:
        console.print(Group(*blocks))
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def test_a_summary_has_every_layer() -> None:
    """It has lines, bars of shares, and a star at the first layer that sees the whole input."""
    assert (
        console_text(summary(analysis_of(SMALL), plain=False))
        == """\
small  A small one
                                     receptive
layer          window   output           field  jump  parameters  share            MACs   memory
────────────────────────────────────────────────────────────────────────────────────────────────
0 Conv2d       3x3 p1  4x12x12         3 of 12     1          36   2.4% ▎         5,184  2.2 KiB
1 BatchNorm2d          4x12x12         3 of 12     1           8   0.5% ▏                2.2 KiB
2 ReLU                 4x12x12         3 of 12     1                                     2.2 KiB
3 MaxPool2d    2x2 /2    4x6x6         4 of 12     2                                       576 B
4 Flatten                  144         4 of 12     0                                       576 B
5 Linear                    10  *14, all of 12     0       1,450  97.1% ███████▊  1,440     40 B
1,494 parameters, 6,624 MACs, 7.9 KiB of activations for one sample; sees all of the 12x12 input
from layer 5 Linear on
target parameters below 1,500: 1,494, met with 6 to spare
target receptive field at least 12: 14, met with 2 to spare
"""
    )


def test_a_narrow_console_leaves_out_whole_columns() -> None:
    """The least important columns are left out first and are named."""
    assert (
        console_text(summary(analysis_of(SMALL), plain=False), width=60)
        == """\
small  A small one
                                     receptive
layer          window   output           field  parameters
──────────────────────────────────────────────────────────
0 Conv2d       3x3 p1  4x12x12         3 of 12          36
1 BatchNorm2d          4x12x12         3 of 12           8
2 ReLU                 4x12x12         3 of 12
3 MaxPool2d    2x2 /2    4x6x6         4 of 12
4 Flatten                  144         4 of 12
5 Linear                    10  *14, all of 12       1,450
too narrow for memory, jump, share, MACs; --format plain
shows all
1,494 parameters, 6,624 MACs, 7.9 KiB of activations for one
sample; sees all of the 12x12 input from layer 5 Linear on
target parameters below 1,500: 1,494, met with 6 to spare
target receptive field at least 12: 14, met with 2 to spare
"""
    )


def test_a_plain_summary_is_aligned_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    """It has no lines, no folding and no trailing blanks."""
    show(*summary(analysis_of(SMALL), plain=True), plain=True)
    assert (
        capsys.readouterr().out
        == """\
small  A small one
layer          window   output  receptive field  jump  parameters  share            MACs   memory
0 Conv2d       3x3 p1  4x12x12          3 of 12     1          36   2.4%           5,184  2.2 KiB
1 BatchNorm2d          4x12x12          3 of 12     1           8   0.5%                  2.2 KiB
2 ReLU                 4x12x12          3 of 12     1                                     2.2 KiB
3 MaxPool2d    2x2 /2    4x6x6          4 of 12     2                                       576 B
4 Flatten                  144          4 of 12     0                                       576 B
5 Linear                    10   *14, all of 12     0       1,450  97.1% ########  1,440     40 B
1,494 parameters, 6,624 MACs, 7.9 KiB of activations for one sample; \
sees all of the 12x12 input from layer 5 Linear on
target parameters below 1,500: 1,494, met with 6 to spare
target receptive field at least 12: 14, met with 2 to spare
"""
    )


def test_a_plain_summary_ignores_forced_colors(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The output has no escape sequence with FORCE_COLOR."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    show(*summary(analysis_of(FAULTY), plain=True), plain=True)
    assert "\x1b" not in capsys.readouterr().out


def test_a_fault_follows_the_layers_before_it() -> None:
    """Rows, totals and targets that are not judged precede the fault and its place."""
    assert (
        console_text(summary(analysis_of(FAULTY), plain=False))
        == """\
faulty
                              receptive
layer        window   output      field  jump  parameters  share             MACs   memory
──────────────────────────────────────────────────────────────────────────────────────────
0 Conv2d     3x3     4x10x10    3 of 12     1          40  100.0% ████████  3,600  1.6 KiB
1 MaxPool2d  5x5 /5    4x2x2    7 of 12     5                                         64 B
40 parameters, 3,600 MACs, 1.6 KiB of activations for one sample; sees 7x7 of the 12x12 input
target parameters below 1,500: not judged, the network has a fault
test.yaml:6:5: layers[2].Conv2d: kernel 3x3 is larger than its input 4x2x2; use a smaller kernel,
more padding, or less pooling before it
"""
    )


@pytest.mark.parametrize("plain", [True, False])
def test_a_fault_of_the_first_layer_has_an_empty_table(plain: bool) -> None:
    """The header and the zero totals precede the fault."""
    text = console_text(summary(network("Conv2d: [4, 20]"), plain=plain), width=200)
    assert "layer  window  output" in text
    assert (
        "\n0 parameters, 0 MACs, 0 B of activations for one sample; sees 1x1 of the 12x12" in text
    )
    assert "test.yaml:4:5: layers[0].Conv2d: kernel 20x20 is larger than its input 1x12x12" in text


def test_several_networks_have_one_row_each() -> None:
    """A row has the number of targets met, or a fault."""
    missed = SMALL.replace("below: 1500", "below: 1494").replace("small", "missed")
    documents = (SMALL, missed, FAULTY, SMALL[: SMALL.index("targets")])
    assert (
        console_text([Table(NETWORKS, [analysis_of(text) for text in documents])])
        == """\
                        receptive
name    layers  output      field  parameters   MACs   memory  targets
─────────────────────────────────────────────────────────────────────────
small        6      10         14       1,494  6,624  7.9 KiB  2 of 2 met
missed       6      10         14       1,494  6,624  7.9 KiB  1 of 2 met
faulty       3   4x2x2          7          40  3,600  1.6 KiB  fault
small        6      10         14       1,494  6,624  7.9 KiB
"""
    )


def test_a_title_is_printed_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    """Markup, emoji codes and escape sequences in it have no effect."""
    analysis = analysis_of(SMALL.replace("A small one", f'"{HOSTILE}"'))
    assert analysis.architecture.title.endswith("\x1b[31m \n")
    expected = r"small  [red]x[/red] [/nope] :smile: `a|b` <b>&amp; $x$ \x1b[31m \n"
    assert console_text(summary(analysis, plain=False)).splitlines()[0] == expected
    show(*summary(analysis, plain=True), plain=True)
    assert capsys.readouterr().out.splitlines()[0] == expected


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        ("Conv2d: [4, 3]", "3x3"),
        ("Conv2d: [4, [3, 1]]", "3x1"),
        ("Conv2d: [4, 3, 2, 1]", "3x3 /2 p1"),
        ("Conv2d: {out_channels: 4, kernel_size: 3, padding: same}", "3x3 same"),
        ("Conv2d: [4, 3, [2, 1], [1, 0], 2]", "3x3 /2x1 p1x0 d2"),
        ("Conv2d: {out_channels: 4, kernel_size: 3, groups: 2}", "3x3 g2"),
        ("MaxPool2d: 2", "2x2 /2"),
        ("MaxPool2d: [3, 1]", "3x3"),
        ("AvgPool2d: {kernel_size: [2, 3], ceil_mode: true}", "2x3 /2x3"),
        ("AdaptiveAvgPool2d: [[null, 1]]", "to =x1"),
        ("Linear: 10", ""),
    ],
)
def test_a_window_is_abbreviated(layer: str, text: str) -> None:
    """The kernel precedes each stride, padding, dilation or groups that is not the default."""
    [row] = network(layer, shape="[2, 12, 12]").rows
    assert window_text(row) == text


def test_different_axes_are_listed_separately() -> None:
    """Receptive field, input and jump have a size per axis."""
    analysis = network("AvgPool2d: [[12, 2], [12, 2]]", shape="[1, 12, 24]")
    plain = console_text(summary(analysis, plain=True), width=200)
    assert "12x2 of 12x24  12x2" in plain
    assert plain.splitlines()[-1].endswith("sees 12x2 of the 12x24 input")


def test_the_star_marks_one_layer() -> None:
    """Only the first of the layers that see the whole input is marked."""
    text = console_text(
        summary(network("AdaptiveAvgPool2d: 1", "ReLU", "Conv2d: [3, 1]"), plain=True)
    )
    assert [line.split()[1] for line in text.splitlines() if "*" in line] == ["AdaptiveAvgPool2d"]


@pytest.mark.parametrize(
    ("bound", "line"),
    [
        (
            "parameters: {below: 1494}",
            "below 1,494: 1,494, not met, the bound itself is not allowed",
        ),
        ("parameters: {at_most: 1494}", "at most 1,494: 1,494, met with 0 to spare"),
        ("parameters: {at_most: 1000}", "at most 1,000: 1,494, not met, off by 494"),
        ("receptive_field: {at_least: 20}", "at least 20: 14, not met, off by 6"),
        ("epochs: {at_most: 5}", "at most 5: not judged, the document has no train section"),
    ],
)
def test_a_target_is_printed_with_its_margin(bound: str, line: str) -> None:
    """The line covers both directions, the bound itself, and a target that is not judged."""
    text = SMALL[: SMALL.index("targets")] + f"targets:\n  {bound}\n"
    [verdict] = judge_document(analysis_of(text))
    name = bound.partition(":")[0].replace("_", " ")
    assert verdict_line(verdict) == f"target {name} {line}"


def test_accuracies_keep_their_digits() -> None:
    """An accuracy is not rounded to the bound."""
    verdict = Verdict("test_accuracy", "at least 99.4", 99.39, met=False, left=-0.01)
    assert verdict_line(verdict).endswith("99.39, not met, off by 0.01")


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536 * 1024, "1.5 MiB"),
        (5 * 1024**4, "5120.0 GiB"),
    ],
)
def test_memory_is_in_binary_units(count: int, text: str) -> None:
    """The unit is the largest with a value of at least 1, up to GiB."""
    assert memory_text(count) == text


def test_indices_of_layers_are_aligned() -> None:
    """Indices are right-aligned per depth, and nested ones are indented."""
    nested = "Sequential: {name: block, layers: [{Conv2d: [2, 1]}, ReLU]}"
    analysis = network(nested, *["ReLU"] * 10)
    assert [label.rstrip() for label in layer_labels(analysis.rows)][:5] == [
        " 0 block",
        "   0 Conv2d",
        "   1 ReLU",
        " 1 ReLU",
        " 2 ReLU",
    ]
    assert layer_labels(analysis.rows)[-1] == "10 ReLU"


def test_a_receptive_field_beyond_the_input_is_all_of_it() -> None:
    """A field of 14 pixels is printed as all of 12."""
    analysis = analysis_of(SMALL)
    assert [field_text(row, analysis) for row in analysis.rows[-2:]] == [
        "4 of 12",
        "14, all of 12",
    ]
    equal = network("Conv2d: [1, 12]")
    assert field_text(equal.rows[0], equal) == "12 of 12"
