"""The documents in archs/zoo/ are the networks that they name."""

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
    # Height and width for the comparison: small, and such that a swap of the axes, a missing
    # ceil_mode or another padding shows.
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
    """The parameters of four pre-activated blocks of two 3x3 convolutions."""
    first = 2 * inputs + 9 * inputs * width + 2 * width + 9 * width * width + inputs * width
    return first + 3 * (4 * width + 18 * width * width)


def air_group(inputs: int, width: int) -> int:
    """The parameters of two 3x3 convolutions, each with a batch normalisation behind it."""
    return 9 * inputs * width + 9 * width * width + 4 * width


ELSEWHERE = {  # parameters counted from the papers, and as they are published
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
NAMES = sorted([*IN_TORCHVISION, *ELSEWHERE])


def document(name: str) -> Path:
    """The file of a network."""
    return ZOO / f"{name}.yaml"


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    """Each network of the zoo in turn."""
    return str(request.param)


def theirs_by_name(name: str) -> nn.Module:
    """torchvision's network, without values in its tensors."""
    with torch.device("meta"):
        model: nn.Module = models.get_model(name, weights=None, **OPTIONS.get(name, {}))
    return model


def test_the_zoo_is_complete() -> None:
    """Every document in the folder is compared with something, and nothing is missing."""
    assert sorted(path.stem for path in ZOO.glob("*.yaml")) == NAMES


def test_it_passes_the_check(name: str) -> None:
    """``netbuilder check`` finds no problem and ends with 0."""
    ran = run("check", str(document(name)))
    assert (ran.code, ran.err) == (0, "")


def test_it_is_named_after_its_file_and_explained(name: str) -> None:
    """Title and notes say what it is and where it comes from."""
    architecture = load(document(name))
    assert architecture.name == name
    assert architecture.title
    assert all((architecture.notes.target, architecture.notes.choices))


def test_an_editor_finds_it_valid(name: str) -> None:
    """Its first line names the committed schema, and it validates against that."""
    text = document(name).read_text()
    assert text.splitlines()[0] == f"# yaml-language-server: $schema=../{FILE_NAME}"
    schema = json.loads((ZOO.parent / FILE_NAME).read_text())
    read, problems = parse(text, name)  # as editors do: in YAML 1.2, 1e-6 is a number
    assert problems == []
    jsonschema.Draft202012Validator(schema).validate(read.plain())


def test_its_reference_is_what_it_has(name: str) -> None:
    """The count without building, the count of the built network and the document's figure."""
    architecture = load(document(name))
    with torch.device("meta"):
        built = sum(parameter.numel() for parameter in build(architecture).parameters())
    assert analyse(architecture).parameters == built == architecture.reference.parameters


@pytest.mark.parametrize("name", IN_TORCHVISION)
def test_it_has_as_many_parameters_as_torchvisions(name: str) -> None:
    """Those of the model, which are those that torchvision publishes with its weights."""
    found = analyse(load(document(name))).parameters
    assert found == sum(parameter.numel() for parameter in theirs_by_name(name).parameters())
    assert found == models.get_model_weights(name).DEFAULT.meta["num_params"]


@pytest.mark.parametrize("name", IN_TORCHVISION)
def test_it_costs_what_torchvision_publishes(name: str) -> None:
    """The multiply-accumulates at the published image size, in billions to three places."""
    published = models.get_model_weights(name).DEFAULT.meta["_ops"]
    analysis = analyse(load(document(name)))
    # ConvNeXt's layer scale, a factor a channel, is a convolution here and not counted there.
    scales = [
        row.macs
        for row in analysis.rows
        if row.kind == "Conv2d" and row.parameters == row.arguments["groups"] > 1
    ]
    assert round((analysis.macs - sum(scales)) / 1e9, 3) == published


@pytest.mark.parametrize("name", ELSEWHERE)
def test_it_has_as_many_parameters_as_its_paper(name: str) -> None:
    """Counted by hand from the paper's table, and as the paper rounds it."""
    counted, published = ELSEWHERE[name]
    assert analyse(load(document(name))).parameters == counted
    millions = published.removesuffix("M")
    places = len(millions.partition(".")[2])
    assert published in (f"{counted:,}", f"{counted / 1e6:.{places}f}M")


def test_convnext_begins_near_the_identity() -> None:
    """The factors of its 18 layer scales begin at a millionth."""
    scales = [
        parameter
        for parameter in build(load(document("convnext_tiny"))).parameters()
        if parameter.dim() == 4 and parameter[0].numel() == 1
    ]
    assert len(scales) == 18
    assert all((scale == 1e-6).all() for scale in scales)


def test_resnet50_is_short() -> None:
    """The whole document has fewer than 60 lines."""
    assert len(document("resnet50").read_text().splitlines()) < 60


State = dict[str, Tensor]


@dataclass(frozen=True)
class Twins:
    """A document's network and torchvision's, without values, and one state that fits both.

    Attributes:
        state: by torchvision's names, in the order of the document's network.
        x: a batch of two.
    """

    ours: nn.Module
    theirs: nn.Module
    state: State
    x: Tensor

    def renamed(self, state: Mapping[str, Tensor]) -> State:
        """A state of torchvision's network as one of the document's."""
        own = self.ours.state_dict()
        pairs = zip(own.items(), state.values(), strict=True)
        return {name: value.reshape(tensor.shape) for (name, tensor), value in pairs}

    def ours_on(self, state: State, x: Tensor, *, training: bool = False) -> Tensor:
        """The output of the document's network in a state."""
        torch.manual_seed(0)
        output: Tensor = functional_call(self.ours.train(training), self.renamed(state), x)
        return output

    def theirs_on(self, state: State, x: Tensor, *, training: bool = False) -> Tensor:
        """The output of torchvision's network in a state, from the same random draws."""
        torch.manual_seed(0)
        output: Tensor = functional_call(self.theirs.train(training), state, x)
        return output


def in_document_order(model: nn.Module) -> State:
    """Its state, with the factor of a ConvNeXt block behind the block that it scales."""
    state = dict(model.state_dict())
    names = list(state)

    def place(name: str) -> tuple[int, bool]:
        block, scale, _ = name.partition("layer_scale")
        if not scale:
            return names.index(name), False
        return max(i for i, other in enumerate(names) if other.startswith(block)), True

    return {name: state[name] for name in sorted(names, key=place)}


def random_state(model: nn.Module) -> State:
    """A state in which no two channels are alike, in float64."""
    draw = torch.Generator().manual_seed(0)
    state: State = {}
    for name, tensor in in_document_order(model).items():
        value = torch.zeros(tensor.shape, dtype=torch.float64)
        if not tensor.is_floating_point():
            value = value.to(tensor.dtype)
        elif name.endswith(("running_mean", "bias")):
            value.normal_(0, 0.1, generator=draw)
        elif tensor.dim() in (1, 3):  # of a normalisation, or a layer scale
            value.uniform_(0.5, 1.5, generator=draw)
        else:
            value.normal_(0, (2 / tensor[0].numel()) ** 0.5, generator=draw)
        state[name] = value
    return state


def settle(model: nn.Module, state: State, x: Tensor) -> None:
    """Bring the running statistics near those of ``x``, so that no activation saturates."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = None  # the statistics of the batches seen, which is one
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
def twins(request: pytest.FixtureRequest) -> Twins:
    """Each network that torchvision has, twice."""
    torch.manual_seed(0)
    height, width = IN_TORCHVISION[request.param]
    architecture = load(document(request.param), [f"input=[3, {height}, {width}]"])
    with torch.device("meta"):
        ours = build(architecture)
    theirs = theirs_by_name(request.param)
    state = random_state(theirs)
    x = torch.randn(2, 3, height, width, dtype=torch.float64)
    settle(theirs, state, x)
    return Twins(ours, theirs, state, x)


def relative(a: Tensor, b: Tensor) -> float:
    """The difference, as a share of ``b``."""
    return float((a - b).norm() / b.norm())


def test_its_state_is_laid_out_as_torchvisions(twins: Twins) -> None:
    """The same tensors in the same order: weight, bias or statistic, of the same shape."""
    ours = [
        (name.rpartition(".")[2], tuple(tensor.shape))
        for name, tensor in twins.ours.state_dict().items()
    ]
    theirs = [
        ("weight", (*tensor.shape, 1))  # a factor a channel is a convolution of 1x1 here
        if (kind := name.rpartition(".")[2]) == "layer_scale"
        else (kind, tuple(tensor.shape))
        for name, tensor in twins.state.items()
    ]
    assert ours == theirs


def test_its_output_is_torchvisions(twins: Twins) -> None:
    """The same weights give the same output for the same images, in either precision."""
    single = {
        name: value.float() if value.is_floating_point() else value
        for name, value in twins.state.items()
    }
    for state, x, close in ((twins.state, twins.x, 1e-10), (single, twins.x.float(), 1e-5)):
        with torch.no_grad():
            ours, theirs = twins.ours_on(state, x), twins.theirs_on(state, x)
        assert ours.dtype == x.dtype
        assert relative(ours, theirs) < close


def test_its_gradient_is_torchvisions(twins: Twins) -> None:
    """With respect to the images and to each parameter, none of which is without effect."""
    trained = {name for name, _ in twins.theirs.named_parameters()}
    x = twins.x.detach().requires_grad_()
    state = {
        name: value.detach().requires_grad_(name in trained) for name, value in twins.state.items()
    }
    leaves = [x, *(value for value in state.values() if value.requires_grad)]
    ours, theirs = (
        torch.autograd.grad(network(state, x).square().mean(), leaves)
        for network in (twins.ours_on, twins.theirs_on)
    )
    assert all(gradient.any() for gradient in theirs)
    assert max(map(relative, ours, theirs)) < 1e-9


def test_it_trains_as_torchvisions(twins: Twins) -> None:
    """In training mode the same draws give the same output and the same running statistics."""
    statistics = {name for name, _ in twins.theirs.named_buffers()}
    outputs, behind = [], []
    for network in (twins.ours_on, twins.theirs_on):
        state = {
            name: value.clone() if name in statistics else value
            for name, value in twins.state.items()
        }
        with torch.no_grad():
            outputs.append(network(state, twins.x, training=True))
        behind.append([state[name].double() for name in statistics])
    assert relative(*outputs) < 1e-10
    assert max(map(relative, *behind), default=0) < 1e-10
