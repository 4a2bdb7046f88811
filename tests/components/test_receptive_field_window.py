"""Windows along one axis, compared with explicit sets of the positions that are read."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import ceil

import pytest
from budgets import examples
from hypothesis import assume, given
from hypothesis import strategies as st

from netbuilder.components.receptive_field import window as windows
from netbuilder.components.receptive_field.window import Span, Window

Reads = Callable[[int], set[int]]
"""Expected result: all that a position reads, on an axis without ends."""

many = examples(100, 400)
PLACES = range(-7, 15)


def hull(read: set[int]) -> Span | None:
    """Return the first and the last position that is read; None if none is."""
    return (min(read), max(read)) if read else None


def span(window: Window, position: int) -> Span | None:
    """Return the span of a position in the form of `hull`."""
    first, last = window.span_at(position)
    return (first, last) if first <= last else None


# --- each kind of window and the positions that it reads by definition ----------------------------

small = st.integers(1, 4)
margin = st.integers(0, 3)
Pair = tuple[Window, Reads]


@st.composite
def sliding(draw: st.DrawFn) -> Pair:
    """Convolution: each tap of the kernel, moved by the stride."""
    kernel, stride, padding, dilation = draw(small), draw(small), draw(margin), draw(small)
    window = Window.sliding(kernel, stride, padding, dilation)
    return window, lambda o: {o * stride - padding + dilation * tap for tap in range(kernel)}


@st.composite
def transposed(draw: st.DrawFn) -> Pair:
    """Transposed convolution: the inputs that a tap of the kernel adds to the output."""
    kernel, stride, padding, dilation = draw(small), draw(small), draw(margin), draw(small)

    def reads(o: int) -> set[int]:
        near = range((o - 16) // stride - 1, (o + 4) // stride + 2)
        return {
            i for i in near for tap in range(kernel) if i * stride + dilation * tap - padding == o
        }

    return Window.transposed(99, kernel, stride, padding, dilation), reads


@st.composite
def adaptive(draw: st.DrawFn) -> Pair:
    """Adaptive pooling: the inputs that overlap the output's equal part of the axis."""
    size, bins = draw(st.integers(1, 12)), draw(st.integers(1, 12))

    def reads(o: int) -> set[int]:
        start, end = Fraction(o * size, bins), Fraction((o + 1) * size, bins)
        return {i for i in range(int(start) - 2, ceil(end) + 2) if i < end and i + 1 > start}

    return Window.adaptive(size, bins), reads


@st.composite
def grouped(draw: st.DrawFn) -> Pair:
    """Channels of a grouped convolution: all inputs of the group of the output."""
    groups, inputs, outputs = draw(st.integers(2, 4)), draw(small), draw(small)
    window = Window.grouped(groups * inputs, groups * outputs, groups)
    return window, lambda o: {o // outputs * inputs + i for i in range(inputs)}


@st.composite
def whole(draw: st.DrawFn) -> Pair:
    """Global pooling: every position of the axis."""
    size = draw(st.integers(1, 12))
    return Window.whole(size), lambda o: set(range(size))


@st.composite
def periodic(draw: st.DrawFn) -> Pair:
    """Any periodic pattern, unordered and with empty spans, that moves by any shift."""
    spans = draw(st.lists(st.tuples(st.integers(-4, 6), st.integers(-1, 3)), min_size=1))
    shift = draw(st.integers(-3, 5))

    def reads(o: int) -> set[int]:
        first, more = spans[o % len(spans)]
        return {first + o // len(spans) * shift + i for i in range(more + 1)}

    return Window.from_spans([(first, first + more) for first, more in spans], shift), reads


layers = st.one_of(sliding(), transposed(), adaptive(), grouped(), whole())
"""Windows of layers."""


@st.composite
def composed(draw: st.DrawFn, largest: int = 3) -> Pair:
    """The window of some layers applied in order."""
    window, reads = draw(layers | periodic())
    for _ in range(draw(st.integers(0, largest))):
        outer, outer_reads = draw(layers)
        combined = window.compose(outer)
        assert combined is not None
        window, reads = combined, _compose(reads, outer_reads)
    return window, reads


def _compose(inner: Reads, outer: Reads) -> Reads:
    return lambda o: {i for between in outer(o) for i in inner(between)}


# --- exact ----------------------------------------------------------------------------------------


@many
@given(layers)
def test_the_window_of_a_layer_matches_its_definition(pair: Pair) -> None:
    """Each position, those beyond both ends included, reads exactly what the layer defines."""
    window, reads = pair
    for position in PLACES:
        assert span(window, position) == hull(reads(position))
        first, last = window.span_at(position)
        assert set(range(first, last + 1, window.dilation)) == reads(position), "none in between"


@many
@given(composed())
def test_a_composed_window_spans_all_that_its_layers_read(pair: Pair) -> None:
    """The span of any composition is exact, for patterns in any order."""
    window, reads = pair
    for position in PLACES:
        assert span(window, position) == hull(reads(position))


@many
@given(composed())
def test_size_and_jump_match_the_spans_of_positions(pair: Pair) -> None:
    """The size is that of the widest span, and the jump is the mean step between spans."""
    window, reads = pair
    period = len(window.first)
    assume(period < 200)
    reads_of_period = [reads(i) for i in range(period)]
    assert window.size == max((max(r) - min(r) + 1 for r in reads_of_period if r), default=0)
    for position, read in enumerate(reads_of_period):
        assert {i + window.jump * period for i in read} == reads(position + period)
    assert isinstance(window.jump, int) == (window.jump == int(window.jump))


@many
@given(periodic(), st.integers(1, 40), st.integers(0, 3))
def test_a_long_window_over_an_unordered_pattern_is_exact(
    pair: Pair, kernel: int, padding: int
) -> None:
    """The span includes the far end however many periods of the pattern it covers."""
    inner, reads = pair
    window = inner.compose(Window.sliding(kernel, 1, padding))
    assert window is not None
    for position in range(3):
        read = {i for at in range(kernel) for i in reads(position - padding + at)}
        assert span(window, position) == hull(read)


def test_a_long_window_after_a_dilated_transposed_convolution_is_exact() -> None:
    """The span covers the whole short axis although its taps are out of order."""
    window = Window.transposed(30, kernel=4, stride=3, dilation=2).compose(Window.sliding(30))
    assert window is not None
    assert window.span_at(0) == (-2, 9)


@many
@given(composed(2), composed(2), st.integers(1, 12), st.integers(1, 12))
def test_a_merged_window_spans_what_both_branches_see(
    a: Pair, b: Pair, positions: int, size: int
) -> None:
    """Each span is from the first to the last position that either branch sees.

    Where only one of the branches moves, the span is clipped to the input.
    """
    (first, reads), (other, also_reads) = a, b
    joined = first.merge(other, positions, size)
    assert joined is not None
    clipped = first.jump != other.jump and not (first.stride and other.stride)
    for position in range(positions):
        both = hull(reads(position) | also_reads(position))
        if clipped and both:
            both = (max(both[0], 0), min(both[1], size - 1))
            both = both if both[0] <= both[1] else None
        assert span(joined, position) == both


@many
@given(st.lists(st.tuples(composed(1), st.integers(1, 5)), min_size=1, max_size=4))
def test_concatenated_windows_keep_their_spans(parts: list[tuple[Pair, int]]) -> None:
    """Positions of a concatenation have the spans of their parts, in order."""
    joined = Window.concatenate([window for (window, _), _ in parts], [count for _, count in parts])
    assert joined is not None
    expected = [hull(reads(i)) for (_, reads), count in parts for i in range(count)]
    assert [span(joined, i) for i in range(len(expected))] == expected


@many
@given(composed(1), st.lists(st.integers(0, 20), min_size=1, max_size=20))
def test_reindexed_positions_keep_their_spans(pair: Pair, order: list[int]) -> None:
    """Reordering positions reorders their spans."""
    window, reads = pair
    reindexed = window.reindex(order.__getitem__, len(order))
    assert reindexed is not None
    assert [span(reindexed, i) for i in range(len(order))] == [hull(reads(i)) for i in order]


@many
@given(st.lists(st.tuples(st.integers(-5, 20), st.integers(-5, 20)), min_size=1, max_size=8))
def test_an_extrapolated_table_contains_its_spans(spans: list[Span]) -> None:
    """Positions within the table have the spans of the table."""
    window = Window.extrapolated(spans)
    assert [window.span_at(i) for i in range(len(spans))] == spans


@many
@given(st.integers(-5, 5), st.integers(0, 5), st.integers(-3, 5), st.integers(2, 8))
def test_an_evenly_spaced_table_continues_with_the_same_step(
    first: int, more: int, shift: int, count: int
) -> None:
    """Beyond both ends the spans keep their step, in a pattern of one entry."""
    window = Window.extrapolated(
        [(first + i * shift, first + more + i * shift) for i in range(count)]
    )
    assert len(window.first) == 1
    for position in PLACES:
        assert window.span_at(position) == (
            first + position * shift,
            first + more + position * shift,
        )


def test_an_unevenly_spaced_table_repeats_with_its_mean_step() -> None:
    """Beyond the end the pattern repeats, one mean step further."""
    window = Window.extrapolated([(0, 1), (2, 3), (3, 4)])
    assert [window.span_at(i) for i in range(-1, 5)] == [
        (-1, 0),
        (0, 1),
        (2, 3),
        (3, 4),
        (4, 5),
        (6, 7),
    ]
    assert Window.extrapolated([(3, 7)]).span_at(1) == (8, 12), (
        "the neighbor of a single position reads the next span of that size"
    )


def test_a_single_group_reads_all_channels() -> None:
    """One group equals the window over the whole axis, which does not move."""
    assert Window.grouped(6, 3, 1) == Window.whole(6)


def test_a_composed_pattern_has_the_shortest_period() -> None:
    """A stride that is a multiple of the period reads the same entry every time."""
    spans = [(0, 0), (0, 2), (1, 1), (5, 5)]
    assert Window.from_spans(spans, 4).compose(Window.sliding(1, 4)) == Window((0,), (0,), 4)
    assert Window.from_spans(spans, 4).compose(Window.sliding(1, 2)) == Window((0, 1), (0, 1), 4)


@many
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 3), st.data())
def test_merged_patterns_with_the_same_jump_are_exact_everywhere(
    a: int, b: int, jump: int, data: st.DataObject
) -> None:
    """Patterns of different periods but the same jump merge exactly at any position."""
    entry = st.tuples(st.integers(-4, 6), st.integers(-1, 6))
    first, other = (
        Window.from_spans(data.draw(st.lists(entry, min_size=n, max_size=n)), jump * n)
        for n in (a, b)
    )
    joined = first.merge(other, 1, 9)
    assert joined is not None
    for position in range(-30, 60):
        both = [
            seen_span for seen_span in (span(first, position), span(other, position)) if seen_span
        ]
        expected = (min(f for f, _ in both), max(f for _, f in both)) if both else None
        assert span(joined, position) == expected


@many
@given(composed(1), st.integers(0, 9))
def test_a_window_that_skips_positions_keeps_the_spans_of_the_rest(pair: Pair, start: int) -> None:
    """Position 0 of the new window has the span of the first position that remains."""
    window, reads = pair
    later = window.skip(start)
    for position in PLACES:
        assert span(later, position) == hull(reads(start + position))


# --- bounds, where a pattern is too long ----------------------------------------------------------


@pytest.fixture
def short_patterns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limit exact patterns to six positions."""
    monkeypatch.setattr(windows, "MAX_PERIOD", 6)


@pytest.mark.usefixtures("short_patterns")
def test_patterns_beyond_the_limit_are_not_followed() -> None:
    """Six positions are exact; with seven, the window is the whole axis or None."""
    assert Window.adaptive(7, 6) != Window.whole(7)
    assert Window.adaptive(8, 7) == Window.whole(8)
    assert Window.grouped(4, 12, 2) != Window.whole(4)
    assert Window.grouped(4, 14, 2) == Window.whole(4)
    two, three, seven = (Window((0,) * n, (0,) * n, 1) for n in (2, 3, 7))
    assert two.merge(Window.from_spans([(0, 0)] * 3, 2), 6, 9) is not None
    assert two.merge(three, 7, 9) is None
    assert Window((0, 0), (0, 0), 4).merge(Window((0,) * 3, (0,) * 3, 6), 99, 9) is not None
    assert Window((0, 0), (0, 0), 2).merge(Window((0,) * 7, (0,) * 7, 7), 1, 9) is None
    assert Window.sliding(1).reindex(abs, 6) is not None
    assert Window.sliding(1).reindex(abs, 7) is None
    assert Window.concatenate([two, three], [3, 3]) is not None
    assert Window.concatenate([two, three], [3, 4]) is None
    assert two.compose(three) is not None
    assert two.compose(seven) is None


@pytest.mark.usefixtures("short_patterns")
def test_a_constant_window_has_no_limit_of_positions() -> None:
    """A window that reads the same everywhere is unchanged by reindexing and repetition."""
    whole = Window.whole(9)
    assert whole.reindex(abs, 7) == whole
    assert Window.concatenate([whole, whole], [7, 7]) == whole


def test_a_composition_with_too_many_steps_returns_none() -> None:
    """An unordered pattern is composed with a window of 10, but not with one of 10,000."""
    mixed = Window.from_spans([(-i % 997, 997) for i in range(10_000)], stride=3)
    assert mixed.compose(Window.sliding(10)) is not None
    assert mixed.compose(Window.sliding(10_000)) is None
    ordered = Window.from_spans([(i, i) for i in range(10_000)], stride=10_000)
    assert ordered.compose(Window.sliding(10_000)) is not None
