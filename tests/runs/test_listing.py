"""The list of run folders in every state."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest
from command import run
from documents import HOSTILE
from rich.cells import cell_len
from small import DOCUMENT, after, run_until_stopped

from netbuilder.config.loader import parse_architecture
from netbuilder.runs.listing import list_runs
from netbuilder.runs.run import Run
from netbuilder.runs.selection import Selection
from netbuilder.training.loop import train

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
    """Return the rows of the command's JSON."""
    result = run("runs", str(runs), "--format", "json", *arguments)
    assert result.code == 0, result.err
    rows: list[dict[str, object]] = json.loads(result.out)
    return rows


def test_the_newest_run_is_listed_first(runs: Path) -> None:
    """Each row has epochs and verdict; damaged runs come last, with the reason."""
    rows = listed(runs)
    starts = [str(row["started"]) for row in rows[:3]]
    assert starts == sorted(starts, reverse=True)  # in whole seconds, so that some are equal
    rows[:3] = sorted(rows[:3], key=lambda row: str(row["seed"]), reverse=True)
    verdicts = {row["seed"]: row["verdict"] for row in rows}
    assert verdicts == {2: "unfinished", 1: "not met", 0: "met", None: "damaged"}
    assert [(row["epochs"], row["asked"]) for row in rows[:3]] == [(0, 1), (1, 1), (1, 1)]
    assert rows[0]["best"] is None
    result = json.loads((Path(str(rows[2]["path"])) / "result.json").read_text())
    assert rows[2]["best"] == result["best"]["test_accuracy"]
    assert "metrics.jsonl: line 1: cannot be read: not JSON" in str(rows[3]["fault"])
    assert "config.json: architecture: this field is required" in str(rows[4]["fault"])


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
    """Each option filters the rows, and ``--limit`` takes the first of them."""
    listed_seeds = [row["seed"] for row in listed(runs, *arguments)]
    assert sorted(map(str, listed_seeds)) == sorted(map(str, seeds))
    assert listed(runs, *arguments, "--limit", "1") == listed(runs, *arguments)[:1]


def test_the_table_names_folder_and_verdict(runs: Path, tmp_path: Path) -> None:
    """The table appears in a pipe and in markdown; an empty folder gives a note."""
    result = run("runs", str(runs))
    [stopped] = [row for row in list_runs(runs) if row.verdict == "unfinished"]
    assert any(
        line.split()[0] == f"small/{stopped.path.name}" and line.endswith("unfinished")
        for line in result.out.splitlines()
    )
    result = run("runs", str(runs), "--format", "markdown")
    assert result.out.count("\n") == 7
    result = run("runs", str(tmp_path))
    assert (result.code, result.out) == (0, "")
    assert result.err == f"{tmp_path}: no run in it; `netbuilder train` creates them\n"


def test_a_run_folder_is_listed_alone(runs: Path) -> None:
    """Its row has the path of the command line, not a dot."""
    [row] = [row for row in listed(runs) if row["seed"] == 0 and row["verdict"] != "damaged"]
    lines = run("runs", str(row["path"])).out.splitlines()
    assert [line.split()[0] for line in lines] == ["run", row["path"]]


def test_a_filter_without_matches_lists_the_known_values(runs: Path) -> None:
    """The note lists names, data sets and verdicts; the JSON is an empty list."""
    result = run("runs", str(runs), "--dataset", "mnst")
    assert (result.code, result.out) == (0, "")
    assert result.err == (
        f"{runs}: none of its 5 runs matches; it has names: other, small; "
        "data sets: mnist5k; verdicts: damaged, met, not-met, unfinished\n"
    )
    assert listed(runs, "--dataset", "mnst") == []


def test_runs_are_ordered_across_time_zones(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The moment of their start decides, and the table shows local time."""
    [met] = [row.path for row in list_runs(runs) if row.verdict == "met"]
    for name, started in (
        ("first", "2026-01-02T01:00:00+05:00"),
        ("second", "2026-01-01T23:00:00+00:00"),
        ("third", "2026-01-01T20:00:00-08:00"),
    ):
        copied = shutil.copytree(met, tmp_path / name) / "environment.json"
        copied.write_text(json.dumps(json.loads(copied.read_text()) | {"started": started}))
    assert [row.path.name for row in list_runs(tmp_path)] == ["third", "second", "first"]
    assert [run.path.name for run in Selection.open_all([tmp_path])[0].runs] == [
        "third", "second", "first",
    ]  # fmt: skip
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert "second  2026-01-02 08:00" in run("runs", str(tmp_path)).out
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_run_that_a_process_trains_is_running(runs: Path) -> None:
    """A look does not lock it; after the process ends, it is unfinished."""
    [stopped] = [Run(row.path) for row in list_runs(runs) if row.verdict == "unfinished"]
    with stopped.in_use():
        assert [row["seed"] for row in listed(runs, "--verdict", "running")] == [2]
    assert listed(runs, "--verdict", "running") == []
    with stopped.in_use():
        pass


def test_an_invalid_time_and_an_invalid_accuracy_are_damage(runs: Path, tmp_path: Path) -> None:
    """Each is reported with file and field, and the JSON contains no NaN."""
    [met] = [row.path for row in list_runs(runs) if row.verdict == "met"]
    environment = shutil.copytree(met, tmp_path / "time") / "environment.json"
    environment.write_text(json.dumps(json.loads(environment.read_text()) | {"started": "today"}))
    metrics = shutil.copytree(met, tmp_path / "nan") / "metrics.jsonl"
    epoch = json.loads(metrics.read_text())
    metrics.write_text(json.dumps(epoch | {"test_accuracy": float("nan")}) + "\n")
    faults = [str(row["fault"]) for row in listed(tmp_path)]
    message = "line 1: test_accuracy: found the number nan"
    assert [message in fault for fault in faults] == [False, True]
    assert "started: found the text 'today'; allowed: a time such as" in faults[0]
    assert "NaN" not in run("runs", str(tmp_path), "--format", "json").out
    record = json.loads(environment.read_text()) | {"started": "2026-01-01"}
    for data, fault in (
        ({}, "data.kind: this field is required"),
        ({"kind": 5}, "data.kind: found the number 5; allowed: text"),
        ({"kind": "mnist"}, "data.kind: found the text 'mnist'; allowed: 'mnist5k'"),
    ):
        record["data"] = {"sha256": "", "fell_back": ""} | data
        environment.write_text(json.dumps(record))
        result = run("compare", str(tmp_path / "time"))
        assert result.code == 2
        assert fault in result.err
    (tmp_path / "nan" / "metrics.jsonl").write_text("")
    assert "it has 0 of 1 epochs" in run("runs", str(tmp_path)).err


def rename_dataset(folder: Path, name: str) -> None:
    """Rename the data set of a run in both of its files."""
    for file in ("config.json", "environment.json"):
        text = (folder / file).read_text()
        (folder / file).write_text(text.replace('"mnist5k"', json.dumps(name)))


@pytest.mark.parametrize("width", [60, 80])
def test_folder_and_verdict_fit_a_narrow_terminal(
    width: int, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Columns that do not fit are left out and named."""
    monkeypatch.setenv("COLUMNS", str(width))
    out = run("runs", str(runs), "--format", "rich").out
    for row in list_runs(runs):
        assert any(
            f"{row.path.relative_to(runs)} " in line and row.verdict in line
            for line in out.splitlines()
        )
    assert max(map(len, out.splitlines())) <= width
    assert "too narrow for device" in out


def test_names_with_markup_are_printed_as_text(runs: Path, tmp_path: Path) -> None:
    """Markup in a record has no effect on the table."""
    for row in list_runs(runs):
        if row.verdict == "met":
            shutil.copytree(row.path, tmp_path / "runs" / "x" / "1")
    rename_dataset(tmp_path / "runs" / "x" / "1", HOSTILE)
    assert HOSTILE.split()[0] in run("runs", str(tmp_path / "runs")).out
    assert "<b>" not in run("runs", str(tmp_path / "runs"), "--format", "markdown").out


def test_columns_align_with_wide_letters(runs: Path, tmp_path: Path) -> None:
    """The plain table counts letters that are two columns wide."""
    [met] = [row.path for row in list_runs(runs) if row.verdict == "met"]
    for name in ("mnist5k", "\u6570\u5b57", "\U0001f98a"):
        path = shutil.copytree(met, tmp_path / name.encode("ascii", "backslashreplace").hex())
        rename_dataset(path, name)
    lines = run("runs", str(tmp_path)).out.splitlines()
    assert len({cell_len(line[: line.index(" cpu")]) for line in lines[1:]}) == 1


def test_wrong_arguments_are_reported(tmp_path: Path) -> None:
    """An unknown verdict, an unknown format and a missing folder have exit code 2."""
    for arguments, message in (
        (("--verdict", "good"), "met, not-met, not-judged, running, unfinished, damaged"),
        (("--format", "xml"), "allowed: rich, plain, markdown, json"),
    ):
        result = run("runs", str(tmp_path), *arguments)
        assert result.code == 2
        assert message in result.err
    result = run("runs", str(tmp_path / "nowhere"))
    assert result.code == 2
