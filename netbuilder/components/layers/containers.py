"""Layers that hold layers: in sequence, around a shortcut, or side by side."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, model_validator

from netbuilder._text import plural, quoted
from netbuilder.components.component import validation_error, validation_errors
from netbuilder.components.kind_groups import DROPOUTS, VIEWS
from netbuilder.components.layers.base import AnyLayer, Layer
from netbuilder.components.layers.container import Branch, Container, Layers, ShapeMismatch
from netbuilder.components.receptive_field.field import ReceptiveField
from netbuilder.components.shapes import Shape, format_shape
from netbuilder.errors import ShapeError

if TYPE_CHECKING:
    from torch import nn


class Sequential(Container):
    """Applies layers in sequence; summaries show it under ``name``."""

    variadic = "layers"
    keyword_only = frozenset({"name"})

    layers: Layers
    name: str = ""

    @classmethod
    def torch_name(cls) -> str:
        return "torch.nn.Sequential"

    @classmethod
    def usage_hint(cls, values: Sequence[Any]) -> str:
        return f"{cls.kind}: [...]"  # not called for a list, which is the variadic argument

    @property
    def allocates_output(self) -> bool:
        return False

    def child_branches(self) -> tuple[Branch, ...]:
        return (Branch(self.layers, "", ("layers",)),)

    def merge_shapes(self, shapes: Sequence[Shape]) -> Shape:
        return shapes[0]

    def merge_receptive_fields(
        self, shapes: Sequence[Shape], fields: Sequence[ReceptiveField]
    ) -> ReceptiveField:
        return fields[0]

    def build(self, x: Shape) -> nn.Module:
        return self.child_branches()[0].build(x)


class _Join(Container, abstract=True):
    """A container that merges the outputs of its branches by ``join``."""

    if TYPE_CHECKING:  # each kind declares the joins that it allows
        join: str

    def merge_shapes(self, shapes: Sequence[Shape]) -> Shape:
        branches = self.child_branches()
        merged = shapes[0]
        for branch, shape in zip(branches[1:], shapes[1:], strict=True):
            if not self._shapes_fit(merged, shape):
                raise ShapeMismatch(
                    f"{self.join} cannot join {format_shape(merged)} of {branches[0].name} and "
                    f"{format_shape(shape)} of {branch.name}; {_JOIN_RULES[self.join]}",
                    branches[0],
                    branch,
                )
            if self.join == "multiply":
                merged = tuple(map(max, merged, shape))
        if self.join == "concat":
            return (sum(shape[0] for shape in shapes), *merged[1:])
        return merged

    def _shapes_fit(self, a: Shape, b: Shape) -> bool:
        if self.join == "concat":
            return a[1:] == b[1:]
        if self.join == "multiply" and len(a) == len(b):
            return all(m == n or 1 in (m, n) for m, n in zip(a, b, strict=True))
        return a == b

    def merge_receptive_fields(
        self, shapes: Sequence[Shape], fields: Sequence[ReceptiveField]
    ) -> ReceptiveField:
        y = self.merge_shapes(shapes)
        if self.join == "concat":
            return ReceptiveField.concatenate(fields, shapes)
        pairs = zip(fields, shapes, strict=True)
        broadcast = [field.broadcast(shape, y) for field, shape in pairs]
        return reduce(lambda a, b: a.merge(b, y), broadcast)

    @model_validator(mode="after")
    def _check_in_place(self) -> _Join:
        message = (
            "inplace would change the input of the other branches; remove it from the first layer "
            "of a branch"
        )
        places = [place for branch in self.child_branches() if (place := _in_place_layer(branch))]
        if places:
            raise validation_errors([((*place, "inplace"), message, True) for place in places])
        return self


def _in_place_layer(branch: Branch) -> tuple[str | int, ...] | None:
    """Return the place of a layer that works in place on the input of the branch, if any."""
    for _, place, layer in branch.named_layers():
        if isinstance(layer, Container):
            for child in layer.child_branches():
                if child_place := _in_place_layer(child):
                    return (*place, *child_place)
        elif getattr(layer, "inplace", False):
            return place
        if not _may_alias_input(layer):
            return None
    return None


def _may_alias_input(layer: Layer) -> bool:
    """Return whether the output of a layer may share memory with its input."""
    if not isinstance(layer, Container):
        return layer.kind in VIEWS + DROPOUTS
    children = (child for branch in layer.child_branches() for child in branch.layers)
    return not layer.allocates_output and all(map(_may_alias_input, children))


_JOIN_RULES = {
    "add": "it adds position by position: give both the same shape",
    "mean": "it averages position by position: give both the same shape",
    "multiply": "it multiplies position by position: give both the same shape, or 1 along an axis",
    "concat": "it concatenates channels: give both the same size along all other axes",
}


class Residual(_Join):
    """Adds or multiplies the outputs of ``body`` and ``shortcut``, then applies ``activation``.

    Without layers, the shortcut is the identity.
    """

    body: Layers
    shortcut: Layers = ()
    join: Literal["add", "multiply"] = "add"
    activation: AnyLayer | None = None

    @classmethod
    def usage_hint(cls, values: Sequence[Any]) -> str:
        # Positional values are body and shortcut, both lists; a single layer is a mistake.
        return "" if isinstance(values[0], list | tuple) else f"{cls.kind}: {{body: [...]}}"

    def child_branches(self) -> tuple[Branch, ...]:
        return (
            Branch(self.body, "body", ("body",)),
            Branch(self.shortcut, "shortcut", ("shortcut",)),
        )

    def tail(self) -> Branch | None:
        if self.activation is None:
            return None
        return Branch((self.activation,), "activation", ("activation",), single=True)

    def build(self, x: Shape) -> nn.Module:
        from netbuilder.components.layers import modules

        body, shortcut = (branch.build(x) for branch in self.child_branches())
        tail = self.tail()
        activation = tail.build(self.merge_shapes(self._branch_outputs(x))) if tail else None
        return modules.Residual(body, shortcut, self.join, activation)


BRANCH_NAME = r"^[A-Za-z][A-Za-z0-9_]{0,39}$"

RESERVED_NAMES = frozenset(
    {
        "T_destination", "add_module", "apply", "bfloat16", "buffers", "call_super_init",
        "children", "compile", "cpu", "cuda", "double", "dump_patches", "eval", "extra_repr",
        "float", "forward", "get_buffer", "get_extra_state", "get_parameter", "get_submodule",
        "half", "ipu", "join", "load_state_dict", "modules", "mtia", "named_buffers",
        "named_children", "named_modules", "named_parameters", "parameters",
        "register_backward_hook", "register_buffer", "register_forward_hook",
        "register_forward_pre_hook", "register_full_backward_hook",
        "register_full_backward_pre_hook", "register_load_state_dict_post_hook",
        "register_load_state_dict_pre_hook", "register_module", "register_parameter",
        "register_state_dict_post_hook", "register_state_dict_pre_hook", "requires_grad_",
        "set_extra_state", "set_submodule", "share_memory", "split", "state_dict", "to",
        "to_empty", "train", "training", "type", "xpu", "zero_grad",
    }
)  # fmt: skip
"""Attributes of the built module, which branches cannot be named after."""


def _check_branches(branches: dict[str, tuple[Layer, ...]]) -> dict[str, tuple[Layer, ...]]:
    for name in branches:
        if not re.fullmatch(BRANCH_NAME, name) or name in RESERVED_NAMES:
            exception = ", but not an attribute of torch modules" if name in RESERVED_NAMES else ""
            raise validation_error(
                f"found the branch name {quoted(name)}; "
                f"allowed: letters, digits and underscores, a letter first{exception}"
            )
    if len(branches) < 2:
        raise validation_error(
            f"found {plural(len(branches), 'branch')}; allowed: at least 2 ([] is the identity)"
        )
    return branches


class Parallel(_Join):
    """Applies named branches to its input and joins their outputs.

    With ``split``, each branch takes an equal share of the channels.
    """

    branches: Annotated[dict[str, Layers], AfterValidator(_check_branches)]
    join: Literal["concat", "add", "multiply", "mean"] = "concat"
    split: bool = False

    @classmethod
    def usage_hint(cls, values: Sequence[Any]) -> str:
        if isinstance(values[0], Mapping):
            return ""
        return f"{cls.kind}: {{branches: {{a: [...], b: [...]}}}}, each branch with a name"

    def child_branches(self) -> tuple[Branch, ...]:
        return tuple(
            Branch(layers, name, ("branches", name)) for name, layers in self.branches.items()
        )

    def inputs(self, x: Shape) -> tuple[Shape, ...]:
        if not self.split:
            return super().inputs(x)
        count = len(self.branches)
        if x[0] % count:
            raise ShapeError(
                f"split cannot divide {x[0]} channels evenly among {count} branches; "
                "change the channels or the number of branches"
            )
        return ((x[0] // count, *x[1:]),) * count

    def branch_receptive_fields(
        self, x: Shape, field: ReceptiveField
    ) -> tuple[ReceptiveField, ...]:
        if not self.split:
            return super().branch_receptive_fields(x, field)
        share = x[0] // len(self.branches)
        return tuple(field.skip_channels(i * share) for i in range(len(self.branches)))

    def build(self, x: Shape) -> nn.Module:
        from netbuilder.components.layers import modules

        pairs = zip(self.child_branches(), self.inputs(x), strict=True)
        built = {branch.name: branch.build(shape) for branch, shape in pairs}
        return modules.Parallel(built, self.join, self.split)
