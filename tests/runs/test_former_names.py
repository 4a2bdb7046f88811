"""Runs that recorded the classes of CIFAR-100 as numbers, as versions before this one did."""

from __future__ import annotations

import json
from pathlib import Path

from command import run
from run_folders import write_run

from netbuilder.components.datasets import Cifar100
from netbuilder.config.loader import parse_architecture
from netbuilder.runs.records import Evaluation, Mistake
from netbuilder.runs.run import Run

DOCUMENT = """\
name: hundred
input: [3, 32, 32]
layers: [Flatten, {Linear: 100}]
train: {dataset: cifar100, epochs: 1, batch_size: 100, optimizer: {SGD: {lr: 0.1}}}
"""


def hundred(out: Path, classes: tuple[str, ...], seed: int) -> Run:
    """Write a finished run with these names of classes: one maple tree taken for a willow."""
    recorded = write_run(out, parse_architecture(DOCUMENT, "hundred.yaml"), [(9, 9)], seed=seed)
    counts = [[0] * 100 for _ in range(100)]
    counts[47][96] = 1
    mistake = Mistake(index=0, label=classes[47], guess=classes[96], confidence=0.5)
    accuracy = tuple(0.0 if label == 47 else None for label in range(100))
    recorded.write_evaluation(
        Evaluation(
            classes=classes,
            class_accuracy=accuracy,
            confusion=tuple(map(tuple, counts)),
            mistakes=(mistake,),
        )
    )
    return Run(recorded.path)


def test_former_names_are_read_as_the_names_of_today(tmp_path: Path) -> None:
    """Classes and mistakes have names, and the file stays as it is."""
    old = hundred(tmp_path, Cifar100.former_classes, 0)
    before = (old.path / "evaluation.json").read_bytes()
    evaluation = old.evaluation
    assert evaluation is not None
    assert evaluation.classes == Cifar100.classes
    [mistake] = evaluation.mistakes
    assert (mistake.label, mistake.guess) == ("maple_tree", "willow_tree")
    assert (old.path / "evaluation.json").read_bytes() == before
    assert json.loads(before)["classes"][:3] == ["0", "1", "2"]


def test_a_report_joins_runs_with_former_names_and_others(tmp_path: Path) -> None:
    """The mistakes of both seeds are counted, and shown by name."""
    runs = tmp_path / "runs"
    hundred(runs, Cifar100.former_classes, 0)
    hundred(runs, Cifar100.classes, 1)
    result = run("report", str(runs), "--out", str(tmp_path / "report"))
    assert result.code == 0, result.err
    page = (tmp_path / "report" / "report.md").read_text()
    assert "over 2 seeds: maple_tree classified as willow_tree (2 times)" in page
    assert "| 47 |" not in page
