"""Windows of max pooling that read nothing of their input are refused."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch.nn import functional

from netbuilder.components.layers.base import LAYERS
from netbuilder.errors import ShapeError


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_a_window_wholly_in_the_padding_is_refused(axes: int) -> None:
    """torch answers with minus infinity where a window reads nothing, and writes elsewhere."""
    refused = 0
    cases = product(range(1, 6), range(1, 4), range(1, 4), range(2), range(1, 7), (False, True))
    for size, kernel, stride, padding, dilation, ceil_mode in cases:
        if padding > kernel // 2:
            continue
        last = {
            "kernel_size": kernel, "stride": stride, "padding": padding, "dilation": dilation,
        }  # fmt: skip
        # Only the last axis has windows; the others have one position.
        plain = {"kernel_size": 1, "stride": 1, "padding": 0, "dilation": 1}
        fields = {name: [plain[name]] * (axes - 1) + [value] for name, value in last.items()}
        layer = LAYERS.parse({f"MaxPool{axes}d": fields | {"ceil_mode": ceil_mode}})
        x = torch.zeros(1, 1, 1, size)
        try:
            y = functional.max_pool2d(
                x, (1, kernel), (1, stride), (0, padding), (1, dilation), ceil_mode
            )
        except RuntimeError:
            y = torch.tensor(-torch.inf)
        shape = (1, *[1] * (axes - 1), size)
        if torch.isinf(y).any():
            refused += 1
            with pytest.raises(ShapeError, match=r"the first window reads none|is larger than"):
                layer.output_shape(shape)
        else:
            assert layer.output_shape(shape)[-1] == y.shape[-1]
    assert refused


def test_the_message_names_the_reason() -> None:
    """It states dilation, padding and input."""
    layer = LAYERS.parse(
        {"MaxPool2d": {"kernel_size": 2, "stride": 1, "padding": 1, "dilation": 5}}
    )
    with pytest.raises(ShapeError, match=r"dilation 5x5 and padding 1x1, the first window reads"):
        layer.output_shape((8, 4, 4))
