"""Every layer takes an input of any memory layout, such as that behind Permute."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from layer_examples import EXAMPLES
from torch import Tensor, nn

from netbuilder.components.layers.base import LAYERS
from netbuilder.components.shapes import Shape
from netbuilder.config.loader import parse_architecture
from netbuilder.network.build import build
from netbuilder.network.codegen import python_code
from netbuilder.network.from_torch import architecture_of

LRN = """\
name: lrn
input: [1, 28, 28]
layers:
  - Conv2d: [2, 1]
  - Unflatten: {dim: 2, unflattened_size: [4, 7]}
  - Permute: [[0, 1, 2, 4, 3]]
  - LocalResponseNorm: 2
"""


def permuted(a: int, b: int) -> Callable[[Tensor], Tensor]:
    """Return a function that stores a tensor with two of its axes exchanged."""
    return lambda x: x.transpose(a, b).contiguous().transpose(a, b)


LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "last axes exchanged": permuted(-1, -2),
    "channels last": lambda x: x.movedim(1, -1).contiguous().movedim(-1, 1),
    "batch last": permuted(0, -1),
    "a share of the channels": lambda x: torch.cat([x, x], 1).chunk(2, 1)[0],
    "every second value": lambda x: torch.stack([x, x], -1)[..., 0],
}


@pytest.mark.parametrize("kind", EXAMPLES)
def test_a_layer_takes_every_layout(kind: str) -> None:
    """The output is that for a contiguous copy, and gradients of any layout pass."""
    for arguments, shape in EXAMPLES[kind]:
        layer = LAYERS.parse({kind: arguments})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # bicubic and others note their own limits
            _compare(layer.build(shape), shape)


def _compare(module: nn.Module, shape: Shape) -> None:
    for change in LAYOUTS.values():
        x = torch.randn(2, *shape, requires_grad=True)
        y = module(change(x) * 1)
        y.backward(change(torch.randn_like(y)))
        assert x.grad is not None
        module.eval()
        with torch.no_grad():
            expected = module(x.clone())
            actual = module(change(x) * 1)
            # An odd norm of negative values is not a number, in every layout.
            torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4, equal_nan=True)
        module.train()


def test_a_permuted_volume_is_normalized_as_torch_does_its_copy() -> None:
    """torch's own module refuses the volume, and agrees on a contiguous copy."""
    model = build(parse_architecture(LRN, "lrn.yaml"))
    x = torch.randn(3, 1, 28, 28)
    before = model[:3](x)
    with pytest.raises(RuntimeError, match="view size is not compatible"):
        nn.LocalResponseNorm(2)(before)
    expected = nn.LocalResponseNorm(2)(before.contiguous())
    torch.testing.assert_close(model(x), expected, rtol=0, atol=0)


def test_images_are_normalized_by_torchs_own_module() -> None:
    """Only what torch's module may refuse has another one."""
    layer = LAYERS.parse({"LocalResponseNorm": 2})
    assert type(layer.build((4, 6, 6))) is nn.LocalResponseNorm
    assert type(layer.build((4, 6, 6, 6))) is not nn.LocalResponseNorm


def test_exported_code_takes_the_permuted_volume(tmp_path: Path) -> None:
    """The module in Python computes the same, and the import of both networks works."""
    architecture = parse_architecture(LRN, "lrn.yaml")
    path = tmp_path / "lrn.py"
    path.write_text(python_code(architecture))
    names: dict[str, Any] = {"__name__": "lrn"}
    exec(compile(path.read_text(), str(path), "exec"), names)
    model, copy = build(architecture), names["Lrn"]()
    copy.load_state_dict(model.state_dict())
    x = torch.randn(2, 1, 28, 28)
    torch.testing.assert_close(copy(x), model(x), rtol=0, atol=0)
    volume = (2, 4, 5, 6)
    document = architecture_of(nn.Sequential(nn.LocalResponseNorm(2)), volume, "net")
    again = architecture_of(build(document), volume, "net")
    assert document.layers == again.layers
