"""What every layer kind answers, so that a network is known before torch is imported."""

# Annotations are evaluated here once: pydantic would evaluate their strings again for every kind.

import json
from abc import abstractmethod
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from netbuilder.components import kinds
from netbuilder.components.component import Component
from netbuilder.components.init import Init
from netbuilder.components.receptive_field.field import ReceptiveField
from netbuilder.components.registry import Registry
from netbuilder.components.shapes import Shape, format_shape
from netbuilder.errors import ConfigError, ShapeError

if TYPE_CHECKING:
    from torch import nn


class Layer(Component):
    """One kind of layer; ``x`` is the shape of one sample that reaches it, without the batch axis.

    A kind answers every rule itself or through a family such as `Elementwise`. One that does not
    is refused when its class is made: a rule nobody gave would be a wrong number in a summary.
    """

    RULES: ClassVar = ("output_shape", "parameter_shapes", "macs", "receptive_field", "build")

    abstract: ClassVar[bool] = True
    """True for the families, which leave rules to their kinds; each class says it for itself."""

    def __init_subclass__(cls, *, abstract: bool = False, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.abstract = abstract
        missing = [
            rule
            for rule in Layer.RULES
            if getattr(getattr(cls, rule), "__isabstractmethod__", False)
        ]
        if missing and not abstract:
            raise TypeError(f"layer kind {cls.__name__} gives no rule for: {', '.join(missing)}")

    @abstractmethod
    def output_shape(self, x: Shape) -> Shape:
        """The shape of one output sample.

        Raises:
            ShapeError: the layer cannot take ``x``.
        """

    @abstractmethod
    def parameter_shapes(self, x: Shape) -> dict[str, tuple[int, ...]]:
        """The learnable parameters, named and ordered as ``named_parameters()`` of the module."""

    @abstractmethod
    def macs(self, x: Shape) -> int:
        """Multiply-accumulates of convolutions and matrix products for one sample."""

    @abstractmethod
    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        """What one output position sees of the input, where one position of ``x`` sees ``field``.

        It is ``field`` itself for a layer that reads each position alone; `ReceptiveField` has a
        method for everything else. All channels of a position count as one.
        """

    @abstractmethod
    def build(self, x: Shape) -> "nn.Module":
        """The torch module, for batches of ``x``."""


LAYERS: Registry[Layer] = Registry("layer", kinds.LAYERS)
"""The kinds that a list of layers can hold; plugins add further ones."""

AnyLayer = Annotated[Layer, LAYERS]


class TorchLayer(Layer, abstract=True):
    """A kind that stands for the class of its own name in `torch.nn`, or in another ``home``."""

    home: ClassVar[str] = "torch.nn"
    """The Python module that has the class."""

    inferred_leads: ClassVar[bool] = True
    """Whether torch's constructor takes what is inferred before all else."""

    @classmethod
    def torch_class(cls) -> "type[nn.Module]":
        """The class of the modules that this kind builds.

        Raises:
            ConfigError: its home has none of its name.
        """
        found: type[nn.Module] | None = getattr(import_module(cls.home), cls.kind, None)
        if found is None:
            raise ConfigError(
                f"layer kind {cls.kind}: {cls.home} has no class of that name; give the kind a "
                "build of its own, or the home that has one"
            )
        return found

    def inferred(self, x: Shape) -> dict[str, int]:
        """The arguments that a document never writes, because the layer before settles them."""
        return {}

    def build(self, x: Shape) -> "nn.Module":
        return self.torch_class()(**self.inferred(x), **self.constructed_with())

    def constructed_with(self) -> dict[str, Any]:
        """The arguments in the form that torch's constructor takes."""
        return self.arguments()

    @classmethod
    def read_back(cls, module: "nn.Module") -> dict[str, Any]:
        """The arguments that ``module``, of `torch_class`, was made with."""
        found = {name: getattr(module, name) for name in cls.model_fields if name != "init"}
        if "bias" in found:
            found["bias"] = found["bias"] is not None
        return found

    def in_python(self, name: str, value: object) -> str:
        """The argument ``name`` as a Python expression, where ``nn`` is `torch.nn`."""
        return json.dumps(value) if isinstance(value, str) else repr(value)


class Weighted(TorchLayer, abstract=True):
    """A kind with a ``weight`` and maybe a ``bias``, which begin as ``init`` says."""

    keyword_only = frozenset({"init"})  # torch's constructors have none

    init: Init | None = None

    def arguments(self) -> dict[str, Any]:
        """The arguments of torch's constructor."""
        return {name: value for name, value in super().arguments().items() if name != "init"}


def require_init(layer: Layer, shapes: Mapping[str, Shape]) -> None:
    """Refuse an ``init`` of a parameter that a layer lacks, or that cannot fill it."""
    if not isinstance(layer, Weighted) or layer.init is None:
        return
    for name, initializer in layer.init.each().items():
        if name not in shapes:
            raise ShapeError(f"init: the layer has no {name} here; remove it")
        if problem := initializer.problem(shapes[name]):
            raise ShapeError(
                f"init: {problem}, and {name} is {format_shape(shapes[name])}; take another"
            )


class Unparametrised(TorchLayer, abstract=True):
    """A kind without learnable parameters and without matrix products."""

    def parameter_shapes(self, x: Shape) -> dict[str, tuple[int, ...]]:
        return {}

    def macs(self, x: Shape) -> int:
        return 0


class Elementwise(Unparametrised, abstract=True):
    """A kind that keeps the shape and reads each position by itself."""

    def output_shape(self, x: Shape) -> Shape:
        return x

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        return field


AXES = {1: "length", 2: "height x width", 3: "depth x height x width"}


def require_axes(layer: Layer, axes: int, x: Shape) -> None:
    """Refuse a sample that is not channels and ``axes`` spatial axes."""
    if len(x) == axes + 1:
        return
    stem, served = layer.kind.removesuffix(f"{axes}d"), LAYERS.kinds
    other = f"{stem}{len(x) - 1}d"
    hint = f"move {layer.kind} before the layer that flattens, or change the input"
    if other in served and other != layer.kind:
        hint = f"use {other} here, or change the input"
    raise ShapeError(f"it takes channels x {AXES[axes]}, found {format_shape(x)}; {hint}")


def require_image(layer: Layer, x: Shape) -> None:
    """Refuse a sample that is not (channels, height, width)."""
    require_axes(layer, 2, x)


def sample_axis(dim: int, x: Shape) -> int:
    """The axis of the sample that torch's ``dim`` means; torch counts the batch as axis 0."""
    rank = len(x) + 1
    axis = dim + rank if dim < 0 else dim
    if not 0 < axis < rank:
        found = "the batch itself" if axis == 0 else "no axis"
        raise ShapeError(
            f"dim {dim} is {found} of batches of {format_shape(x)}; "
            f"allowed: 1 to {rank - 1}, or {1 - rank} to -1"
        )
    return axis - 1
