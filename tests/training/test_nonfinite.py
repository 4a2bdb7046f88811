"""A loss that is not finite names the layer that computes the first value that is not finite."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from command import run
from torch import Tensor, nn

from netbuilder import build
from netbuilder.components.layers.base import LAYERS, Elementwise
from netbuilder.components.shapes import Shape
from netbuilder.config.loader import parse_architecture
from netbuilder.network.analysis import analyse
from netbuilder.training.nonfinite import NonFinite, first_nonfinite


def fault_of(
    layers: str, change: dict[str, float] | None = None, scale: float = 1.0
) -> NonFinite | None:
    """Return the fault of a network on random images, after its weights are multiplied."""
    text = f"name: a\ninput: [1, 8, 8]\nlayers: [{layers}]\n"
    analysis = analyse(parse_architecture(text, "a.yaml"))
    torch.manual_seed(0)
    model = build(analysis)
    for name, factor in (change or {}).items():
        with torch.no_grad():
            model.get_parameter(name).mul_(factor)
    images, labels = scale * torch.randn(6, 1, 8, 8), torch.zeros(6, dtype=torch.long)

    def forward() -> tuple[Tensor, Tensor]:
        logits = model(images).flatten(1)
        return torch.nn.functional.cross_entropy(logits, labels), logits

    return first_nonfinite(model, analysis, forward)


ODD_NORM = "LPPool2d: {norm_type: 3, kernel_size: 2, stride: 2}"
END = "Flatten, {Linear: 3}"
CONV = "{Conv2d: [2, 3]}"
IN_BRANCH = "{LPPool2d: {norm_type: 3, kernel_size: 3, stride: 1}}, {ZeroPad2d: 1}"
BRANCHES = f"{{Parallel: {{branches: {{a: [Tanh], b: [{IN_BRANCH}]}}, join: add}}}}"
CONV_BRANCH = "{Residual: {body: [{Conv2d: {out_channels: 2, kernel_size: 3, padding: 1}}]}}"
NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("layers", "change", "expected"),
    [
        (f"{CONV}, {{{ODD_NORM}}}, {END}", {}, ("1", "output", False)),
        (f"{{Sequential: [Tanh, {{{ODD_NORM}}}]}}, {END}", {}, ("0.1", "output", False)),
        (f"{BRANCHES}, {END}", {}, (".b.0", "output", False)),
        (f"{CONV}, ReLU, {END}", {"3.weight": 1e38, "0.weight": 1e30}, ("3", "output", True)),
        (f"{CONV}, ReLU, {END}", {"3.bias": NAN}, ("3", "weight", True)),
        (f"{CONV}, ReLU, {END}", {"0.bias": INF}, ("0", "weight", True)),
        (
            f"{CONV}, ReLU, {CONV_BRANCH}, {END}",
            {"0.weight": 1e10, "2.body.0.weight": 1e35},
            ("2.body.0", "output", True),
        ),
        (f"{CONV}, ReLU, {{{ODD_NORM}}}, {END}", {}, None),
        (f"{CONV}, BatchNorm2d, ReLU, {END}", {}, None),
    ],
)
def test_the_first_layer_that_is_not_finite_is_named(
    layers: str, change: dict[str, float], expected: tuple[str, str, bool] | None
) -> None:
    """A layer in a container is named by its own path; a finite network has no fault."""
    fault = fault_of(layers, change)
    if expected is None:
        assert fault is None
        return
    assert fault is not None
    assert fault.row is not None
    path, quantity, diverges = expected
    assert fault.row.path.endswith(path)
    assert (fault.quantity, fault.diverges) == (quantity, diverges)


def test_a_join_that_overflows_is_named() -> None:
    """Where all layers of a container are finite, the container is the first that is not."""
    layers = f"{{Residual: {{body: [Identity], join: multiply}}}}, {END}"
    fault = fault_of(layers, scale=1e25)
    assert fault is not None
    assert fault.row is not None
    assert (fault.row.path, fault.quantity, fault.diverges) == ("0", "output", True)


class Root(Elementwise):
    """The square root, which has no gradient at 0."""

    def build(self, x: Shape) -> nn.Module:
        class Module(nn.Module):
            def forward(self, batch: Tensor) -> Tensor:
                return (batch * (batch > 0)).sqrt()

        return Module()


def test_a_gradient_that_is_not_finite_names_its_layer() -> None:
    """The layer is named in whose backward pass the first such gradient arises."""
    LAYERS.add([Root])
    try:
        fault = fault_of(f"{CONV}, Root, Tanh, {END}")
    finally:
        del LAYERS.kinds["Root"]
    assert fault is not None
    assert fault.row is not None
    assert (fault.row.path, fault.quantity, fault.diverges) == ("1", "gradient", False)


def test_a_loss_that_is_not_finite_is_named() -> None:
    """Where every layer is finite, the loss is the first that is not."""
    analysis = analyse(parse_architecture("name: a\ninput: [4]\nlayers: [{Linear: 3}]\n", "a.yaml"))
    model = build(analysis)

    def forward() -> tuple[Tensor, Tensor]:
        logits = model(torch.ones(2, 4))
        return (logits - logits).sum().log(), logits

    fault = first_nonfinite(model, analysis, forward)
    assert fault is not None
    assert fault.row is None
    assert fault.describe(analysis, "NLLLoss").startswith("NLLLoss is the first of which it is not")


TRAIN = "train: {dataset: mnist5k, epochs: 1, batch_size: 100, optimizer: {SGD: %s}}\n"


def train(folder: Path, layers: str, rate: float, *options: str) -> str:
    text = f"name: a\ninput: [1, 28, 28]\nlayers:\n{layers}\n" + TRAIN % rate
    (folder / "net.yaml").write_text(text)
    result = run("train", "net.yaml", "--quiet", *options)
    assert result.code == 1, result.err
    assert len(result.err.splitlines()) == 1
    return result.err


def test_an_operation_without_a_value_is_not_blamed_on_the_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message has the place of the layer, its input, and a remedy that can help."""
    monkeypatch.chdir(tmp_path)
    layers = f"  - Conv2d: [2, 5]\n  - {ODD_NORM}\n  - Flatten\n  - Linear: 10"
    error = train(tmp_path, layers, 0.01)
    assert (
        "the loss is nan in epoch 1, step 1: layer 1 LPPool2d (net.yaml:5:5) is the first" in error
    )
    assert "whose output is not finite, for input from -" in error
    assert "A lower learning rate does not change that: replace the layer" in error
    tested = run("lr-find", "net.yaml")
    assert tested.code == 1
    assert "layer 1 LPPool2d (net.yaml:5:5)" in tested.err


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_rate_that_is_too_high_is_to_be_lowered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    """Large values show that training diverges; fp32 is not a remedy for a run in fp32."""
    monkeypatch.chdir(tmp_path)
    layers = "  - Flatten\n  - Linear: 9\n  - ReLU\n  - Linear: 10"
    error = train(tmp_path, layers, 1e18, "--precision", precision)
    assert "is the first" in error
    assert "Train again with a lower learning rate" in error
    assert ("--precision fp32" in error) == (precision == "bf16")


@pytest.mark.parametrize(
    "layers",
    [
        "  - Flatten\n  - Linear: {out_features: 10, init: {normal: {std: 1.0e+38}}}",
        "  - Flatten\n  - Linear: {out_features: 10, init: {constant: 1.0e+38}}",
        "  - ConstantPad2d: [1, 1.0e+38]\n  - Flatten\n  - Linear: 10",
    ],
)
def test_the_first_step_is_not_blamed_on_the_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layers: str
) -> None:
    """No update was made before it, so that no learning rate changes its loss."""
    monkeypatch.chdir(tmp_path)
    error = train(tmp_path, layers, 0.01)
    assert "in epoch 1, step 1" in error
    assert "Train again with a lower learning rate" not in error
    assert "a smaller init or smaller arguments of the layers" in error
