"""What a command is pointed at, with the runs that are of it."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copytree

import pytest
from small import DOCUMENT, after, run_until_stopped

from netbuilder.config.loader import parse_architecture
from netbuilder.errors import ConfigError
from netbuilder.runs.run import Run
from netbuilder.runs.selection import Selection
from netbuilder.training.loop import train

TEXT = DOCUMENT.replace("epochs: 3", "epochs: 1").replace(
    "for_last_epochs: 2", "for_last_epochs: 1"
)


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A document, a run of it, one that did not end, one of a changed text, a damaged one."""
    folder = tmp_path_factory.mktemp("subjects")
    (folder / "small.yaml").write_text(TEXT)
    runs = folder / "runs"
    architecture = parse_architecture(TEXT, "small.yaml")
    run_until_stopped(train(architecture, out=runs, seed=0))
    run_until_stopped(train(architecture, out=runs, seed=1, stop=after(2)))
    changed = parse_architecture(TEXT.replace("out_channels: 4", "out_channels: 3"), "small.yaml")
    run_until_stopped(train(changed, out=runs, seed=2))
    damaged = runs / "small" / "damaged"
    damaged.mkdir()
    (damaged / "config.json").write_text('{"architecture": {"na')
    return folder


def seeds(runs: tuple[Run, ...]) -> list[int]:
    """The seeds of runs, in their order."""
    return [run.config.seed for run in runs]


def test_a_document_comes_with_its_runs(there: Path) -> None:
    """Those of a text that has changed since stand apart, and a damaged one is named."""
    subject = Selection.open(there / "small.yaml", there / "runs")
    assert sorted(seeds(subject.runs)) == [0, 1]
    assert seeds(subject.finished) == [0]
    assert seeds(subject.other_runs) == [2]
    [line] = subject.unreadable
    assert "damaged/config.json: cannot be read" in line


def test_a_title_or_a_note_makes_no_other_document(there: Path, tmp_path: Path) -> None:
    """Words that change nothing about the training leave a document its runs."""
    path = tmp_path / "small.yaml"
    path.write_text(TEXT.replace("title: Small $enough", "notes: {analysis: It learns.}"))
    assert sorted(seeds(Selection.open(path, there / "runs").runs)) == [0, 1]


def test_a_record_from_before_a_field_came_is_of_its_document(there: Path, tmp_path: Path) -> None:
    """A field that an older netbuilder did not know counts at its default."""
    copytree(there / "runs", tmp_path / "runs")
    for config in (tmp_path / "runs").glob("small/*-seed*/config.json"):
        content = json.loads(config.read_text())
        for layer in content["architecture"]["layers"]:
            for fields in layer.values():
                fields.pop("init", None)
        config.write_text(json.dumps(content))
    subject = Selection.open(there / "small.yaml", tmp_path / "runs")
    assert sorted(seeds(subject.runs)) == [0, 1]
    assert seeds(subject.other_runs) == [2]


def test_a_run_folder_is_its_own_subject(there: Path) -> None:
    """It is what was trained, whatever its document says by now."""
    [changed] = Selection.open(there / "small.yaml", there / "runs").other_runs
    subject = Selection.open(changed.path)
    assert seeds(subject.runs) == [2]
    assert subject.architecture.layers[0].model_dump()["out_channels"] == 3


def test_a_folder_of_runs_gives_a_subject_a_trained_document(there: Path) -> None:
    """Seeds of one document stand together; what cannot be read is told once."""
    subjects = Selection.open_all([there / "runs"])
    assert sorted(sorted(seeds(subject.runs)) for subject in subjects) == [[0, 1], [2]]
    assert [len(subject.unreadable) for subject in subjects] == [1, 0]


def test_all_paths_that_are_nothing_are_named(there: Path, tmp_path: Path) -> None:
    """An empty folder and a missing file are told at once."""
    with pytest.raises(ConfigError, match="no run folder in it") as caught:
        Selection.open_all([tmp_path, tmp_path / "no.yaml", there / "small.yaml"])
    assert len(caught.value.problems) == 2


def test_a_finished_run_records_its_confusion_and_mistakes(there: Path) -> None:
    """The counts add up to the test set, and the mistakes are wrong and in order."""
    subject = Selection.open(there / "small.yaml", there / "runs")
    [run] = subject.finished
    evaluation, result = run.evaluation, run.result
    assert evaluation
    assert result
    rows = evaluation.confusion
    total = sum(map(sum, rows))
    right = sum(row[i] for i, row in enumerate(rows))
    assert total == run.environment.data.test
    assert 100 * right / total == pytest.approx(result.last.test_accuracy)
    confidences = [mistake.confidence for mistake in evaluation.mistakes]
    assert len(confidences) == 25
    assert confidences == sorted(confidences, reverse=True)
    assert all(mistake.label != mistake.guess for mistake in evaluation.mistakes)
    [unfinished] = [run for run in subject.runs if run.result is None]
    assert unfinished.evaluation is None
