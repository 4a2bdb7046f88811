"""What a training needs is checked before it starts, and does not concern runs that exist."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_folders import write_run

from netbuilder.config.loader import parse_architecture
from netbuilder.errors import ConfigError
from netbuilder.network.check import check_architecture
from netbuilder.training.loop import train

NO_PARAMETERS = """\
name: empty
input: [1, 28, 28]
layers:
  - AdaptiveAvgPool2d: [[2, 5]]
  - Flatten
train: {dataset: mnist5k, epochs: 1, batch_size: 200, optimizer: {SGD: 0.01}}
"""


def test_a_network_without_parameters_is_refused_before_a_training(tmp_path: Path) -> None:
    """`check` names the layers; `train` says the same and leaves no folder."""
    architecture = parse_architecture(NO_PARAMETERS, "empty.yaml")
    [problem] = check_architecture(architecture).problems
    assert (problem.line, problem.field) == (3, "layers")
    assert problem.message.startswith("no layer has parameters")
    with pytest.raises(ConfigError) as refused:
        next(train(architecture, out=tmp_path))
    assert refused.value.problems == [problem]
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_could_not_start_today_stays_readable(tmp_path: Path) -> None:
    """Evaluation, export and reports need a network, not a training that can start."""
    architecture = parse_architecture(NO_PARAMETERS, "empty.yaml")
    run = write_run(tmp_path, architecture, [(10.0, 10.0)])
    assert run.analysis.output_shape == (10,)
