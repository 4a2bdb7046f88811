"""Warnings are shown without being asked for, and change no exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import run
from paths import ROOT

from netbuilder.config.loader import load
from netbuilder.network.check import check_document
from netbuilder.training.events import Started
from netbuilder.training.loop import train

TEXT = """\
name: order
input: [1, 28, 28]
layers:
  - Conv2d: [1, 10, 3]
  - Flatten
  - Linear: 10
train: {dataset: mnist5k, epochs: 1, optimizer: {SGD: 0.01}}
"""
WARNING = "order.yaml:4:5: layers[0].Conv2d: the first number repeats the 1 channel of its input"


@pytest.fixture(autouse=True)
def document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A document with a warning, in the current folder."""
    monkeypatch.chdir(tmp_path)
    path = Path("order.yaml")
    path.write_text(TEXT)
    return path


def test_check_prints_warnings() -> None:
    """The line begins with its kind, and the document is accepted."""
    result = run("check", "order.yaml")
    assert result.code == 0
    assert result.out.startswith(f"warning: {WARNING}")
    assert result.out.endswith("order.yaml: ok\n")


def test_a_warning_is_not_repeated_as_advice() -> None:
    """JSON has both lists, and a finding is in one of them."""
    [report] = json.loads(run("check", "order.yaml", "--advice", "--format", "json").out)
    assert [warning["rule"] for warning in report["warnings"]] == ["torch-order"]
    assert "torch-order" not in [advice["rule"] for advice in report["advice"]]


def test_a_document_with_a_problem_has_no_warnings(document: Path) -> None:
    """Warnings wait until the problems are fixed."""
    document.write_text(TEXT.replace("Linear: 10", "Linear: 9"))
    check = check_document(document)
    assert check.problems
    assert check.warnings == ()


def test_a_training_starts_with_the_warnings(document: Path) -> None:
    """The first event carries them."""
    events = train(load(document), compile="off")
    started = next(events)
    events.close()
    assert isinstance(started, Started)
    assert [warning.rule for warning in started.warnings] == ["torch-order"]


def test_train_prints_the_warnings() -> None:
    """They stand before the epochs, once."""
    result = run("train", "order.yaml", "--compile", "off", "--set", "targets={}")
    assert result.code == 0
    assert result.out.count("warning: ") == 1
    assert result.out.index(f"warning: {WARNING}") < result.out.index("epoch ")


@pytest.mark.parametrize(
    "path",
    [*ROOT.glob("archs/*.yaml"), *ROOT.glob("archs/zoo/*.yaml")],
    ids=lambda path: path.stem,
)
def test_a_document_of_archs_gives_no_warning(path: Path) -> None:
    """The published networks and the zoo mean what they say."""
    assert check_document(path).warnings == ()
