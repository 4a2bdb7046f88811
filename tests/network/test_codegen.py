"""Export to Python and import from it, and the round trip through both."""

from __future__ import annotations

import inspect
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
    """The current folder; modules imported from it are removed after the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def exec_network(code: str, name: str) -> nn.Sequential:
    """Execute generated code, which must not import netbuilder, and return its network."""
    assert "netbuilder" not in code.partition('"""\n')[2]
    names: dict[str, Any] = {"__name__": "generated"}
    exec(compile(code, "generated.py", "exec", dont_inherit=True), names)
    model: nn.Sequential = names[class_name(name)]()
    return model


def without_names(value: Any) -> Any:
    """Return a description of layers without names and initializers."""
    if isinstance(value, dict):
        fields = {k: v for k, v in value.items() if k != "init"}
        if set(fields) == {"layers", "name"}:
            del fields["name"]
        if "stride" in fields and fields["stride"] == fields["kernel_size"]:
            fields["stride"] = None if "out_channels" not in fields else fields["stride"]
        return {key: without_names(v) for key, v in fields.items()}
    return [without_names(v) for v in value] if isinstance(value, list) else value


def layers_of(architecture: Architecture) -> Any:
    """Return the layers as plain values, without names and initializers."""
    return without_names(architecture.model_dump(mode="json")["layers"])


def are_equal(first: nn.Module, second: nn.Module, shape: Shape) -> bool:
    """Return whether two networks have the same state, names included, and the same output."""
    a, b = first.state_dict(), second.state_dict()
    assert list(a) == list(b)
    assert all(torch.equal(a[key], b[key]) for key in a)
    batch = torch.randn(1, *shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        actual: Tensor = first.eval()(batch.clone())
        expected = second.eval()(batch.clone())
    return torch.allclose(actual, expected, rtol=0, atol=0, equal_nan=True)


LARGE = ("vgg16", "vgg16_bn", "alexnet", "wideresnet28_10", "convnext_tiny", "resnext50_32x4d")
"""Networks whose weights take seconds to initialize."""


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, marks=[pytest.mark.long] * (path.stem in LARGE), id=path.stem)
        for path in DOCUMENTS
    ],
)
def test_an_exported_document_is_imported_as_the_same_network(path: Path) -> None:
    """The exported class equals the built network, and its import equals the document."""
    architecture = load(path)
    torch.manual_seed(0)
    model = build(architecture)
    torch.manual_seed(0)
    exported = exec_network(python_code(architecture), architecture.name)
    assert are_equal(model, exported, architecture.input)
    back = architecture_of(model, architecture.input, architecture.name)
    assert layers_of(back) == layers_of(architecture)


@examples(50, 200, NESTS)
@given(nested(inputs(4, 9)))
def test_a_random_network_survives_export_and_import(architecture: Architecture) -> None:
    """State, output and layers are equal, and the text of the imported document loads again."""
    torch.manual_seed(0)
    model = build(architecture)
    torch.manual_seed(0)
    assert are_equal(model, exec_network(python_code(architecture), "a"), architecture.input)
    back = architecture_of(model, architecture.input, "a")
    assert layers_of(back) == layers_of(architecture)
    assert parse_architecture(document(back), "written.yaml") == back


@pytest.mark.parametrize(
    "kind", [kind for kind in LAYERS.kinds.values() if issubclass(kind, TorchLayer)]
)
def test_every_kind_is_imported_from_its_module(kind: type[TorchLayer]) -> None:
    """The arguments of a built module equal those of its layer."""
    for arguments, x in EXAMPLES[kind.kind]:
        layer = LAYERS.parse({kind.kind: arguments})
        back = kind.model_validate(kind.arguments_of(layer.build(x)))
        assert without_names(back.model_dump()) == without_names(layer.model_dump())
        assert back.model_validate(back.non_default_arguments()).arguments() == back.arguments()


@pytest.mark.parametrize(
    "kind", [kind for kind in LAYERS.kinds.values() if issubclass(kind, TorchLayer)]
)
def test_every_kind_is_exported(kind: type[TorchLayer]) -> None:
    """The exported code creates a module equal to that of the layer."""
    for arguments, x in EXAMPLES[kind.kind]:
        architecture = network({kind.kind: arguments}, shape=x)
        torch.manual_seed(0)
        model = build(architecture)
        torch.manual_seed(0)
        exported = exec_network(python_code(architecture), "a")
        layer = architecture.layers[0]
        assert isinstance(layer, TorchLayer)
        if layer.has_own_module(x):  # the exported code has a copy of the class
            assert inspect.getsource(type(model[0])) in python_code(architecture) + "\n"
        else:
            assert type(model[0]) is type(exported[0])
        assert are_equal(model, exported, x)
        first, second = (kind.model_validate(kind.arguments_of(m[0])) for m in (model, exported))
        assert first == second


def test_generated_text_omits_default_arguments() -> None:
    """Document and code list arguments that differ from the default, and shapes that change."""
    conv = {"Conv2d": {"out_channels": 8, "kernel_size": 3, "stride": [2, 2], "bias": False}}
    architecture = network(
        {"Sequential": [conv, "ReLU"]}, {"MaxPool2d": [3, [2, 2]]}, shape=(3, 9, 9)
    )
    text = """\
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
    assert document(architecture, "Read from a:b.") == text
    assert python_code(architecture).endswith(code)


def test_initializers_are_exported() -> None:
    """From the same seed, the exported class has the weights of the built network."""
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
    model = build(architecture)
    torch.manual_seed(3)
    assert are_equal(model, exec_network(python_code(architecture), "a"), (1, 6, 6))
    assert not model.get_parameter("2.bias").any()


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
def test_a_class_has_a_valid_name(name: str, expected: str) -> None:
    """It is the document's name in CamelCase, and no name that the code itself uses."""
    assert class_name(name) == expected


def test_a_title_is_not_executed() -> None:
    """Quotes, backslashes and line ends of a title remain in the docstring."""
    title = 'a """ b \\ \n import os \\"'
    architecture = Architecture.model_validate(
        {"name": "a", "title": title, "input": [4], "layers": ["ReLU"]}
    )
    assert len(exec_network(python_code(architecture), "a")) == 1


def test_the_commands_export_and_import_a_network(folder: Path) -> None:
    """The document that ``import`` writes equals the one of ``export``, except for its input."""
    assert run("export", str(ARCHS / "zoo/resnet18.yaml"), "--out", "net.py").code == 0
    result = run("import", "net:Resnet18", "--input", "3x66x82", "--out", "back.yaml")
    assert (result.code, result.out, result.err) == (0, "wrote back.yaml\n", "")
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
named = nn.Sequential(OrderedDict(features=nn.Sequential(net[0]), act=nn.ReLU(), act2=nn.ReLU()))
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
hooked[0].register_forward_hook(lambda module, args, out: out + 1)
normed = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(6, 6)))
indices = nn.Sequential(nn.MaxPool2d(2, return_indices=True))
lazy = nn.Sequential(nn.LazyLinear(3))
odd_pad = nn.Sequential(nn.MaxPool2d(2, padding=5))
"""


def test_an_import_notes_named_modules_and_frozen_weights(folder: Path) -> None:
    """Comments note what a document cannot express, and containers keep their names."""
    (folder / "nets1.py").write_text(NETS)
    result = run("import", "nets1:named", "--input", "1,8,8", "--name", "mine")
    assert result.err == ""
    assert result.out.splitlines() == [
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


def test_a_function_may_return_the_network(folder: Path) -> None:
    """`import_object` calls a function without required arguments."""
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
def test_an_object_that_no_document_can_express_is_refused(folder: Path, target: str) -> None:
    """The error is one line with the object or module and the reason."""
    (folder / "nets3.py").write_text(NETS)
    (folder / "broken.py").write_text("1 / 0\n")
    (folder / "leaves.py").write_text("raise SystemExit(3)\n")
    result = run("import", target, "--input", "6")
    assert (result.code, result.out) == (2, "")
    assert WRONG[target] in result.err
    assert len(result.err.splitlines()) == 1


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
def test_an_input_that_does_not_fit_is_refused(folder: Path, shape: str, message: str) -> None:
    """The message names the layer that the input does not fit, or the allowed sizes."""
    (folder / "nets4.py").write_text(NETS)
    result = run("import", "nets4:net", "--input", shape)
    assert (result.code, result.out) == (2, "")
    assert message in result.err


def test_export_replaces_a_file_only_with_force(folder: Path) -> None:
    """An existing file needs ``--force``, and a folder is always refused."""
    path = folder / "net.py"
    path.write_text("mine")
    export = ("export", str(ARCHS / "iter10.yaml"), "--out", str(path))
    result = run(*export)
    assert (result.code, path.read_text()) == (2, "mine")
    assert "the file exists; --force replaces it" in result.err
    assert run(*export, "--force").code == 0
    assert "class Iter10" in path.read_text()
    result = run(*export[:-1], str(folder), "--force")
    assert (result.code, result.err) == (2, f"--out {folder}: it is a folder; name a file in it\n")


def test_an_unknown_export_format_is_refused() -> None:
    """The message lists the formats."""
    result = run("export", str(ARCHS / "iter10.yaml"), "--to", "keras")
    assert (result.code, result.err) == (
        2,
        "--to: found 'keras'; allowed: python, onnx, torch-export, safetensors\n",
    )


def test_a_kind_of_a_plugin_cannot_be_exported() -> None:
    """The error names the layer, since code without netbuilder cannot contain it."""
    from netbuilder.components.layers.base import Elementwise

    class Custom(Elementwise):
        """A kind of a plugin."""

        namespace = "mypkg"

    LAYERS.add([Custom])
    try:
        with pytest.raises(ConfigError, match="layer 0, Custom, comes from a plugin"):
            python_code(Architecture(name="a", input=(4,), layers=(Custom(),)))
    finally:
        del LAYERS.kinds["Custom"]


def test_named_children_are_imported_in_their_order() -> None:
    """The order of layers is that of execution, not that of names."""
    model = nn.Sequential(OrderedDict(b=nn.Linear(3, 4), a=nn.Tanh()))
    assert [layer.kind for layer in architecture_of(model, (3,), "a").layers] == ["Linear", "Tanh"]
