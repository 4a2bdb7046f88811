"""The ten documents in archs/, compared with the ten published iterations."""

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
from netbuilder.config.schema import AccuracyTarget, Architecture, Bound, Targets, TrainConfig
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
    """Return the path of an iteration's document."""
    return ARCHS / f"iter{number}.yaml"


@pytest.fixture(params=NUMBERS, ids="iter{}".format)
def number(request: pytest.FixtureRequest) -> int:
    """The number of each iteration."""
    return int(request.param)


@pytest.fixture
def architecture(number: int) -> Architecture:
    """The architecture of the iteration."""
    return load(document(number))


@pytest.fixture
def analysis(architecture: Architecture) -> Analysis:
    """The analysis of the iteration."""
    return analyse(architecture)


def training(number: int) -> TrainConfig:
    """Return the training section of an iteration."""
    train = load(document(number)).train
    assert train is not None
    return train


def test_the_table_equals_the_published_one(number: int, analysis: Analysis) -> None:
    """The table in torchsummary's layout equals the published one in every character."""
    assert as_torchsummary(analysis) == (TABLES / f"iter{number}.txt").read_text()


def test_the_table_equals_the_output_of_torchsummary(
    analysis: Analysis, architecture: Architecture, capsys: pytest.CaptureFixture[str]
) -> None:
    """torchsummary itself prints the same characters for the built network."""
    torchsummary.summary(build(architecture), architecture.input, device="cpu")
    assert as_torchsummary(analysis) == capsys.readouterr().out


def test_the_reference_contains_the_published_numbers(
    number: int, architecture: Architecture
) -> None:
    """Parameters, best training accuracy and best test accuracy match the publication."""
    reference = architecture.reference
    numbers = (reference.parameters, reference.train_accuracy, reference.test_accuracy)
    assert numbers == PUBLISHED[number]


def test_the_network_has_ten_outputs(analysis: Analysis) -> None:
    """The document is sound, and its output has one value per class."""
    analysis.require_sound()
    assert check_architecture(analysis.architecture).is_sound
    assert analysis.output_shape == (10, 1, 1)


def test_targets_that_need_no_training_are_met(analysis: Analysis) -> None:
    """Parameters, receptive field and epochs are within their bounds."""
    assert [verdict.target for verdict in judge_document(analysis) if not verdict.met] == []


def test_the_document_has_the_name_of_its_file_and_notes(
    number: int, architecture: Architecture
) -> None:
    """The name equals that of the file, and title, target, choices and analysis are present."""
    assert architecture.name == f"iter{number}"
    assert architecture.title
    assert all((architecture.notes.target, architecture.notes.choices, architecture.notes.analysis))


def test_the_document_is_valid_by_the_committed_schema(number: int) -> None:
    """The first line names the committed schema, which allows the document."""
    text = document(number).read_text()
    assert text.splitlines()[0] == f"# yaml-language-server: $schema={FILE_NAME}"
    schema = json.loads((ARCHS / FILE_NAME).read_text())
    jsonschema.Draft202012Validator(schema).validate(yaml.safe_load(text))


def test_the_committed_schema_is_current() -> None:
    """``netbuilder schema --out archs/netbuilder.schema.json`` would not change the file."""
    assert (ARCHS / FILE_NAME).read_text() == schema_text()


def test_the_batch_size_is_64_from_the_seventh_iteration() -> None:
    """Iterations 1 to 6 have 128 images per step, and iterations 7 to 10 have 64."""
    assert [training(number).batch_size for number in NUMBERS] == [128] * 6 + [64] * 4


def test_images_are_rotated_from_the_ninth_iteration() -> None:
    """Only iterations 9 and 10 augment, and 9 rotates by the published 5 to 7 degrees."""
    assert [number for number in NUMBERS if training(number).augment] == [9, 10]
    [rotation] = training(9).augment
    assert isinstance(rotation, geometry.RandomRotation)
    low, high = rotation.degrees
    assert 5 <= high == -low <= 7


def test_only_the_tenth_iteration_uses_one_cycle() -> None:
    """OneCycleLR is a scheduler of the tenth iteration alone."""
    kinds = [[scheduler.kind for scheduler in training(number).scheduler] for number in NUMBERS]
    assert [
        number for number, kind in zip(NUMBERS, kinds, strict=True) if "OneCycleLR" in kind
    ] == [10]


def test_the_tenth_iteration_has_the_targets_of_the_task() -> None:
    """At least 99.4 % in the last 4 of at most 15 epochs, with fewer than 8,000 parameters."""
    assert load(document(10)).targets == Targets(
        parameters=Bound(below=8000),
        receptive_field=Bound(at_least=28),
        epochs=Bound(at_most=15),
        test_accuracy=AccuracyTarget(at_least=99.4, for_last_epochs=4),
    )


def test_the_parameter_target_applies_from_the_sixth_iteration() -> None:
    """Iterations 6 to 10 have the target of fewer than 8,000 parameters."""
    budgeted = [n for n in NUMBERS if load(document(n)).targets.parameters == Bound(below=8000)]
    assert budgeted == [6, 7, 8, 9, 10]


def test_the_tenth_iteration_sees_the_whole_image() -> None:
    """Its receptive field grows with each convolution and pooling to 28 of 28 rows."""
    rows = analyse(load(document(10))).rows
    fields = [row.receptive_field for row in rows if row.kind not in ("ReLU", "BatchNorm2d")]
    assert fields == [(n, n) for n in (3, 5, 7, 9, 9, 10, 14, 18, 22, 28, 28)]
