"""What a training needs is checked before it starts, and does not concern runs that exist."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
import torch
import yaml
from command import run
from hypothesis import given
from hypothesis import strategies as st
from run_folders import write_run

from netbuilder.config.loader import parse_architecture
from netbuilder.config.schema import Architecture, Targets
from netbuilder.errors import ConfigError
from netbuilder.network.build import build
from netbuilder.network.check import check_architecture
from netbuilder.training.loop import train
from netbuilder.training.lr_schedule import epoch_rates

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
    with pytest.raises(ConfigError, match="no layer has parameters") as refused:
        next(train(architecture, out=tmp_path))
    assert refused.value.problems == [problem]
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_could_not_start_today_stays_readable(tmp_path: Path) -> None:
    """Evaluation, export and reports need a network, not a training that can start."""
    architecture = parse_architecture(NO_PARAMETERS, "empty.yaml")
    earlier = write_run(tmp_path, architecture, [(10.0, 10.0)])
    assert earlier.analysis.output_shape == (10,)


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("draw", ("--out", "-")),
        ("export", ("--to", "python")),
        ("compare", ()),
        ("runs", ()),
        ("results", ()),
    ],
)
def test_a_run_that_could_not_start_today_is_shown(
    command: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    """What shows a network refuses no run that an older version trained."""
    architecture = parse_architecture(NO_PARAMETERS, "empty.yaml")
    folder = write_run(tmp_path, architecture, [(10.0, 10.0)]).path
    assert run(command, str(folder), *options).code == 0


def classifier(*layers: str, **train: object) -> Architecture:
    """Return an architecture of these layers and a linear one, with fields of ``train``."""
    fields = {"dataset": "mnist5k", "epochs": 1, "optimizer": {"SGD": 0.01}} | train
    document = {
        "name": "net",
        "input": [1, 28, 28],
        "layers": [yaml.safe_load(layer) for layer in layers] + ["Flatten", {"Linear": 10}],
        "train": fields,
    }
    return parse_architecture(json.dumps(document), "net.yaml")


def messages(architecture: Architecture) -> list[str]:
    """Return the problems of an architecture, each with its field."""
    problems = check_architecture(architecture).problems
    return [f"{problem.field}: {problem.message}" for problem in problems]


def warnings_on(architecture: Architecture) -> list[str]:
    """Return the warnings on an architecture without problems, each with its field."""
    check = check_architecture(architecture)
    assert check.problems == ()
    return [f"{warning.problem.field}: {warning.problem.message}" for warning in check.warnings]


@pytest.mark.parametrize(
    ("path", "layers"),
    [
        ("1 BatchNorm1d", ["Flatten", "BatchNorm1d"]),
        ("1 BatchNorm2d", ["AdaptiveAvgPool2d: 1", "BatchNorm2d"]),
        ("0.1 BatchNorm2d", ["Sequential: [{MaxPool2d: 28}, BatchNorm2d]"]),
        (
            "0.body.2 BatchNorm2d",
            [
                "Residual: {body: [AdaptiveAvgPool2d: 1, {Conv2d: [1, 1]}, BatchNorm2d], "
                "shortcut: [{Conv2d: [1, 28]}]}"
            ],
        ),
        (
            "0.a.1 BatchNorm1d",
            ["Parallel: {branches: {a: [Flatten, BatchNorm1d], b: [Flatten]}}"],
        ),
        ("1.activation BatchNorm2d", [
            "AdaptiveMaxPool2d: 1", "Residual: {body: [{Conv2d: [1, 1]}], activation: BatchNorm2d}",
        ]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [1, 43, 1333, 3999])
def test_a_last_batch_of_one_is_refused_where_torch_refuses_it(
    path: str, layers: list[str], size: int, tmp_path: Path
) -> None:
    """Nested layers count too; one more image is enough for torch and for `check`."""
    architecture = classifier(*layers, batch_size=size)
    [message] = messages(architecture)
    assert f"found {size}, which leaves a last batch of 1 of 4,000 images; layer {path}" in message
    with pytest.raises(ConfigError, match=r"train\.batch_size: found"):
        next(train(architecture, out=tmp_path))
    assert list(tmp_path.iterdir()) == []
    model = build(architecture)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        model(torch.randn(1, 1, 28, 28))
    model(torch.randn(2, 1, 28, 28))
    assert messages(classifier(*layers, batch_size=1332 if size == 1333 else size + 1)) == []


def test_statistics_over_positions_need_one_sample_only() -> None:
    """A last batch of one image is enough where a channel has several positions."""
    architecture = classifier("BatchNorm2d", batch_size=1333)
    assert messages(architecture) == []
    build(architecture)(torch.randn(1, 1, 28, 28))


def test_the_published_number_of_images_counts() -> None:
    """Without data, `check` knows how many batches an epoch of each data set has."""
    norm = ["Flatten", "BatchNorm1d"]
    for dataset, size in (("mnist", 59_999), ("kmnist", 59_999), ("fashion_mnist", 1)):
        [message] = messages(classifier(*norm, dataset=dataset, batch_size=size))
        assert "a last batch of 1 of 60,000 images" in message
    assert messages(classifier(*norm, dataset="mnist", batch_size=1333)) == []


def test_a_fallback_that_a_training_would_refuse_is_a_warning() -> None:
    """A training on the data set itself may start; the smaller fallback has a last batch of one."""
    architecture = classifier(
        "Flatten", "BatchNorm1d", dataset={"mnist": {"fallback": "mnist5k"}}, batch_size=1333
    )
    [warning] = warnings_on(architecture)
    assert warning.startswith(
        "train.batch_size: on the fallback mnist5k, a training is refused: found 1333, which "
        "leaves a last batch of 1 of 4,000 images"
    )


@pytest.mark.parametrize(
    ("scheduler", "message"),
    [
        ({"pct_start": 1.0}, "pct_start 1.0 of 40 steps leaves no step for the last phase; "
         "allowed: below 1"),
        ({"pct_start": 0.025}, "pct_start 0.025 of 40 steps leaves no step for the rise"),
        ({"pct_start": 0.5125, "three_phase": True}, "pct_start 0.5125 of 40 steps leaves no step "
         "for the last phase; allowed: at most 0.5"),
    ],
)  # fmt: skip
def test_a_one_cycle_that_cannot_span_the_run_is_refused(
    scheduler: dict[str, object], message: str, tmp_path: Path
) -> None:
    """`check` says so with the place, and a training leaves no folder."""
    architecture = classifier(batch_size=100, scheduler={"OneCycleLR": {"max_lr": 0.1} | scheduler})
    [problem] = messages(architecture)
    assert problem.startswith(f"train.scheduler.OneCycleLR: {message}")
    with pytest.raises(ConfigError, match="leaves no step"):
        next(train(architecture, out=tmp_path))
    assert list(tmp_path.iterdir()) == []


WARM_UP = {"LinearLR": {"total_iters": 1}}


@pytest.mark.parametrize(
    ("scheduler", "message"),
    [
        ({"CosineAnnealingLR": 3}, "the rate is 0 after 3 of 4 epochs, so that one trains nothing"),
        ({"CosineAnnealingLR": 2}, "the rate is 0 after 2 of 4 epochs, so that one trains nothing, "
         "and then it goes back"),
        ({"CosineAnnealingLR": [2, 1e-3]}, "the rate is 0.001 after 2 of 4 epochs, and then"),
        ({"CosineAnnealingLR": 8}, "the run ends after 4 of 8 epochs, at a rate of 0.056"),
        ([WARM_UP, {"CosineAnnealingLR": 4}], "after the warm-up, the run ends after 3 of 4 epoch"),
        ([WARM_UP, {"CosineAnnealingLR": 2}], "after the warm-up, the rate is 0 after 2 of 3 epoc"),
        ([{"LinearLR": {"total_iters": 4}}, {"StepLR": 1}], "the warm-up of 4 epochs lasts to the"),
        ({"StepLR": 4}, "the run ends after 4 epochs, before the rate changes"),
        ({"MultiStepLR": [[2, 4]]}, "the run ends after 4 epochs, before milestone 4"),
        ({"ReduceLROnPlateau": {"patience": 2}}, "the run ends after 4 epochs, before the rate"),
        ({"LinearLR": {}}, "the run ends after 4 of 5 epochs, before the rate reaches its end"),
        ({"LinearLR": {"end_factor": 0.0, "total_iters": 3}}, "the rate is 0 after 3 of 4 epochs"),
    ],
)  # fmt: skip
def test_a_schedule_that_does_not_fit_the_epochs_is_a_warning(
    scheduler: object, message: str
) -> None:
    """What the rate does instead is stated; torch's own rates are the oracle below."""
    architecture = classifier(epochs=4, scheduler=scheduler, optimizer={"SGD": 0.081})
    [warning] = warnings_on(architecture)
    assert f": {message}" in warning
    assert warning.startswith("train.scheduler")


@pytest.mark.parametrize(
    "scheduler",
    [
        {"CosineAnnealingLR": 4},
        {"CosineAnnealingLR": [3, 1e-3]},
        [WARM_UP, {"CosineAnnealingLR": 3}],
        {"StepLR": 3},
        {"MultiStepLR": [[1, 3]]},
        {"ReduceLROnPlateau": {"patience": 1}},
        {"LinearLR": {"total_iters": 3}},
        {"OneCycleLR": 0.1},
        {"ExponentialLR": 0.9},
    ],
)
def test_a_schedule_that_fits_the_epochs_gives_no_warning(scheduler: object) -> None:
    """It ends with the run, or acts within it."""
    assert warnings_on(classifier(epochs=4, scheduler=scheduler)) == []


def test_a_learning_rate_of_0_is_a_warning() -> None:
    """Unless a one-cycle sets the rate."""
    [warning] = warnings_on(classifier(optimizer={"Adam": 0.0}))
    assert warning.startswith("train.optimizer.Adam.lr: the learning rate is 0")
    cycle = classifier(optimizer={"Adam": 0.0}, scheduler={"OneCycleLR": 0.1})
    assert warnings_on(cycle) == []


@given(
    st.integers(1, 9), st.integers(1, 9), st.integers(0, 4), st.sampled_from([0.0, 0.01]),
)  # fmt: skip
def test_a_cosine_gives_a_warning_unless_it_ends_with_the_run(
    epochs: int, length: int, warm_up: int, low: float
) -> None:
    """The oracle is the list of torch's own rates: no 0, no rise after a fall, and a whole fall."""
    scheduler: list[dict[str, object]] = [{"CosineAnnealingLR": [length, low]}]
    if warm_up:
        scheduler.insert(0, {"LinearLR": {"total_iters": warm_up, "start_factor": 1.0}})
    architecture = classifier(epochs=epochs, scheduler=scheduler, optimizer={"SGD": 0.1})
    rates = epoch_rates(architecture.trained, epochs)[warm_up:]
    falls = all(later < rate for rate, later in pairwise(rates))
    ends = epochs - warm_up >= length
    assert bool(warnings_on(architecture)) == (not (rates and falls and min(rates) > 0 and ends))


def test_targets_that_a_training_judges_are_listed() -> None:
    """They are neither met nor missed; without a train section, nothing will judge them."""
    targets = {"parameters": {"below": 9000}, "test_accuracy": {"at_least": 90}}
    architecture = classifier().model_copy(update={"targets": Targets.model_validate(targets)})
    check = check_architecture(architecture)
    verdicts = [(verdict.target, verdict.met, verdict.reason) for verdict in check.verdicts]
    assert verdicts == [
        ("parameters", True, ""),
        ("test_accuracy", None, "a training judges it"),
    ]
    assert check.meets_targets
    untrained = check_architecture(architecture.model_copy(update={"train": None}))
    assert untrained.verdicts[1].reason == "the document has no train section"
