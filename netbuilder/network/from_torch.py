"""`torch.nn.Sequential` → document, for networks that were written in Python."""

from __future__ import annotations

import inspect
from copy import deepcopy
from typing import TYPE_CHECKING, Any, cast

import yaml
from pydantic import ValidationError

from netbuilder._text import did_you_mean, printable
from netbuilder.components.layers.base import LAYERS, Layer, TorchLayer
from netbuilder.components.layers.container import Container
from netbuilder.components.layers.containers import Parallel, Residual, Sequential
from netbuilder.components.plugins import exception_text, import_named
from netbuilder.components.shapes import Shape, format_shape
from netbuilder.config.schema import Architecture
from netbuilder.errors import ConfigError, ShapeError
from netbuilder.network.build import build

if TYPE_CHECKING:
    from torch import nn


def import_object(target: str) -> nn.Sequential:
    """The network that ``package.module:object`` names; what is no module is called for one.

    Raises:
        ConfigError: there is none, or it is no `nn.Sequential`.
    """
    from torch import nn

    module, _, path = target.partition(":")
    if not module or not path:
        raise ConfigError(f"{target}: write package.module:object, such as mynets.small:net")
    found: Any = import_named(module, target)
    for step in path.split("."):
        names = [name for name in vars(found) if not name.startswith("_")]
        if not hasattr(found, step):
            raise ConfigError(f"{target}: {module} has no {path}{did_you_mean(step, names)}")
        found = getattr(found, step)
    if not isinstance(found, nn.Module) and callable(found):
        try:
            found = found()
        except Exception as error:  # whatever code of others raises
            raise ConfigError(
                f"{target}: calling it without arguments failed: {exception_text(error)}; "
                "name what needs none"
            ) from None
    if not isinstance(found, nn.Sequential):
        raise ConfigError(
            f"{target}: found {_named_class(found)}; "
            "allowed: an nn.Sequential, or a class or function that gives one"
        )
    if not _is_sequential(found):
        raise ConfigError(
            f"{target}: {_named_class(found)} has a forward of its own; "
            "allowed: an nn.Sequential that runs its children in order"
        )
    return found


def architecture_of(model: nn.Sequential, shape: Shape, name: str) -> Architecture:
    """The architecture whose `build` is ``model``, but for weights and names of children.

    What is found is built and run beside ``model``, with its weights, before it is given.

    Args:
        model: an `nn.Sequential` of known kinds, of Residual and Parallel, nested at will.
        shape: one sample, without the batch axis.
        name: as documents have it.

    Raises:
        ConfigError: a module is of no known kind, takes another shape, or shares its weights.
    """
    _require_no_sharing(model)
    layers, _ = _chain(model, shape, "")
    try:
        architecture = Architecture(name=name, input=shape, layers=layers)
    except ValidationError as error:
        raise ConfigError(_first_message(error)) from None
    _require_same(model, architecture)
    return architecture


def document(architecture: Architecture, remarks: str = "") -> str:
    """The text of a document with the architecture's layers, ``remarks`` above as comments."""
    lines = [f"# {printable(line)}" for line in remarks.splitlines()]
    data = {
        "name": architecture.name,
        "input": list(architecture.input),
        "layers": [_plain(layer) for layer in architecture.layers],
    }
    text = yaml.dump(data, Dumper=_Indented, sort_keys=False, default_flow_style=None, width=100)
    return "\n".join([*lines, text])


class _Indented(yaml.SafeDumper):
    """Lists stand further in than the key that they belong to, and nothing is an anchor."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:
        return super().increase_indent(flow, False)

    def ignore_aliases(self, data: object) -> bool:
        return True


def _plain(layer: Layer) -> Any:
    """A layer as a document writes it, in its shortest readable form."""
    given = layer.non_default_arguments()
    if isinstance(layer, Container):
        chains = [
            chain for chain in layer.child_branches() if chain.layers or chain.name != "shortcut"
        ]
        for chain in [*chains, *filter(None, [layer.tail()])]:
            inner: Any = [_plain(member) for member in chain.layers]
            holder = given
            for step in chain.place[:-1]:
                holder = holder.setdefault(step, {})
            holder[chain.place[-1]] = inner[0] if chain.single else inner
        if list(given) == [layer.variadic]:
            return {layer.kind: given[layer.variadic]}
        return {layer.kind: given}
    if not given:
        return layer.kind
    [first, *others] = given
    if not others and layer.required()[:1] == (first,) and not isinstance(given[first], tuple):
        return {layer.kind: given[first]}
    return {layer.kind: given}


def _chain(module: nn.Module, x: Shape, path: str) -> tuple[tuple[Layer, ...], Shape]:
    """The layers of a Sequential, or of the one module that stands in its place."""
    if not _is_sequential(module):
        layer = _layer(module, x, path)
        return (layer,), layer.output_shape(x)
    layers = []
    # named_children() leaves out what stands there twice, such as one ReLU for all
    for name, child in module._modules.items():
        here = f"{path}.{name}" if path else name
        layer = _layer(cast("nn.Module", child), x, here)
        try:
            x = layer.output_shape(x)
        except ShapeError as error:
            raise ConfigError(f"module {here}, {layer.kind}: {error}; is --input right?") from None
        if isinstance(layer, Sequential) and not name.isdigit():
            layer = layer.model_copy(update={"name": name})
        layers.append(layer)
    return tuple(layers), x


def _layer(module: nn.Module, x: Shape, path: str) -> Layer:
    """The layer that builds ``module`` where ``x`` reaches it."""
    found: Any = module
    kind = LAYERS.kinds.get(type(module).__name__)
    try:
        if _is_sequential(module):
            return Sequential(layers=_chain(module, x, path)[0])
        if kind is Residual and _is_own(module):
            body, y = _chain(found.body, x, f"{path}.body")
            behind = found.activation
            return Residual(
                body=body,
                shortcut=_chain(found.shortcut, x, f"{path}.shortcut")[0],
                join=found.join,
                activation=_layer(behind, y, f"{path}.activation") if behind else None,
            )
        if kind is Parallel and _is_own(module):
            children = dict(found.named_children())
            part = (x[0] // len(children), *x[1:]) if found.split else x
            return Parallel(
                branches={
                    name: _chain(child, part, f"{path}.{name}")[0]
                    for name, child in children.items()
                },
                join=found.join,
                split=found.split,
            )
        if kind and issubclass(kind, TorchLayer) and type(module) is kind.torch_class():
            return _torch_layer(kind, module, x, path)
    except ValidationError as error:
        raise ConfigError(
            f"module {path}, {kind and kind.kind}: {_first_message(error)}; mend it there"
        ) from None
    raise ConfigError(
        f"module {path}: {_named_class(module)} is no layer kind"
        f"{did_you_mean(type(module).__name__, LAYERS.kinds)}; a kind of your own comes by --plugin"
    )


def _torch_layer(kind: type[TorchLayer], module: nn.Module, x: Shape, path: str) -> TorchLayer:
    where = f"module {path}, {kind.kind}"
    if getattr(module, "return_indices", False):
        raise ConfigError(
            f"{where}: return_indices gives two tensors, a layer gives one; leave it out"
        )
    layer = kind.model_validate(kind.arguments_of(module))
    try:
        layer.output_shape(x)
    except ShapeError as error:
        raise ConfigError(f"{where}: {error}; is --input right?") from None
    for name, size in layer.inferred_arguments(x).items():
        has = getattr(module, name, size)
        if has != size:
            raise ConfigError(
                f"{where}: its {name} is {has}, but {format_shape(x)} reaches it; is --input right?"
            )
    return layer


def _is_sequential(module: nn.Module) -> bool:
    from torch import nn

    return isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward


def _is_own(module: nn.Module) -> bool:
    """Whether its class is netbuilder's, or a copy to the letter, as ``export`` writes them."""
    from netbuilder.components.layers import modules

    own = getattr(modules, type(module).__name__)
    if type(module) is own:
        return True
    try:
        return inspect.getsource(type(module)) == inspect.getsource(own)
    except (OSError, TypeError):
        return False


def _require_no_sharing(model: nn.Module) -> None:
    seen: dict[int, str] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        first = seen.setdefault(id(parameter), name)
        if first != name:
            raise ConfigError(
                f"{first} and {name} are one parameter; a document shares none; give each its own"
            )


def _require_same(model: nn.Module, architecture: Architecture) -> None:
    """Run both on random input with the same weights: hooks and the like are no part of a kind."""
    import torch

    theirs = deepcopy(model).cpu().double().eval()
    ours = build(architecture).double().eval()
    state, keys = theirs.state_dict(), list(ours.state_dict())
    found = [tuple(value.shape) for value in state.values()]
    made = [tuple(value.shape) for value in ours.state_dict().values()]
    if found != made:
        raise ConfigError(
            f"{architecture.name}: it has weights that its layer kinds do not: "
            f"{len(found)} tensors, the document's network {len(made)}; move them into such layers"
        )
    ours.load_state_dict(dict(zip(keys, state.values(), strict=True)))
    generator = torch.Generator().manual_seed(0)
    batch = torch.randn(1, *architecture.input, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        expected, given = theirs(batch.clone()), ours(batch.clone())
    if not torch.allclose(expected, given, rtol=0, atol=0, equal_nan=True):
        raise ConfigError(
            f"{architecture.name}: its output is not that of its layers: "
            "a hook or a parametrisation changes it; remove that first"
        )


def _first_message(error: ValidationError) -> str:
    [line, *_] = error.errors(include_url=False)
    place = ".".join(map(str, line["loc"]))
    return f"{place}: {line['msg']}" if place else line["msg"]


def _named_class(found: object) -> str:
    kind = type(found)
    return f"{kind.__module__}.{kind.__qualname__}"
