"""Build the `torch.nn.Sequential` of an architecture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from netbuilder.components.initializers import Initializer
from netbuilder.components.layer_rules import RuleFault
from netbuilder.components.layers.base import Weighted
from netbuilder.components.layers.container import Container
from netbuilder.config.schema import Architecture
from netbuilder.errors import Problem, ShapeError
from netbuilder.network.analysis import Analysis, analyse
from netbuilder.network.trial import try_modules

if TYPE_CHECKING:
    from torch import nn


def build(architecture: Architecture | Analysis) -> nn.Sequential:
    """Build the network in training mode, initialized from torch's global random state.

    The network maps float batches of shape ``(N, *architecture.input)`` to
    ``(N, *analyse(architecture).output_shape)``. Its children are named ``0``, ``1`` … in the order
    of the document; ``Row.path`` is the name of each layer.

    Args:
        architecture: The architecture, or its analysis, which is then not repeated.

    Raises:
        ShapeError: A layer cannot take its input.
        ConfigError: The build rule of a plugin's kind, or its module, fails.
    """
    from torch import nn

    analysis = architecture if isinstance(architecture, Analysis) else analyse(architecture)
    analysis.require_sound()
    try_modules(analysis)
    pairs = zip(analysis.architecture.layers, analysis.outermost, strict=True)
    try:
        model = nn.Sequential(*(layer.build(row.input_shape) for layer, row in pairs))
    except RuleFault as fault:
        raise ShapeError([_problem(analysis, fault)]) from None
    _require_own_parameters(analysis, model)
    for name, initializer in initializers(analysis):
        initializer.fill(model.get_parameter(name))
    return model


def _problem(analysis: Analysis, fault: RuleFault) -> Problem:
    """Return the problem of a rule that fails, at the place of its layer."""
    places = [row.place for row in analysis.rows if row.layer is fault.layer]
    return analysis.architecture.problem(places[0] if places else (), str(fault))


def _require_own_parameters(analysis: Analysis, model: nn.Module) -> None:
    """Refuse modules of plugins that share parameters, which the analysis counts twice.

    Raises:
        ShapeError: Two layers share a parameter.
    """
    names: dict[int, str] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        first = names.setdefault(id(parameter), name)
        if first != name:
            raise ShapeError(
                f"{analysis.architecture.name}: {first} and {name} are one parameter, which a "
                "plugin built for two layers; build one for each layer; correct the plugin"
            )


def initializers(analysis: Analysis) -> Iterator[tuple[str, Initializer]]:
    """Yield the names of parameters that the document initializes, in order, and how.

    The document's ``init`` applies to layers with multiply-accumulates, where it can fill their
    weights; the ``init`` of a layer applies to that layer. Other parameters keep torch's default.
    """
    general = analysis.architecture.init
    for row in analysis.rows:
        if isinstance(row.layer, Container):
            continue
        own = row.layer.init if isinstance(row.layer, Weighted) else None
        by_name = dict(general.by_name()) if general and row.macs else {}
        by_name |= own.by_name() if own else {}
        if not by_name:
            continue
        for name, shape in row.layer.parameter_shapes(row.input_shape).items():
            initializer = by_name.get(name.rpartition(".")[2])
            if initializer and not initializer.problem(shape):
                yield f"{row.path}.{name}", initializer
