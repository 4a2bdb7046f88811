"""The import accepts or refuses, in one line, whatever Python object it is given."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from command import run
from layer_examples import EXAMPLES
from torch.nn.modules import module as torch_module

from netbuilder.components.layers.base import LAYERS, TorchLayer
from netbuilder.config.loader import load
from netbuilder.network.from_torch import architecture_of

PRELUDE = """
import os, sys, threading
import torch
from torch import nn
from torch.nn import utils
from torch.nn.utils import parametrizations, prune
from netbuilder.components.layers.modules import Residual


def base():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(4, 10),
    )


def residual():
    body = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1))
    return nn.Sequential(Residual(body, nn.Sequential(), "add", nn.ReLU()))


def nest(depth):
    inner = nn.Sequential(nn.ReLU())
    for _ in range(depth):
        inner = nn.Sequential(inner)
    return inner


class Getattr(nn.Sequential):
    def __getattr__(self, name): raise RuntimeError("\\x1b[31mred\\nsecond")


class Getattribute(nn.Sequential):
    def __getattribute__(self, name): raise RuntimeError("no")


class Train(nn.Sequential):
    def train(self, mode=True): return super().train(False)


class Call(nn.Sequential):
    def __call__(self, x): return 2 * super().__call__(x)


class Iterate(nn.Sequential):
    def __iter__(self): return iter(list(super().__iter__())[1:])


class Copies(nn.Sequential):
    @property
    def size(self): raise RuntimeError("no size")
    def __deepcopy__(self, memo): raise RuntimeError("no copy")
    def __reduce_ex__(self, protocol): raise RuntimeError("no copy")
    def state_dict(self, *args, **kwargs): raise SystemExit(0)


class Meta(type):
    def __instancecheck__(cls, value): raise RuntimeError("no check")
    def __getattribute__(cls, name): raise RuntimeError("no class")


class Odd(metaclass=Meta): pass
class Tensor(torch.Tensor): pass
class Conv2d(nn.Conv2d): pass


class Attributes:
    @property
    def net(self): raise RuntimeError("\\x1b[31m")
    def __getattr__(self, name): raise SystemExit(0)


def pruned(model):
    prune.l1_unstructured(model[0], "weight", 0.5)
    return model


def build():
    model = base()
    BODY
    return model


net = Attributes()
"""

ACCEPTED = {
    "channels last": ("model = model.to(memory_format=torch.channels_last)", ""),
    "copies that raise": ("model = Copies(*model)", ""),
    "evaluation mode": ("model.eval()", "The original is in evaluation mode; it is trained here."),
    "evaluation mode of a child": (
        "model[1].eval()",
        "In evaluation mode in the original, trained here: 1.",
    ),
    "double precision": ("model.double()", "The original has weights in float64, here float32."),
    "frozen child": (
        "model[0].requires_grad_(False)",
        "2 frozen parameters of the original are trained here.",
    ),
    "half precision": ("model.half()", "The original has weights in float16, here float32."),
    "lazy modules after a batch": (
        "model = nn.Sequential(nn.LazyConv2d(4, 3)); model(torch.zeros(2, 1, 8, 8))",
        "",
    ),
    "locks": ("model.lock = model[0].lock = threading.Lock()", ""),
    "meta device": ("model = model.to('meta')", ""),
    "nested ten deep": ("model = nest(10)", ""),
    "one storage for all weights": (
        "vector = utils.parameters_to_vector(model.parameters()).detach()\n"
        "    utils.vector_to_parameters(vector, model.parameters())",
        "",
    ),
    "pruning that is removed": ("prune.remove(pruned(model)[0], 'weight')", "copy weights in"),
    "repeated activation": ("model.add_module('6', model[2])", ""),
    "output to the terminal": ("print('hello')", ""),
    "closed stdout": ("sys.stdout.close()", ""),
    "no streams": ("sys.stdout = sys.stderr = None", ""),
    "closed descriptors": ("os.close(1); os.close(2)", ""),
}

HOOK = "runs with it, which a document cannot express; remove the hook first"
REFUSED = {
    "weight_norm": (
        "utils.weight_norm(model[0])",
        "module 0, Conv2d: weight_norm computes its weight, which a document cannot express; "
        "call torch.nn.utils.remove_weight_norm(module) first",
    ),
    "parametrized weight_norm": (
        "parametrizations.weight_norm(model[0])",
        "module 0, ParametrizedConv2d: its weight has the parametrization WeightNorm",
    ),
    "spectral_norm": ("utils.spectral_norm(model[0])", "spectral_norm computes its weight"),
    "parametrized spectral_norm": (
        "parametrizations.spectral_norm(model[5])",
        "module 5, ParametrizedLinear: its weight has the parametrization SpectralNorm",
    ),
    "pruned": (
        "pruned(model)",
        "module 0, Conv2d: pruning masks its weight, which a document cannot express; "
        "call torch.nn.utils.prune.remove(module, 'weight') first",
    ),
    "complex": ("model[0] = nn.Conv2d(1, 4, 3, dtype=torch.cfloat)", "its weight is complex64"),
    "whole numbers": (
        "model[5].weight = nn.Parameter(torch.ones(10, 4, dtype=torch.int8), False)",
        "module 5, Linear: its weight is int8",
    ),
    "quantized": (
        "model = torch.ao.quantization.quantize_dynamic(model, {nn.Linear})",
        "module 5: found torch.ao.nn.quantized.dynamic.modules.linear.Linear; "
        "allowed: the module before its quantization",
    ),
    "scripted": ("model = torch.jit.script(model)", "the module before torch.jit.script"),
    "scripted child": ("model[5] = torch.jit.script(model[5])", "module 5: found torch.jit."),
    "lazy": ("model[0] = nn.LazyConv2d(4, 3)", "module 0, LazyConv2d: LazyConv2d has no sizes"),
    "forward hook": (
        "model[2].register_forward_hook(lambda m, i, o: o + torch.randn_like(o))",
        f"module 2, ReLU: a forward hook, build.<locals>.<lambda>, {HOOK}",
    ),
    "forward hook of the whole": ("model.register_forward_hook(print)", f"print, {HOOK}"),
    "forward pre-hook": ("model[2].register_forward_pre_hook(print)", "ReLU: a forward pre-hook"),
    "backward hook": ("model[2].register_full_backward_hook(print)", "ReLU: a backward hook"),
    "backward pre-hook": ("model[2].register_full_backward_pre_hook(print)", "backward pre-hook"),
    "hook before saving": ("model[0].register_state_dict_pre_hook(print)", "before saving, print"),
    "hook after saving": ("model[0]._register_state_dict_hook(print)", "a hook after saving"),
    "hook before loading": (
        "model[0].register_load_state_dict_pre_hook(print)",
        "a hook before loading",
    ),
    "hook after loading": (
        "model[0].register_load_state_dict_post_hook(print)",
        "a hook after loading, print",
    ),
    "hook on a gradient": (
        "model[0].weight.register_hook(print)",
        "module 0, Conv2d: its weight has a hook on its gradient, print",
    ),
    "hook after a gradient": (
        "model[0].weight.register_post_accumulate_grad_hook(print)",
        "its weight has a hook on its gradient, print",
    ),
    "hook of all modules": (
        "nn.modules.module.register_module_forward_hook(print)",
        "a hook of all modules, print, is registered",
    ),
    "hook in a branch": (
        "model = residual(); model[0].body.register_forward_hook(print)",
        "module 0.body, Sequential: a forward hook, print",
    ),
    "replaced forward": (
        "model[2].forward = torch.tanh",
        "module 2, ReLU: its forward is replaced",
    ),
    "replaced method": (
        "model[0]._conv_forward = print",
        "module 0, Conv2d: its _conv_forward is replaced",
    ),
    "own train": ("model = Train(*model)", "Train defines train, which a document cannot express"),
    "own call": ("model = Call(*model)", "Call defines __call__, which a document cannot express"),
    "own order": ("model = Iterate(*model)", "Iterate defines __iter__"),
    "own train of a child": (
        "model[2] = Train(model[2])",
        "import_0.Train defines train",
    ),
    "attributes that raise": ("model.__class__ = Getattr", "Getattr defines __getattr__"),
    "everything raises": ("model.__class__ = Getattribute", "defines __getattribute__"),
    "class that raises": ("model = object.__new__(Odd)", "reading its class failed: RuntimeError"),
    "shared buffers": (
        "model.add_module('6', nn.BatchNorm2d(4)); model[6].running_mean = model[1].running_mean",
        "module 6, BatchNorm2d: it takes channels x height x width",
    ),
    "shared statistics": (
        "model.insert(2, nn.BatchNorm2d(4, affine=False)); model.insert(3, model[2])",
        "2.running_mean and 3.running_mean are one buffer; a document cannot share buffers",
    ),
    "shared memory": (
        "model.insert(2, nn.BatchNorm2d(4)); model[2].weight.data = model[1].weight.data",
        "1.weight and 2.weight share memory; a document cannot share parameters",
    ),
    "repeated values": (
        "model[5].bias = nn.Parameter(torch.zeros(1).expand(10))",
        "its bias repeats values in memory",
    ),
    "sparse": (
        "model[5].weight = nn.Parameter(model[5].weight.detach().to_sparse())",
        "its weight has the layout torch.sparse_coo",
    ),
    "another class of tensors": (
        "model[5].weight = nn.Parameter(torch.ones(10, 4).as_subclass(Tensor))",
        "its weight is a import_0.Tensor; allowed: a tensor of torch",
    ),
    "another parameter": (
        "model[0].register_parameter('extra', nn.Parameter(torch.ones(1)))",
        "module 0, Conv2d: its parameters are weight [4, 1, 3, 3], bias [4], extra [1]; those of",
    ),
    "another parameter of the whole": (
        "model.register_parameter('extra', nn.Parameter(torch.ones(1)))",
        "build: it holds 'extra', which no container of a document has",
    ),
    "another buffer": ("model[0].register_buffer('b', torch.ones(1))", "its buffers are b [1]"),
    "another child": ("model[0].add_module('c', nn.ReLU())", "it holds other modules than its"),
    "another child of a container": (
        "model = residual(); model[0].add_module('c', nn.ReLU())",
        "module 0: it holds 'c'; remove it",
    ),
    "no child": ("model.register_module('6', None)", "module 6: found builtins.NoneType"),
    "number as a child": ("model._modules['6'] = 5", "module 6: found builtins.int; allowed: a"),
    "no weight": ("del model[0].weight", "module 0, Conv2d: its parameters are bias [4]"),
    "no branch": ("model = residual(); del model[0].body", "module 0: reading it failed: KeyError"),
    "changed attribute": (
        "model[0].padding = (1, 1)",
        "its attribute _reversed_padding_repeated_twice is (0, 0, 0, 0), but (1, 1, 1, 1)",
    ),
    "no statistics": ("model[1].track_running_stats = False", "those of its class are none"),
    "class with a known name": (
        "model[0] = Conv2d(1, 4, 3)",
        "module 0: import_0.Conv2d is not a layer kind; it only has the name of one",
    ),
    "itself": ("model.add_module('me', model)", "module me: it contains itself"),
    "itself in a branch": (
        "model = residual(); model[0].body.add_module('me', model[0])",
        "module 0.body.me: it contains itself",
    ),
    "a thousand deep": ("model = nest(1000)", "nested in more than 120 modules"),
    "seventy deep": ("model = nest(70)", "nested in more than 60 containers"),
    "thirty deep": ("model = nest(30)", "its document would be refused: nested deeper than"),
    "exit": ("sys.exit(0)", "calling it without arguments failed: SystemExit: 0 (at import_0.py:"),
    "exception without a base": ("raise BaseException('b')", "failed: BaseException: b"),
    "endless recursion": ("return build()", "failed: RecursionError"),
    "escape sequence": (
        "raise ValueError('\\x1b[31mred\\nx')",
        r"Error: \x1b[31mred x",
    ),
    "closed stderr": ("sys.stderr.close(); raise ValueError", "failed: ValueError"),
    "stream without methods": ("sys.stdout = sys.stderr = 5; raise ValueError", "ValueError"),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder; modules and hooks of a test are removed after it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    sys.modules.pop("import_0", None)
    torch_module._global_forward_hooks.clear()


def write_network(folder: Path, body: str) -> None:
    (folder / "import_0.py").write_text(PRELUDE.replace("BODY", body))


@pytest.mark.parametrize("case", ACCEPTED)
def test_a_network_that_a_document_expresses_is_imported(folder: Path, case: str) -> None:
    """The written document loads, and what it changes about the original is a remark."""
    body, remark = ACCEPTED[case]
    write_network(folder, body)
    result = run("import", "import_0:build", "--input", "1,8,8")
    assert result.code == 0, result.err
    remarks = [line for line in result.out.splitlines() if line.startswith("#")][1:]
    assert len(remarks) == bool(remark)
    assert all(remark in line for line in remarks)
    (folder / "net.yaml").write_text(result.out)
    assert load(folder / "net.yaml").input == (1, 8, 8)


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_document_cannot_express_is_refused(folder: Path, case: str) -> None:
    """The error is one printable line with the module and the reason."""
    body, message = REFUSED[case]
    write_network(folder, body)
    result = run("import", "import_0:build", "--input", "1,8,8")
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert result.err.removesuffix("\n").isprintable()


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("net.net", r"reading net failed: RuntimeError: \x1b[31m (at import_0.py:"),
        ("net.other", "reading other failed: SystemExit: 0 (at import_0.py:"),
        ("PRELUDE", "import_0 has no PRELUDE"),
        ("Odd", "import_0:Odd: reading its class failed: RuntimeError"),
    ],
)
def test_a_name_that_cannot_be_read_is_refused(folder: Path, target: str, message: str) -> None:
    """Whatever an attribute or a class raises is one printable line."""
    write_network(folder, "pass")
    result = run("import", f"import_0:{target}", "--input", "1,8,8")
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert result.err.removesuffix("\n").isprintable()


@pytest.mark.long
@pytest.mark.parametrize(
    "body",
    ["model = torch.compile(model)", "model.compile()", "model[0] = torch.compile(model[0])"],
)
def test_a_compiled_network_is_imported(folder: Path, body: str) -> None:
    """Compiling changes no output, so that the network below it is imported."""
    write_network(folder, body)
    result = run("import", "import_0:build", "--input", "1,8,8")
    assert (result.code, result.err) == (0, "")


def test_another_order_of_sums_is_accepted() -> None:
    """A difference in the last digits is accepted; a larger one and another shape are not."""
    from netbuilder.network.import_check import _are_close

    values = torch.rand(100, dtype=torch.float64)
    assert _are_close(values, values + 1e-14)
    assert not _are_close(values, values + 1e-7)
    assert not _are_close(values, values[:50])


@pytest.mark.parametrize("kind", [k for k in LAYERS.kinds.values() if issubclass(k, TorchLayer)])
def test_the_module_of_every_kind_is_accepted(kind: type[TorchLayer]) -> None:
    """No attribute, parameter or buffer of a module that torch constructs is taken for a change."""
    for arguments, x in EXAMPLES[kind.kind][:2]:
        module = LAYERS.parse({kind.kind: arguments}).build(x)
        [layer] = architecture_of(torch.nn.Sequential(module), x, "a").layers
        assert layer.kind == kind.kind
