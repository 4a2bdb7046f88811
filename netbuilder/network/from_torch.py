"""Convert a `torch.nn.Sequential` to an architecture and its document."""

from __future__ import annotations

import inspect
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from netbuilder._text import did_you_mean, printable
from netbuilder.components.foreign_code import exception_text
from netbuilder.components.layers.base import LAYERS, Layer, TorchLayer
from netbuilder.components.layers.container import Container
from netbuilder.components.layers.containers import Parallel, Residual, Sequential
from netbuilder.components.plugins import import_named
from netbuilder.components.shapes import Shape, format_shape
from netbuilder.config.schema import Architecture
from netbuilder.errors import ConfigError, ShapeError
from netbuilder.network.build import build

if TYPE_CHECKING:
    from torch import nn


def import_object(target: str) -> nn.Sequential:
    """Import the network that ``package.module:object`` names.

    A class or function is called without arguments, and must return the network.

    Raises:
        ConfigError: The object does not exist, or is not an `nn.Sequential`.
    """
    from torch import nn

    module, _, path = target.partition(":")
    if not module or not path:
        raise ConfigError(f"{target}: write package.module:object, such as mynets.small:net")
    value: Any = import_named(module, target)
    for attribute in path.split("."):
        names = [name for name in vars(value) if not name.startswith("_")]
        if not hasattr(value, attribute):
            raise ConfigError(f"{target}: {module} has no {path}{did_you_mean(attribute, names)}")
        value = getattr(value, attribute)
    if not isinstance(value, nn.Module) and callable(value):
        try:
            value = value()
        except Exception as error:  # user code may raise anything
            raise ConfigError(
                f"{target}: calling it without arguments failed: {exception_text(error)}; "
                "name an object that needs no arguments"
            ) from None
    if not isinstance(value, nn.Sequential):
        raise ConfigError(
            f"{target}: found {_class_name(value)}; "
            "allowed: an nn.Sequential, or a class or function that returns one"
        )
    if not _is_sequential(value):
        raise ConfigError(
            f"{target}: {_class_name(value)} has its own forward; "
            "allowed: an nn.Sequential that runs its children in order"
        )
    return value


def architecture_of(model: nn.Sequential, shape: Shape, name: str) -> Architecture:
    """Convert a network to the architecture that builds it, except for weights and child names.

    The result is verified: it is built with the weights of ``model``, and both must return the
    same output for random input.

    Args:
        model: An `nn.Sequential` of known kinds, Residual and Parallel, nested to any depth.
        shape: The shape of one sample, without the batch axis.
        name: The name of the architecture.

    Raises:
        ConfigError: A module has no kind, cannot take its input, or shares parameters.
    """
    _require_no_sharing(model)
    layers, _ = _branch(model, shape, "")
    try:
        architecture = Architecture(name=name, input=shape, layers=layers)
    except ValidationError as error:
        raise ConfigError(_first_message(error)) from None
    _require_equal_output(model, architecture)
    return architecture


def document(architecture: Architecture, remarks: str = "") -> str:
    """The text of a document with the architecture's layers, after ``remarks`` as comments."""
    lines = [f"# {printable(line)}" for line in remarks.splitlines()]
    data = {
        "name": architecture.name,
        "input": list(architecture.input),
        "layers": [_plain(layer) for layer in architecture.layers],
    }
    text = yaml.dump(data, Dumper=_Indented, sort_keys=False, default_flow_style=None, width=100)
    return "\n".join([*lines, text])


class _Indented(yaml.SafeDumper):
    """Indents lists below their key, and writes no anchors."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:
        return super().increase_indent(flow, False)

    def ignore_aliases(self, data: object) -> bool:
        return True


def _plain(layer: Layer) -> Any:
    """A layer as plain data for YAML, in the shortest form of the document grammar."""
    if isinstance(layer, Container):
        return _plain_container(layer)
    arguments = layer.non_default_arguments()
    if not arguments:
        return layer.kind
    [first, *others] = arguments
    if not others and layer.required()[:1] == (first,) and not isinstance(arguments[first], tuple):
        return {layer.kind: arguments[first]}
    return {layer.kind: arguments}


def _plain_container(layer: Container) -> Any:
    arguments = layer.non_default_arguments()
    branches = [b for b in layer.child_branches() if b.layers or b.name != "shortcut"]
    for branch in [*branches, *filter(None, [layer.tail()])]:
        children: Any = [_plain(child) for child in branch.layers]
        parent = arguments
        for step in branch.place[:-1]:
            parent = parent.setdefault(step, {})
        parent[branch.place[-1]] = children[0] if branch.single else children
    if list(arguments) == [layer.variadic]:
        return {layer.kind: arguments[layer.variadic]}
    return {layer.kind: arguments}


def _branch(module: nn.Module, x: Shape, path: str) -> tuple[tuple[Layer, ...], Shape]:
    """The layers of a Sequential, or of a single module, and their output shape."""
    if not _is_sequential(module):
        layer = _layer(module, x, path)
        return (layer,), layer.output_shape(x)
    layers = []
    # Not named_children(), which skips repeated modules, such as one ReLU that is used twice.
    for name, child in module.named_modules(remove_duplicate=False):
        if not name or "." in name:
            continue  # the module itself, and the children of its children
        child_path = f"{path}.{name}" if path else name
        layer = _layer(child, x, child_path)
        try:
            x = layer.output_shape(x)
        except ShapeError as error:
            message = f"module {child_path}, {layer.kind}: {error}; check --input"
            raise ConfigError(message) from None
        if isinstance(layer, Sequential) and not name.isdigit():
            layer = layer.model_copy(update={"name": name})
        layers.append(layer)
    return tuple(layers), x


def _layer(module: nn.Module, x: Shape, path: str) -> Layer:
    """The layer that builds ``module`` for inputs of shape ``x``."""
    container: Any = module
    kind = LAYERS.kinds.get(type(module).__name__)
    try:
        if _is_sequential(module):
            return Sequential(layers=_branch(module, x, path)[0])
        if kind is Residual and _is_netbuilder_class(module):
            body, y = _branch(container.body, x, f"{path}.body")
            activation = container.activation
            return Residual(
                body=body,
                shortcut=_branch(container.shortcut, x, f"{path}.shortcut")[0],
                join=container.join,
                activation=_layer(activation, y, f"{path}.activation") if activation else None,
            )
        if kind is Parallel and _is_netbuilder_class(module):
            children = dict(container.named_children())
            share = (x[0] // len(children), *x[1:]) if container.split else x
            return Parallel(
                branches={
                    name: _branch(child, share, f"{path}.{name}")[0]
                    for name, child in children.items()
                },
                join=container.join,
                split=container.split,
            )
        if kind and issubclass(kind, TorchLayer) and type(module) is kind.torch_class():
            return _torch_layer(kind, module, x, path)
    except ValidationError as error:
        raise ConfigError(
            f"module {path}, {kind and kind.kind}: {_first_message(error)}; fix it in the network"
        ) from None
    raise ConfigError(
        f"module {path}: {_class_name(module)} is not a layer kind"
        f"{did_you_mean(type(module).__name__, LAYERS.kinds)}; import your own kinds with --plugin"
    )


def _torch_layer(kind: type[TorchLayer], module: nn.Module, x: Shape, path: str) -> TorchLayer:
    where = f"module {path}, {kind.kind}"
    if getattr(module, "return_indices", False):
        raise ConfigError(
            f"{where}: return_indices returns two tensors; allowed: one per layer; remove it"
        )
    layer = kind.model_validate(kind.arguments_of(module))
    try:
        layer.output_shape(x)
    except ShapeError as error:
        raise ConfigError(f"{where}: {error}; check --input") from None
    for name, size in layer.inferred_arguments(x).items():
        actual = getattr(module, name, size)
        if actual != size:
            raise ConfigError(
                f"{where}: its {name} is {actual}, but its input is {format_shape(x)}; "
                "check --input"
            )
    return layer


def _is_sequential(module: nn.Module) -> bool:
    from torch import nn

    return isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward


def _is_netbuilder_class(module: nn.Module) -> bool:
    """Whether the class is netbuilder's, or an exact copy of it, as ``export`` writes."""
    from netbuilder.components.layers import modules

    original = getattr(modules, type(module).__name__)
    if type(module) is original:
        return True
    try:
        return inspect.getsource(type(module)) == inspect.getsource(original)
    except (OSError, TypeError):
        return False


def _require_no_sharing(model: nn.Module) -> None:
    names: dict[int, str] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        first = names.setdefault(id(parameter), name)
        if first != name:
            raise ConfigError(
                f"{first} and {name} are one parameter; a document cannot share parameters; "
                "give each its own"
            )


def _require_equal_output(model: nn.Module, architecture: Architecture) -> None:
    """Compare both networks on random input with the same weights.

    A kind does not describe hooks, parametrizations or additional weights of a module.

    Raises:
        ConfigError: The weights or the outputs differ.
    """
    import torch

    original = deepcopy(model).cpu().double().eval()
    rebuilt = build(architecture).double().eval()
    state = original.state_dict()
    shapes, rebuilt_shapes = (
        [tuple(value.shape) for value in network.state_dict().values()]
        for network in (original, rebuilt)
    )
    if shapes != rebuilt_shapes:
        raise ConfigError(
            f"{architecture.name}: it has {len(shapes)} weight tensors, but the network of the "
            f"document has {len(rebuilt_shapes)}; move the others into layers of known kinds"
        )
    keys = rebuilt.state_dict().keys()
    rebuilt.load_state_dict(dict(zip(keys, state.values(), strict=True)))
    generator = torch.Generator().manual_seed(0)
    batch = torch.randn(1, *architecture.input, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        expected, actual = original(batch.clone()), rebuilt(batch.clone())
    if not torch.allclose(expected, actual, rtol=0, atol=0, equal_nan=True):
        raise ConfigError(
            f"{architecture.name}: its output differs from that of its layers: "
            "a hook or a parametrization changes it; remove it first"
        )


def _first_message(error: ValidationError) -> str:
    [line, *_] = error.errors(include_url=False)
    place = ".".join(map(str, line["loc"]))
    return f"{place}: {line['msg']}" if place else line["msg"]


def _class_name(value: object) -> str:
    kind = type(value)
    return f"{kind.__module__}.{kind.__qualname__}"
