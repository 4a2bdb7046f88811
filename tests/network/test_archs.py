"""The ten documents in archs/ are the ten published iterations."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import torchsummary
import yaml
from paths import ARCHS, TESTS

from netbuilder import build, load
from netbuilder.components.augmentations import geometry
from netbuilder.config.json_schema import FILE_NAME, schema_text
from netbuilder.config.schema import (
    AccuracyTarget,
    Architecture,
    Bound,
    FieldBound,
    Targets,
    TrainConfig,
)
from netbuilder.network.analysis import Analysis, analyse
from netbuilder.network.check import check_architecture
from netbuilder.network.targets import judge_document
from netbuilder.render.torchsummary import as_torchsummary

TABLES = TESTS / "reference"
NUMBERS = range(1, 11)
PUBLISHED = {  # parameters, best training accuracy, best test accuracy
    1: (6_379_786, 99.85, 99.06),
    2: (194_884, 99.27, 98.86),
    3: (10_790, 98.88, 98.82),
    4: (10_970, 99.75, 98.28),
    5: (10_970, 99.81, 99.28),
    6: (6_070, 98.81, 98.72),
    7: (7_884, 99.23, 99.23),
    8: (7_884, 99.34, 99.36),
    9: (7_884, 99.31, 99.27),
    10: (7_884, 99.34, 99.56),
}


def document(number: int) -> Path:
    """The file of an iteration."""
    return ARCHS / f"iter{number}.yaml"


@pytest.fixture(params=NUMBERS, ids="iter{}".format)
def number(request: pytest.FixtureRequest) -> int:
    """Each iteration in turn."""
    return int(request.param)


@pytest.fixture
def architecture(number: int) -> Architecture:
    """The iteration's document."""
    return load(document(number))


@pytest.fixture
def analysis(architecture: Architecture) -> Analysis:
    """The walk through the iteration's network."""
    return analyse(architecture)


def training(number: int) -> TrainConfig:
    """How an iteration is trained."""
    train = load(document(number)).train
    assert train is not None
    return train


def test_its_table_is_the_published_one(number: int, analysis: Analysis) -> None:
    """In torchsummary's layout, character for character, megabytes included."""
    assert as_torchsummary(analysis) == (TABLES / f"iter{number}.txt").read_text()


def test_its_table_is_what_torchsummary_prints(
    analysis: Analysis, architecture: Architecture, capsys: pytest.CaptureFixture[str]
) -> None:
    """The package itself, run on the built network, prints the same characters."""
    torchsummary.summary(build(architecture), architecture.input, device="cpu")
    assert as_torchsummary(analysis) == capsys.readouterr().out


def test_it_names_the_published_figures(number: int, architecture: Architecture) -> None:
    """Parameters, best training accuracy and best test accuracy."""
    reference = architecture.reference
    figures = (reference.parameters, reference.train_accuracy, reference.test_accuracy)
    assert figures == PUBLISHED[number]


def test_it_is_a_classifier_of_ten_digits(analysis: Analysis) -> None:
    """The walk has no fault and ends with one value a class."""
    analysis.require_sound()
    assert check_architecture(analysis.architecture).is_sound
    assert analysis.output_shape == (10, 1, 1)


def test_it_meets_its_targets_that_need_no_training(analysis: Analysis) -> None:
    """Parameters, receptive field and epochs stay within their bounds."""
    assert [verdict.target for verdict in judge_document(analysis) if not verdict.met] == []


def test_it_is_named_after_its_file_and_explained(number: int, architecture: Architecture) -> None:
    """The run folder carries the file's name; target, choices and analysis are told."""
    assert architecture.name == f"iter{number}"
    assert architecture.title
    assert all((architecture.notes.target, architecture.notes.choices, architecture.notes.analysis))


def test_an_editor_finds_it_valid(number: int) -> None:
    """Its first line names the committed schema, and it validates against that."""
    text = document(number).read_text()
    assert text.splitlines()[0] == f"# yaml-language-server: $schema={FILE_NAME}"
    schema = json.loads((ARCHS / FILE_NAME).read_text())
    jsonschema.Draft202012Validator(schema).validate(yaml.safe_load(text))


def test_the_committed_schema_is_the_generated_one() -> None:
    """``netbuilder schema --out archs/netbuilder.schema.json`` would change nothing."""
    assert (ARCHS / FILE_NAME).read_text() == schema_text()


def test_the_batch_shrinks_with_the_seventh() -> None:
    """128 images a step before it, 64 from it on."""
    assert [training(number).batch_size for number in NUMBERS] == [128] * 6 + [64] * 4


def test_images_are_augmented_from_the_ninth_on() -> None:
    """The ninth rotates by the published 5 to 7 degrees, the tenth keeps that."""
    assert [number for number in NUMBERS if training(number).augment] == [9, 10]
    [rotation] = training(9).augment
    assert isinstance(rotation, geometry.RandomRotation)
    low, high = rotation.degrees
    assert 5 <= high == -low <= 7


def test_the_tenth_alone_has_one_cycle() -> None:
    """The learning rate's path is what the tenth iteration adds."""
    kinds = [[scheduler.kind for scheduler in training(number).scheduler] for number in NUMBERS]
    assert [
        number for number, kind in zip(NUMBERS, kinds, strict=True) if "OneCycleLR" in kind
    ] == [10]


def test_the_tenth_promises_what_was_asked() -> None:
    """99.4 percent in the last 4 of at most 15 epochs, below 8,000 parameters."""
    assert load(document(10)).targets == Targets(
        parameters=Bound(below=8000),
        receptive_field=FieldBound(at_least=28),
        epochs=Bound(at_most=15),
        test_accuracy=AccuracyTarget(at_least=99.4, for_last_epochs=4),
    )


def test_the_budget_holds_from_the_sixth_on() -> None:
    """Below 8,000 parameters is a target of the sixth iteration and of all behind it."""
    budgeted = [n for n in NUMBERS if load(document(n)).targets.parameters == Bound(below=8000)]
    assert budgeted == [6, 7, 8, 9, 10]


def test_the_tenth_sees_the_whole_digit() -> None:
    """Its receptive field grows convolution by convolution, and at last by the average."""
    rows = analyse(load(document(10))).rows
    seen = [row.receptive_field for row in rows if row.kind not in ("ReLU", "BatchNorm2d")]
    assert seen == [(n, n) for n in (3, 5, 7, 9, 9, 10, 14, 18, 22, 28, 28)]
