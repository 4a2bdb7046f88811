"""Receptive fields over all axes, held against the pixels that each value of a sample reads."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from budgets import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from netbuilder.components.receptive_field import field as rooms
from netbuilder.components.receptive_field import window as windows
from netbuilder.components.receptive_field.field import ReceptiveField
from netbuilder.components.receptive_field.window import Window
from netbuilder.components.shapes import Shape

Bools = NDArray[np.bool_]
many = examples(100, 500)
LARGEST = 600


@dataclass(frozen=True)
class Sample:
    """A sample with what is said of it, and what is true.

    Attributes:
        shape: the sample's.
        field: what is said.
        read: the oracle, of the sample's shape and the input's: which value reads which pixel.
        inside: of the sample's shape: whether a value was made without padding.
    """

    shape: Shape
    field: ReceptiveField
    read: Bools = dataclasses.field(repr=False)
    inside: Bools = dataclasses.field(repr=False)

    @classmethod
    def of(cls, x: Shape) -> Sample:
        """The input itself."""
        pixels = np.eye(int(np.prod(x)), dtype=bool).reshape(*x, *x)
        return cls(x, ReceptiveField.of_input(x), pixels, np.ones(x, dtype=bool))

    def become(self, field: ReceptiveField, read: Bools, inside: Bools) -> Sample:
        return Sample(inside.shape, field, read, inside)

    def along(self, axis: int, window: Window, outputs: int) -> Sample:
        """Behind a layer that reads through ``window`` along an axis."""
        reads = np.zeros((outputs, self.shape[axis]), dtype=bool)
        padded = np.zeros(outputs, dtype=bool)
        for output in range(outputs):
            first, last = window.span_at(output)
            for position in range(first, last + 1, window.dilation):
                if 0 <= position < self.shape[axis]:
                    reads[output, position] = True
                else:
                    padded[output] = True
        read = np.moveaxis(np.tensordot(reads, self.read, (1, axis)), 0, axis)
        outside = np.moveaxis(np.tensordot(reads, ~self.inside, (1, axis)), 0, axis)
        outside = np.moveaxis(np.moveaxis(outside, axis, -1) | padded, -1, axis)
        windows = [window if i == axis else None for i in range(len(self.shape))]
        return self.become(self.field.read(*windows), read, ~outside)

    def permute(self, order: list[int]) -> Sample:
        n = len(order)
        rest = range(n, self.read.ndim)
        read = self.read.transpose([*order, *rest])
        return self.become(self.field.permute(order), read, self.inside.transpose(order))

    def reshaped(self, y: Shape, field: ReceptiveField) -> Sample:
        rest = self.read.shape[len(self.shape) :]
        return self.become(field, self.read.reshape(*y, *rest), self.inside.reshape(y))

    def flatten(self, start: int, end: int) -> Sample:
        x = self.shape
        y = (*x[:start], int(np.prod(x[start : end + 1])), *x[end + 1 :])
        return self.reshaped(y, self.field.flatten(x, start, end))

    def unflatten(self, axis: int, sizes: Shape) -> Sample:
        x = self.shape
        y = (*x[:axis], *sizes, *x[axis + 1 :])
        return self.reshaped(y, self.field.unflatten(axis, sizes))

    def broadcast(self, y: Shape) -> Sample:
        n = len(y)
        read = np.broadcast_to(self.read, (*y, *self.read.shape[n:]))
        return self.become(
            self.field.broadcast(self.shape, y), read, np.broadcast_to(self.inside, y)
        )

    def merge(self, other: Sample) -> Sample:
        field = self.field.merge(other.field, self.shape)
        return self.become(field, self.read | other.read, self.inside & other.inside)

    def concatenate(self, *others: Sample) -> Sample:
        parts = [self, *others]
        field = ReceptiveField.concatenate(
            [part.field for part in parts], [part.shape for part in parts]
        )
        read = np.concatenate([part.read for part in parts])
        return self.become(field, read, np.concatenate([part.inside for part in parts]))

    def channels(self) -> tuple[int, ...]:
        """The axes along which nothing of the input is seen."""
        return tuple(i for i in range(len(self.shape)) if i not in self.field.axes)

    def pixels(self) -> Bools:
        """Which value reads which pixel, in whatever channel."""
        read: Bools = self.read.reshape(*self.shape, -1, *self.field.input)
        return np.asarray(read.any(axis=len(self.shape)))

    def is_alike(self) -> bool:
        """Whether all channels of a position read the same pixels, and padding alike."""
        seen, channels = self.pixels(), self.channels()
        return all(
            bool((one == one.any(axis=channels, keepdims=True)).all())
            for one in (seen, self.inside)
        )

    def wrong(self, exact: bool) -> list[str]:
        """Where what is said is too little, or with ``exact`` too much, of a position's rows."""
        found, n = [], len(self.shape)
        field = self.field
        for k, (axis, window) in enumerate(zip(field.axes, field.windows, strict=True)):
            rest = [n + i for i in range(len(field.input)) if i != k]
            rows = np.asarray(self.pixels().any(axis=(*self.channels(), *rest)))
            inside = np.asarray(self.inside.all(axis=self.channels()))
            at = sorted(set(field.axes)).index(axis)
            for position in np.ndindex(rows.shape[:-1]):
                true = np.flatnonzero(rows[position])
                first, last = window.span_at(position[at])
                if len(true) and not first <= true[0] <= true[-1] <= last:
                    found.append(f"{position} reads {true} of axis {k}, said: {first} to {last}")
                if len(true) and true[-1] - true[0] >= window.size:
                    found.append(f"{position} reads {true} of axis {k}, said: {window.size}")
                if exact and inside[position] and (true[0], true[-1]) != (first, last):
                    found.append(f"{position} reads {true} of axis {k}, said: {first} to {last}")
        return found


def layer_windows(size: int, gaps: bool) -> st.SearchStrategy[tuple[Window, int]]:
    """Windows over an axis with as many outputs as there are; with ``gaps`` some read nothing."""
    number = st.integers(1, 3)

    def sliding(kernel: int, stride: int, padding: int, dilation: int) -> tuple[Window, int]:
        extent = dilation * (kernel - 1) + 1
        window = Window.sliding(kernel, stride, padding, dilation)
        return window, (size + 2 * padding - extent) // stride + 1

    def transposed(kernel: int, stride: int, padding: int, dilation: int) -> tuple[Window, int]:
        window = Window.transposed(99, kernel, stride, padding, dilation)
        return window, (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + 1

    arguments = number, number, st.integers(0, 2), number
    return st.one_of(
        st.builds(sliding, *arguments),
        st.builds(transposed, *arguments).filter(
            lambda made: (
                gaps or all(a <= b for a, b in zip(made[0].first, made[0].last, strict=True))
            )
        ),
        st.integers(1, 8).map(lambda bins: (Window.adaptive(size, bins), bins)),
        st.integers(1, 4).map(lambda outputs: (Window.whole(size), outputs)),
    ).filter(lambda made: 1 <= made[1] <= 9)


@st.composite
def samples(draw: st.DrawFn, exact: bool, longest: int = 4) -> Sample:
    """Samples behind some layers; with ``exact`` only those of which exactness is promised."""
    size = st.integers(1, 6)
    x = draw(st.tuples(st.integers(1, 2), size, size) | st.tuples(size) | st.tuples(size, size))
    return _further(draw, Sample.of(x), exact, longest)


def _further(draw: Any, sample: Sample, exact: bool, longest: int) -> Sample:
    kinds = ["along", "along", "flatten", "permute", "join", "gate", "concat"]
    for _ in range(draw(st.integers(0, longest))):
        made = _behind(draw, sample, exact, draw(st.sampled_from(kinds + ["deal"] * (not exact))))
        if made.read.size <= LARGEST * 60 and made.inside.size <= LARGEST:
            sample = made
    return sample


def _behind(draw: Any, sample: Sample, exact: bool, kind: str) -> Sample:
    x = sample.shape
    axis = draw(st.integers(0, len(x) - 1))
    match kind:
        case "along":
            if exact and axis in sample.channels() and not sample.is_alike():
                return sample  # it would tell channels apart, which count as one
            return sample.along(axis, *draw(layer_windows(x[axis], gaps=not exact)))
        case "flatten":
            end = draw(st.integers(axis, len(x) - 1))
            mixes = end > axis and any(axis <= channel <= end for channel in sample.channels())
            return (
                sample if exact and mixes and not sample.is_alike() else sample.flatten(axis, end)
            )
        case "permute":
            return sample.permute(draw(st.permutations(range(len(x)))))
        case "deal":
            parts = [n for n in range(1, x[axis] + 1) if x[axis] % n == 0]
            part = draw(st.sampled_from(parts))
            return sample.unflatten(axis, (part, x[axis] // part)) if len(x) < 4 else sample
    branches = [_branch(draw, sample, exact) for _ in range(2)]
    first, second = branches
    if exact and first.field.axes != second.field.axes:
        return sample
    of_channels = 0 not in first.field.axes or len(first.shape) == 1
    if kind == "concat" and first.shape[1:] == second.shape[1:] and (of_channels or not exact):
        return first.concatenate(second)
    if kind == "gate" and len(first.shape) == len(second.shape):
        y = tuple(map(max, first.shape, second.shape))
        if all(n in (1, m) for part in branches for n, m in zip(part.shape, y, strict=True)):
            return first.broadcast(y).merge(second.broadcast(y))
    return first.merge(second) if first.shape == second.shape else sample


def _branch(draw: Any, sample: Sample, exact: bool) -> Sample:
    """Behind a few layers that often keep the shape, and sometimes leave one of each axis."""
    axis = draw(st.sampled_from(sorted(set(sample.field.axes))))
    size = sample.shape[axis]
    same = [
        (Window.sliding(3, 1, 1), size),
        (Window.sliding(2, 1, 1, 2), size),
        (Window.sliding(1, 2), (size + 1) // 2),
        (Window.adaptive(size, size), size),
        (Window.whole(size), 1),
        (Window.whole(size), size),
    ]
    made = sample.along(axis, *draw(st.sampled_from(same)))
    return _further(draw, made, exact, 1) if draw(st.booleans()) else made


@many
@given(samples(exact=True))
def test_a_field_is_exact_where_no_padding_is_read(sample: Sample) -> None:
    """Each position sees from the first to the last row that its values read, and no less ever."""
    assert sample.wrong(exact=True) == []


@many
@given(samples(exact=False, longest=6))
def test_a_field_is_never_smaller_than_the_truth(sample: Sample) -> None:
    """Behind holes, axes that were dealt out and branches that differ it is a bound."""
    assert sample.wrong(exact=False) == []


def test_branches_that_see_rows_along_different_axes_see_all_of_them() -> None:
    """An image joined with its transpose has pixels that see a row here and another there."""
    image = Sample.of((2, 3, 3))
    joined = image.merge(image.permute([0, 2, 1]))
    assert joined.wrong(exact=False) == []
    assert joined.field.size == (3, 3)


def test_a_flattened_axis_is_followed_as_long_as_patterns_may_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rows laid behind one another that make too long a pattern are said to see all rows."""
    monkeypatch.setattr(rooms, "MAX_PERIOD", 6)
    for columns, size in ((6, 1), (7, 5)):
        field = ReceptiveField.of_input((1, 5, columns)).flatten((1, 5, columns), 1, 2)
        assert field.size[0] == size


@pytest.mark.parametrize("most", [1, 3, 8])
def test_a_field_whose_patterns_are_given_up_is_never_smaller(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where patterns are too long to follow, all that a position may see is said."""
    monkeypatch.setattr(windows, "MAX_PERIOD", most)
    monkeypatch.setattr(rooms, "MAX_PERIOD", most)

    @settings(max_examples=150)
    @given(samples(exact=False))
    def never_smaller(sample: Sample) -> None:
        assert sample.wrong(exact=False) == []

    never_smaller()
