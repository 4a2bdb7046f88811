"""The work that a look at a document takes: bounded for any document, counted in function calls."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netbuilder.components.receptive_field import budget, reads
from netbuilder.config import definitions
from netbuilder.config.loader import parse_architecture
from netbuilder.errors import ConfigError
from netbuilder.network.analysis import Analysis, analyse
from netbuilder.network.lint import advise
from netbuilder.network.lint.base import Evidence

STEPS = 20_000
CALLS_PER_STEP = 10
CALLS_PER_LAYER = 1_500


def calls(function: Callable[..., object], *arguments: object) -> int:
    """The number of function calls that a function makes, its own included."""
    count = 0

    def note(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        function(*arguments)
    finally:
        sys.setprofile(None)
    return count


def analysed(text: str) -> Analysis:
    return analyse(parse_architecture(text, "net.yaml"))


def document(*layers: str, shape: str = "[1, 8]") -> str:
    return f"name: net\ninput: {shape}\nlayers:\n" + "".join(f"  - {layer}\n" for layer in layers)


def repeated(times: int, *layers: str) -> str:
    return f"Repeat: {{times: {times}, layers: [{', '.join(layers)}]}}"


sizes = st.integers(1, 3_000)
layers = st.one_of(
    st.sampled_from(["Flatten", "ReLU", "{PixelShuffle: 2}", "{ChannelShuffle: 2}"]),
    st.builds("{{Upsample: {{size: {}, mode: {}}}}}".format, sizes, st.sampled_from(
        ["nearest", "linear", "nearest-exact"])),
    st.builds("{{Upsample: {{scale_factor: {}}}}}".format, st.floats(0.3, 7)),
    st.builds("{{AdaptiveAvgPool1d: {}}}".format, sizes),
    st.builds("{{Unflatten: [1, [1, {}]]}}".format, st.just(-1)),
    st.builds("{{Unflatten: [1, [{}, -1]]}}".format, st.sampled_from([2, 3, 4, 50])),
    st.builds("{{Conv1d: [{}, {}, {}, {}, {}]}}".format, st.sampled_from([1, 2, 60]),
              st.integers(1, 9), st.integers(1, 5), st.integers(0, 9), st.integers(1, 4)),
    st.builds("{{ConvTranspose1d: [2, {}, {}]}}".format, st.integers(1, 9), st.integers(1, 900)),
    st.builds("{{Conv1d: {{out_channels: {0}, groups: {0}, kernel_size: 1}}}}".format,
              st.sampled_from([1, 2, 60])),
)  # fmt: skip
joined = st.one_of(
    layers,
    st.builds("{{Residual: [[{}]]}}".format, layers),
    st.builds("{{Parallel: {{branches: {{a: [{}], b: [{}]}}, join: {}}}}}".format, layers, layers,
              st.sampled_from(["add", "concat"])),
    st.builds("{{Parallel: {{branches: {{a: [{0}], b: [{0}]}}, split: true}}}}".format, layers),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(joined, min_size=1, max_size=5), st.integers(1, 200), st.integers(1, 3_000))
def test_any_network_is_analysed_or_refused_within_the_budget(
    parts: list[str], times: int, size: int
) -> None:
    """However the patterns of the receptive field grow, the calls stay in proportion to it."""
    text = document(*[repeated(times, part) for part in parts], repeated(times, *parts),
                    shape=f"[2, {size}]")  # fmt: skip
    architecture = parse_architecture(text, "net.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(budget, "MAX_STEPS", STEPS)
        patch.setattr(reads, "MAX_WORK", STEPS)
        result: list[Analysis] = []
        count = calls(lambda: result.append(analyse(architecture)))
    assert count <= 2 * CALLS_PER_STEP * STEPS + CALLS_PER_LAYER * (len(result[0].rows) + 20)


@pytest.mark.parametrize(
    "text",
    [
        document(
            repeated(3000, "Flatten", "{Unflatten: [1, [1, 60000]]}", "{Conv1d: [1, 3, 1, 1]}"),
            shape="[4, 100, 150]",
        ),
        document(*[f"Upsample: {60_000 - i}" for i in range(600)]),
        document(*[f"AdaptiveAvgPool1d: {60_000 - i}" for i in range(600)]),
    ],
)
def test_patterns_that_take_too_many_steps_are_refused(text: str) -> None:
    """The layer that uses up the budget is named, with the limit and what to do."""
    fault = analysed(text).fault
    assert fault is not None
    assert fault.line is not None
    assert "take more than 1,500,000 steps" in fault.message
    assert fault.message.endswith("or use fewer such layers")


def test_a_large_pattern_alone_is_accepted() -> None:
    """One layer with a pattern of 60,000 positions is within the budget."""
    text = document("Upsample: {size: 60000, mode: linear}", repeated(50, "ReLU"))
    assert analysed(text).fault is None


def chain(count: int) -> str:
    """Convolutions and normalizations, which give many rules something to look at."""
    return document(
        *["Conv1d: [2, 3, 1, 1]", "BatchNorm1d", "Residual: [[ReLU]]"] * count, shape="[2, 64]"
    )


def test_advice_on_a_chain_takes_time_in_proportion_to_its_length() -> None:
    """Twice the layers take about twice the calls."""
    short, long = (analysed(chain(count)) for count in (100, 200))
    first, second = (calls(advise, part, Evidence()) for part in (short, long))
    assert second < 2.5 * first


def test_a_wide_pattern_is_measured_once() -> None:
    """Layers that keep the receptive field do not measure it again."""
    first, second = (
        calls(analysed, document("Upsample: 5000", repeated(times, "ReLU"))) for times in (1, 101)
    )
    assert second - first < 100 * 500


def test_unknown_names_take_a_bounded_search() -> None:
    """Ten times as many unknown names are not ten times the comparisons of names."""

    def check(count: int) -> None:
        text = document(*[f"Conw{i}x{i * 7}" for i in range(count)])
        with pytest.raises(ConfigError, match="unknown layer"):
            parse_architecture(text, "net.yaml")

    first, second = (calls(check, count) for count in (200, 2000))
    assert second < 3 * first


def test_the_first_hundred_unknown_names_have_a_suggestion() -> None:
    """A document has at most a hundred problems listed; each with the closest name."""
    text = document(*[f"BatchNorm{i}d" for i in range(1000, 1100)])
    with pytest.raises(ConfigError, match="unknown layer") as caught:
        parse_architecture(text, "net.yaml")
    assert len(caught.value.problems) == 100
    assert all("did you mean BatchNorm" in p.message for p in caught.value.problems)


def test_expressions_are_bounded_over_the_whole_document() -> None:
    """Short expressions may be many, and long ones few."""
    terms = "+".join(["i"] * 90)
    repeat = "Repeat: {{times: {}, index: i, layers: [{{Linear: '${{1+0*({})}}'}}]}}"
    parse_architecture(document(repeat.format(1000, terms)), "net.yaml")
    message = f"the expressions take more than {definitions.MAX_OPERATIONS:,} operations"
    with pytest.raises(ConfigError, match=message):
        parse_architecture(document(repeat.format(9000, terms)), "net.yaml")
