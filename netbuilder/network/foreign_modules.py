"""Read torch modules without running their own code, and refuse what a document cannot express."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import getattr_static
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from netbuilder.components.foreign_code import shortened, value_text
from netbuilder.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor, nn

HOOKS = {
    "_forward_pre_hooks": "a forward pre-hook",
    "_forward_hooks": "a forward hook",
    "_backward_pre_hooks": "a backward pre-hook",
    "_backward_hooks": "a backward hook",
    "_state_dict_pre_hooks": "a hook before saving",
    "_state_dict_hooks": "a hook after saving",
    "_load_state_dict_pre_hooks": "a hook before loading",
    "_load_state_dict_post_hooks": "a hook after loading",
}
"""The tables of a module that hold its hooks, and what messages call one."""

HARMLESS = frozenset(
    {
        "__annotations__", "__class_getitem__", "__copy__", "__deepcopy__", "__del__", "__dict__",
        "__dir__", "__doc__", "__eq__", "__firstlineno__", "__getitem__", "__getstate__",
        "__hash__", "__init__", "__init_subclass__", "__len__", "__module__", "__orig_bases__",
        "__parameters__", "__qualname__", "__reduce__", "__reduce_ex__", "__repr__",
        "__setstate__", "__slots__", "__static_attributes__", "__str__", "__weakref__",
        "_get_name", "append", "extend", "extra_repr", "insert", "load_state_dict", "state_dict",
        "__constants__", "__jit_unused_properties__",
    }
)  # fmt: skip
"""What a subclass of `nn.Sequential` can define without a change of training or evaluation."""


def attributes(module: nn.Module) -> dict[str, Any]:
    """Return the attributes of a module, past a ``__getattribute__`` or property of its class."""
    return dict(object.__getattribute__(module, "__dict__"))


def children(module: nn.Module) -> dict[str, Any]:
    """Return the children of a module by name; a child can be None."""
    table = attributes(module).get("_modules") or {}
    return {name: unwrapped(child) for name, child in table.items()}


def tensors(module: nn.Module, table: str) -> dict[str, Tensor]:
    """Return the own parameters or buffers of a module, for ``_parameters`` or ``_buffers``."""
    values = attributes(module).get(table) or {}
    return {name: value for name, value in values.items() if value is not None}


def named_modules(module: nn.Module, path: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Yield a module and its descendants, repeated ones too, with their paths."""
    yield path, module
    for name, child in children(module).items():
        if child is not None:
            yield from named_modules(child, f"{path}.{name}" if path else name)


def named_tensors(module: nn.Module, table: str) -> Iterator[tuple[str, Tensor]]:
    """Yield the parameters or buffers of a module and its descendants, with their paths."""
    for path, child in named_modules(module):
        for name, tensor in tensors(child, table).items():
            yield f"{path}.{name}" if path else name, tensor


def class_name(value: object) -> str:
    """Return the name of a value's class with its module, as printable text."""
    kind = type(value)
    names = (type.__getattribute__(kind, "__module__"), type.__getattribute__(kind, "__qualname__"))
    return shortened(".".join(map(str, names)))


def unwrapped(value: Any) -> Any:
    """Return the network that ``torch.compile`` wraps; other values are returned unchanged."""
    kind = type(value)
    if kind.__name__ == "OptimizedModule" and kind.__module__.startswith("torch."):
        return attributes(value)["_modules"]["_orig_mod"]
    return value


def require_no_global_hooks() -> None:
    """Refuse hooks that apply to every module.

    Raises:
        ConfigError: The code of the network registers one.
    """
    from torch.nn.modules import module as registry

    for name, table in vars(registry).items():
        if name.startswith("_global_") and name.endswith("_hooks") and table:
            raise ConfigError(
                f"a hook of all modules, {_hook_name(next(iter(table.values())))}, is registered; "
                "a document cannot express hooks; remove it first"
            )


def require_plain(module: nn.Module, where: str) -> None:
    """Refuse a module with hooks, replaced methods or weights that a document cannot express.

    Args:
        module: The module; its children are not looked at.
        where: The start of the message, such as ``module 0, Conv2d``.

    Raises:
        ConfigError: The module has one of them.
    """
    values = attributes(module)
    _require_sizes(module, where)
    if "parametrizations" in children(module):
        [(name, parts), *_] = children(children(module)["parametrizations"]).items()
        part = type(next(iter(children(parts).values()))).__name__.lstrip("_")
        raise ConfigError(
            f"{where}: its {name} has the parametrization {part}, which a document cannot express; "
            f"call torch.nn.utils.parametrize.remove_parametrizations(module, {name!r}) first"
        )
    for table, noun in HOOKS.items():
        for hook in (values.get(table) or {}).values():
            raise ConfigError(f"{where}: {_hook_reason(hook, noun)}")
    for name in values:
        own = getattr_static(type(module), name, None)
        if name == "forward" or (callable(own) and name != "_compiled_call_impl"):
            raise ConfigError(
                f"{where}: its {name} is replaced on this object, which a document cannot express; "
                "remove the replacement"
            )
    for table in ("_parameters", "_buffers"):
        for name, tensor in tensors(module, table).items():
            if reason := _tensor_reason(tensor, table):
                raise ConfigError(f"{where}: its {name} {reason}")


def _require_sizes(module: nn.Module, where: str) -> None:
    from torch.nn.modules.lazy import LazyModuleMixin
    from torch.nn.parameter import is_lazy

    parts = [*tensors(module, "_parameters").values(), *tensors(module, "_buffers").values()]
    if issubclass(type(module), LazyModuleMixin) or any(map(is_lazy, parts)):
        raise ConfigError(
            f"{where}: {type(module).__name__} has no sizes before its first batch; run the "
            "network on a batch first"
        )


def _hook_name(hook: object) -> str:
    name = getattr(hook, "__qualname__", None) or type(hook).__qualname__
    return shortened(str(name))


def _hook_reason(hook: object, noun: str) -> str:
    from torch.nn.utils.prune import BasePruningMethod

    kind, name = type(hook), getattr(hook, "name", "weight")
    module = kind.__module__
    if module == "torch.nn.utils.weight_norm":
        remedy = "call torch.nn.utils.remove_weight_norm(module) first"
        return f"weight_norm computes its {name}, which a document cannot express; {remedy}"
    if module == "torch.nn.utils.spectral_norm":
        remedy = "call torch.nn.utils.remove_spectral_norm(module) first"
        return f"spectral_norm computes its {name}, which a document cannot express; {remedy}"
    if issubclass(kind, BasePruningMethod):
        part = getattr(hook, "_tensor_name", "weight")
        remedy = f"call torch.nn.utils.prune.remove(module, {part!r}) first"
        return f"pruning masks its {part}, which a document cannot express; {remedy}"
    return (
        f"{noun}, {_hook_name(hook)}, runs with it, which a document cannot express; "
        "remove the hook first"
    )


def _tensor_reason(tensor: Any, table: str) -> str:
    """Return why a document cannot express a parameter or buffer; empty if it can."""
    import torch
    from torch import nn

    if type(tensor) not in (nn.Parameter, torch.Tensor):
        return f"is a {class_name(tensor)}; allowed: a tensor of torch; convert it first"
    floats = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
    if tensor.dtype not in floats and (table == "_parameters" or tensor.dtype != torch.int64):
        kind = str(tensor.dtype).removeprefix("torch.")
        return f"is {kind}, and the network of a document has float32; convert it first"
    if tensor.layout != torch.strided:
        return f"has the layout {tensor.layout}; allowed: torch.strided; call to_dense() first"
    hooks = [*(tensor._backward_hooks or {}).values()]
    hooks += (getattr(tensor, "_post_accumulate_grad_hooks", None) or {}).values()
    if hooks:
        return (
            f"has a hook on its gradient, {_hook_name(hooks[0])}, which a document cannot "
            "express; remove the hook first"
        )
    steps = zip(tensor.shape, tensor.stride(), strict=True)
    if any(size > 1 and not step for size, step in steps):
        return "repeats values in memory, as after expand(); call contiguous() first"
    return ""


def require_sequential(module: nn.Module, where: str) -> None:
    """Check that the class of an `nn.Sequential` changes nothing about it.

    Raises:
        ConfigError: It has its own forward, or defines another method that torch calls.
    """
    from torch import nn

    name = class_name(module)
    for kind in type(module).__mro__:
        if kind in (nn.Sequential, nn.Module, object):
            continue
        own = vars(kind)
        if "forward" in own:
            raise ConfigError(
                f"{where}: {name} has its own forward; "
                "allowed: an nn.Sequential that runs its children in order"
            )
        for method in own:
            known = getattr_static(nn.Sequential, method, None) is not None
            special = method in ("__getattribute__", "__get__", "__iter__", "__call__")
            if (known or special) and method not in HARMLESS:
                raise ConfigError(
                    f"{where}: {name} defines {method}, which a document cannot express; "
                    "import an nn.Sequential without it"
                )


def require_own_tensors(model: nn.Module) -> None:
    """Refuse parameters and buffers that several modules share.

    Raises:
        ConfigError: Two of them are one tensor, or share memory.
    """
    names: dict[int, str] = {}
    spans: list[tuple[object, int, int, str, str]] = []
    for table, noun in (("_parameters", "parameter"), ("_buffers", "buffer")):
        for name, tensor in named_tensors(model, table):
            first = names.setdefault(id(tensor), name)
            if first != name:
                raise ConfigError(
                    f"{first} and {name} are one {noun}; a document cannot share {noun}s; "
                    "give each its own"
                )
            if tensor.device.type == "meta" or not tensor.numel():
                continue
            last = sum(
                (n - 1) * step for n, step in zip(tensor.shape, tensor.stride(), strict=True)
            )
            start = tensor.data_ptr()
            end = start + (last + 1) * tensor.element_size()
            spans.append((str(tensor.device), start, end, name, noun))
    spans.sort()
    for (device, _, end, first, noun), (other, start, _, name, _) in pairwise(spans):
        if device == other and start < end:
            raise ConfigError(
                f"{first} and {name} share memory; a document cannot share {noun}s; "
                "give each its own"
            )


def require_same_parts(module: nn.Module, reference: nn.Module, where: str) -> None:
    """Check that a module has the parts and attributes of the one that its layer builds.

    Raises:
        ConfigError: A parameter, buffer, child or attribute differs.
    """
    pairs = (list(named_modules(part)) for part in (module, reference))
    actual, expected = ({path: type(part).__name__ for path, part in parts} for parts in pairs)
    if actual != expected:
        names = [path for path in actual if expected.get(path) != actual[path] and path]
        raise ConfigError(
            f"{where}: it holds other modules than its class builds: {value_text(names)}; "
            "remove them"
        )
    for table, noun in (("_parameters", "parameters"), ("_buffers", "buffers")):
        shapes = [
            {name: tuple(tensor.shape) for name, tensor in named_tensors(part, table)}
            for part in (module, reference)
        ]
        if shapes[0] != shapes[1]:
            raise ConfigError(
                f"{where}: its {noun} are {_shapes_text(shapes[0])}; those of its class are "
                f"{_shapes_text(shapes[1])}; construct it anew"
            )
    for (path, part), (_, other) in zip(
        named_modules(module), named_modules(reference), strict=True
    ):
        _require_same_attributes(part, other, f"{where}.{path}" if path else where)


def _shapes_text(shapes: dict[str, tuple[int, ...]]) -> str:
    return shortened(", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())) or "none"


PLAIN = (bool, int, float, str, tuple, list, type(None))


def _require_same_attributes(module: nn.Module, reference: nn.Module, where: str) -> None:
    values = attributes(module)
    for name, expected in attributes(reference).items():
        if name == "training" or not isinstance(expected, PLAIN) or name.startswith("_is_"):
            continue
        value = values.get(name)
        if not (isinstance(value, PLAIN) and _plain(value) == _plain(expected)):
            raise ConfigError(
                f"{where}: its attribute {name} is {value_text(value)}, but {value_text(expected)} "
                "where its class is constructed with its arguments; construct it anew"
            )


def _plain(value: Any) -> Any:
    """Return a value with lists as tuples, and a tuple of equal numbers as one of them."""
    if not isinstance(value, list | tuple):
        return value
    parts = tuple(map(_plain, value))
    return parts[0] if len(set(map(repr, parts))) == 1 and parts else parts


def remarks_on(model: nn.Module) -> list[str]:
    """Return what changes where the network of the document replaces ``model``."""
    remarks = []
    parameters = dict(named_tensors(model, "_parameters"))
    frozen = [name for name, part in parameters.items() if not part.requires_grad]
    if frozen:
        remarks.append(f"{len(frozen)} frozen parameters of the original are trained here.")
    modes = {path: bool(attributes(part).get("training")) for path, part in named_modules(model)}
    if not any(modes.values()):
        remarks.append("The original is in evaluation mode; it is trained here.")
    elif still := [path for path, training in modes.items() if not training]:
        names = shortened(", ".join(path or "the whole" for path in still))
        remarks.append(f"In evaluation mode in the original, trained here: {names}.")
    kinds = {str(part.dtype).removeprefix("torch.") for part in parameters.values()}
    if other := kinds - {"float32"}:
        remarks.append(f"The original has weights in {', '.join(sorted(other))}, here float32.")
    return remarks
