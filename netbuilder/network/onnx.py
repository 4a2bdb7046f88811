"""Tell before a training which layers torch cannot export to ONNX."""

from __future__ import annotations

from netbuilder.components.foreign_code import is_foreign
from netbuilder.errors import Problem
from netbuilder.network.analysis import Analysis


def onnx_problems(analysis: Analysis) -> list[Problem]:
    """Return the layers of a sound document that ONNX cannot represent, in order."""
    problems: dict[str, Problem] = {}
    for row in analysis.rows:
        if row.is_container or is_foreign(type(row.layer)):
            continue
        if obstacle := row.layer.onnx_obstacle(row.input_shape):
            message = (
                f"onnx cannot represent it: {obstacle}; replace the layer, or export the network "
                "with --to torch-export"
            )
            problem = analysis.architecture.problem(row.place, message)
            problems.setdefault(str(problem), problem)
    return sorted(problems.values())


def unknown_kinds(analysis: Analysis) -> list[str]:
    """Return the kinds of plugins, of which only an export shows whether ONNX has them."""
    kinds = (row.kind for row in analysis.rows if is_foreign(type(row.layer)))
    return sorted(set(kinds))
