"""Networks beside one another: what differs, and which is better."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command import run
from small import DOCUMENT, run_until_stopped

from netbuilder.analysis import analyse
from netbuilder.loader import parse_architecture
from netbuilder.results import compare_subjects
from netbuilder.subjects import Subject
from netbuilder.training import train

ROOT = Path(__file__).parents[1]
TEXT = DOCUMENT.replace("epochs: 3", "epochs: 1").replace("last_epochs: 2", "last_epochs: 1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two documents, the first with two runs, a third without any."""
    folder = tmp_path_factory.mktemp("compare")
    texts = {
        "small": TEXT,
        "large": TEXT.replace("name: small", "name: large").replace("channels: 4", "channels: 9"),
        "none": TEXT.replace("name: small", "name: none").replace("Dropout: 0.1", "Dropout: 0.2"),
    }
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text)
    for name, seeds in (("small", (0, 1)), ("large", (0,))):
        architecture = parse_architecture(texts[name], f"{name}.yaml")
        for seed in seeds:
            run_until_stopped(train(architecture, out=folder / "runs", seed=seed))
    return folder


def test_a_difference_is_shown_in_every_form(folder: Path) -> None:
    """Signs beside the layers, the totals, the accuracies, and how to train what has no run."""
    pair = (str(folder / "small.yaml"), str(folder / "large.yaml"), "--runs", str(folder / "runs"))
    for form in ("plain", "markdown", "json"):
        ran = run("diff", *pair, "--format", form)
        assert ran.code == 0, ran.err
        assert "out_channels" in ran.out.replace("\\", "")
    plain = run("diff", *pair, "--format", "plain").out
    assert any(line.startswith("~ ") and "Conv2d" in line for line in plain.splitlines())
    assert "test accuracy" in plain
    ran = run("diff", pair[0], str(folder / "none.yaml"), *pair[2:])
    assert "netbuilder train" in ran.out
    ran = run("diff", pair[0], pair[0], *pair[2:])
    assert ran.code == 0
    assert "no difference" in ran.out


def test_networks_are_compared_over_their_seeds(folder: Path) -> None:
    """Figures of the documents, means and spreads of the runs, and the front of those unbeaten."""
    names = ("small", "large", "none")
    subjects = Subject.open_all([folder / f"{name}.yaml" for name in names], folder / "runs")
    small, large, none = compare_subjects(subjects)
    results = [run.result for run in subjects[0].finished]
    tested = [result["best"]["test_accuracy"] for result in results if result]
    assert small.best == pytest.approx(sum(tested) / 2)
    assert (small.worst_seed, small.best_seed) == (min(tested), max(tested))
    assert small.front
    assert small.best
    assert large.best
    assert large.front == (large.best > small.best)
    assert (none.best, none.front) == (None, False)
    assert small.parameters < large.parameters
    assert small.macs == analyse(subjects[0].architecture).macs


def test_the_comparison_is_a_table_and_a_picture(folder: Path, tmp_path: Path) -> None:
    """A network without runs says so; the picture is not replaced unless it is said."""
    picture = tmp_path / "compare.png"
    arguments = [str(folder / f"{name}.yaml") for name in ("small", "large", "none")]
    arguments += ["--runs", str(folder / "runs"), "--out", str(picture)]
    ran = run("compare", *arguments)
    assert ran.code == 0, ran.err
    lines = ran.out.splitlines()
    assert len(lines) == 4
    assert "±" in lines[1]
    assert lines[3].endswith("no runs")
    assert picture.read_bytes().startswith(b"\x89PNG")
    ran = run("compare", *arguments)
    assert ran.code == 2
    assert "--force replaces it" in ran.err
    rows: list[dict[str, Any]] = json.loads(run("compare", *arguments[:3], "--format", "json").out)
    assert [row["name"] for row in rows] == ["small", "large", "none"]
    assert run("compare", str(folder / "runs"), "--format", "markdown").out.count("\n") == 4
    ran = run("compare", arguments[2], "--out", str(tmp_path / "other.png"))
    assert (ran.code, ran.err) == (
        2,
        "--out: no network has a finished run to draw; train one first\n",
    )


def test_runs_of_another_text_are_left_out_and_told(folder: Path, tmp_path: Path) -> None:
    """A document that has changed since has no runs of its own."""
    path = tmp_path / "small.yaml"
    path.write_text(TEXT.replace("Dropout: 0.1", "Dropout: 0.3"))
    ran = run("compare", str(path), "--runs", str(folder / "runs"))
    assert ran.code == 0
    assert "no runs" in ran.out
    assert ran.err == (
        f"{path}: 2 runs of its name left out, trained from another text or with other settings\n"
    )
