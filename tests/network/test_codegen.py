"""Networks in from Python and out to it: what comes back is what went."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from budgets import examples
from command import run
from hypothesis import given
from layer_examples import EXAMPLES
from nested import NESTS, nested, network
from paths import ARCHS
from strategies import inputs
from torch import Tensor, nn

from netbuilder import build, load
from netbuilder.components.layers.base import LAYERS, TorchLayer
from netbuilder.components.shapes import Shape
from netbuilder.config.loader import parse_architecture
from netbuilder.config.schema import Architecture
from netbuilder.errors import ConfigError
from netbuilder.network.codegen import class_name, python_code
from netbuilder.network.from_torch import architecture_of, document, import_object

pytestmark = pytest.mark.filterwarnings(
    "ignore:Implicit dimension choice:UserWarning", "ignore:Using padding=.same.:UserWarning"
)
DOCUMENTS = sorted([*ARCHS.glob("*.yaml"), *ARCHS.glob("zoo/*.yaml")])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, whose Python modules are forgotten behind the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def made_from(code: str, name: str) -> nn.Sequential:
    """The network of a written module, without netbuilder in its reach."""
    assert "netbuilder" not in code.partition('"""\n')[2]
    names: dict[str, Any] = {"__name__": "written"}
    exec(compile(code, "written.py", "exec", dont_inherit=True), names)
    model: nn.Sequential = names[class_name(name)]()
    return model


def without_names(value: Any) -> Any:
    """What a network is, without what summaries call its parts and how it begins."""
    if isinstance(value, dict):
        kept = {k: v for k, v in value.items() if k != "init"}
        if set(kept) == {"layers", "name"}:
            del kept["name"]
        if "stride" in kept and kept["stride"] == kept["kernel_size"]:
            kept["stride"] = None if "out_channels" not in kept else kept["stride"]
        return {key: without_names(v) for key, v in kept.items()}
    return [without_names(v) for v in value] if isinstance(value, list) else value


def layers_of(architecture: Architecture) -> Any:
    """The layers as plain values, without names."""
    return without_names(architecture.model_dump(mode="json")["layers"])


def same(ours: nn.Module, theirs: nn.Module, shape: Shape) -> bool:
    """Whether two networks have the same state, by the same names, and the same output."""
    a, b = ours.state_dict(), theirs.state_dict()
    assert list(a) == list(b)
    assert all(torch.equal(a[key], b[key]) for key in a)
    batch = torch.randn(1, *shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        given: Tensor = ours.eval()(batch.clone())
        expected = theirs.eval()(batch.clone())
    return torch.allclose(given, expected, rtol=0, atol=0, equal_nan=True)


LARGE = ("vgg16", "vgg16_bn", "alexnet", "wideresnet28_10", "convnext_tiny", "resnext50_32x4d")
"""Networks whose weights take seconds to draw."""


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, marks=[pytest.mark.long] * (path.stem in LARGE), id=path.stem)
        for path in DOCUMENTS
    ],
)
def test_a_document_goes_to_python_and_back(path: Path) -> None:
    """The written class begins and computes as the built network does, and reads back the same."""
    architecture = load(path)
    torch.manual_seed(0)
    ours = build(architecture)
    torch.manual_seed(0)
    theirs = made_from(python_code(architecture), architecture.name)
    assert same(ours, theirs, architecture.input)
    back = architecture_of(ours, architecture.input, architecture.name)
    assert layers_of(back) == layers_of(architecture)


@examples(50, 200, NESTS)
@given(nested(inputs(4, 9)))
def test_any_nested_network_goes_to_python_and_back(architecture: Architecture) -> None:
    """As the documents do: state, output, layers, and the text of the document that is written."""
    torch.manual_seed(0)
    ours = build(architecture)
    torch.manual_seed(0)
    assert same(ours, made_from(python_code(architecture), "a"), architecture.input)
    back = architecture_of(ours, architecture.input, "a")
    assert layers_of(back) == layers_of(architecture)
    assert parse_architecture(document(back), "written.yaml") == back


@pytest.mark.parametrize(
    "kind", [kind for kind in LAYERS.kinds.values() if issubclass(kind, TorchLayer)]
)
def test_every_kind_is_read_back_from_its_module(kind: type[TorchLayer]) -> None:
    """The arguments of a built module are those that it was built with."""
    for written, x in EXAMPLES[kind.kind]:
        layer = LAYERS.parse({kind.kind: written})
        back = kind.model_validate(kind.arguments_of(layer.build(x)))
        assert without_names(back.model_dump()) == without_names(layer.model_dump())
        assert back.model_validate(back.non_default_arguments()).arguments() == back.arguments()


@pytest.mark.parametrize(
    "kind", [kind for kind in LAYERS.kinds.values() if issubclass(kind, TorchLayer)]
)
def test_every_kind_is_written_to_python(kind: type[TorchLayer]) -> None:
    """The call in the written module makes the module that the layer builds."""
    for written, x in EXAMPLES[kind.kind]:
        architecture = network({kind.kind: written}, shape=x)
        torch.manual_seed(0)
        ours = build(architecture)
        torch.manual_seed(0)
        theirs = made_from(python_code(architecture), "a")
        assert type(ours[0]) is type(theirs[0])
        assert same(ours, theirs, x)
        first, second = (kind.model_validate(kind.arguments_of(m[0])) for m in (ours, theirs))
        assert first == second


def test_the_document_and_the_module_are_readable() -> None:
    """Only what differs from torch's defaults is written, and shapes where they change."""
    conv = {"Conv2d": {"out_channels": 8, "kernel_size": 3, "stride": [2, 2], "bias": False}}
    one = network({"Sequential": [conv, "ReLU"]}, {"MaxPool2d": [3, [2, 2]]}, shape=(3, 9, 9))
    written = """\
# Read from a:b.
name: a
input: [3, 9, 9]
layers:
  - Sequential:
      - Conv2d: {out_channels: 8, kernel_size: 3, stride: 2, bias: false}
      - ReLU
  - MaxPool2d: {kernel_size: 3, stride: 2}
"""
    code = '''\
    """Takes batches of 3x9x9, gives 8x1x1; 216 parameters."""

    def __init__(self) -> None:
        super().__init__(
            nn.Sequential(
                nn.Conv2d(3, 8, 3, stride=2, bias=False),  # 8x4x4
                nn.ReLU(),
            ),
            nn.MaxPool2d(3, stride=2),  # 8x1x1
        )
'''
    assert document(one, "Read from a:b.") == written
    assert python_code(one).endswith(code)


def test_initializers_are_written_too() -> None:
    """The written class fills what the document fills, from the same draws."""
    architecture = Architecture.model_validate(
        {
            "name": "a",
            "input": [1, 6, 6],
            "init": {"kaiming_normal": {"nonlinearity": "relu"}},
            "layers": [
                {"Conv2d": [2, 3]},
                {"Residual": {"body": [{"Conv2d": [2, 1]}]}},
                {"Linear": {"out_features": 3, "init": {"bias": "zeros"}}},
            ],
        }
    )
    torch.manual_seed(3)
    ours = build(architecture)
    torch.manual_seed(3)
    assert same(ours, made_from(python_code(architecture), "a"), (1, 6, 6))
    assert not ours.get_parameter("2.bias").any()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("iter10", "Iter10"),
        ("mobilenet_v2", "MobilenetV2"),
        ("resnext50_32x4d", "Resnext5032x4d"),
        ("1st-try", "Net1stTry"),
        ("none", "NoneNet"),
        ("residual", "ResidualNet"),
    ],
)
def test_a_class_has_a_name_that_python_takes(name: str, expected: str) -> None:
    """It is the document's, as classes are written, and nothing that the module needs itself."""
    assert class_name(name) == expected


def test_a_title_is_no_code() -> None:
    """Quotes, backslashes and line ends in a title stay in the docstring."""
    title = 'a """ b \\ \n import os \\"'
    one = Architecture.model_validate(
        {"name": "a", "title": title, "input": [4], "layers": ["ReLU"]}
    )
    assert len(made_from(python_code(one), "a")) == 1


def test_the_commands_carry_a_network_there_and_back(folder: Path) -> None:
    """``export`` writes a module, ``import`` reads it, and the two documents say the same."""
    assert run("export", str(ARCHS / "zoo/resnet18.yaml"), "--out", "net.py").code == 0
    ran = run("import", "net:Resnet18", "--input", "3x66x82", "--out", "back.yaml")
    assert (ran.code, ran.out, ran.err) == (0, "wrote back.yaml\n", "")
    back = load("back.yaml")
    assert back.input == (3, 66, 82)
    assert layers_of(back) == layers_of(load(ARCHS / "zoo/resnet18.yaml"))
    module = import_module("net")
    assert list(module.Resnet18().state_dict()) == list(build(back).state_dict())


NETS = """\
from collections import OrderedDict
import torch
from torch import nn

net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
named = nn.Sequential(OrderedDict(features=nn.Sequential(net[0]), act=nn.ReLU(), again=nn.ReLU()))
for parameter in named.parameters():
    parameter.requires_grad_(False)
text = "net"
def make(): return nn.Sequential(nn.Identity())
def fail(): raise ValueError("no\\nluck")
def needs(width): return width
class Odd(nn.Module):
    def forward(self, x): return x
class Loop(nn.Sequential):
    def forward(self, x): return super().forward(super().forward(x))
odd = nn.Sequential(nn.ReLU(), nn.Sequential(Odd()))
loop = Loop(nn.ReLU())
inner = nn.Sequential(Loop(nn.Linear(1, 1)))
tied = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 6))
tied[1].weight = tied[0].weight
hooked = nn.Sequential(nn.Linear(6, 6))
hooked[0].register_forward_hook(lambda module, given, out: out + 1)
normed = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(6, 6)))
indices = nn.Sequential(nn.MaxPool2d(2, return_indices=True))
lazy = nn.Sequential(nn.LazyLinear(3))
odd_pad = nn.Sequential(nn.MaxPool2d(2, padding=5))
"""


def test_named_children_and_frozen_weights_are_said(folder: Path) -> None:
    """A document has neither, so a comment above it says so; names stay as those of blocks."""
    (folder / "nets1.py").write_text(NETS)
    ran = run("import", "nets1:named", "--input", "1,8,8", "--name", "mine")
    assert ran.err == ""
    assert ran.out.splitlines() == [
        "# Read from nets1:named.",
        "# The built network numbers its modules; copy weights in their order.",
        "# 2 frozen parameters of the original are trained here.",
        "name: mine",
        "input: [1, 8, 8]",
        "layers:",
        "  - Sequential:",
        "      name: features",
        "      layers:",
        "        - Conv2d: {out_channels: 4, kernel_size: 3}",
        "  - ReLU",
        "  - ReLU",
    ]


def test_what_is_called_may_give_the_network(folder: Path) -> None:
    """A function or class that needs no arguments stands for what it gives."""
    (folder / "nets2.py").write_text(NETS)
    assert len(import_object("nets2:make")) == 1


WRONG = {
    "nets3": "nets3: write package.module:object, such as mynets.small:net",
    "nosuch:net": "nosuch:net: cannot be imported: ModuleNotFoundError: No module named 'nosuch'",
    "broken:net": "broken:net: cannot be imported: ZeroDivisionError: division by zero",
    "leaves:net": "leaves:net: cannot be imported: SystemExit: 3",
    "nets3:nett": "nets3:nett: nets3 has no nett; did you mean net?",
    "nets3:text": "nets3:text: found builtins.str; "
    "allowed: an nn.Sequential, or a class or function that returns one",
    "nets3:Odd": "nets3:Odd: found nets3.Odd; "
    "allowed: an nn.Sequential, or a class or function that returns one",
    "nets3:fail": "nets3:fail: calling it without arguments failed: ValueError: no luck",
    "nets3:odd": "module 1.0: nets3.Odd is not a layer kind; known: Parallel",
    "nets3:inner": "module 0: nets3.Loop is not a layer kind; known: Parallel",
    "nets3:loop": "nets3:loop: nets3.Loop has its own forward; "
    "allowed: an nn.Sequential that runs its children in order",
    "nets3:net": "module 0, Conv2d: it takes channels x height x width, found 6",
    "nets3:tied": "0.weight and 1.weight are one parameter; "
    "a document cannot share parameters; give each its own",
    "nets3:hooked": "its output differs from that of its layers: a hook or a parametrization",
    "nets3:normed": "torch.nn.utils.parametrize.ParametrizedLinear is not a layer kind",
    "nets3:indices": "module 0, MaxPool2d: return_indices returns two tensors; allowed: one",
    "nets3:lazy": "LazyLinear is not a layer kind; did you mean Linear?",
    "nets3:odd_pad": "module 0, MaxPool2d: padding 5x5 is more than half of kernel 2x2",
}


@pytest.mark.parametrize("target", WRONG)
def test_what_no_document_can_say_is_one_clear_line(folder: Path, target: str) -> None:
    """Nothing is left out in silence: the message names the module and why."""
    (folder / "nets3.py").write_text(NETS)
    (folder / "broken.py").write_text("1 / 0\n")
    (folder / "leaves.py").write_text("raise SystemExit(3)\n")
    ran = run("import", target, "--input", "6")
    assert (ran.code, ran.out) == (2, "")
    assert WRONG[target] in ran.err
    assert len(ran.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ("1,9,9", "module 3, Linear: its in_features is 144, but its input is 196; check --input"),
        ("2,8,8", "module 0, Conv2d: its in_channels is 1, but its input is 2x8x8; check --input"),
        ("1,2,2", "module 0, Conv2d: kernel 3x3 is larger than its input 1x2x2"),
        ("none", "--input: found 'none'; allowed: 1 to 4 sizes, such as 1,28,28"),
        ("1,0,2", "--input: found '1,0,2'; allowed: 1 to 4 sizes"),
    ],
)
def test_a_wrong_input_is_told(folder: Path, shape: str, message: str) -> None:
    """The layer that it does not fit is named, with what reaches it."""
    (folder / "nets4.py").write_text(NETS)
    ran = run("import", "nets4:net", "--input", shape)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err


def test_a_file_is_not_replaced_unasked(folder: Path) -> None:
    """``--force`` says that it may be; a folder never is."""
    path = folder / "net.py"
    path.write_text("mine")
    export = ("export", str(ARCHS / "iter10.yaml"), "--out", str(path))
    ran = run(*export)
    assert (ran.code, path.read_text()) == (2, "mine")
    assert "the file exists; --force replaces it" in ran.err
    assert run(*export, "--force").code == 0
    assert "class Iter10" in path.read_text()
    ran = run(*export[:-1], str(folder), "--force")
    assert (ran.code, ran.err) == (2, f"--out {folder}: it is a folder; name a file in it\n")


def test_another_form_is_refused() -> None:
    """The forms that there are are named."""
    ran = run("export", str(ARCHS / "iter10.yaml"), "--to", "keras")
    assert (ran.code, ran.err) == (
        2,
        "--to: found 'keras'; allowed: python, onnx, torch-export, safetensors\n",
    )


def test_a_kind_of_a_plugin_is_not_written() -> None:
    """A module that stands alone cannot hold it, and the message says which it is."""
    from netbuilder.components.layers.base import Elementwise

    class Mine(Elementwise):
        """A kind from elsewhere."""

        namespace = "mypkg"

    LAYERS.add([Mine])
    try:
        with pytest.raises(ConfigError, match="layer 0, Mine, comes from a plugin"):
            python_code(Architecture(name="a", input=(4,), layers=(Mine(),)))
    finally:
        del LAYERS.kinds["Mine"]


def test_a_sequential_with_names_keeps_its_order() -> None:
    """Children are taken in the order in which they run."""
    model = nn.Sequential(OrderedDict(b=nn.Linear(3, 4), a=nn.Tanh()))
    assert [layer.kind for layer in architecture_of(model, (3,), "a").layers] == ["Linear", "Tanh"]
