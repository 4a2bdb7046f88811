"""What is said of a receptive field: the sentence, targets along every axis, advice."""

from __future__ import annotations

from typing import Any

import pytest
from documents import analysis_of
from nested import network

from netbuilder.config.loader import parse_architecture
from netbuilder.errors import ConfigError
from netbuilder.network.analysis import Analysis, analyse
from netbuilder.network.lint import advise, warn
from netbuilder.network.lint.base import Evidence
from netbuilder.network.targets import judge_document
from netbuilder.render.network_text import field_sentence, verdict_line

CONV = {"Conv2d": {"out_channels": 1, "kernel_size": 3, "padding": 1}}
OFFSET = [CONV, {"MaxPool2d": 2}, *[CONV] * 6]
DILATED = {"Conv2d": {"out_channels": 4, "kernel_size": 3, "padding": 14, "dilation": 14}}
ANISOTROPIC = [{"Conv2d": [4, [3, 1]]}, {"Conv2d": [4, [1, 28]]}]


def _analysis(*layers: Any, shape: tuple[int, ...] = (1, 28, 28)) -> Analysis:
    return analyse(network(*layers, shape=shape))


@pytest.mark.parametrize(
    ("layers", "sentence"),
    [
        (
            [{"AdaptiveAvgPool2d": 1}],
            "sees all of the 28x28 input from layer 0 AdaptiveAvgPool2d on",
        ),
        ([CONV], "sees 3x3 of the 28x28 input"),
        (OFFSET, "one position spans 28x28 of the 28x28 input and reads at most 27x27 of it"),
        (
            [DILATED],
            "one position spans 29x29 of the 28x28 input and reads at most 2x2 of it; gridding: "
            "one position of layer 0 Conv2d spans 29x29 with holes and reads at most 2x2",
        ),
        (
            [DILATED, "Flatten", {"Linear": 10}],
            "sees all of the 28x28 input from layer 2 Linear on; gridding: one position of layer 0 "
            "Conv2d spans 29x29 with holes and reads at most 2x2",
        ),
        (
            [{"Conv2d": [1, 3, 2]}, {"AdaptiveAvgPool2d": 1}],
            "sees 27x27 of the 28x28 input; together the output positions read 27x27",
        ),
    ],
)  # fmt: skip
def test_the_sentence_claims_what_is_true(layers: list[Any], sentence: str) -> None:
    assert field_sentence(_analysis(*layers)) == sentence


def test_layers_after_the_marked_one_all_see_the_input() -> None:
    """A shortcut that sees less comes after the layer that sees all; the mark comes after it."""
    block = {"Residual": {"body": [{"AdaptiveAvgPool2d": 28}, {"Linear": 28}], "shortcut": [CONV]}}
    analysis = _analysis({"Conv2d": [1, 1]}, block, "ReLU", {"AdaptiveAvgPool2d": 1})
    first = analysis.first_whole()
    assert first is not None
    assert first.path == "3"


def _verdict_line(layers: list[Any], bound: dict[str, Any], shape: list[int]) -> str:
    architecture = network(*layers, shape=tuple(shape))
    targets = type(architecture.targets).model_validate({"receptive_field": bound})
    [verdict] = judge_document(analyse(architecture.model_copy(update={"targets": targets})))
    return verdict_line(verdict).removeprefix("target receptive field ")


@pytest.mark.parametrize(
    ("layers", "bound", "shape", "line"),
    [
        (ANISOTROPIC, {"at_most": 5}, [1, 20, 28], "at most 5: 28, not met, off by 23"),
        (ANISOTROPIC, {"at_least": 5}, [1, 20, 28], "at least 5: 3, not met, off by 2"),
        (ANISOTROPIC, {"at_most": [5, 28]}, [1, 20, 28], "at most 5x28: 28, met with 0 to spare"),
        (ANISOTROPIC, {"at_least": [3, 29]}, [1, 20, 28], "at least 3x29: 28, not met, off by 1"),
        (
            OFFSET,
            {"at_least": 28},
            [1, 28, 28],
            "at least 28: 27, not met, off by 1; one output position spans 28 and reads at most 27 "
            "of 28",
        ),
        (OFFSET, {"above": 20}, [1, 28, 28], "above 20: 28, met with 8 to spare"),
        (
            [DILATED],
            {"at_least": 28},
            [1, 28, 28],
            "at least 28: 2, not met, off by 26; one output position spans 29 and reads at most 2 "
            "of 28",
        ),
        ([DILATED], {"at_least": 20}, [1, 28, 28], "at least 20: 29, met with 9 to spare"),
    ],
)  # fmt: skip
def test_targets_are_judged_along_every_axis(
    layers: list[Any], bound: dict[str, Any], shape: list[int], line: str
) -> None:
    """A number holds for every axis; what is read counts where the whole input is demanded."""
    assert _verdict_line(layers, bound, shape) == line


def test_a_list_has_one_number_per_axis() -> None:
    text = "name: a\ninput: [1, 8, 8]\nlayers: [ReLU]\ntargets: {receptive_field: {above: [1]}}\n"
    with pytest.raises(ConfigError, match="found a list of 1; allowed: a number, or a list of 2"):
        parse_architecture(text, "a.yaml")


@pytest.mark.parametrize(
    ("rule", "place", "layers"),
    [
        ("gridding", "layers[0].Conv2d", [DILATED, "Flatten", {"Linear": 10}]),
        ("gridding", "layers[1].Conv2d", [{"MaxPool2d": [1, 2]}, {"Conv2d": [1, 3]}]),
        ("input-unread", "layers[0].MaxPool2d", [{"MaxPool2d": [1, 2]}, {"Conv2d": [1, 3]}]),
        ("never-sees-all", "layers[7].Conv2d", OFFSET),
    ],
)
def test_advice_names_the_layer(rule: str, place: str, layers: list[Any]) -> None:
    analysis = _analysis(*layers)
    advice = warn(analysis) + advise(analysis, Evidence())
    assert (rule, place) in [(entry.rule, entry.problem.field) for entry in advice]


@pytest.mark.parametrize("layers", [[CONV, {"AdaptiveAvgPool2d": 1}], [{"Conv2d": [1, 3, 2]}]])
def test_dense_fields_need_no_advice(layers: list[Any]) -> None:
    """A convolution reads all that it spans; a border that it drops is another rule's."""
    rules = [entry.rule for entry in warn(_analysis(*layers))]
    assert not {"gridding", "input-unread"} & set(rules)


def test_holes_that_another_branch_fills_are_not_gridding() -> None:
    """As in atrous spatial pyramids, which read at several dilations at once."""
    branches = {
        f"d{d}": [{"Conv2d": {"out_channels": 1, "kernel_size": 3, "padding": d, "dilation": d}}]
        for d in (1, 2, 3)
    }
    assert _analysis({"Parallel": {"branches": branches}}).first_with_holes() is None


def test_a_target_of_one_number_is_judged_as_before() -> None:
    """A single number is what documents have always written."""
    text = "name: a\ninput: [1, 8, 8]\nlayers: [ReLU]\ntargets: {receptive_field: {at_least: 2}}\n"
    [verdict] = judge_document(analysis_of(text))
    assert (verdict.bound, verdict.value, verdict.met) == ("at least 2", 1, False)
