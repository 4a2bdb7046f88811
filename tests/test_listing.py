"""The list of run folders, whatever state they are in."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from command import run
from documents import HOSTILE
from small import DOCUMENT, after, run_until_stopped

from netbuilder.listing import list_runs
from netbuilder.loader import parse_architecture
from netbuilder.training import train

TEXT = DOCUMENT.replace("epochs: 3", "epochs: 1").replace(
    "for_last_epochs: 2", "for_last_epochs: 1"
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that met its targets, one that did not, one that was stopped, and damaged ones."""
    out = tmp_path_factory.mktemp("list") / "runs"
    architecture = parse_architecture(TEXT, "small.yaml")
    folder, _ = run_until_stopped(train(architecture, out=out, seed=0))
    changed = parse_architecture(TEXT, "small.yaml", ["targets.parameters.below=5", "name=other"])
    run_until_stopped(train(changed, out=out, seed=1))
    run_until_stopped(train(architecture, out=out, seed=2, stop=after(3)))
    torn = folder.with_name("2020-torn")
    shutil.copytree(folder, torn)
    (torn / "metrics.jsonl").write_text('{"epoch": 1, "tra')
    empty = folder.with_name("2020-empty")
    empty.mkdir()
    (empty / "config.json").write_text("{}")
    (folder.with_name(".2021-seed0.1.tmp")).mkdir()
    (folder.with_name(".2021-seed0.1.tmp") / "config.json").write_text("{}")
    return out


def listed(runs: Path, *arguments: str) -> list[dict[str, object]]:
    """What the command says to programs."""
    ran = run("runs", str(runs), "--format", "json", *arguments)
    assert ran.code == 0, ran.err
    rows: list[dict[str, object]] = json.loads(ran.out)
    return rows


def test_runs_are_listed_the_newest_first(runs: Path) -> None:
    """With how far each came and what became of it; what cannot be read says why, behind all."""
    rows = listed(runs)
    begun = [str(row["started"]) for row in rows[:3]]
    assert begun == sorted(begun, reverse=True)  # in whole seconds, which some share
    rows[:3] = sorted(rows[:3], key=lambda row: str(row["seed"]), reverse=True)
    verdicts = {row["seed"]: row["verdict"] for row in rows}
    assert verdicts == {2: "unfinished", 1: "not met", 0: "met", None: "damaged"}
    assert [(row["epochs"], row["asked"]) for row in rows[:3]] == [(0, 1), (1, 1), (1, 1)]
    assert rows[0]["best"] is None
    result = json.loads((Path(str(rows[2]["path"])) / "result.json").read_text())
    assert rows[2]["best"] == result["best"]["test_accuracy"]
    assert "metrics.jsonl: cannot be read" in str(rows[3]["fault"])
    assert "it lacks architecture" in str(rows[4]["fault"])


@pytest.mark.parametrize(
    ("arguments", "seeds"),
    [
        (("--name", "other"), [1]),
        (("--name", "s*"), [2, 0]),
        (("--verdict", "not-met"), [1]),
        (("--verdict", "damaged"), [None, None]),
        (("--dataset", "mnist5k"), [2, 1, 0]),
        (("--dataset", "mnist"), []),
    ],
)
def test_a_list_is_filtered(arguments: tuple[str, ...], seeds: list[int], runs: Path) -> None:
    """By name, verdict, data set and number."""
    found = [row["seed"] for row in listed(runs, *arguments)]
    assert sorted(map(str, found)) == sorted(map(str, seeds))
    assert listed(runs, *arguments, "--limit", "1") == listed(runs, *arguments)[:1]


def test_the_table_names_folder_and_verdict(runs: Path, tmp_path: Path) -> None:
    """In a pipe, in markdown, and where there is nothing."""
    ran = run("runs", str(runs))
    [stopped] = [row for row in list_runs(runs) if row.verdict == "unfinished"]
    assert any(
        line.split()[0] == f"small/{stopped.path.name}" and line.endswith("unfinished")
        for line in ran.out.splitlines()
    )
    ran = run("runs", str(runs), "--format", "markdown")
    assert ran.out.count("\n") == 7
    ran = run("runs", str(tmp_path))
    assert (ran.code, ran.out) == (0, f"{tmp_path}: no run in it; `netbuilder train` makes them\n")


def test_names_with_markup_come_out_as_text(runs: Path, tmp_path: Path) -> None:
    """A record that somebody wrote by hand can hold anything."""
    for row in list_runs(runs):
        if row.verdict == "met":
            shutil.copytree(row.path, tmp_path / "runs" / "x" / "1")
    path = tmp_path / "runs" / "x" / "1" / "environment.json"
    environment = json.loads(path.read_text())
    environment["data"]["kind"] = HOSTILE
    path.write_text(json.dumps(environment))
    assert HOSTILE.split()[0] in run("runs", str(tmp_path / "runs")).out
    assert "<b>" not in run("runs", str(tmp_path / "runs"), "--format", "markdown").out


def test_what_is_asked_for_wrongly_is_told(tmp_path: Path) -> None:
    """A verdict that there is not, a folder that there is not, a format."""
    for arguments, message in (
        (("--verdict", "good"), "allowed: met, not-met, not-judged, unfinished, damaged"),
        (("--format", "xml"), "allowed: text, markdown, json"),
    ):
        ran = run("runs", str(tmp_path), *arguments)
        assert ran.code == 2
        assert message in ran.err
    ran = run("runs", str(tmp_path / "nowhere"))
    assert ran.code == 2
