"""The guard around the rules of plugins, which judges what a rule raises or returns."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from inspect import getattr_static
from typing import Any

from netbuilder._text import LARGEST
from netbuilder.components.component import Component
from netbuilder.components.foreign_code import fault_text, shortened, value_text
from netbuilder.components.own_streams import own_streams
from netbuilder.components.receptive_field.field import ReceptiveField
from netbuilder.components.receptive_field.window import Window
from netbuilder.components.shapes import Shape, format_shape
from netbuilder.errors import ShapeError

LARGEST_MACS = 2**63 - 1
"""Most multiply-accumulates that a rule may return: the range of a 64-bit number."""

_depth: ContextVar[int] = ContextVar("depth", default=0)
"""The number of guarded rules that call each other."""


class RuleFault(ShapeError):
    """A rule of a plugin's kind raised an exception, or returned what is not an answer.

    Attributes:
        layer: The layer of that kind.
        rule: The name of the rule.
    """

    def __init__(self, layer: Any, rule: str, reason: str) -> None:
        self.layer, self.rule = layer, rule
        kind = value_text(type(layer).kind).strip("'")
        super().__init__(f"rule {rule} of the plugin's kind {kind} {reason}; correct the plugin")


def guard_rules(kind: type[Component]) -> None:
    """Replace the rules of a plugin's kind by guarded ones.

    Each checks the answer of the rule, and raises `RuleFault` for whatever the rule raises, except
    a `ShapeError`, which is an answer, and Ctrl-C.
    """
    for rule, check in _CHECKS.items():
        original = getattr_static(kind, rule)
        if not hasattr(original, "is_guarded"):
            setattr(kind, rule, _guarded(rule, original, check))


Check = Callable[[Component, tuple[Any, ...], Any], str]
"""Returns why the value of a rule is not an answer; empty if it is one."""


def _instead(value: object, allowed: str) -> str:
    return f"returned {value_text(value)}; allowed: {allowed}"


def _guarded(rule: str, original: Any, check: Check) -> Callable[..., Any]:
    def call(layer: Component, arguments: tuple[Any, ...]) -> Any:
        x = format_shape(arguments[0])
        nested = _depth.get()
        token = _depth.set(nested + 1)
        try:
            with own_streams():
                value = original.__get__(layer, type(layer))(*arguments)
                reason = check(layer, arguments, value)
        except ShapeError as error:
            if type(error) is ShapeError and (error.problems or not str(error).isprintable()):
                raise ShapeError(shortened(" ".join(str(error).split()))) from None
            raise
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            if nested and isinstance(error, RecursionError):
                raise  # there is no stack left to describe it
            raise RuleFault(layer, rule, f"failed for {x}: {fault_text(error)}") from None
        finally:
            _depth.reset(token)
        if reason:
            raise RuleFault(layer, rule, f"for {x} {reason}")
        return value

    if rule == "receptive_field":

        def guarded_field(self: Component, x: Shape, field: ReceptiveField) -> Any:
            return call(self, (x, field))

        guarded: Callable[..., Any] = guarded_field
    else:

        def guarded_rule(self: Component, x: Shape) -> Any:
            return call(self, (x,))

        guarded = guarded_rule
    if callable(original):
        guarded = wraps(original)(guarded)
    guarded.is_guarded = True  # type: ignore[attr-defined]  # a mark for subclasses
    return guarded


def _is_sizes(value: object) -> bool:
    # A subclass of int, such as a bool or numpy's, cannot be stored in the record of a run.
    return type(value) is tuple and all(type(n) is int and abs(n) <= LARGEST for n in value)


def _check_output_shape(layer: Any, arguments: tuple[Any, ...], value: Any) -> str:
    if value and _is_sizes(value):
        return ""
    return _instead(value, "a tuple of whole numbers, one for each axis of an output sample")


def _check_parameter_shapes(layer: Any, arguments: tuple[Any, ...], value: Any) -> str:
    if type(value) is dict and all(
        type(name) is str and name and _is_sizes(shape) for name, shape in value.items()
    ):
        return ""
    return _instead(value, "a dict of names with tuples of whole numbers")


def _check_macs(layer: Any, arguments: tuple[Any, ...], value: Any) -> str:
    if type(value) is int and 0 <= value <= LARGEST_MACS:
        return ""
    return _instead(value, "a whole number of at least 0")


def _check_receptive_field(layer: Any, arguments: tuple[Any, ...], value: Any) -> str:
    field = arguments[1]
    if type(value) is not ReceptiveField:
        return _instead(value, "a ReceptiveField, such as field or field.read(...)")
    y = layer.output_shape(arguments[0])
    counts = {len(part) for part in (value.axes, value.windows, field.axes)}
    if value.input != field.input or len(counts) > 1:
        return "returned a field of another input; allowed: one that a method of field returns"
    if not _is_sizes(value.axes) or any(not 0 <= axis < len(y) for axis in value.axes):
        return (
            f"returned a field along the axes {value_text(value.axes)}; allowed: those of its "
            f"output {format_shape(y)}, from 0 to {len(y) - 1}, as after field.flatten or permute"
        )
    if not all(map(_is_window, value.windows)):
        return "returned windows of other values; allowed: windows of whole numbers"
    sized = value.sized(y)  # what commands compute of the field must not fail later
    _ = sized.size, sized.jump, sized.coverage(y)
    return ""


def _is_window(value: object) -> bool:
    return (
        isinstance(value, Window)
        and _is_sizes(value.first)
        and _is_sizes(value.last)
        and len(value.first) == len(value.last) > 0
        and type(value.stride) is int
        and type(value.dilation) is int
    )


def _check_build(layer: Any, arguments: tuple[Any, ...], value: Any) -> str:
    torch: Any = sys.modules.get("torch")
    if torch is None or not issubclass(type(value), torch.nn.Module):
        return _instead(value, "a torch.nn.Module")
    expected = layer.parameter_shapes(arguments[0])
    parameters = {name: tuple(part.shape) for name, part in value.named_parameters()}
    if parameters != expected:
        return (
            f"returned a module with the parameters {value_text(parameters)}; allowed: those of "
            f"rule parameter_shapes, {value_text(expected)}"
        )
    return ""


_CHECKS: dict[str, Check] = {
    "output_shape": _check_output_shape,
    "parameter_shapes": _check_parameter_shapes,
    "macs": _check_macs,
    "receptive_field": _check_receptive_field,
    "build": _check_build,
}
