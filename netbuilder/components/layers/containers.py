"""Layers that hold layers: one behind the other, around a shortcut, side by side."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, model_validator

from netbuilder._text import quoted
from netbuilder.components.component import validation_error, validation_errors
from netbuilder.components.layers.base import AnyLayer, Layer
from netbuilder.components.layers.container import Branch, Container, Layers, ShapeMismatch
from netbuilder.components.receptive_field.field import ReceptiveField
from netbuilder.components.shapes import Shape, format_shape
from netbuilder.errors import ShapeError

if TYPE_CHECKING:
    from torch import nn


class Sequential(Container):
    """Layers one behind the other; ``name`` is what summaries call them."""

    variadic = "layers"
    keyword_only = frozenset({"name"})

    layers: Layers
    name: str = ""

    @classmethod
    def usage_hint(cls, values: Sequence[Any]) -> str:
        return f"{cls.kind}: [...]"  # a list never comes here

    @property
    def copies(self) -> bool:
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


class _Joining(Container, abstract=True):
    """A container whose branches all take the input."""

    if TYPE_CHECKING:  # each kind allows its own
        join: str

    def merge_shapes(self, shapes: Sequence[Shape]) -> Shape:
        branches = self.child_branches()
        first = shapes[0]
        for branch, shape in zip(branches[1:], shapes[1:], strict=True):
            if not self._fit(first, shape):
                raise ShapeMismatch(
                    f"{self.join} cannot join {format_shape(first)} of {branches[0].name} and "
                    f"{format_shape(shape)} of {branch.name}; {_FITTING[self.join]}",
                    branches[0],
                    branch,
                )
            first = tuple(map(max, first, shape)) if self.join == "multiply" else first
        if self.join == "concat":
            return (sum(shape[0] for shape in shapes), *first[1:])
        return first

    def _fit(self, a: Shape, b: Shape) -> bool:
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
            return ReceptiveField.concatenated(fields, shapes)
        spread = [field.repeated(shape, y) for field, shape in zip(fields, shapes, strict=True)]
        return reduce(lambda a, b: a.joined(b, y), spread)

    @model_validator(mode="after")
    def _leaves_its_input_alone(self) -> _Joining:
        faults = []
        for chain in self.child_branches():
            found = _in_place(chain)
            if found:
                message = (
                    "inplace here would change what the other branches read; leave it out of the "
                    "first layer of a branch"
                )
                faults.append(((*found, "inplace"), message, True))
        if faults:
            raise validation_errors(faults)
        return self


SAME_MEMORY = frozenset(
    {
        "AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout",
        "Flatten", "Identity", "Permute", "StochasticDepth", "Unflatten",
    }
)  # fmt: skip
"""Kinds whose output may be their input, or a view of it; some when they are evaluated."""


def _in_place(chain: Branch) -> tuple[str | int, ...] | None:
    """The place of a layer that works in place on what the chain was given."""
    for _, place, layer in chain.named_layers():
        if isinstance(layer, Container):
            for inner in layer.child_branches():
                if found := _in_place(inner):
                    return (*place, *found)
        elif getattr(layer, "inplace", False):
            return place
        if not _hands_on(layer):
            return None
    return None


def _hands_on(layer: Layer) -> bool:
    """Whether what comes out of a layer may be the memory that went in."""
    if not isinstance(layer, Container):
        return layer.kind in SAME_MEMORY
    inside = (inner for chain in layer.child_branches() for inner in chain.layers)
    return not layer.copies and all(map(_hands_on, inside))


_FITTING = {
    "add": "it adds position by position: give both the same shape",
    "mean": "it takes the mean position by position: give both the same shape",
    "multiply": "it multiplies position by position: give both the same shape, or 1 along an axis",
    "concat": "it puts channels behind one another: give both the same size along all other axes",
}


class Residual(_Joining):
    """A body beside a shortcut (the identity unless given), joined, an activation behind."""

    body: Layers
    shortcut: Layers = ()
    join: Literal["add", "multiply"] = "add"
    activation: AnyLayer | None = None

    @classmethod
    def usage_hint(cls, values: Sequence[Any]) -> str:
        # A list is the body's and the shortcut's: as one of layers it would mean another thing.
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
        behind = self.tail()
        activation = behind.build(self.merge_shapes(self._outputs(x))) if behind else None
        return modules.Residual(body, shortcut, self.join, activation)


BRANCH_NAME = r"^[A-Za-z][A-Za-z0-9_]{0,39}$"

TAKEN = frozenset(
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
"""Names that the built module has for itself, so that no branch can have them."""


def _as_branches(value: dict[str, tuple[Layer, ...]]) -> dict[str, tuple[Layer, ...]]:
    for name in value:
        if not re.fullmatch(BRANCH_NAME, name) or name in TAKEN:
            taken = ", but not a name of torch modules" if name in TAKEN else ""
            raise validation_error(
                f"found the branch name {quoted(name)}; "
                f"allowed: letters, digits and underscores, a letter first{taken}"
            )
    if len(value) < 2:
        raise validation_error(
            f"found {len(value)} branches; allowed: at least 2 ([] is the identity)"
        )
    return value


class Parallel(_Joining):
    """Named branches side by side, joined; with ``split`` each takes its share of the channels."""

    branches: Annotated[dict[str, Layers], AfterValidator(_as_branches)]
    join: Literal["concat", "add", "multiply", "mean"] = "concat"
    split: bool = False

    @classmethod
    def usage_hint(cls, values: Sequence[Any]) -> str:
        if isinstance(values[0], Mapping):
            return ""
        return f"{cls.kind}: {{branches: {{a: [...], b: [...]}}}}, each with a name"

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
                f"split deals {x[0]} channels out over {count} branches, which does not come out "
                "even; change the channels or the number of branches"
            )
        return ((x[0] // count, *x[1:]),) * count

    def branch_receptive_fields(
        self, x: Shape, field: ReceptiveField
    ) -> tuple[ReceptiveField, ...]:
        if not self.split:
            return super().branch_receptive_fields(x, field)
        share = x[0] // len(self.branches)
        return tuple(field.since(turn * share) for turn in range(len(self.branches)))

    def build(self, x: Shape) -> nn.Module:
        from netbuilder.components.layers import modules

        pairs = zip(self.child_branches(), self.inputs(x), strict=True)
        built = {chain.name: chain.build(given) for chain, given in pairs}
        return modules.Parallel(built, self.join, self.split)
