"""Windows along one axis, held against the sets of positions that are read, written out."""

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
"""The oracle: all that a position reads, on axes that go on beyond both ends."""

many = examples(100, 400)
PLACES = range(-7, 15)


def hull(read: set[int]) -> Span | None:
    """The first and the last that is read; None if none is."""
    return (min(read), max(read)) if read else None


def span(window: Window, position: int) -> Span | None:
    """What a window says of a position, as `hull` tells it."""
    first, last = window.span_at(position)
    return (first, last) if first <= last else None


# --- what each kind of window reads, by its definition --------------------------------------------

small = st.integers(1, 4)
margin = st.integers(0, 3)
Pair = tuple[Window, Reads]


@st.composite
def sliding(draw: st.DrawFn) -> Pair:
    """A convolution's: each tap of the kernel, from where the stride has moved it."""
    kernel, stride, padding, dilation = draw(small), draw(small), draw(margin), draw(small)
    window = Window.sliding(kernel, stride, padding, dilation)
    return window, lambda o: {o * stride - padding + dilation * tap for tap in range(kernel)}


@st.composite
def transposed(draw: st.DrawFn) -> Pair:
    """A transposed convolution's: the inputs that one of the kernel's taps adds to this output."""
    kernel, stride, padding, dilation = draw(small), draw(small), draw(margin), draw(small)

    def reads(o: int) -> set[int]:
        near = range((o - 16) // stride - 1, (o + 4) // stride + 2)
        return {
            i for i in near for tap in range(kernel) if i * stride + dilation * tap - padding == o
        }

    return Window.transposed(99, kernel, stride, padding, dilation), reads


@st.composite
def adaptive(draw: st.DrawFn) -> Pair:
    """Adaptive pooling's: the inputs that overlap the output's even share of the axis."""
    size, bins = draw(st.integers(1, 12)), draw(st.integers(1, 12))

    def reads(o: int) -> set[int]:
        start, end = Fraction(o * size, bins), Fraction((o + 1) * size, bins)
        return {i for i in range(int(start) - 2, ceil(end) + 2) if i < end and i + 1 > start}

    return Window.adaptive(size, bins), reads


@st.composite
def grouped(draw: st.DrawFn) -> Pair:
    """A grouped convolution's channels: all inputs of the group that the output belongs to."""
    groups, inside, outside = draw(st.integers(2, 4)), draw(small), draw(small)
    window = Window.grouped(groups * inside, groups * outside, groups)
    return window, lambda o: {o // outside * inside + i for i in range(inside)}


@st.composite
def whole(draw: st.DrawFn) -> Pair:
    """Global pooling's: every position of the axis."""
    size = draw(st.integers(1, 12))
    return Window.whole(size), lambda o: set(range(size))


@st.composite
def in_turns(draw: st.DrawFn) -> Pair:
    """Any pattern, in no order, empty in places, that moves on by any shift."""
    spans = draw(st.lists(st.tuples(st.integers(-4, 6), st.integers(-1, 3)), min_size=1))
    shift = draw(st.integers(-3, 5))

    def reads(o: int) -> set[int]:
        first, more = spans[o % len(spans)]
        return {first + o // len(spans) * shift + i for i in range(more + 1)}

    return Window.from_spans([(first, first + more) for first, more in spans], shift), reads


layers = st.one_of(sliding(), transposed(), adaptive(), grouped(), whole())
"""The windows of layers."""


@st.composite
def seen_through(draw: st.DrawFn, most: int = 3) -> Pair:
    """What positions see through some layers, one behind the other."""
    window, reads = draw(layers | in_turns())
    for _ in range(draw(st.integers(0, most))):
        outer, outer_reads = draw(layers)
        found = window.compose(outer)
        assert found is not None
        window, reads = found, _composed(reads, outer_reads)
    return window, reads


def _composed(inner: Reads, outer: Reads) -> Reads:
    return lambda o: {i for between in outer(o) for i in inner(between)}


# --- exact ----------------------------------------------------------------------------------------


@many
@given(layers)
def test_a_layers_window_is_what_its_definition_reads(pair: Pair) -> None:
    """Each position, and those beyond both ends, read from the first to the last as defined."""
    window, reads = pair
    for position in PLACES:
        assert span(window, position) == hull(reads(position))
        first, last = window.span_at(position)
        assert set(range(first, last + 1, window.dilation)) == reads(position), "none in between"


@many
@given(seen_through())
def test_windows_through_windows_see_what_is_read_in_turn(pair: Pair) -> None:
    """Through any layers, patterns in any order, the span is exactly that of all that is read."""
    window, reads = pair
    for position in PLACES:
        assert span(window, position) == hull(reads(position))


@many
@given(seen_through())
def test_size_and_jump_are_those_of_the_positions(pair: Pair) -> None:
    """The size is that of the widest span, and the jump the mean step from span to span."""
    window, reads = pair
    period = len(window.first)
    assume(period < 200)
    turn = [reads(i) for i in range(period)]
    assert window.size == max((max(r) - min(r) + 1 for r in turn if r), default=0)
    for position, read in enumerate(turn):
        assert {i + window.jump * period for i in read} == reads(position + period)
    assert isinstance(window.jump, int) == (window.jump == int(window.jump))


@many
@given(in_turns(), st.integers(1, 40), st.integers(0, 3))
def test_a_long_window_over_a_pattern_in_no_order_sees_to_its_end(
    pair: Pair, kernel: int, padding: int
) -> None:
    """However many turns of the pattern a window spans, its far end is among what is seen."""
    seen, reads = pair
    window = seen.compose(Window.sliding(kernel, 1, padding))
    assert window is not None
    for position in range(3):
        read = {i for at in range(kernel) for i in reads(position - padding + at)}
        assert span(window, position) == hull(read)


def test_transposed_windows_whose_taps_are_out_of_order_see_to_the_end() -> None:
    """Behind a dilated transposed convolution a long window sees all of the short axis."""
    seen = Window.transposed(30, kernel=4, stride=3, dilation=2).compose(Window.sliding(30))
    assert seen is not None
    assert seen.span_at(0) == (-2, 9)


@many
@given(seen_through(2), seen_through(2), st.integers(1, 12), st.integers(1, 12))
def test_what_is_joined_is_seen_through_both(a: Pair, b: Pair, positions: int, size: int) -> None:
    """Each position sees from the first to the last of what it sees in either branch.

    Where one branch does not move and the other does, what lies beyond the input is left out.
    """
    (one, reads), (other, also_reads) = a, b
    joined = one.merge(other, positions, size)
    assert joined is not None
    clipped = one.jump != other.jump and not (one.stride and other.stride)
    for position in range(positions):
        both = hull(reads(position) | also_reads(position))
        if clipped and both:
            both = (max(both[0], 0), min(both[1], size - 1))
            both = both if both[0] <= both[1] else None
        assert span(joined, position) == both


@many
@given(st.lists(st.tuples(seen_through(1), st.integers(1, 5)), min_size=1, max_size=4))
def test_concatenated_axes_keep_what_their_positions_see(parts: list[tuple[Pair, int]]) -> None:
    """Behind one another, positions see what they saw, in order."""
    made = Window.concatenate([window for (window, _), _ in parts], [count for _, count in parts])
    assert made is not None
    seen = [hull(reads(i)) for (_, reads), count in parts for i in range(count)]
    assert [span(made, i) for i in range(len(seen))] == seen


@many
@given(seen_through(1), st.lists(st.integers(0, 20), min_size=1, max_size=20))
def test_regrouped_positions_keep_what_they_see(pair: Pair, order: list[int]) -> None:
    """A new order of positions is one of what they see."""
    window, reads = pair
    made = window.reindex(order.__getitem__, len(order))
    assert made is not None
    assert [span(made, i) for i in range(len(order))] == [hull(reads(i)) for i in order]


@many
@given(st.lists(st.tuples(st.integers(-5, 20), st.integers(-5, 20)), min_size=1, max_size=8))
def test_a_table_gives_each_position_its_span(spans: list[Span]) -> None:
    """What is written in the table is what its positions read."""
    window = Window.extrapolated(spans)
    assert [window.span_at(i) for i in range(len(spans))] == spans


@many
@given(st.integers(-5, 5), st.integers(0, 5), st.integers(-3, 5), st.integers(2, 8))
def test_an_even_table_goes_on_evenly(first: int, more: int, shift: int, count: int) -> None:
    """Beyond both ends, spans that lie evenly go on as they lie, in a pattern of one entry."""
    window = Window.extrapolated(
        [(first + i * shift, first + more + i * shift) for i in range(count)]
    )
    assert len(window.first) == 1
    for position in PLACES:
        assert window.span_at(position) == (
            first + position * shift,
            first + more + position * shift,
        )


def test_an_uneven_table_goes_on_as_it_lies_in_the_mean() -> None:
    """Behind the end the pattern starts anew, one mean step further on."""
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
        "a single position's neighbour reads beside it"
    )


def test_a_single_group_reads_all_channels_everywhere() -> None:
    """One group is the whole axis, which does not move."""
    assert Window.grouped(6, 3, 1) == Window.whole(6)


def test_a_pattern_is_no_longer_than_it_must_be() -> None:
    """A stride that jumps from turn to turn meets the same entry every time."""
    spans = [(0, 0), (0, 2), (1, 1), (5, 5)]
    assert Window.from_spans(spans, 4).compose(Window.sliding(1, 4)) == Window((0,), (0,), 4)
    assert Window.from_spans(spans, 4).compose(Window.sliding(1, 2)) == Window((0, 1), (0, 1), 4)


@many
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 3), st.data())
def test_patterns_that_move_alike_are_joined_over_a_turn_of_both(
    a: int, b: int, jump: int, data: st.DataObject
) -> None:
    """Patterns of different length with the same jump see together what either sees, for ever."""
    entry = st.tuples(st.integers(-4, 6), st.integers(-1, 6))
    one, other = (
        Window.from_spans(data.draw(st.lists(entry, min_size=n, max_size=n)), jump * n)
        for n in (a, b)
    )
    joined = one.merge(other, 1, 9)
    assert joined is not None
    for position in range(-30, 60):
        both = [found for found in (span(one, position), span(other, position)) if found]
        expected = (min(f for f, _ in both), max(f for _, f in both)) if both else None
        assert span(joined, position) == expected


@many
@given(seen_through(1), st.integers(0, 9))
def test_an_axis_that_begins_later_sees_what_its_positions_saw(pair: Pair, start: int) -> None:
    """The window of a share of the channels is that of the channels it is made of."""
    window, reads = pair
    later = window.skip(start)
    for position in PLACES:
        assert span(later, position) == hull(reads(start + position))


# --- bounds, where a pattern is too involved ------------------------------------------------------


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patterns of more than six positions count as too involved."""
    monkeypatch.setattr(windows, "MAX_PERIOD", 6)


@pytest.mark.usefixtures("short")
def test_patterns_that_are_too_long_are_given_up() -> None:
    """Exactly six positions are followed; with seven, a window reads all, or there is none."""
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


@pytest.mark.usefixtures("short")
def test_what_does_not_move_is_never_too_long() -> None:
    """A window that reads the same everywhere is itself, in any order and number."""
    whole = Window.whole(9)
    assert whole.reindex(abs, 7) == whole
    assert Window.concatenate([whole, whole], [7, 7]) == whole


def test_what_takes_too_long_to_find_out_is_given_up() -> None:
    """A window over ten thousand positions in no order is not worked out, one over ten is."""
    mixed = Window.from_spans([(-i % 997, 997) for i in range(10_000)], stride=3)
    assert mixed.compose(Window.sliding(10)) is not None
    assert mixed.compose(Window.sliding(10_000)) is None
    ordered = Window.from_spans([(i, i) for i in range(10_000)], stride=10_000)
    assert ordered.compose(Window.sliding(10_000)) is not None
