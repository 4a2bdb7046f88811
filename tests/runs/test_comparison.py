"""Statistics over several runs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from statistics import fmean, stdev

import pytest
from run_folders import write_run
from small import after, run_until_stopped, small

from netbuilder._text import natural_key
from netbuilder.errors import ConfigError
from netbuilder.render.runs import results_table
from netbuilder.runs.run import Run
from netbuilder.runs.statistics import summarize_runs
from netbuilder.training.loop import train


def test_a_row_is_the_mean_over_the_seeds_of_finished_runs(tmp_path: Path) -> None:
    """Unfinished runs are left out, and a seed that ran twice counts once, with its newest run."""
    architecture = small("train.epochs=1", "targets.test_accuracy=")
    for seed in (0, 1, 1):
        run_until_stopped(train(architecture, out=tmp_path, seed=seed))
    run_until_stopped(train(architecture, out=tmp_path, seed=2, stop=after(3)))
    runs = Run.find([tmp_path])
    assert len(runs) == 4
    [summary] = summarize_runs(runs)
    assert (summary.seeds, summary.epochs, summary.met) == ((0, 1), 1, 2)
    results = [run.result for run in runs if run.result]
    by_seed = {run.config.seed: run.result for run in runs if run.result}
    assert len(results) == 3
    best = [by_seed[seed].best.test_accuracy for seed in (0, 1)]
    [row] = [[str(cell.text) for cell in row] for row in results_table([summary]).cells]
    assert row[0] == "small on mnist5k"
    assert f"{fmean(best):.2f}" in row
    assert f"± {stdev(best):.2f}" in row
    assert row[-4:-1] == ["2 of 2", "1", "0, 1"]


def test_runs_of_another_network_have_a_separate_row(tmp_path: Path) -> None:
    """A changed layer separates runs; a changed title does not."""
    for change in ("title=other", "layers[3].Dropout.p=0.2"):
        run_until_stopped(train(small("train.epochs=1", change), out=tmp_path))
    run_until_stopped(train(small("train.epochs=1"), out=tmp_path, seed=1))
    assert sorted(len(summary.seeds) for summary in summarize_runs(Run.find([tmp_path]))) == [1, 2]


def test_iterations_are_ordered_by_their_number(tmp_path: Path) -> None:
    """iter2 precedes iter10."""
    for name in ("iter10", "iter2"):
        run_until_stopped(train(small("train.epochs=1", f"name={name}"), out=tmp_path))
    assert [summary.name for summary in summarize_runs(Run.find([tmp_path]))] == ["iter2", "iter10"]


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (("iter10", "iter2"), ["iter2", "iter10"]),
        (("vgg11", "resnet18"), ["resnet18", "vgg11"]),
        (("v2-10", "v10-1", "v2-9"), ["v2-9", "v2-10", "v10-1"]),
        (("x²", "x1", "x٣"), ["x1", "x²", "x٣"]),
    ],
)
def test_names_sort_by_their_numbers(names: tuple[str, ...], order: list[str]) -> None:
    """Each number counts as a whole; digits that are not decimal, as in x², are letters."""
    assert sorted(names, key=natural_key) == order


@pytest.mark.parametrize(
    ("name", "record", "message"),
    [
        (
            "config.json",
            {"architecture": []},
            "architecture: found an empty list; allowed: a mapping",
        ),
        (
            "metrics.jsonl",
            {"test_seconds": {}},
            "line 1: test_seconds: found a mapping; ",
        ),
        (
            "metrics.jsonl",
            {"test_accuracy": None},
            "line 1: test_accuracy: found nothing",
        ),
        (
            "metrics.jsonl",
            {"test_accuracy": 101},
            "found the number 101; allowed: at most 100",
        ),
    ],
)
def test_an_invalid_record_is_reported(
    name: str, record: dict[str, object], message: str, tmp_path: Path
) -> None:
    """The message names the field and the allowed values."""
    changed = write_run(tmp_path, small("train.epochs=1"), [(50.0, 50.0)])
    content = json.loads((changed.path / name).read_text())
    (changed.path / name).write_text(json.dumps(content | record) + "\n")
    with pytest.raises(ConfigError, match=re.escape(message)):
        summarize_runs([Run(changed.path)])


def test_a_folder_without_runs_and_a_broken_record_are_reported(tmp_path: Path) -> None:
    """Each is an error with its path."""
    with pytest.raises(ConfigError, match=f"{tmp_path}: no run folder in it"):
        Run.find([tmp_path])
    folder, _ = run_until_stopped(train(small("train.epochs=1"), out=tmp_path))
    (folder / "result.json").write_text(json.dumps({})[:1])
    with pytest.raises(ConfigError, match=r"result\.json: cannot be read"):
        summarize_runs(Run.find([tmp_path]))
