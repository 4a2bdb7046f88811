"""The differences between two documents, and the pairs of their layers."""

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
from netbuilder.network.analysis import Analysis, analyse
from netbuilder.network.diff import ArchitectureDiff, diff_architectures
from netbuilder.network.rows import Row

FEW = examples(30, 100)


@FEW
@given(architecture=nested(inputs(4, 9)))
def test_a_document_does_not_differ_from_itself(architecture: Architecture) -> None:
    """Every layer is kept, and the diff is empty."""
    diff = diff_architectures(analyse(architecture), analyse(architecture))
    assert not diff
    assert diff.count("kept") == len(diff.layers) == len(analyse(architecture).rows)


@FEW
@given(before=nested(inputs(4, 9)), after=nested(inputs(4, 9)))
def test_a_diff_contains_every_row_of_both_sides_once(
    before: Architecture, after: Architecture
) -> None:
    """Rows are in order, and the counts of the reverse diff swap added and removed."""
    first, second = analyse(before), analyse(after)
    diff = diff_architectures(first, second)
    assert [c.before for c in diff.layers if c.before] == list(first.rows)
    assert [c.after for c in diff.layers if c.after] == list(second.rows)
    assert diff.count("added") + diff.count("kept") + diff.count("changed") == len(second.rows)
    back = diff_architectures(second, first)
    assert (back.count("added"), back.count("removed")) == (
        diff.count("removed"),
        diff.count("added"),
    )


@FEW
@given(architecture=nested(inputs(4, 9)), data=st.data())
def test_an_inserted_layer_is_the_only_addition(
    architecture: Architecture, data: st.DataObject
) -> None:
    """All other layers are kept, and none of them has other numbers."""
    layers = list(architecture.layers)
    at = data.draw(st.integers(0, len(layers)))
    identity = Architecture.model_validate(
        {"name": "a", "input": list(architecture.input), "layers": [{"Softsign": {}}]}
    ).layers[0]
    longer = architecture.model_copy(update={"layers": (*layers[:at], identity, *layers[at:])})
    diff = diff_architectures(analyse(architecture), analyse(longer))
    assert (diff.count("added"), diff.count("removed"), diff.count("changed")) == (1, 0, 0)
    assert not any(layer.affected for layer in diff.layers if layer.change == "kept")


def lines(diff: ArchitectureDiff) -> list[str]:
    """Return each layer as its sign, path and title, such as ``+ 2 ReLU``."""
    signs = {"added": "+", "removed": "-", "changed": "~", "kept": " "}
    return [f"{signs[layer.change]} {layer.row.path} {layer.row.title}" for layer in diff.layers]


@FEW
@given(before=nested(inputs(4, 9)), after=nested(inputs(4, 9)))
def test_the_reverse_diff_has_the_same_pairs(before: Architecture, after: Architecture) -> None:
    """The pairs of a diff in the other direction are the same pairs, swapped."""
    first, second = analyse(before), analyse(after)
    forward, back = diff_architectures(first, second), diff_architectures(second, first)
    pairs = {(_at(first, layer.before), _at(second, layer.after)) for layer in forward.layers}
    assert pairs == {(_at(first, layer.after), _at(second, layer.before)) for layer in back.layers}


@FEW
@given(before=nested(inputs(4, 9)), after=nested(inputs(4, 9)))
def test_layers_are_paired_within_their_paired_containers(
    before: Architecture, after: Architecture
) -> None:
    """The partner of a layer is in the partner of its container."""
    first, second = analyse(before), analyse(after)
    layers = diff_architectures(first, second).layers
    partner = {_at(first, c.before): _at(second, c.after) for c in layers if c.before and c.after}
    around, other = _containers(first), _containers(second)
    for a, b in partner.items():
        assert {partner[c] for c in around[a] if c in partner} <= other[b]


def _at(analysis: Analysis, row: Row | None) -> int:
    return -1 if row is None else next(i for i, r in enumerate(analysis.rows) if r is row)


def _containers(analysis: Analysis) -> list[set[int]]:
    """Return the indices of all containers of each row."""
    return [
        {c for c, holder in enumerate(analysis.rows[:i]) if c + holder.descendants >= i}
        for i in range(len(analysis.rows))
    ]


def test_convolutions_take_precedence_in_the_alignment() -> None:
    """If normalization and activation swap places, the convolutions remain pairs."""
    conv, norm = "Conv2d: {out_channels: 4, kernel_size: 3, bias: false}", "BatchNorm2d"
    before = network(*[conv, norm, "ReLU"] * 4)
    diff = diff_architectures(before, network(*[conv, "ReLU", norm] * 4))
    convolutions = [layer.change for layer in diff.layers if layer.row.kind == "Conv2d"]
    assert convolutions == ["kept"] * 4


def test_the_first_convolutions_of_iterations_6_and_7_are_pairs() -> None:
    """The first two are kept, and the third changes its channels."""
    pair = (analyse(load(ROOT / f"archs/iter{number}.yaml")) for number in (6, 7))
    diff = diff_architectures(*pair)
    convolutions = [layer.change for layer in diff.layers if layer.row.kind == "Conv2d"]
    assert convolutions[:3] == ["kept", "kept", "changed"]


def test_the_stages_of_resnet18_and_resnet50_are_pairs() -> None:
    """The four stages are pairs, and so are the shortcuts that both networks have."""
    first, second = (analyse(load(ROOT / f"archs/zoo/resnet{n}.yaml")) for n in (18, 50))
    diff = diff_architectures(first, second)
    stages = [layer for layer in diff.layers if layer.row.depth == 0 and layer.row.is_container]
    assert [layer.row.title for layer in stages if layer.change == "changed"] == ["stage"] * 4
    assert [layer.row.title for layer in stages if layer.change == "removed"] == ["basic"] * 4
    shortcuts = [layer for layer in diff.layers if layer.row.name == "shortcut.0"]
    assert [layer.change for layer in shortcuts] == ["added", "kept", "kept", "kept"]


def test_layers_moved_into_a_container_are_kept() -> None:
    """The container is added, and in the reverse diff it is removed."""
    conv = "Conv2d: {out_channels: 4, kernel_size: 3}"
    flat = network(conv, "ReLU", conv, "ReLU", "Flatten")
    wrapped = network(f"Sequential: {{layers: [{{{conv}}}, ReLU, {{{conv}}}, ReLU]}}", "Flatten")
    assert lines(diff_architectures(flat, wrapped)) == [
        "+ 0 Sequential", "  0.0 Conv2d", "  0.1 ReLU", "  0.2 Conv2d", "  0.3 ReLU", "  1 Flatten",
    ]  # fmt: skip
    assert diff_architectures(wrapped, flat).count("kept") == 5


def test_blocks_moved_into_a_repetition_are_kept() -> None:
    """Only the repetition is added."""
    block = "Residual: {body: [{Conv2d: {out_channels: 1, kernel_size: 3, padding: 1}}, ReLU]}"
    diff = diff_architectures(
        network(*[block] * 3), network(f"Repeat: {{times: 3, layers: [{block}]}}")
    )
    assert (diff.count("added"), diff.count("removed"), diff.count("changed")) == (1, 0, 0)


def test_the_earliest_of_equal_pairs_is_preferred() -> None:
    """A network that is cut off is paired with the beginning of the longer one."""
    conv = "Conv2d: {out_channels: 4, kernel_size: 3, bias: false}"
    biased = conv.replace("false", "true")
    diff = diff_architectures(network(*[conv, "ReLU"] * 3), network(biased, "ReLU", "Softsign"))
    assert lines(diff)[:2] == ["~ 0 Conv2d", "  1 ReLU"]
    assert diff.count("removed") == 4


def test_a_moved_layer_is_removed_and_added() -> None:
    """It is in the diff once as removed and once as added, and the others are kept."""
    conv = "Conv2d: {out_channels: 4, kernel_size: 3}"
    diff = diff_architectures(network("Dropout", conv, "ReLU"), network(conv, "ReLU", "Dropout"))
    assert lines(diff) == ["- 0 Dropout", "  0 Conv2d", "  1 ReLU", "+ 2 Dropout"]


@pytest.mark.parametrize(("n", "m"), [(1, 4), (4, 1), (3, 7)])
def test_a_narrow_band_still_aligns_every_entry(n: int, m: int) -> None:
    """Each entry of both sequences is in the result once, whatever the number of cells."""
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


def test_the_same_fault_in_two_documents_is_not_a_difference() -> None:
    """The line of a fault does not matter; another fault, or other layers after it, do."""
    texts = [FAULTY, f"# moved\n{FAULTY}", FAULTY.replace("ReLU", "GELU"), FAULTY.replace("8", "9")]
    first, moved, later, other = (
        analyse(parse_architecture(text, f"{number}.yaml")) for number, text in enumerate(texts)
    )
    assert not diff_architectures(first, moved)
    assert diff_architectures(first, later).differs_after_fault
    assert diff_architectures(first, later)
    assert diff_architectures(first, other)


def test_different_layers_after_a_fault_are_reported(tmp_path: Path) -> None:
    """The output states that layers after the fault differ, since they have no rows."""
    before, after = tmp_path / "a.yaml", tmp_path / "b.yaml"
    before.write_text(FAULTY)
    after.write_text(FAULTY.replace("ReLU", "GELU"))
    output = run("diff", str(before), str(after)).out
    assert "layers after the fault differ; fix it to see which" in output
    assert "no difference" not in output
    assert "after the fault" not in run("diff", str(before), str(before)).out


def test_a_count_that_falls_to_zero_is_shown_as_zero(tmp_path: Path) -> None:
    """A layer that loses its parameters has a change to 0, not an empty cell."""
    before, after = tmp_path / "a.yaml", tmp_path / "b.yaml"
    before.write_text(FAULTY.replace("8", "2") + "  - BatchNorm2d\n")
    after.write_text(FAULTY.replace("8", "2") + "  - BatchNorm2d: {affine: false}\n")
    output = run("diff", str(before), str(after), "--format", "markdown").out
    [row] = [line for line in output.splitlines() if line.startswith("| changed")]
    assert "| 8 -> 0 |" in row


def test_changed_fields_have_their_values_before_and_after() -> None:
    """The diff of iterations 9 and 10 lists scheduler and epochs with both values."""
    diff = json.loads(
        run("diff", str(ROOT / "archs/iter9.yaml"), str(ROOT / "archs/iter10.yaml"),
            "--runs", str(ROOT / "archs/results"), "--format", "json").out
    )  # fmt: skip
    fields = {change["field"]: (change["before"], change["after"]) for change in diff["train"]}
    assert any(field.startswith("train.scheduler") for field in fields)
    assert fields["train.epochs"] == (12, 15)
