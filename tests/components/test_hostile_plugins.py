"""Plugins whose code raises, exits or returns a wrong type cost one line in every command."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from command import Result, run
from small import DOCUMENT
from torch import nn

from netbuilder.components.layers.base import Elementwise, Layer
from netbuilder.components.plugins import load_plugin
from netbuilder.components.receptive_field.field import ReceptiveField
from netbuilder.components.shapes import Shape
from netbuilder.errors import ConfigError, ShapeError
from netbuilder.network.testing import check_layer

RULES = {
    "output_shape": "return x",
    "parameter_shapes": "return {}",
    "macs": "return 0",
    "receptive_field": "return field",
    "build": "from torch import nn; return nn.Identity()",
}
FAULTS = {
    "escape sequence": "raise RuntimeError('\\x1b[31mred\\nsecond line')",
    "exit without an error": "raise SystemExit(0)",
    "exception without a base": "raise BaseException('x')",
    "name with an escape sequence": "raise type('\\x1b[31m', (Exception,), {})",
    "message that fails": (
        "class E(Exception):\n            def __str__(self): raise ValueError\n        raise E"
    ),
    "value that cannot be shown": (
        "class R:\n            def __repr__(self): raise ValueError\n        return R()"
    ),
    "endless recursion": "return type(self)().NAME(x)",
    "wrong problems": "raise ShapeError(3)",
    "no error": "raise StopIteration",
    "None": "return None",
    "float": "return 1.5",
    "text": "return 'abc'",
    "another class": "return object()",
    "list": "return [1]",
    "floats": "return (1.0,)",
    "booleans": "return (True,)",
    "nothing": "return ()",
    "negative number": "return -1",
    "huge number": "return 10**5000",
    "huge size": "return (10**5000,)",
    "sizes of floats": "return {'a': (1.5,)}",
    "names of numbers": "return {1: (2,)}",
    "name of its class": "return type(self)",
    "generator": "yield 1",
    "numpy's number": "import numpy; return (numpy.int64(3),)",
    "closed streams": "import sys; sys.stdout.close(); sys.stderr = None; return None",
}


def write_kind(folder: Path, module: str, rule: str, body: str) -> None:
    """Write a plugin with the kind Bad, one of whose rules has another body."""
    lines = ["from netbuilder.plugin import Layer, ShapeError", "class Bad(Layer):"]
    for name, text in RULES.items():
        arguments = "x, field" if name == "receptive_field" else "x"
        own = body.replace("NAME", name).replace("(x)", f"({arguments})") if name == rule else text
        lines += [f"    def {name}(self, {arguments}):", f"        {own}"]
    (folder / f"{module}.py").write_text("\n".join(lines))


def write_documents(folder: Path) -> None:
    net = DOCUMENT.replace("layers:\n", "layers:\n  - Bad\n", 1)
    (folder / "net.yaml").write_text(net)
    (folder / "other.yaml").write_text(net.replace("name: small", "name: other"))


def require_one_line(result: Result, *words: str) -> None:
    """Check that a command refuses the plugin in one line without control characters."""
    text = result.out + result.err
    assert result.code == 2, text
    lines = [line for line in text.splitlines() if "Bad" in line]
    assert len(lines) == 1, text
    assert lines[0].isprintable()
    assert all(word in lines[0] for word in words), lines[0]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_rule_with_a_wrong_answer_is_named_in_one_line(plugin_folder: Path, fault: str) -> None:
    """The line has the place in the document, the kind and the rule; the exit code is 2."""
    write_documents(plugin_folder)
    for rule in list(RULES)[:4]:
        if (fault, rule) in {("nothing", "output_shape")} or _is_answer(fault, rule):
            continue
        write_kind(plugin_folder, f"bad_{rule}", rule, FAULTS[fault])
        result = run("check", "net.yaml", "--plugin", f"bad_{rule}")
        require_one_line(result, "net.yaml:", "layers[0].Bad", f"rule {rule} of", "kind Bad")
        forget(plugin_folder)


def _is_answer(fault: str, rule: str) -> bool:
    return (fault, rule) in {("nothing", "build")}


def forget(folder: Path) -> None:
    """Remove the kind and the modules that a test loaded."""
    from netbuilder.components.layers.base import LAYERS

    LAYERS.kinds.pop("Bad", None) if "Bad" in LAYERS.kinds else None
    for name in [name for name in sys.modules if name.startswith("bad")]:
        del sys.modules[name]


COMMANDS = [
    "summarize net.yaml",
    "summarize net.yaml --format json",
    "check net.yaml --advice",
    "diff net.yaml other.yaml",
    "compare net.yaml",
    "export net.yaml",
    "report net.yaml --out report",
    "train net.yaml",
    "lr-find net.yaml",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_refuses_a_plugin_that_exits(plugin_folder: Path, command: str) -> None:
    """A rule that calls `sys.exit(0)` is not a success, and nothing is left in the folder."""
    write_documents(plugin_folder)
    write_kind(plugin_folder, "bad", "macs", "import sys; sys.exit(0)")
    before = {path.name for path in plugin_folder.iterdir()}
    result = run(*command.split(), "--plugin", "bad")
    require_one_line(result, "rule macs of the plugin's kind Bad", "SystemExit: 0 (at bad.py:")
    assert {path.name for path in plugin_folder.iterdir()} <= before | {"__pycache__"}


@pytest.mark.parametrize(
    "fault", ["escape sequence", "exit without an error", "None", "another class"]
)
def test_a_build_rule_that_fails_leaves_no_run_folder(plugin_folder: Path, fault: str) -> None:
    """`train` names the place and the rule, and creates nothing."""
    write_documents(plugin_folder)
    write_kind(plugin_folder, "bad", "build", FAULTS[fault])
    result = run("train", "net.yaml", "--plugin", "bad", "--quiet")
    require_one_line(result, "net.yaml:", "layers[0].Bad", "rule build of")
    assert not (plugin_folder / "runs").exists()


MODULE = """\
from netbuilder.plugin import Elementwise

class Bad(Elementwise):
    def build(self, x):
        import torch

        class Module(torch.nn.Module):
            def forward(self, x):
                {}

        return Module()
"""


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("raise RuntimeError('\\x1b[31m')", r"fails: RuntimeError: \\x1b\[31m \(at bad.py:9\)"),
        ("raise SystemExit(0)", r"fails: SystemExit: 0 \(at bad.py:9\), in training mode"),
        ("return x, x", r"returns \(tensor.*; allowed: a tensor"),
        ("return x[:1]", r"returns a tensor of 1x1x\d+x\d+ for a batch of 2 samples"),
        ("return x.double()", r"returns torch.float64"),
        ("return x if self.training else None", r"returns None; .* in evaluation mode"),
    ],
)
def test_a_module_that_does_not_work_leaves_no_run_folder(
    plugin_folder: Path, body: str, reason: str
) -> None:
    """Before a training starts, the module of each plugin's layer runs in both modes."""
    write_documents(plugin_folder)
    (plugin_folder / "bad.py").write_text(MODULE.format(body))
    result = run("train", "net.yaml", "--plugin", "bad", "--quiet")
    require_one_line(result, "layers[0].Bad: the module of this plugin's kind")
    assert re.search(reason, result.err), result.err
    assert not (plugin_folder / "runs").exists()


def test_a_module_that_exits_later_is_not_a_success(plugin_folder: Path) -> None:
    """A module that calls `sys.exit(0)` in a later step ends with one line and exit code 2."""
    write_documents(plugin_folder)
    body = "self.n = getattr(self, 'n', 0) + 1\n                if self.n > 3: raise SystemExit(0)"
    text = MODULE.format(f"{body}\n                return x")
    (plugin_folder / "bad.py").write_text(text)
    result = run("train", "net.yaml", "--plugin", "bad", "--quiet")
    assert result.code == 2
    assert result.err.splitlines() == [
        "the code of a plugin failed: SystemExit: 0 (at bad.py:10); correct the plugin"
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("    kind = 'a b'", r"class Bad: kind is 'a b'; allowed: a name"),
        ("    kind = 5", r"class Bad: kind is 5; allowed: a name"),
        ("    macs = 5", r"cannot be imported: PydanticUserError"),
        (
            "    def model_post_init(self, context): raise SystemExit(0)",
            r"layers\[0\].Bad: the plugin's kind failed .*: SystemExit: 0 \(at bad.py:4\)",
        ),
        ("    size: object = 1\n    def arguments(self): return 1 / 0", r"ZeroDivisionError"),
        ("    size: type = int", r"layers\[0\].Bad: the plugin's kind failed"),
    ],
)
def test_a_class_that_fails_outside_its_rules_is_named(
    plugin_folder: Path, text: str, reason: str
) -> None:
    """Fields, validators and names of a kind are checked where a document uses it."""
    write_documents(plugin_folder)
    source = f"from netbuilder.plugin import Elementwise\n\nclass Bad(Elementwise):\n{text}\n"
    (plugin_folder / "bad.py").write_text(source)
    result = run("check", "net.yaml", "--plugin", "bad")
    assert result.code == 2
    lines = (result.out + result.err).splitlines()
    assert len([line for line in lines if "Bad" in line or "bad" in line]) == 1, lines
    assert any(re.search(reason, line) for line in lines), lines


def test_a_shape_that_a_rule_refuses_is_a_fault_of_the_document(plugin_folder: Path) -> None:
    """A `ShapeError` of a plugin keeps its message, as one printable line."""
    write_kind(plugin_folder, "bad", "output_shape", "raise ShapeError('a\\nb\\x1b[3m')")
    [kind] = load_plugin("bad")
    with pytest.raises(ShapeError, match=r"^a b\\x1b\[3m$"):
        kind().output_shape((3,))


def test_a_module_for_two_layers_is_refused(plugin_folder: Path) -> None:
    """Layers that share a parameter would be counted twice."""
    from netbuilder import build
    from netbuilder.config.loader import parse_architecture

    (plugin_folder / "bad.py").write_text(
        "import torch\nfrom netbuilder.plugin import Elementwise\n"
        "ONE = torch.nn.PReLU()\n\nclass Bad(Elementwise):\n"
        "    def parameter_shapes(self, x): return {'weight': (1,)}\n"
        "    def build(self, x): return ONE\n"
    )
    load_plugin("bad")
    architecture = parse_architecture("name: a\ninput: [4]\nlayers: [Bad, Bad]\n", "net.yaml")
    with pytest.raises(ConfigError, match=r"a: 0\.weight and 1\.weight are one parameter"):
        build(architecture)


def contract_failure(kind: type[Layer], x: Shape) -> str:
    with pytest.raises(AssertionError, match=f"^{kind.kind} for") as error:
        check_layer(kind(), x)
    return str(error.value)


class Scale(Elementwise):
    """A kind that fulfills the contract; others differ from it in one rule."""

    def build(self, x: Shape) -> nn.Module:
        return nn.Tanh()


class LastStep(Scale):
    """The shape loses an axis, and the field keeps it."""

    def output_shape(self, x: Shape) -> Shape:
        return (x[0],)

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        return field.read_all(x)

    def build(self, x: Shape) -> nn.Module:
        return nn.Sequential(nn.AdaptiveAvgPool1d(1), nn.Flatten())


class NoField(Scale):
    """The field of the input is ignored."""

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        return ReceptiveField.of_input(x)


class FloatMacs(Scale):
    """The cost is not a whole number."""

    def macs(self, x: Shape) -> int:
        return 0.0  # type: ignore[return-value]  # the fault


class Exits(Scale):
    """A rule ends the process."""

    def parameter_shapes(self, x: Shape) -> dict[str, Shape]:
        sys.exit(0)


class EvaluationFails(Scale):
    """The module works in training mode alone."""

    def build(self, x: Shape) -> nn.Module:
        class Module(nn.Module):
            def forward(self, batch: torch.Tensor) -> torch.Tensor:
                return batch if self.training else batch[:1]

        return Module()


class NoCopy(Scale):
    """The module cannot be copied, as a moving average needs."""

    def build(self, x: Shape) -> nn.Module:
        module = nn.Tanh()
        module.lock = threading.Lock()  # type: ignore[assignment]  # the fault
        return module


class NoSchema(Scale):
    """An argument cannot be described to an editor, nor stored."""

    rate: Callable[[], float] = float


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        (LastStep, r"receptive field: .*rule receptive_field of .* LastStep .* axes \(0, 1\)|1,"),
        (NoField, r"receptive field after another layer: the layer returns \(1,\), but .* \(3,\)"),
        (FloatMacs, r"macs: .*rule macs of the plugin's kind FloatMacs for 3x8 returned 0\.0"),
        (Exits, r"parameters: .*rule parameter_shapes .* failed for 3x8: SystemExit: 0"),
        (EvaluationFails, r"module: .* returns a tensor of 1x3x8 .*, in evaluation mode"),
        (NoCopy, r"module: the check failed: TypeError: cannot pickle '_thread.lock'"),
        (NoSchema, r"canonical form: the check failed: PydanticSerializationError"),
    ],
)
def test_the_contract_fails_what_a_command_would_refuse(kind: type[Layer], line: str) -> None:
    """Each fault is a line of the assertion, with the rule at its start."""
    text = contract_failure(kind, (3, 8))
    assert re.search(f"^{line}", text, re.MULTILINE), text


@pytest.mark.parametrize("x", [(8,), (3, 8), (2, 5, 7), (2, 3, 5, 4)])
def test_the_contract_accepts_a_kind_that_works(x: Shape) -> None:
    """A kind without a fault passes for samples of every rank."""
    check_layer(Scale(), x)
