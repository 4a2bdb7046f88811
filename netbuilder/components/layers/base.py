"""The base classes of layer kinds, which describe a network without importing torch."""

# Annotations are evaluated here once: pydantic would evaluate their strings again for every kind.

import json
from abc import abstractmethod
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from netbuilder.components import kinds
from netbuilder.components.component import Component
from netbuilder.components.foreign_code import is_foreign
from netbuilder.components.init import Init
from netbuilder.components.receptive_field.field import ReceptiveField
from netbuilder.components.registry import Registry
from netbuilder.components.shapes import Shape, format_shape
from netbuilder.errors import ConfigError, ShapeError

if TYPE_CHECKING:
    from torch import nn


class Layer(Component):
    """A kind of layer. In its methods, ``x`` is the shape of one input sample, without the batch.

    A kind defines every method in `RULES`, itself or through a base class such as `Elementwise`.
    There are no default rules, since a forgotten rule would be a wrong number in a summary.

    Raises:
        TypeError: A class that is not abstract lacks a rule.
    """

    RULES: ClassVar = ("output_shape", "parameter_shapes", "macs", "receptive_field", "build")

    abstract: ClassVar[bool] = True
    """Whether the class is a base class, whose subclasses define the rules. It is not inherited."""

    def __init_subclass__(cls, *, abstract: bool = False, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.abstract = abstract
        missing = [
            rule
            for rule in Layer.RULES
            if getattr(getattr(cls, rule), "__isabstractmethod__", False)
        ]
        if missing and not abstract:
            raise TypeError(f"layer kind {cls.__name__} does not define: {', '.join(missing)}")
        if is_foreign(cls) and not abstract:
            from netbuilder.components.layer_rules import guard_rules

            guard_rules(cls)

    @abstractmethod
    def output_shape(self, x: Shape) -> Shape:
        """Return the shape of one output sample.

        Raises:
            ShapeError: The layer does not accept ``x``.
        """

    @abstractmethod
    def parameter_shapes(self, x: Shape) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the parameters, named and ordered as by ``named_parameters()``."""

    @abstractmethod
    def macs(self, x: Shape) -> int:
        """Return the multiply-accumulates of convolutions and matrix products for one sample."""

    @abstractmethod
    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        """Return the receptive field of the output, given the ``field`` of the input.

        A layer that reads each position alone returns ``field``; `ReceptiveField` has methods for
        everything else. All channels of a position count as one.
        """

    @abstractmethod
    def build(self, x: Shape) -> "nn.Module":
        """Return the torch module, for batches of ``x``."""

    def onnx_obstacle(self, x: Shape) -> str:
        """Return why torch cannot export the layer to ONNX for batches of ``x``; empty if it can.

        A test holds the answers of the built-in kinds against the exporter.
        """
        return ""


LAYERS: Registry[Layer] = Registry("layer", kinds.LAYERS)
"""The kinds that a list of layers may hold. Plugins add further ones."""

AnyLayer = Annotated[Layer, LAYERS]

OWN_MODULES = "netbuilder.components.layers.modules"
"""The Python module with netbuilder's own torch modules; importing it imports torch."""


class TorchLayer(Layer, abstract=True):
    """A kind that builds the class of the same name in `torch.nn` or another ``namespace``."""

    namespace: ClassVar[str] = "torch.nn"
    """The Python module that defines the class."""

    inferred_first: ClassVar[bool] = True
    """Whether the inferred arguments are the first of torch's constructor."""

    @classmethod
    def torch_class(cls) -> "type[nn.Module]":
        """Return the class of the modules that this kind builds.

        Raises:
            ConfigError: The namespace has no class of this name.
        """
        module_class: type[nn.Module] | None = getattr(import_module(cls.namespace), cls.kind, None)
        if module_class is None:
            raise ConfigError(
                f"layer kind {cls.kind}: {cls.namespace} has no class of that name; define build, "
                "or set namespace to the module that has the class"
            )
        return module_class

    def has_own_module(self, x: Shape) -> bool:
        """Whether a module of netbuilder with the same name replaces torch's for samples ``x``."""
        return False

    @classmethod
    def torch_name(cls) -> str:
        library = cls.namespace.partition(".")[0]
        return f"{cls.namespace}.{cls.kind}" if library in ("torch", "torchvision") else ""

    @classmethod
    def inferred_position(cls) -> int | None:
        if cls.inferred_arguments is TorchLayer.inferred_arguments:
            return None
        return 0 if cls.inferred_first else 1

    def inferred_arguments(self, x: Shape) -> dict[str, int]:
        """Return the arguments that follow from ``x`` and that documents do not write."""
        return {}

    def build(self, x: Shape) -> "nn.Module":
        module_class = self.torch_class()
        if self.has_own_module(x):
            module_class = getattr(import_module(OWN_MODULES), self.kind)
        return module_class(**self.inferred_arguments(x), **self.constructor_arguments())

    def constructor_arguments(self) -> dict[str, Any]:
        """Return the arguments of a document as torch's constructor takes them."""
        return self.arguments()

    @classmethod
    def arguments_of(cls, module: "nn.Module") -> dict[str, Any]:
        """Return the arguments of this kind that build a module equal to ``module``."""
        arguments = {name: getattr(module, name) for name in cls.model_fields if name != "init"}
        if "bias" in arguments:
            arguments["bias"] = arguments["bias"] is not None
        return arguments

    def format_argument(self, name: str, value: object) -> str:
        """Return the value of an argument as a Python expression, in which ``nn`` is `torch.nn`."""
        return json.dumps(value) if isinstance(value, str) else repr(value)


class Weighted(TorchLayer, abstract=True):
    """A kind with a ``weight``, possibly a ``bias``, and their initialization, ``init``."""

    keyword_only = frozenset({"init"})  # torch's constructors have none

    init: Init | None = None

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of torch's constructor."""
        return {name: value for name, value in super().arguments().items() if name != "init"}


def require_init(layer: Layer, shapes: Mapping[str, Shape]) -> None:
    """Check that the initializers of a layer fit its parameters.

    Raises:
        ShapeError: The layer lacks a parameter, or an initializer does not accept its shape.
    """
    if not isinstance(layer, Weighted) or layer.init is None:
        return
    for name, initializer in layer.init.by_name().items():
        if name not in shapes:
            raise ShapeError(f"init: the layer has no {name}; remove the initializer")
        if problem := initializer.problem(shapes[name]):
            raise ShapeError(
                f"init: {problem}, but {name} is {format_shape(shapes[name])}; "
                "use another initializer"
            )


class Unparametrized(TorchLayer, abstract=True):
    """A kind without parameters and without matrix products."""

    def parameter_shapes(self, x: Shape) -> dict[str, tuple[int, ...]]:
        return {}

    def macs(self, x: Shape) -> int:
        return 0


class Elementwise(Unparametrized, abstract=True):
    """A kind that computes each output value from the input value at the same position."""

    def output_shape(self, x: Shape) -> Shape:
        return x

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        return field


AXIS_NAMES = {1: "length", 2: "height x width", 3: "depth x height x width"}


def require_axes(layer: Layer, axes: int, x: Shape) -> None:
    """Check that a sample has channels and ``axes`` spatial axes.

    Raises:
        ShapeError: It has not.
    """
    if len(x) == axes + 1:
        return
    sibling = f"{layer.kind.removesuffix(f'{axes}d')}{len(x) - 1}d"
    hint = f"move {layer.kind} before the layer that flattens, or change the input"
    if sibling in LAYERS.kinds and sibling != layer.kind:
        batch = "leave the batch size out of the input"
        hint = f"use {sibling}, or {batch if len(x) == axes + 2 else 'change the input'}"
    raise ShapeError(f"it takes channels x {AXIS_NAMES[axes]}, found {format_shape(x)}; {hint}")


def require_image(layer: Layer, x: Shape) -> None:
    """Check that a sample is (channels, height, width).

    Raises:
        ShapeError: It is not.
    """
    require_axes(layer, 2, x)


def sample_axis(dim: int, x: Shape) -> int:
    """Return the axis of a sample for torch's ``dim``, which counts the batch as axis 0.

    Raises:
        ShapeError: ``dim`` is the batch axis or out of range.
    """
    rank = len(x) + 1
    axis = dim + rank if dim < 0 else dim
    if not 0 < axis < rank:
        fault = "the batch axis" if axis == 0 else "not an axis"
        raise ShapeError(
            f"dim {dim} is {fault} of batches of {format_shape(x)}; "
            f"allowed: 1 to {rank - 1}, or {1 - rank} to -1"
        )
    return axis - 1
