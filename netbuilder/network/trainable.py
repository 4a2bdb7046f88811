"""What a training needs beyond a sound network; all of it is known without data and torch.

These problems prevent the start of a training. They do not concern runs that exist: these are
evaluated, compared and exported as long as their network can be built.
"""

from __future__ import annotations

from netbuilder.errors import Problem
from netbuilder.network.analysis import Analysis
from netbuilder.network.loss import loss_problems


def start_problems(analysis: Analysis) -> list[Problem]:
    """Return why a training of a sound network could not start or end, in the order of the text."""
    architecture, train = analysis.architecture, analysis.architecture.train
    problems: list[Problem] = []
    if train is None:
        return problems
    if analysis.parameters == 0:
        message = (
            "no layer has parameters, so that there is nothing to train; add a layer that has "
            "some, such as Linear or Conv2d, or remove the train section"
        )
        problems.append(architecture.problem(("layers",), message))
    else:
        problems += loss_problems(analysis)
    return sorted(problems)
