"""The documents in archs/zoo/, compared with torchvision and the papers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch
from command import run
from paths import ARCHS
from torch import Tensor, nn
from torch.func import functional_call
from torchvision import models

from netbuilder import analyse, build, load
from netbuilder.config.json_schema import FILE_NAME
from netbuilder.config.yaml_nodes import parse

ZOO = ARCHS / "zoo"
IN_TORCHVISION: dict[str, tuple[int, int]] = {
    # Height and width for the comparison: small, but so that swapped axes, a missing ceil_mode
    # or another padding change the output.
    "alexnet": (160, 176),
    "convnext_tiny": (66, 82),
    "densenet121": (66, 82),
    "googlenet": (48, 80),
    "mobilenet_v2": (66, 82),
    "mobilenet_v3_small": (66, 82),
    "resnet18": (66, 82),
    "resnet50": (66, 82),
    "resnext50_32x4d": (66, 82),
    "shufflenet_v2_x1_0": (66, 82),
    "squeezenet1_1": (66, 82),
    "vgg16": (66, 82),
    "vgg16_bn": (66, 82),
}
LARGE = ("alexnet", "convnext_tiny", "resnet50", "resnext50_32x4d", "vgg16", "vgg16_bn")
"""Networks that take seconds to run in double precision."""
OPTIONS: dict[str, dict[str, Any]] = {"googlenet": {"aux_logits": False, "init_weights": False}}


def wide_group(inputs: int, width: int) -> int:
    """Return the parameters of four pre-activation blocks of two 3x3 convolutions."""
    first = 2 * inputs + 9 * inputs * width + 2 * width + 9 * width * width + inputs * width
    return first + 3 * (4 * width + 18 * width * width)


def air_group(inputs: int, width: int) -> int:
    """Return the parameters of two 3x3 convolutions, each with a batch normalization."""
    return 9 * inputs * width + 9 * width * width + 4 * width


FROM_PAPERS = {  # parameters computed from the papers, and as published
    "lenet5": (156 + 2_416 + 48_120 + 10_164 + 850, "61,706"),
    "wideresnet28_10": (
        27 * 16 + wide_group(16, 160) + wide_group(160, 320) + wide_group(320, 640)
        + 2 * 640 + 641 * 10,
        "36.5M",
    ),
    "airbench94": (
        13 * 24 + air_group(24, 64) + air_group(64, 256) + air_group(256, 256) + 256 * 10,
        "1.97M",
    ),
}  # fmt: skip
NAMES = sorted([*IN_TORCHVISION, *FROM_PAPERS])


def document(name: str) -> Path:
    """Return the path of a network's document."""
    return ZOO / f"{name}.yaml"


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    """The name of each network of the zoo."""
    return str(request.param)


def torchvision_model(name: str) -> nn.Module:
    """Return torchvision's network on the meta device."""
    with torch.device("meta"):
        model: nn.Module = models.get_model(name, weights=None, **OPTIONS.get(name, {}))
    return model


def test_the_zoo_is_complete() -> None:
    """The documents are exactly those with a reference in this file."""
    assert sorted(path.stem for path in ZOO.glob("*.yaml")) == NAMES


def test_the_document_passes_the_check(name: str) -> None:
    """``netbuilder check`` reports no problem and exits with 0."""
    result = run("check", str(document(name)))
    assert (result.code, result.err) == (0, "")


def test_the_document_has_the_name_of_its_file_and_notes(name: str) -> None:
    """The name equals that of the file, and title, target and choices are present."""
    architecture = load(document(name))
    assert architecture.name == name
    assert architecture.title
    assert all((architecture.notes.target, architecture.notes.choices))


def test_the_document_is_valid_by_the_committed_schema(name: str) -> None:
    """The first line names the committed schema, which allows the document."""
    text = document(name).read_text()
    assert text.splitlines()[0] == f"# yaml-language-server: $schema=../{FILE_NAME}"
    schema = json.loads((ZOO.parent / FILE_NAME).read_text())
    read, problems = parse(text, name)  # as editors do: in YAML 1.2, 1e-6 is a number
    assert problems == []
    jsonschema.Draft202012Validator(schema).validate(read.plain())


def test_the_reference_equals_the_number_of_parameters(name: str) -> None:
    """Analysis, built network and the document's reference agree on the parameters."""
    architecture = load(document(name))
    with torch.device("meta"):
        built = sum(parameter.numel() for parameter in build(architecture).parameters())
    assert analyse(architecture).parameters == built == architecture.reference.parameters


@pytest.mark.parametrize("name", IN_TORCHVISION)
def test_the_number_of_parameters_matches_torchvision(name: str) -> None:
    """The number equals that of torchvision's model and that of its published weights."""
    parameters = analyse(load(document(name))).parameters
    assert parameters == sum(
        parameter.numel() for parameter in torchvision_model(name).parameters()
    )
    assert parameters == models.get_model_weights(name).DEFAULT.meta["num_params"]


@pytest.mark.parametrize("name", IN_TORCHVISION)
def test_multiply_accumulates_match_torchvision(name: str) -> None:
    """They equal the published number in billions, rounded to three decimals."""
    published = models.get_model_weights(name).DEFAULT.meta["_ops"]
    analysis = analyse(load(document(name)))
    # ConvNeXt's layer scale is a convolution in the document; torchvision does not count it.
    scales = [
        row.macs
        for row in analysis.rows
        if row.kind == "Conv2d" and row.parameters == row.arguments["groups"] > 1
    ]
    assert round((analysis.macs - sum(scales)) / 1e9, 3) == published


@pytest.mark.parametrize("name", FROM_PAPERS)
def test_the_number_of_parameters_matches_the_paper(name: str) -> None:
    """The number equals that computed from the paper's table, and rounds to the published one."""
    expected, published = FROM_PAPERS[name]
    assert analyse(load(document(name))).parameters == expected
    millions = published.removesuffix("M")
    places = len(millions.partition(".")[2])
    assert published in (f"{expected:,}", f"{expected / 1e6:.{places}f}M")


def test_the_layer_scales_of_convnext_start_at_a_millionth() -> None:
    """All factors of its 18 layer scales are initialized to 1e-6."""
    scales = [
        parameter
        for parameter in build(load(document("convnext_tiny"))).parameters()
        if parameter.dim() == 4 and parameter[0].numel() == 1
    ]
    assert len(scales) == 18
    assert all((scale == 1e-6).all() for scale in scales)


def test_the_document_of_resnet50_is_short() -> None:
    """The document has fewer than 60 lines."""
    assert len(document("resnet50").read_text().splitlines()) < 60


State = dict[str, Tensor]


@dataclass(frozen=True)
class ModelPair:
    """A document's network and torchvision's on the meta device, and a state for both.

    Attributes:
        model: network of the document.
        reference: network of torchvision.
        state: tensors by torchvision's names, in the order of the document's network.
        x: a batch of two images.
    """

    model: nn.Module
    reference: nn.Module
    state: State
    x: Tensor

    def renamed(self, state: Mapping[str, Tensor]) -> State:
        """Return a state of torchvision's network with the names and shapes of the document's."""
        tensors = self.model.state_dict()
        pairs = zip(tensors.items(), state.values(), strict=True)
        return {name: value.reshape(tensor.shape) for (name, tensor), value in pairs}

    def run_model(self, state: State, x: Tensor, *, training: bool = False) -> Tensor:
        """Return the output of the document's network for a state."""
        torch.manual_seed(0)
        output: Tensor = functional_call(self.model.train(training), self.renamed(state), x)
        return output

    def run_reference(self, state: State, x: Tensor, *, training: bool = False) -> Tensor:
        """Return the output of torchvision's network for a state, from the same random draws."""
        torch.manual_seed(0)
        output: Tensor = functional_call(self.reference.train(training), state, x)
        return output


def in_document_order(model: nn.Module) -> State:
    """Return the state, with the layer scale of a ConvNeXt block after the block."""
    state = dict(model.state_dict())
    names = list(state)

    def place(name: str) -> tuple[int, bool]:
        block, scale, _ = name.partition("layer_scale")
        if not scale:
            return names.index(name), False
        return max(i for i, other in enumerate(names) if other.startswith(block)), True

    return {name: state[name] for name in sorted(names, key=place)}


def random_state(model: nn.Module) -> State:
    """Return a random state in float64, in which all channels differ."""
    generator = torch.Generator().manual_seed(0)
    state: State = {}
    for name, tensor in in_document_order(model).items():
        value = torch.zeros(tensor.shape, dtype=torch.float64)
        if not tensor.is_floating_point():
            value = value.to(tensor.dtype)
        elif name.endswith(("running_mean", "bias")):
            value.normal_(0, 0.1, generator=generator)
        elif tensor.dim() in (1, 3):  # weight of a normalization, or a layer scale
            value.uniform_(0.5, 1.5, generator=generator)
        else:
            value.normal_(0, (2 / tensor[0].numel()) ** 0.5, generator=generator)
        state[name] = value
    return state


def set_running_statistics(model: nn.Module, state: State, x: Tensor) -> None:
    """Set the running statistics near those of ``x``, so that no activation saturates."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = None  # cumulative average, here over one batch
    with torch.no_grad():
        functional_call(model.train(), state, x)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    for name, value in state.items():
        if name.endswith("running_var"):
            value.mul_(torch.empty_like(value).uniform_(0.5, 1.5))


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=[pytest.mark.long] * (name in LARGE)) for name in IN_TORCHVISION
    ],
)
def pair(request: pytest.FixtureRequest) -> ModelPair:
    """Each network of torchvision with the network of its document."""
    torch.manual_seed(0)
    height, width = IN_TORCHVISION[request.param]
    architecture = load(document(request.param), [f"input=[3, {height}, {width}]"])
    with torch.device("meta"):
        model = build(architecture)
    reference = torchvision_model(request.param)
    state = random_state(reference)
    x = torch.randn(2, 3, height, width, dtype=torch.float64)
    set_running_statistics(reference, state, x)
    return ModelPair(model, reference, state, x)


def relative_error(a: Tensor, b: Tensor) -> float:
    """Return the norm of the difference relative to ``b``."""
    return float((a - b).norm() / b.norm())


def test_the_layout_of_the_state_matches_torchvision(pair: ModelPair) -> None:
    """Tensors have the same order, last names and shapes."""
    actual = [
        (name.rpartition(".")[2], tuple(tensor.shape))
        for name, tensor in pair.model.state_dict().items()
    ]
    expected = [
        ("weight", (*tensor.shape, 1))  # a 1x1 convolution in the document
        if (kind := name.rpartition(".")[2]) == "layer_scale"
        else (kind, tuple(tensor.shape))
        for name, tensor in pair.state.items()
    ]
    assert actual == expected


def test_the_output_matches_torchvision(pair: ModelPair) -> None:
    """The same weights and images give the same output in double and single precision."""
    single = {
        name: value.float() if value.is_floating_point() else value
        for name, value in pair.state.items()
    }
    for state, x, tolerance in ((pair.state, pair.x, 1e-10), (single, pair.x.float(), 1e-5)):
        with torch.no_grad():
            actual, expected = pair.run_model(state, x), pair.run_reference(state, x)
        assert actual.dtype == x.dtype
        assert relative_error(actual, expected) < tolerance


def test_the_gradients_match_torchvision(pair: ModelPair) -> None:
    """Gradients for images and parameters are equal, and none of them is zero."""
    trainable = {name for name, _ in pair.reference.named_parameters()}
    x = pair.x.detach().requires_grad_()
    state = {
        name: value.detach().requires_grad_(name in trainable) for name, value in pair.state.items()
    }
    leaves = [x, *(value for value in state.values() if value.requires_grad)]
    actual, expected = (
        torch.autograd.grad(network(state, x).square().mean(), leaves)
        for network in (pair.run_model, pair.run_reference)
    )
    assert all(gradient.any() for gradient in expected)
    assert max(map(relative_error, actual, expected)) < 1e-9


def test_training_mode_matches_torchvision(pair: ModelPair) -> None:
    """In training mode, the same draws give the same output and running statistics."""
    statistics = {name for name, _ in pair.reference.named_buffers()}
    outputs, updated = [], []
    for network in (pair.run_model, pair.run_reference):
        state = {
            name: value.clone() if name in statistics else value
            for name, value in pair.state.items()
        }
        with torch.no_grad():
            outputs.append(network(state, pair.x, training=True))
        updated.append([state[name].double() for name in statistics])
    assert relative_error(*outputs) < 1e-10
    assert max(map(relative_error, *updated), default=0) < 1e-10
