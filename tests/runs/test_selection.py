"""The selection of a document or folder, with the runs that belong to it."""

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
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A document, a finished run, a stopped one, one of a changed document and a damaged one."""
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


def test_a_document_comes_with_its_runs(folder: Path) -> None:
    """Runs of another version of the document are separate, and a damaged one is reported."""
    subject = Selection.open(folder / "small.yaml", folder / "runs")
    assert sorted(seeds(subject.runs)) == [0, 1]
    assert seeds(subject.finished) == [0]
    assert seeds(subject.other_runs) == [2]
    [line] = subject.unreadable
    assert "damaged/config.json: cannot be read" in line


def test_a_title_or_a_note_does_not_separate_runs(folder: Path, tmp_path: Path) -> None:
    """Text that does not affect the training leaves a document its runs."""
    path = tmp_path / "small.yaml"
    path.write_text(TEXT.replace("title: Small $enough", "notes: {analysis: It learns.}"))
    assert sorted(seeds(Selection.open(path, folder / "runs").runs)) == [0, 1]


def test_a_record_without_a_new_field_belongs_to_its_document(folder: Path, tmp_path: Path) -> None:
    """A field that an older version did not write has its default."""
    copytree(folder / "runs", tmp_path / "runs")
    for config in (tmp_path / "runs").glob("small/*-seed*/config.json"):
        content = json.loads(config.read_text())
        for layer in content["architecture"]["layers"]:
            for fields in layer.values():
                fields.pop("init", None)
        config.write_text(json.dumps(content))
    subject = Selection.open(folder / "small.yaml", tmp_path / "runs")
    assert sorted(seeds(subject.runs)) == [0, 1]
    assert seeds(subject.other_runs) == [2]


def test_a_run_folder_is_its_own_subject(folder: Path) -> None:
    """Its architecture is the trained one, even if the document has changed."""
    [changed] = Selection.open(folder / "small.yaml", folder / "runs").other_runs
    subject = Selection.open(changed.path)
    assert seeds(subject.runs) == [2]
    assert subject.architecture.layers[0].model_dump()["out_channels"] == 3


def test_a_folder_of_runs_has_one_selection_per_document(folder: Path) -> None:
    """Seeds of one document are together; an unreadable run is reported once."""
    subjects = Selection.open_all([folder / "runs"])
    assert sorted(sorted(seeds(subject.runs)) for subject in subjects) == [[0, 1], [2]]
    assert [len(subject.unreadable) for subject in subjects] == [1, 0]


def test_all_unusable_paths_are_reported(folder: Path, tmp_path: Path) -> None:
    """An empty folder and a missing file are in one error."""
    with pytest.raises(ConfigError, match="no run folder in it") as excinfo:
        Selection.open_all([tmp_path, tmp_path / "no.yaml", folder / "small.yaml"])
    assert len(excinfo.value.problems) == 2


def test_a_finished_run_records_its_confusion_and_mistakes(folder: Path) -> None:
    """The counts add up to the test set, and the mistakes are ordered by confidence."""
    subject = Selection.open(folder / "small.yaml", folder / "runs")
    [run] = subject.finished
    evaluation, result = run.evaluation, run.result
    assert evaluation
    assert result
    rows = evaluation.confusion
    total = sum(map(sum, rows))
    correct = sum(row[i] for i, row in enumerate(rows))
    assert total == run.environment.data.test
    assert 100 * correct / total == pytest.approx(result.last.test_accuracy)
    confidences = [mistake.confidence for mistake in evaluation.mistakes]
    assert len(confidences) == 25
    assert confidences == sorted(confidences, reverse=True)
    assert all(mistake.label != mistake.guess for mistake in evaluation.mistakes)
    [unfinished] = [run for run in subject.runs if run.result is None]
    assert unfinished.evaluation is None
