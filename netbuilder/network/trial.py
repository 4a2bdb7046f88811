"""Run the modules of plugins on a batch, before the network is trained or used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netbuilder.components.foreign_code import fault_text, is_foreign, value_text
from netbuilder.components.own_streams import own_descriptors
from netbuilder.components.shapes import Shape, format_shape
from netbuilder.errors import ConfigError, ShapeError
from netbuilder.network.analysis import Analysis
from netbuilder.network.rows import Row

if TYPE_CHECKING:
    from torch import nn

BATCH = 2
"""The images of the trial batch; batch statistics need more than one."""


def try_modules(analysis: Analysis) -> None:
    """Build each layer of a plugin and run its module, in training and in evaluation mode.

    The global random state stays as it is.

    Raises:
        ConfigError: A module fails, or returns another shape than the rule of its kind.
    """
    rows = [row for row in analysis.rows if is_foreign(type(row.layer))]
    if not rows:
        return
    import torch

    with torch.random.fork_rng(devices=[]):
        for row in rows:
            if problem := _problem(row):
                raise ConfigError([analysis.architecture.problem(row.place, problem)])


def _problem(row: Row) -> str:
    """Return what is wrong with the module of a row; empty if it works."""
    try:
        module = row.layer.build(row.input_shape)
    except ShapeError as fault:
        return str(fault)
    return module_problem(module, row.input_shape, row.output_shape)


def module_problem(module: nn.Module, x: Shape, y: Shape) -> str:
    """Return what is wrong with a module that maps ``x`` to ``y``; empty if it works."""
    for training in (True, False):
        mode = "training" if training else "evaluation"
        try:
            with own_descriptors():
                module.train(training)
                problem = _output_problem(module, x, y)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # the code of a plugin can raise any exception
            problem = f"fails: {fault_text(error)}"
        if problem:
            return f"the module of this plugin's kind {problem}, in {mode} mode; correct the plugin"
    return ""


def _output_problem(module: nn.Module, x: Shape, y: Shape) -> str:
    import torch

    batch = torch.randn(BATCH, *x, requires_grad=True)
    output: Any = module(batch * 1)  # a layer can work in place
    if not isinstance(output, torch.Tensor):
        return f"returns {value_text(output)}; allowed: a tensor"
    if tuple(output.shape) != (BATCH, *y):
        return (
            f"returns a tensor of {format_shape(tuple(output.shape))} for a batch of {BATCH} "
            f"samples; allowed: {format_shape((BATCH, *y))}, as rule output_shape returns"
        )
    if (output.dtype, output.layout) != (batch.dtype, batch.layout):
        return f"returns {output.dtype}, {output.layout}; allowed: {batch.dtype}, {batch.layout}"
    if output.requires_grad:
        output.sum().backward()  # type: ignore[no-untyped-call]  # torch's own
    return ""
