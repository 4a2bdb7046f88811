"""Run folders among links, deep folders and names that look like records."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import run
from deep import deep_folders
from run_folders import write_run
from small import DOCUMENT

from netbuilder.config.loader import parse_architecture
from netbuilder.runs.folders import folders_of, run_folders
from netbuilder.runs.run import Run
from netbuilder.runs.selection import Selection

TEXT = DOCUMENT.replace("epochs: 3", "epochs: 1").replace(
    "for_last_epochs: 2", "for_last_epochs: 1"
)


def finished(out: Path, name: str = "small", seed: int = 0) -> Run:
    """Write a finished run of a network with this name."""
    architecture = parse_architecture(TEXT.replace("name: small", f"name: {name}"), "small.yaml")
    return write_run(out, architecture, [(90, 90)], seed=seed)


def listed(folder: Path) -> list[str]:
    """Return the paths that `runs` lists."""
    result = run("runs", str(folder), "--format", "json")
    assert result.code == 0, result.err
    return sorted(str(row["path"]) for row in json.loads(result.out))


def test_runs_in_deep_folders_are_read_by_every_command(tmp_path: Path) -> None:
    """Folders nest deeper than Python's functions may, and links in a circle have an end."""
    with deep_folders() as (folder, deepest):
        path = str(finished(deepest).path)
        (deepest / "circle").symlink_to(folder)
        (deepest / "self").symlink_to("self")
        assert listed(folder) == [path]
        document = tmp_path / "small.yaml"
        document.write_text(TEXT)
        for words in (("compare", str(folder)), ("results", str(folder)),
                      ("check", str(document), "--advice", "--runs", str(folder)),
                      ("diff", str(document), path)):  # fmt: skip
            result = run(*words)
            assert result.code == 0, result.err


def test_a_run_counts_once_however_many_links_lead_to_it(tmp_path: Path) -> None:
    """The folder itself is listed where it is found, else one of its links."""
    runs = tmp_path / "runs"
    first, second = finished(runs), finished(tmp_path / "elsewhere", seed=1)
    (runs / "small" / "0-best").symlink_to(first.path)
    (runs / "small" / "newest").symlink_to(second.path)
    (runs / "again").symlink_to(second.path)
    (runs / "circle").symlink_to(runs)
    (runs / "small" / "circle").symlink_to(runs / "small")
    (runs / "small" / "self").symlink_to("self")
    (runs / "small" / "nowhere").symlink_to("nothing")
    assert sorted(map(str, run_folders(runs))) == [str(runs / "again"), str(first.path)]
    assert sorted(path.name for path in folders_of("small", runs)) == sorted(
        [first.path.name, "newest"]
    )
    assert len(listed(runs)) == 2
    document = tmp_path / "small.yaml"
    document.write_text(TEXT)
    assert len(Selection.open(document, runs).runs) == 2
    for words in (
        ("compare", str(runs)),
        ("compare", str(document), str(runs), "--runs", str(runs)),
        ("results", str(runs), str(runs), str(runs / "small" / "newest")),
    ):
        result = run(*words, "--format", "json")
        assert result.code == 0, result.err
        [row] = json.loads(result.out)
        assert sorted(row.get("summary", row)["seeds"]) == [0, 1]


def test_links_in_a_circle_without_a_run_are_not_runs(tmp_path: Path) -> None:
    """Nothing is found, and nothing is followed for ever."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").symlink_to(tmp_path)
    (tmp_path / "config.json").symlink_to("config.json")
    assert listed(tmp_path) == []
    assert run("results", str(tmp_path)).code == 2


NAMES = ("config.json", "environment.json", "metrics.jsonl", "result.json", "evaluation.json",
         "lr-find.json", "checkpoints", "report.md", "best.safetensors")  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_network_may_have_the_name_of_a_record(name: str, tmp_path: Path) -> None:
    """Its folder is not a record of the folder of runs, which is not a run folder."""
    runs = tmp_path / "runs"
    path = str(finished(runs, name).path)
    other = str(finished(runs).path)
    assert listed(runs) == sorted([path, other])
    document = tmp_path / "network.yaml"
    document.write_text(TEXT.replace("name: small", f"name: {name}"))
    for words in (
        ("compare", str(runs)),
        ("compare", str(document), "--runs", str(runs)),
        ("results", str(runs)),
        ("check", str(document), "--advice", "--runs", str(runs)),
        ("diff", path, other),
    ):
        result = run(*words)
        assert result.code == 0, result.err
        assert name in result.out or words[0] == "check"


def test_all_networks_may_have_names_of_records(tmp_path: Path) -> None:
    """Even all of them at once; their folder is still no run folder."""
    runs = tmp_path / "runs"
    paths = [str(finished(runs, name, seed).path) for seed, name in enumerate(NAMES)]
    assert listed(runs) == sorted(paths)
    result = run("results", str(runs))
    assert result.code == 0, result.err
    assert all(name in result.out for name in NAMES)
    result = run("predict", str(runs), str(tmp_path))
    assert result.code == 2
    assert "not a run folder: it has no config.json" in result.err
