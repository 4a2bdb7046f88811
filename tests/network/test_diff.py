"""What differs between two documents, and which layers are a pair."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from budgets import examples
from command import run
from documents import network
from hypothesis import given
from hypothesis import strategies as st
from nested import nested
from paths import ROOT
from strategies import inputs

from netbuilder.config.loader import load, parse_architecture
from netbuilder.config.schema import Architecture
from netbuilder.network.alignment import align
from netbuilder.network.analysis import Analysis, Row, analyse
from netbuilder.network.diff import ArchitectureDiff, diff_architectures

FEW = examples(30, 100)


@FEW
@given(architecture=nested(inputs(4, 9)))
def test_a_document_does_not_differ_from_itself(architecture: Architecture) -> None:
    """Every layer is kept, and the whole is no difference."""
    found = diff_architectures(analyse(architecture), analyse(architecture))
    assert not found
    assert found.count("kept") == len(found.layers) == len(analyse(architecture).rows)


@FEW
@given(before=nested(inputs(4, 9)), after=nested(inputs(4, 9)))
def test_every_row_of_both_sides_is_there_once(before: Architecture, after: Architecture) -> None:
    """Added, kept and changed make up the second; removed, kept and changed the first; in order."""
    first, second = analyse(before), analyse(after)
    found = diff_architectures(first, second)
    assert [c.before for c in found.layers if c.before] == list(first.rows)
    assert [c.after for c in found.layers if c.after] == list(second.rows)
    assert found.count("added") + found.count("kept") + found.count("changed") == len(second.rows)
    back = diff_architectures(second, first)
    assert (back.count("added"), back.count("removed")) == (
        found.count("removed"),
        found.count("added"),
    )


@FEW
@given(architecture=nested(inputs(4, 9)), data=st.data())
def test_a_layer_put_in_is_one_layer_added(architecture: Architecture, data: st.DataObject) -> None:
    """All others are kept, and nothing before it has other figures."""
    layers = list(architecture.layers)
    at = data.draw(st.integers(0, len(layers)))
    identity = Architecture.model_validate(
        {"name": "a", "input": list(architecture.input), "layers": [{"Softsign": {}}]}
    ).layers[0]
    longer = architecture.model_copy(update={"layers": (*layers[:at], identity, *layers[at:])})
    found = diff_architectures(analyse(architecture), analyse(longer))
    assert (found.count("added"), found.count("removed"), found.count("changed")) == (1, 0, 0)
    assert not any(layer.affected for layer in found.layers if layer.change == "kept")


def told(found: ArchitectureDiff) -> list[str]:
    """Each layer as its sign and name, as ``+ 2 ReLU``."""
    signs = {"added": "+", "removed": "-", "changed": "~", "kept": " "}
    return [f"{signs[layer.change]} {layer.row.path} {layer.row.title}" for layer in found.layers]


@FEW
@given(before=nested(inputs(4, 9)), after=nested(inputs(4, 9)))
def test_the_way_back_has_the_same_pairs(before: Architecture, after: Architecture) -> None:
    """What one way adds, the other removes."""
    first, second = analyse(before), analyse(after)
    there, back = diff_architectures(first, second), diff_architectures(second, first)
    pairs = {(_at(first, layer.before), _at(second, layer.after)) for layer in there.layers}
    assert pairs == {(_at(first, layer.after), _at(second, layer.before)) for layer in back.layers}


@FEW
@given(before=nested(inputs(4, 9)), after=nested(inputs(4, 9)))
def test_layers_of_a_pair_of_containers_are_paired_inside_it(
    before: Architecture, after: Architecture
) -> None:
    """None has its partner in a container that is paired with another."""
    first, second = analyse(before), analyse(after)
    layers = diff_architectures(first, second).layers
    partner = {_at(first, c.before): _at(second, c.after) for c in layers if c.before and c.after}
    around, other = _containers(first), _containers(second)
    for a, b in partner.items():
        assert {partner[c] for c in around[a] if c in partner} <= other[b]


def _at(analysis: Analysis, row: Row | None) -> int:
    return -1 if row is None else next(i for i, r in enumerate(analysis.rows) if r is row)


def _containers(analysis: Analysis) -> list[set[int]]:
    """For each row the containers that it is in, however deep."""
    return [
        {c for c, holder in enumerate(analysis.rows[:i]) if c + holder.descendants >= i}
        for i in range(len(analysis.rows))
    ]


def test_layers_that_multiply_hold_the_rest_in_place() -> None:
    """Where normalisation and activation change places, the convolutions stay pairs."""
    conv, norm = "Conv2d: {out_channels: 4, kernel_size: 3, bias: false}", "BatchNorm2d"
    before = network(*[conv, norm, "ReLU"] * 4)
    found = diff_architectures(before, network(*[conv, "ReLU", norm] * 4))
    convolutions = [layer.change for layer in found.layers if layer.row.kind == "Conv2d"]
    assert convolutions == ["kept"] * 4


def test_the_sixth_and_seventh_iteration_share_their_first_convolutions() -> None:
    """As a person would draw it; the third has fewer channels."""
    pair = (analyse(load(ROOT / f"archs/iter{number}.yaml")) for number in (6, 7))
    found = diff_architectures(*pair)
    convolutions = [layer.change for layer in found.layers if layer.row.kind == "Conv2d"]
    assert convolutions[:3] == ["kept", "kept", "changed"]


def test_the_stages_of_two_residual_networks_are_held_against_each_other() -> None:
    """No layer of a block that is kept or changed is paired with one of another block."""
    first, second = (analyse(load(ROOT / f"archs/zoo/resnet{n}.yaml")) for n in (18, 50))
    found = diff_architectures(first, second)
    stages = [layer for layer in found.layers if layer.row.depth == 0 and layer.row.is_container]
    assert [layer.row.title for layer in stages if layer.change == "changed"] == ["stage"] * 4
    assert [layer.row.title for layer in stages if layer.change == "removed"] == ["basic"] * 4
    shortcuts = [layer for layer in found.layers if layer.row.name == "shortcut.0"]
    assert [layer.change for layer in shortcuts] == ["added", "kept", "kept", "kept"]


def test_layers_that_were_wrapped_are_kept() -> None:
    """The container is what was added; unwrapped, it is what was removed."""
    conv = "Conv2d: {out_channels: 4, kernel_size: 3}"
    flat = network(conv, "ReLU", conv, "ReLU", "Flatten")
    wrapped = network(f"Sequential: {{layers: [{{{conv}}}, ReLU, {{{conv}}}, ReLU]}}", "Flatten")
    assert told(diff_architectures(flat, wrapped)) == [
        "+ 0 Sequential", "  0.0 Conv2d", "  0.1 ReLU", "  0.2 Conv2d", "  0.3 ReLU", "  1 Flatten",
    ]  # fmt: skip
    assert diff_architectures(wrapped, flat).count("kept") == 5


def test_blocks_that_became_a_repetition_are_kept() -> None:
    """Only the repetition around them is new."""
    block = "Residual: {body: [{Conv2d: {out_channels: 1, kernel_size: 3, padding: 1}}, ReLU]}"
    found = diff_architectures(
        network(*[block] * 3), network(f"Repeat: {{times: 3, layers: [{block}]}}")
    )
    assert (found.count("added"), found.count("removed"), found.count("changed")) == (1, 0, 0)


def test_of_equal_pairs_the_earliest_are_taken() -> None:
    """A network cut to its beginning shares that, not layers from everywhere."""
    conv = "Conv2d: {out_channels: 4, kernel_size: 3, bias: false}"
    biased = conv.replace("false", "true")
    found = diff_architectures(network(*[conv, "ReLU"] * 3), network(biased, "ReLU", "Softsign"))
    assert told(found)[:2] == ["~ 0 Conv2d", "  1 ReLU"]
    assert found.count("removed") == 4


def test_a_layer_that_moved_is_removed_and_added() -> None:
    """Once each; what it passed is kept."""
    conv = "Conv2d: {out_channels: 4, kernel_size: 3}"
    found = diff_architectures(network("Dropout", conv, "ReLU"), network(conv, "ReLU", "Dropout"))
    assert told(found) == ["- 0 Dropout", "  0 Conv2d", "  1 ReLU", "+ 2 Dropout"]


@pytest.mark.parametrize(("n", "m"), [(1, 4), (4, 1), (3, 7)])
def test_a_narrow_band_still_aligns_every_entry(n: int, m: int) -> None:
    """However few cells are allowed, each entry of both sequences is in the result once."""
    _, steps = align([10] * n, [10] * m, lambda i, j: 6, max_cells=0)
    assert [i for i, _ in steps if i is not None] == list(range(n))
    assert [j for _, j in steps if j is not None] == list(range(m))


FAULTY = """\
name: faulty
input: [1, 12, 12]
layers:
  - Conv2d: {out_channels: 4, kernel_size: 3}
  - MaxPool2d: 8
  - Conv2d: {out_channels: 4, kernel_size: 3}
  - ReLU
"""


def test_the_same_fault_in_two_files_is_no_difference() -> None:
    """Wherever it stands in them; layers behind it that differ, or another fault, are one."""
    texts = [FAULTY, f"# moved\n{FAULTY}", FAULTY.replace("ReLU", "GELU"), FAULTY.replace("8", "9")]
    first, moved, behind, other = (
        analyse(parse_architecture(text, f"{number}.yaml")) for number, text in enumerate(texts)
    )
    assert not diff_architectures(first, moved)
    assert diff_architectures(first, behind).differs_after_fault
    assert diff_architectures(first, behind)
    assert diff_architectures(first, other)


def test_layers_that_differ_behind_a_fault_are_told(tmp_path: Path) -> None:
    """There are no rows of them."""
    before, after = tmp_path / "a.yaml", tmp_path / "b.yaml"
    before.write_text(FAULTY)
    after.write_text(FAULTY.replace("ReLU", "GELU"))
    told = run("diff", str(before), str(after)).out
    assert "layers after the fault differ; fix it to see which" in told
    assert "no difference" not in told
    assert "behind the" not in run("diff", str(before), str(before)).out


def test_a_figure_that_falls_to_nothing_is_a_zero(tmp_path: Path) -> None:
    """Not an arrow to nowhere; a layer that never had any shows none."""
    before, after = tmp_path / "a.yaml", tmp_path / "b.yaml"
    before.write_text(FAULTY.replace("8", "2") + "  - BatchNorm2d\n")
    after.write_text(FAULTY.replace("8", "2") + "  - BatchNorm2d: {affine: false}\n")
    told = run("diff", str(before), str(after), "--format", "markdown").out
    [row] = [line for line in told.splitlines() if line.startswith("| changed")]
    assert "| 8 -> 0 |" in row


def test_what_changed_is_told_with_its_figures_before_and_after() -> None:
    """From the fifth iteration to the sixth: layers, training, targets, all in one answer."""
    found = json.loads(
        run("diff", str(ROOT / "archs/iter9.yaml"), str(ROOT / "archs/iter10.yaml"),
            "--runs", str(ROOT / "archs/results"), "--format", "json").out
    )  # fmt: skip
    fields = {change["field"]: (change["before"], change["after"]) for change in found["train"]}
    assert any(field.startswith("train.scheduler") for field in fields)
    assert fields["train.epochs"] == (12, 15)
