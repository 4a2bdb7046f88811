"""Layers that hold layers: one behind the other, around a shortcut, side by side."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, model_validator

from netbuilder.errors import ShapeError, quoted
from netbuilder.layers.base import AnyLayer, Layer
from netbuilder.shapes import Shape, written
from netbuilder.strict import LIST_AS_TUPLE, Length, fault, faults_at
from netbuilder.windows import ReceptiveField

if TYPE_CHECKING:
    from torch import nn

Layers = Annotated[tuple[AnyLayer, ...], LIST_AS_TUPLE, Length(0, 20_000)]


@dataclass(frozen=True)
class Chain:
    """Layers one behind the other inside a container.

    Attributes:
        layers: one behind the other; none of them is the identity.
        name: the chain's name in the built module; empty where the layers are the module's own.
        place: where its layers stand among the container's arguments.
        single: it is one layer, not a list of them.
    """

    layers: tuple[Layer, ...]
    name: str
    place: tuple[str, ...]
    single: bool = False

    def members(self) -> Iterator[tuple[str, tuple[str | int, ...], Layer]]:
        """Each layer with its name in the container's module and its place in the document."""
        if self.single:
            [layer] = self.layers
            yield self.name, (*self.place, layer.kind), layer
            return
        for position, layer in enumerate(self.layers):
            name = f"{self.name}.{position}" if self.name else str(position)
            yield name, (*self.place, position, layer.kind), layer

    def through(self, x: Shape) -> Iterator[tuple[str, Layer, Shape]]:
        """Each layer with its name and the shape that reaches it."""
        for name, _, layer in self.members():
            yield name, layer, x
            x = layer.output_shape(x)

    def output_shape(self, x: Shape) -> Shape:
        """The shape behind the last layer."""
        return reduce(lambda shape, layer: layer.output_shape(shape), self.layers, x)

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        """The field behind the last layer."""
        for _, layer, shape in self.through(x):
            field = layer.receptive_field(shape, field)
        return field

    def build(self, x: Shape) -> nn.Module:
        """The module of the chain: a Sequential, or the one layer."""
        from torch import nn

        modules = [layer.build(shape) for _, layer, shape in self.through(x)]
        return modules[0] if self.single else nn.Sequential(*modules)


class Misfit(ShapeError):
    """Two branches give shapes that cannot be joined; ``first`` and ``second`` are their places."""

    def __init__(self, message: str, first: Chain, second: Chain) -> None:
        super().__init__(message)
        self.first, self.second = first, second


class Container(Layer, abstract=True):
    """A kind that is made of branches, what joins them, and maybe a layer behind."""

    @abstractmethod
    def chains(self) -> tuple[Chain, ...]:
        """What is joined, in the order of the built module's children."""

    def behind(self) -> Chain | None:
        """The layer behind the join, if there is one."""
        return None

    def inputs(self, x: Shape) -> tuple[Shape, ...]:
        """What reaches each branch."""
        return (x,) * len(self.chains())

    def given_fields(self, x: Shape, field: ReceptiveField) -> tuple[ReceptiveField, ...]:
        """What one position of each branch's input sees."""
        return (field,) * len(self.chains())

    @abstractmethod
    def joined_shape(self, shapes: Sequence[Shape]) -> Shape:
        """The shape of what the branches' outputs are joined to.

        Raises:
            Misfit: two of them do not fit together.
        """

    @abstractmethod
    def joined_field(
        self, shapes: Sequence[Shape], fields: Sequence[ReceptiveField]
    ) -> ReceptiveField:
        """What one position behind the join sees."""

    @property
    def copies(self) -> bool:
        """Whether joining makes a tensor of its own."""
        return True

    def arguments(self) -> dict[str, Any]:
        """The arguments that are not layers."""
        inner = {"layers", "body", "shortcut", "branches", "activation"}
        return {name: value for name, value in super().arguments().items() if name not in inner}

    def output_shape(self, x: Shape) -> Shape:
        y = self.joined_shape(self._outputs(x))
        behind = self.behind()
        return behind.output_shape(y) if behind else y

    def parameter_shapes(self, x: Shape) -> dict[str, tuple[int, ...]]:
        return {
            f"{name}.{parameter}": shape
            for name, layer, given in self._members(x)
            for parameter, shape in layer.parameter_shapes(given).items()
        }

    def macs(self, x: Shape) -> int:
        return sum(layer.macs(given) for _, layer, given in self._members(x))

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        given = zip(self.chains(), self.inputs(x), self.given_fields(x, field), strict=True)
        fields = [branch.receptive_field(shape, seen) for branch, shape, seen in given]
        joined = self.joined_field(self._outputs(x), fields)
        behind = self.behind()
        if behind is None:
            return joined
        return behind.receptive_field(self.joined_shape(self._outputs(x)), joined)

    def _outputs(self, x: Shape) -> list[Shape]:
        pairs = zip(self.chains(), self.inputs(x), strict=True)
        return [branch.output_shape(given) for branch, given in pairs]

    def _members(self, x: Shape) -> Iterator[tuple[str, Layer, Shape]]:
        for branch, given in zip(self.chains(), self.inputs(x), strict=True):
            yield from branch.through(given)
        if behind := self.behind():
            yield from behind.through(self.joined_shape(self._outputs(x)))


class Sequential(Container):
    """Layers one behind the other; ``name`` is what summaries call them."""

    variadic = "layers"
    keyword_only = frozenset({"name"})

    layers: Layers
    name: str = ""

    @property
    def copies(self) -> bool:
        return False

    def chains(self) -> tuple[Chain, ...]:
        return (Chain(self.layers, "", ("layers",)),)

    def joined_shape(self, shapes: Sequence[Shape]) -> Shape:
        return shapes[0]

    def joined_field(
        self, shapes: Sequence[Shape], fields: Sequence[ReceptiveField]
    ) -> ReceptiveField:
        return fields[0]

    def build(self, x: Shape) -> nn.Module:
        return self.chains()[0].build(x)


class _Joining(Container, abstract=True):
    """A container whose branches all take the input."""

    if TYPE_CHECKING:  # each kind allows its own
        join: str

    def joined_shape(self, shapes: Sequence[Shape]) -> Shape:
        branches = self.chains()
        first = shapes[0]
        for branch, shape in zip(branches[1:], shapes[1:], strict=True):
            if not self._fit(first, shape):
                raise Misfit(
                    f"{self.join} cannot join {written(first)} of {branches[0].name} and "
                    f"{written(shape)} of {branch.name}; {_FITTING[self.join]}",
                    branches[0],
                    branch,
                )
            first = tuple(map(max, first, shape)) if self.join == "multiply" else first
        if self.join == "concat":
            return (sum(shape[0] for shape in shapes), *first[1:])
        return first

    def _fit(self, a: Shape, b: Shape) -> bool:
        if self.join == "concat":
            return a[1:] == b[1:] and len(a) == len(b)
        if self.join == "multiply" and len(a) == len(b):
            return all(m == n or 1 in (m, n) for m, n in zip(a, b, strict=True))
        return a == b

    def joined_field(
        self, shapes: Sequence[Shape], fields: Sequence[ReceptiveField]
    ) -> ReceptiveField:
        y = self.joined_shape(shapes)
        if self.join == "concat":
            return ReceptiveField.concatenated(fields, shapes)
        spread = [field.repeated(shape, y) for field, shape in zip(fields, shapes, strict=True)]
        return reduce(lambda a, b: a.joined(b, y), spread)

    @model_validator(mode="after")
    def _leaves_its_input_alone(self) -> _Joining:
        faults = []
        for chain in self.chains():
            found = _in_place(chain)
            if found:
                message = (
                    "inplace here would change what the other branches read; leave it out of the "
                    "first layer of a branch"
                )
                faults.append(((*found, "inplace"), message, True))
        if faults:
            raise faults_at(faults)
        return self


_SAME_MEMORY = ("Identity", "Flatten", "Unflatten", "Permute", "Dropout")
"""Kinds whose output may be their input, or a view of it; dropouts, when they are evaluated."""


def _in_place(chain: Chain) -> tuple[str | int, ...] | None:
    """The place of a layer that works in place on what the chain was given."""
    for _, place, layer in chain.members():
        if isinstance(layer, Container):
            for inner in layer.chains():
                if found := _in_place(inner):
                    return (*place, *found)
            if layer.copies or any(chain.layers for chain in layer.chains()):
                return None
        elif getattr(layer, "inplace", False):
            return place
        elif not layer.kind.startswith(_SAME_MEMORY):
            return None
    return None


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

    def chains(self) -> tuple[Chain, ...]:
        return (
            Chain(self.body, "body", ("body",)),
            Chain(self.shortcut, "shortcut", ("shortcut",)),
        )

    def behind(self) -> Chain | None:
        if self.activation is None:
            return None
        return Chain((self.activation,), "activation", ("activation",), single=True)

    def build(self, x: Shape) -> nn.Module:
        from netbuilder.layers import modules

        body, shortcut = (branch.build(x) for branch in self.chains())
        behind = self.behind()
        activation = behind.build(self.joined_shape(self._outputs(x))) if behind else None
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
            raise fault(
                f"found the branch name {quoted(name)}; "
                f"allowed: letters, digits and underscores, a letter first{taken}"
            )
    if len(value) < 2:
        raise fault(f"found {len(value)} branches; allowed: at least 2 ([] is the identity)")
    return value


class Parallel(_Joining):
    """Named branches side by side, joined; with ``split`` each takes its share of the channels."""

    branches: Annotated[dict[str, Layers], AfterValidator(_as_branches)]
    join: Literal["concat", "add", "multiply", "mean"] = "concat"
    split: bool = False

    def chains(self) -> tuple[Chain, ...]:
        return tuple(
            Chain(layers, name, ("branches", name)) for name, layers in self.branches.items()
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

    def given_fields(self, x: Shape, field: ReceptiveField) -> tuple[ReceptiveField, ...]:
        if not self.split:
            return super().given_fields(x, field)
        share = x[0] // len(self.branches)
        return tuple(field.since(turn * share) for turn in range(len(self.branches)))

    def build(self, x: Shape) -> nn.Module:
        from netbuilder.layers import modules

        pairs = zip(self.chains(), self.inputs(x), strict=True)
        built = {chain.name: chain.build(given) for chain, given in pairs}
        return modules.Parallel(built, self.join, self.split)
