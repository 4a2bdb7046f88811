"""Receptive fields over all axes, compared with the pixels that each value reads."""

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

from netbuilder.components.receptive_field import field as fields
from netbuilder.components.receptive_field import window as windows
from netbuilder.components.receptive_field.field import ReceptiveField
from netbuilder.components.receptive_field.window import Window
from netbuilder.components.shapes import Shape

Bools = NDArray[np.bool_]
many = examples(100, 500)
LARGEST = 600


@dataclass(frozen=True)
class Sample:
    """A sample with its computed receptive field and what its values really read.

    Attributes:
        shape: shape of the sample.
        field: the receptive field under test.
        read: which value reads which pixel, of the sample's shape followed by the input's.
        unpadded: whether a value reads no padding, of the sample's shape.
    """

    shape: Shape
    field: ReceptiveField
    read: Bools = dataclasses.field(repr=False)
    unpadded: Bools = dataclasses.field(repr=False)

    @classmethod
    def of(cls, x: Shape) -> Sample:
        """Return the input itself."""
        pixels = np.eye(int(np.prod(x)), dtype=bool).reshape(*x, *x)
        return cls(x, ReceptiveField.of_input(x), pixels, np.ones(x, dtype=bool))

    def become(self, field: ReceptiveField, read: Bools, unpadded: Bools) -> Sample:
        return Sample(unpadded.shape, field, read, unpadded)

    def along(self, axis: int, window: Window, outputs: int) -> Sample:
        """Apply a layer that reads through ``window`` along an axis."""
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
        padding = np.moveaxis(np.tensordot(reads, ~self.unpadded, (1, axis)), 0, axis)
        padding = np.moveaxis(np.moveaxis(padding, axis, -1) | padded, -1, axis)
        windows = [window if i == axis else None for i in range(len(self.shape))]
        return self.become(self.field.read(*windows), read, ~padding)

    def permute(self, order: list[int]) -> Sample:
        n = len(order)
        rest = range(n, self.read.ndim)
        read = self.read.transpose([*order, *rest])
        return self.become(self.field.permute(order), read, self.unpadded.transpose(order))

    def reshaped(self, y: Shape, field: ReceptiveField) -> Sample:
        rest = self.read.shape[len(self.shape) :]
        return self.become(field, self.read.reshape(*y, *rest), self.unpadded.reshape(y))

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
            self.field.broadcast(self.shape, y), read, np.broadcast_to(self.unpadded, y)
        )

    def merge(self, other: Sample) -> Sample:
        field = self.field.merge(other.field, self.shape)
        return self.become(field, self.read | other.read, self.unpadded & other.unpadded)

    def concatenate(self, *others: Sample) -> Sample:
        parts = [self, *others]
        field = ReceptiveField.concatenate(
            [part.field for part in parts], [part.shape for part in parts]
        )
        read = np.concatenate([part.read for part in parts])
        return self.become(field, read, np.concatenate([part.unpadded for part in parts]))

    def channels(self) -> tuple[int, ...]:
        """Return the axes that correspond to no axis of the input."""
        return tuple(i for i in range(len(self.shape)) if i not in self.field.axes)

    def pixels(self) -> Bools:
        """Return which value reads which pixel, in any channel."""
        read: Bools = self.read.reshape(*self.shape, -1, *self.field.input)
        return np.asarray(read.any(axis=len(self.shape)))

    def is_uniform(self) -> bool:
        """Return whether all channels of a position read the same pixels, and padding alike."""
        pixels, channels = self.pixels(), self.channels()
        return all(
            bool((values == values.any(axis=channels, keepdims=True)).all())
            for values in (pixels, self.unpadded)
        )

    def errors(self, exact: bool) -> list[str]:
        """List the rows where the field is too small or, with ``exact``, too large."""
        errors, n = [], len(self.shape)
        field = self.field
        for k, (axis, window) in enumerate(zip(field.axes, field.windows, strict=True)):
            rest = [n + i for i in range(len(field.input)) if i != k]
            rows = np.asarray(self.pixels().any(axis=(*self.channels(), *rest)))
            unpadded = np.asarray(self.unpadded.all(axis=self.channels()))
            at = sorted(set(field.axes)).index(axis)
            for position in np.ndindex(rows.shape[:-1]):
                actual = np.flatnonzero(rows[position])
                first, last = window.span_at(position[at])
                if len(actual) and not first <= actual[0] <= actual[-1] <= last:
                    errors.append(
                        f"{position} reads {actual} of axis {k}, field: {first} to {last}"
                    )
                if len(actual) and actual[-1] - actual[0] >= window.size:
                    errors.append(f"{position} reads {actual} of axis {k}, field: {window.size}")
                if exact and unpadded[position] and (actual[0], actual[-1]) != (first, last):
                    errors.append(
                        f"{position} reads {actual} of axis {k}, field: {first} to {last}"
                    )
        return errors


def layer_windows(size: int, gaps: bool) -> st.SearchStrategy[tuple[Window, int]]:
    """Generate windows over an axis and their number of outputs; with ``gaps`` some are empty."""
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
            lambda pair: (
                gaps or all(a <= b for a, b in zip(pair[0].first, pair[0].last, strict=True))
            )
        ),
        st.integers(1, 8).map(lambda bins: (Window.adaptive(size, bins), bins)),
        st.integers(1, 4).map(lambda outputs: (Window.whole(size), outputs)),
    ).filter(lambda pair: 1 <= pair[1] <= 9)


@st.composite
def samples(draw: st.DrawFn, exact: bool, longest: int = 4) -> Sample:
    """Generate samples after some layers; with ``exact`` only those with an exact field."""
    size = st.integers(1, 6)
    x = draw(st.tuples(st.integers(1, 2), size, size) | st.tuples(size) | st.tuples(size, size))
    return _apply_layers(draw, Sample.of(x), exact, longest)


def _apply_layers(draw: Any, sample: Sample, exact: bool, longest: int) -> Sample:
    kinds = ["along", "along", "flatten", "permute", "join", "gate", "concat"]
    for _ in range(draw(st.integers(0, longest))):
        result = _apply_layer(
            draw, sample, exact, draw(st.sampled_from(kinds + ["unflatten"] * (not exact)))
        )
        if result.read.size <= LARGEST * 60 and result.unpadded.size <= LARGEST:
            sample = result
    return sample


def _apply_layer(draw: Any, sample: Sample, exact: bool, kind: str) -> Sample:
    x = sample.shape
    axis = draw(st.integers(0, len(x) - 1))
    match kind:
        case "along":
            if exact and axis in sample.channels() and not sample.is_uniform():
                return sample  # channels would read different rows, which one window cannot express
            return sample.along(axis, *draw(layer_windows(x[axis], gaps=not exact)))
        case "flatten":
            end = draw(st.integers(axis, len(x) - 1))
            mixes = end > axis and any(axis <= channel <= end for channel in sample.channels())
            return (
                sample if exact and mixes and not sample.is_uniform() else sample.flatten(axis, end)
            )
        case "permute":
            return sample.permute(draw(st.permutations(range(len(x)))))
        case "unflatten":
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
    """Apply a few layers that often keep the shape, and sometimes reduce an axis to 1."""
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
    result = sample.along(axis, *draw(st.sampled_from(same)))
    return _apply_layers(draw, result, exact, 1) if draw(st.booleans()) else result


@many
@given(samples(exact=True))
def test_the_field_is_exact_where_no_padding_is_read(sample: Sample) -> None:
    """The field spans exactly the first to the last row that the values of a position read."""
    assert sample.errors(exact=True) == []


@many
@given(samples(exact=False, longest=6))
def test_the_field_is_never_too_small(sample: Sample) -> None:
    """After gaps, split axes and different branches the field is an upper bound."""
    assert sample.errors(exact=False) == []


def test_an_image_joined_with_its_transpose_sees_all_rows() -> None:
    """Pixels that read rows along different axes have a field over the whole input."""
    image = Sample.of((2, 3, 3))
    joined = image.merge(image.permute([0, 2, 1]))
    assert joined.errors(exact=False) == []
    assert joined.field.size == (3, 3)


def test_a_flattened_axis_with_a_long_pattern_sees_all_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Beyond MAX_PERIOD, the field of flattened rows is a bound over all rows."""
    monkeypatch.setattr(fields, "MAX_PERIOD", 6)
    for columns, size in ((6, 1), (7, 5)):
        field = ReceptiveField.of_input((1, 5, columns)).flatten((1, 5, columns), 1, 2)
        assert field.size[0] == size


@pytest.mark.parametrize("period", [1, 3, 8])
def test_the_field_of_long_patterns_is_never_too_small(
    period: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With any MAX_PERIOD the field covers all that a position reads."""
    monkeypatch.setattr(windows, "MAX_PERIOD", period)
    monkeypatch.setattr(fields, "MAX_PERIOD", period)

    @settings(max_examples=150)
    @given(samples(exact=False))
    def never_smaller(sample: Sample) -> None:
        assert sample.errors(exact=False) == []

    never_smaller()
