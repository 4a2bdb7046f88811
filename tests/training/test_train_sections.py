"""What `check` accepts trains, diverges or stops in one line, whatever the train section says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from budgets import examples
from hypothesis import given
from hypothesis import strategies as st
from small import after, run_until_stopped

from netbuilder.components.datasets import Mnist5k
from netbuilder.config.loader import parse_architecture
from netbuilder.config.schema import Architecture
from netbuilder.data.dataset import LoadedData
from netbuilder.data.open import open_dataset
from netbuilder.errors import ConfigError, Diverged
from netbuilder.network.check import check_architecture
from netbuilder.training import loop
from netbuilder.training.loop import resume, train
from netbuilder.training.trainer import never

IMAGES = 9

EXTREMES = [0.0, 1e-45, 1e-30, 1e-8, 1e-3, 0.5, 0.9, 1.0, 1.5, 10.0, 1e4, 1e20, 1e37, 3e38]
"""Numbers of float32; those beyond are not a matter of a training."""

NETWORKS: list[list[Any]] = [
    ["Flatten", {"Linear": 10}],
    ["Flatten", {"Linear": 6}, "BatchNorm1d", "ReLU", {"Linear": 10}],
    [{"Conv2d": [2, 5, 5]}, "BatchNorm2d", {"ReLU": {"inplace": True}}, "Flatten", {"Linear": 10}],
    [{"AvgPool2d": 7}, {"Conv2d": [4, 1]}, {"GroupNorm": 2}, {"Dropout": 0.2}, "Flatten",
     {"Linear": 10}],
    [{"MaxPool2d": 7}, "Flatten", {"Linear": 10}, {"LogSoftmax": 1}],
]  # fmt: skip


@cache
def few_images() -> LoadedData:
    """The first images of mnist5k."""
    data = open_dataset(Mnist5k())
    return replace(
        data,
        train_images=data.train_images[:IMAGES],
        train_labels=data.train_labels[:IMAGES],
        test_images=data.test_images[:7],
        test_labels=data.test_labels[:7],
    )


@contextmanager
def small_data() -> Iterator[None]:
    """Replace mnist5k by its first images, and their number by that of these."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Mnist5k, "train_size", IMAGES)
        patch.setattr(loop, "open_dataset", lambda *_: few_images())
        patch.setattr(loop, "open_recorded_data", lambda *_: few_images())
        yield


def number(low: float = 0.0, high: float = 3e38) -> st.SearchStrategy[float]:
    """A number within bounds, often an extreme one."""
    within = [value for value in EXTREMES if low <= value <= high]
    return st.sampled_from(within) | st.floats(low, min(high, 1.0))


above_0, share = number(1e-45), number(0.0, 1.0)
length = st.sampled_from([1, 2, 3, 4, 9, 2**31 - 1])
betas = st.tuples(number(0.0, 0.999), number(0.0, 0.999)).map(list)


def kind(name: str, required: dict[str, Any], **optional: Any) -> st.SearchStrategy[Any]:
    """A component with its required fields and some of the others."""
    return st.fixed_dictionaries(required, optional=optional).map(lambda fields: {name: fields})


optimizers = st.one_of(
    kind("SGD", {"lr": number()}, momentum=number(), dampening=number(), weight_decay=number()),
    *(
        kind(name, {"lr": number()}, betas=betas, eps=number(), weight_decay=number(),
             amsgrad=st.booleans())
        for name in ("Adam", "AdamW")
    ),
    kind("RMSprop", {"lr": number()}, alpha=share, eps=number(), weight_decay=number(),
         momentum=number(), centered=st.booleans()),
    kind("NAdam", {"lr": number()}, betas=betas, eps=number(), weight_decay=number(),
         momentum_decay=number(), decoupled_weight_decay=st.booleans()),
)  # fmt: skip

cycles = kind(
    "OneCycleLR", {"max_lr": above_0},
    pct_start=share | st.integers(0, 12).map(lambda part: part / 12),
    anneal_strategy=st.sampled_from(["cos", "linear"]), cycle_momentum=st.booleans(),
    base_momentum=share, max_momentum=share, div_factor=above_0, final_div_factor=above_0,
    three_phase=st.booleans(),
)  # fmt: skip

by_epochs = st.one_of(
    kind("StepLR", {"step_size": length}, gamma=above_0),
    kind("MultiStepLR", {"milestones": st.lists(length, min_size=1, max_size=3)}, gamma=above_0),
    kind("CosineAnnealingLR", {"T_max": length}, eta_min=number()),
    kind("ExponentialLR", {"gamma": above_0}),
    kind("LinearLR", {}, start_factor=number(1e-45, 1.0), end_factor=share, total_iters=length),
)

plateaus = kind(
    "ReduceLROnPlateau", {}, factor=st.floats(0.01, 0.99), patience=st.integers(0, 2),
    threshold=number(), threshold_mode=st.sampled_from(["rel", "abs"]), min_lr=number(),
    eps=number(),
)  # fmt: skip

warm_ups = kind("LinearLR", {"total_iters": st.sampled_from([1, 2, 5])}, end_factor=share)

losses = st.one_of(
    kind("CrossEntropyLoss", {}, label_smoothing=share),
    st.just("NLLLoss"),
    kind("MultiMarginLoss", {}, p=st.sampled_from([1, 2]), margin=number()),
)

augmentations = st.one_of(
    kind("RandomRotation", {"degrees": st.sampled_from([0, 7, 180])}),
    kind("RandomCrop", {"size": st.just(28), "padding": st.sampled_from([0, 2, 20])}),
    kind("RandomHorizontalFlip", {"p": share}),
    kind("RandomErasing", {"p": share}),
)

initializations = st.sampled_from(
    [{"weight": "zeros"}, {"weight": "kaiming_normal", "bias": "zeros"}, {"weight": "orthogonal"}]
) | number().map(lambda value: {"weight": {"constant": value}})

sections = st.fixed_dictionaries(
    {
        "dataset": st.just("mnist5k"),
        "epochs": st.integers(1, 4),
        "batch_size": st.sampled_from([1, 2, 3, 4, 8, 9, 64, 2**31 - 1]),
        "optimizer": optimizers,
    },
    optional={
        "scheduler": cycles | by_epochs | plateaus | st.tuples(warm_ups, by_epochs).map(list),
        "loss": losses,
        "augment": st.lists(augmentations, max_size=2),
        "ema": st.sampled_from([1e-30, 0.5, 0.999]),
    },
)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Draw the text of a document with a random train section."""
    document = {
        "name": "random",
        "input": [1, 28, 28],
        "layers": draw(st.sampled_from(NETWORKS)),
        "train": draw(sections),
    }
    if draw(st.booleans()):
        document["init"] = draw(initializations)
    return json.dumps(document)


def accepted(text: str) -> Architecture | None:
    """Return the architecture of a document that `check` accepts; None if it does not."""
    try:
        architecture = parse_architecture(text, "random.yaml")
    except ConfigError:
        return None
    return architecture if check_architecture(architecture).is_sound else None


@examples(few=15, many=600)
@given(documents(), st.none() | st.integers(1, 9), st.sampled_from([None, "extend", "hold"]))
def test_what_check_accepts_trains_or_diverges(
    text: str, stop: int | None, schedule: str | None
) -> None:
    """So does what is stopped, resumed and given more epochs; a divergence is one line."""
    with small_data(), TemporaryDirectory() as out:
        architecture = accepted(text)
        if architecture is None:
            return
        stopped = after(stop) if stop else never
        more = {"epochs": architecture.trained.epochs + 2, "schedule": schedule} if schedule else {}
        problem = ""
        try:
            folder, _ = run_until_stopped(
                train(architecture, out=Path(out), compile="off", precision="fp32", stop=stopped)
            )
            run_until_stopped(resume(folder, **more))  # type: ignore[arg-type]
        except Diverged as error:
            problem = str(error)
        except ConfigError as error:
            if not schedule or "leaves no step" not in str(error):
                raise  # only the longer schedule may be one that torch cannot run
            problem = str(error)
        assert "\n" not in problem


@pytest.mark.parametrize(
    ("train_section", "message"),
    [
        # A factor of the schedule lets the rate grow beyond float32, and beyond float64.
        ({"optimizer": {"RMSprop": 1e-30}, "scheduler": {"ExponentialLR": 1e38}, "epochs": 4},
         "a number that floats do not hold, in epoch 3 at learning rate"),
        ({"optimizer": {"NAdam": 1e-30}, "scheduler": {"ExponentialLR": 1e38}, "epochs": 4},
         "a number that floats do not hold, in epoch 3 at learning rate"),
        ({"optimizer": {"SGD": 1e-30}, "scheduler": {"MultiStepLR": [[1] * 9, 1e38]}, "epochs": 3},
         "the learning rate is too large for a number"),
        # A loss that hides an output that is not finite.
        ({"optimizer": {"RMSprop": {"lr": 0.5, "momentum": 1e37}}, "loss": "MultiMarginLoss",
          "epochs": 2}, "an output on the test set is not finite after epoch 2"),
    ],
)  # fmt: skip
def test_numbers_that_grow_beyond_float32_are_a_divergence(
    train_section: dict[str, Any], message: str, tmp_path: Path
) -> None:
    """One line names what is too large."""
    document = {
        "name": "grows",
        "input": [1, 28, 28],
        "layers": ["Flatten", {"Linear": 6}, "BatchNorm1d", "ReLU", {"Linear": 10}],
        "train": {"dataset": "mnist5k", "batch_size": 9, **train_section},
    }
    with small_data():
        architecture = accepted(json.dumps(document))
        assert architecture
        with pytest.raises(Diverged, match=message) as divergence:
            list(train(architecture, out=tmp_path, compile="off", precision="fp32"))
    assert "\n" not in str(divergence.value)
