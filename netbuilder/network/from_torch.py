"""Convert a `torch.nn.Sequential` to an architecture."""

from __future__ import annotations

import inspect
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from netbuilder._text import did_you_mean
from netbuilder.components.foreign_code import report_faults, value_text
from netbuilder.components.layers.base import LAYERS, Layer, TorchLayer
from netbuilder.components.layers.container import Container
from netbuilder.components.layers.containers import Parallel, Residual, Sequential
from netbuilder.components.own_streams import own_descriptors
from netbuilder.components.plugins import import_named
from netbuilder.components.shapes import Shape, format_shape
from netbuilder.config.expansion import MAX_NESTED
from netbuilder.config.schema import Architecture
from netbuilder.errors import ConfigError, NetbuilderError, ShapeError
from netbuilder.network.foreign_modules import (
    attributes,
    children,
    class_name,
    named_modules,
    require_no_global_hooks,
    require_own_tensors,
    require_plain,
    require_same_parts,
    require_sequential,
    tensors,
    unwrapped,
)
from netbuilder.network.import_check import require_equal_output

if TYPE_CHECKING:
    from torch import nn


MAX_DEPTH = 2 * MAX_NESTED
"""The modules around a module: a branch of a container is a module of its own."""


def import_object(target: str) -> nn.Sequential:
    """Import the network that ``package.module:object`` names.

    A class or function is called without arguments, and must return the network.

    Raises:
        ConfigError: The object does not exist, or is not an `nn.Sequential`.
    """
    module, _, path = target.partition(":")
    if not module or not path:
        raise ConfigError(f"{target}: write package.module:object, such as mynets.small:net")
    value: Any = import_named(module, target)
    from torch import nn

    with own_descriptors():
        for attribute in path.split("."):
            value = _attribute(value, attribute, target)
        if not issubclass(type(value), nn.Module) and callable(value):
            advice = "name an object that needs no arguments"
            with _faults(f"{target}: calling it without arguments failed", advice):
                value = value()
        with _faults(f"{target}: reading its class failed"):
            value = unwrapped(value)
            if issubclass(type(value), nn.Sequential):
                require_sequential(value, target)
                return cast("nn.Sequential", value)
            allowed = "an nn.Sequential, or a class or function that returns one"
            allowed = _foreign_reason(value) or allowed
            raise ConfigError(f"{target}: found {class_name(value)}; allowed: {allowed}")


def _attribute(value: Any, attribute: str, target: str) -> Any:
    with _faults(f"{target}: reading {attribute} failed"):
        try:
            return getattr(value, attribute)
        except AttributeError:
            module, _, path = target.partition(":")
            known = object.__getattribute__(value, "__dict__") if hasattr(value, "__dict__") else ()
            names = [name for name in known if not name.startswith("_")]
            message = f"{target}: {module} has no {path}{did_you_mean(attribute, names)}"
            raise ConfigError(message) from None


def _faults(label: str, advice: str = "correct it") -> AbstractContextManager[None]:
    """Report whatever the code of the ``with`` block raises as a `ConfigError`."""
    return report_faults(
        lambda fault: ConfigError(f"{label}: {fault}; {advice}"),
        answers=(NetbuilderError, ValidationError),
    )


def architecture_of(model: nn.Sequential, shape: Shape, name: str) -> Architecture:
    """Convert a network to the architecture that builds it, except for weights and child names.

    The result is verified: it is built with the weights of ``model``, and both must return the
    same output for random input.

    Args:
        model: An `nn.Sequential` of known kinds, Residual and Parallel, nested to any depth.
        shape: The shape of one sample, without the batch axis.
        name: The name of the architecture.

    Raises:
        ConfigError: A module has no kind, cannot take its input, shares parameters, or holds what a
            document cannot express.
    """
    require_no_global_hooks()
    with own_descriptors(), _faults(f"{name}: running its modules failed", "correct them"):
        try:
            require_plain(model, name)
            _require_no_own_tensors(model, name)
            layers, _ = _branch(model, shape, "", ())
            require_own_tensors(model)
            if max(map(_depth, layers), default=0) > MAX_NESTED:
                raise ConfigError(
                    f"{name}: its layers are nested in more than {MAX_NESTED} containers; nest "
                    "them less deeply"
                )
            architecture = Architecture(name=name, input=shape, layers=layers)
        except ValidationError as error:
            raise ConfigError(_first_message(error)) from None
        require_equal_output(model, architecture)
    return architecture


def _depth(layer: Layer) -> int:
    """The number of containers around the innermost layer, this one included."""
    if not isinstance(layer, Container):
        return 0
    branches = [*layer.child_branches(), *filter(None, [layer.tail()])]
    return 1 + max((_depth(child) for branch in branches for child in branch.layers), default=0)


def _branch(
    module: nn.Module, x: Shape, path: str, parents: tuple[nn.Module, ...]
) -> tuple[tuple[Layer, ...], Shape]:
    """The layers of a Sequential, or of a single module, and their output shape."""
    if not _is_sequential(module):
        layer = _layer(module, x, path, parents)
        return (layer,), layer.output_shape(x)
    if path:  # the whole network is checked before
        _require_container(module, path)
        require_sequential(module, f"module {path}")
    layers = []
    for name, child in children(module).items():
        child_path = f"{path}.{name}" if path else name
        layer = _layer(child, x, child_path, (*parents, module))
        try:
            x = layer.output_shape(x)
        except ShapeError as error:
            message = f"module {child_path}, {layer.kind}: {error}; check --input"
            raise ConfigError(message) from None
        if isinstance(layer, Sequential) and not name.isdigit():
            layer = layer.model_copy(update={"name": name})
        layers.append(layer)
    return tuple(layers), x


def _layer(module: nn.Module, x: Shape, path: str, parents: tuple[nn.Module, ...]) -> Layer:
    """The layer that builds ``module`` for inputs of shape ``x``."""
    try:
        with _faults(f"module {path}: reading it failed"):
            return _known_layer(module, x, path, parents)
    except ValidationError as error:
        raise ConfigError(
            f"module {path}, {class_name(module).rpartition('.')[2]}: {_first_message(error)}; "
            "fix it in the network"
        ) from None


def _known_layer(module: nn.Module, x: Shape, path: str, parents: tuple[nn.Module, ...]) -> Layer:
    from torch import nn

    _require_nesting(module, path, parents)
    reason = _foreign_reason(module)
    if reason or not issubclass(type(module), nn.Module):
        allowed = reason or "a module of torch"
        raise ConfigError(f"module {path}: found {class_name(module)}; allowed: {allowed}")
    require_plain(module, _label(module, path))
    kind = LAYERS.kinds.get(type(module).__name__)
    inner = (*parents, module)
    if _is_sequential(module):
        return Sequential(layers=_branch(module, x, path, parents)[0])
    parts, values = children(module), attributes(module)
    if kind is Residual and _is_netbuilder_class(module):
        _require_container(module, path)
        if extra := parts.keys() - {"body", "shortcut", "activation"}:
            raise ConfigError(f"module {path}: it holds {value_text(min(extra))}; remove it")
        body, y = _branch(parts["body"], x, f"{path}.body", inner)
        activation = parts.get("activation")
        return Residual(
            body=body,
            shortcut=_branch(parts["shortcut"], x, f"{path}.shortcut", inner)[0],
            join=values["join"],
            activation=_layer(activation, y, f"{path}.activation", inner) if activation else None,
        )
    if kind is Parallel and _is_netbuilder_class(module):
        _require_container(module, path)
        share = (x[0] // max(len(parts), 1), *x[1:]) if values["split"] else x
        return Parallel(
            branches={
                name: _branch(child, share, f"{path}.{name}", inner)[0]
                for name, child in parts.items()
            },
            join=values["join"],
            split=values["split"],
        )
    if kind and issubclass(kind, TorchLayer) and _builds_class_of(kind, module):
        for child_path, child in named_modules(module):
            require_plain(child, f"module {path}.{child_path}".rstrip("."))
        return _torch_layer(kind, module, x, path)
    name = type(module).__name__
    hint = did_you_mean(name, LAYERS.kinds)
    if kind is not None:
        hint = "; it only has the name of one"
    raise ConfigError(
        f"module {path}: {class_name(module)} is not a layer kind"
        f"{hint}; import your own kinds with --plugin"
    )


def _require_nesting(module: nn.Module, path: str, parents: tuple[nn.Module, ...]) -> None:
    if any(parent is module for parent in parents):
        raise ConfigError(f"module {path}: it contains itself; a document cannot; remove it there")
    if len(parents) > MAX_DEPTH:
        start = ".".join(path.split(".")[:3])
        raise ConfigError(
            f"module {start}…: nested in more than {MAX_DEPTH} modules; nest them less deeply"
        )


def _label(module: nn.Module, path: str) -> str:
    return f"module {path}, {class_name(module).rpartition('.')[2]}"


def _require_container(module: nn.Module, path: str) -> None:
    require_plain(module, _label(module, path))
    _require_no_own_tensors(module, f"module {path}")


def _require_no_own_tensors(module: nn.Module, where: str) -> None:
    own = [*tensors(module, "_parameters"), *tensors(module, "_buffers")]
    if own:
        raise ConfigError(
            f"{where}: it holds {value_text(own[0])}, which no container of a document has; "
            "move it into a layer"
        )


def _foreign_reason(value: object) -> str:
    """What to name instead of a module that torch derives from another; empty for others."""
    import torch

    kind = type(value)
    if issubclass(kind, torch.jit.ScriptModule):
        return "the module before torch.jit.script or torch.jit.trace"
    if str(kind.__module__).startswith(("torch.ao.", "torch.nn.quantized", "torch.nn.qat")):
        return "the module before its quantization"
    return ""


def _torch_layer(kind: type[TorchLayer], module: nn.Module, x: Shape, path: str) -> TorchLayer:
    import torch

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
    with torch.device("meta"):
        require_same_parts(module, layer.build(x), where)
    return layer


def _is_sequential(module: nn.Module) -> bool:
    from torch import nn

    kind = type(module)
    return issubclass(kind, nn.Sequential) and kind.forward is nn.Sequential.forward


def _builds_class_of(kind: type[TorchLayer], module: nn.Module) -> bool:
    """Whether modules of a kind have the class of ``module``."""
    return type(module) is kind.torch_class() or _is_netbuilder_class(module)


def _is_netbuilder_class(module: nn.Module) -> bool:
    """Whether the class is netbuilder's, or an exact copy of it, as ``export`` writes."""
    from netbuilder.components.layers import modules

    original = vars(modules).get(type(module).__name__)
    if original is None:
        return False
    if type(module) is original:
        return True
    try:
        return inspect.getsource(type(module)) == inspect.getsource(original)
    except (OSError, TypeError):
        return False


def _first_message(error: ValidationError) -> str:
    [line, *_] = error.errors(include_url=False)
    place = ".".join(map(str, line["loc"]))
    return f"{place}: {line['msg']}" if place else line["msg"]
