"""Networks beside one another: what differs, and which is better."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command import run
from documents import HOSTILE
from paths import ROOT
from run_folders import made_run
from small import DOCUMENT, run_until_stopped

from netbuilder.config.loader import parse_architecture
from netbuilder.config.schema import Architecture
from netbuilder.network.analysis import analyse
from netbuilder.runs.comparison import compare_networks
from netbuilder.runs.run import Run
from netbuilder.runs.selection import Selection
from netbuilder.training.loop import train

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
    subjects = Selection.open_all([folder / f"{name}.yaml" for name in names], folder / "runs")
    small, large, none = compare_networks(subjects)
    results = [run.result for run in subjects[0].finished]
    tested = [result.best.test_accuracy for result in results if result]
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
        "no runs of none in runs; train them, or name the folder of their runs with --runs\n"
        "--out: no network has a finished run to draw; train one first\n",
    )
    jpeg = tmp_path / "compare.jpg"
    ran = run("compare", *arguments[:3], "--out", str(jpeg))
    message = f"--out {jpeg}: it is a PNG file; choose a name that ends with .png\n"
    assert (ran.code, ran.err, jpeg.exists()) == (2, message, False)


def test_what_a_shells_pattern_sorts_counts_up() -> None:
    """As in a report and as the runs of a folder; any other order is kept."""
    archs = [str(ROOT / f"archs/iter{number}.yaml") for number in (1, 10, 2)]
    for paths, names in (
        (archs, ["iter1", "iter2", "iter10"]),
        (archs[::-1], ["iter2", "iter10", "iter1"]),
    ):
        rows = json.loads(run("compare", *paths, "--format", "json").out)
        assert [row["name"] for row in rows] == names


def test_runs_of_another_text_are_left_out_and_told(folder: Path, tmp_path: Path) -> None:
    """A document that has changed since has no runs of its own."""
    path = tmp_path / "small.yaml"
    path.write_text(TEXT.replace("Dropout: 0.1", "Dropout: 0.3"))
    ran = run("compare", str(path), "--runs", str(folder / "runs"))
    assert ran.code == 0
    assert "no runs" in ran.out
    assert ran.err == (
        f"{path}: 2 runs of its name left out, trained from another text or with other settings; "
        "name their folders to see them\n"
    )


def network(name: str, channels: int) -> Architecture:
    """A network of that many channels, to make up runs of."""
    text = TEXT.replace("name: small", f"name: {name}")
    return parse_architecture(text.replace("channels: 4", f"channels: {channels}"), f"{name}.yaml")


def on(run: Run, dataset: str) -> None:
    """Write into a record that it is of that data set."""
    for name in ("config.json", "environment.json"):
        text = (run.path / name).read_text()
        (run.path / name).write_text(text.replace('"mnist5k"', json.dumps(dataset)))


def test_a_front_is_one_of_a_data_set(tmp_path: Path) -> None:
    """A smaller network that is better on easier data beats nothing; the picture has two panels."""
    made_run(tmp_path / "runs", network("wide", 9), [(95, 97)])
    made_run(tmp_path / "runs", network("wider", 12), [(90, 94)])
    on(made_run(tmp_path / "runs", network("narrow", 2), [(99, 99)]), "mnist")
    rows = compare_networks(Selection.open_all([tmp_path / "runs"]))
    assert {row.name: (row.dataset, row.front) for row in rows} == {
        "narrow": ("mnist", True), "wide": ("mnist5k", True), "wider": ("mnist5k", False),
    }  # fmt: skip
    heights = []
    for folder in ("narrow", ""):
        picture = tmp_path / "picture.png"
        arguments = [str(tmp_path / "runs" / folder), "--out", str(picture), "--force"]
        assert run("compare", *arguments).code == 0
        heights.append(int.from_bytes(picture.read_bytes()[20:24]))
    assert heights[1] > 1.5 * heights[0]


def test_what_is_named_more_than_once_counts_once(tmp_path: Path) -> None:
    """A document, its runs one by one, one of them again, and their folder are one row."""
    document = tmp_path / "wide.yaml"
    document.write_text(network("wide", 9).text())
    out = tmp_path / "runs"
    runs = [made_run(out, network("wide", 9), [(90, 95 + s)], seed=s) for s in (0, 1)]
    paths = [document, *(run.path for run in runs), runs[0].path / ".." / runs[0].path.name, out]
    [row] = compare_networks(Selection.open_all(paths, tmp_path / "nowhere"))
    assert row.summary
    assert (row.summary.seeds, row.best) == ((0, 1), 95.5)


def test_an_unfinished_run_is_told(tmp_path: Path) -> None:
    """In the table where there is no other, and in a line."""
    out = tmp_path / "runs"
    made_run(out, network("wide", 9), [(90, 95)], finished=False)
    ran = run("compare", str(out))
    assert "unfinished" in ran.out
    assert ran.err == f"{out}: 1 run of wide left out, not finished\n"


def test_networks_are_compared_on_narrow_terminals(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names and best accuracies stay whole; what is left out is named."""
    for width in (60, 80):
        monkeypatch.setenv("COLUMNS", str(width))
        out = run("compare", str(folder / "runs"), "--format", "rich").out
        assert max(map(len, out.splitlines())) <= width
        [small] = [line for line in out.splitlines() if line.startswith("small")]
        assert "±" in small
        assert "too narrow for device" in out


def test_results_are_readable_on_narrow_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    """No figure is cut; what was measured stands beside what was published."""
    for width in (60, 80):
        monkeypatch.setenv("COLUMNS", str(width))
        out = run("results", str(ROOT / "archs/results/iter10"), "--format", "rich").out
        assert max(map(len, out.splitlines())) <= width
        [row] = [line.split() for line in out.splitlines() if line.startswith("iter10")]
        assert "99.20 99.34 99.57 ± 0.01 99.56" in " ".join(row)
        assert "too narrow for device" in out
    plain = run("results", str(ROOT / "archs/results/iter10")).out
    assert plain == run("results", str(ROOT / "archs/results/iter10"), "--format", "plain").out
    assert plain.startswith("network  parameters  published parameters  ")


def test_a_difference_is_readable_on_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every layer is named and no figure is cut; long cells are broken between words."""
    arguments = ("diff", str(ROOT / "archs/iter1.yaml"), str(ROOT / "archs/iter2.yaml"))
    for width in (60, 80):
        monkeypatch.setenv("COLUMNS", str(width))
        out = run(*arguments, "--format", "rich").out
        table = [line for line in out.splitlines() if line[:1] in "~+-" and "train." not in line]
        assert max(map(len, table)) <= width
        assert "…" not in out
        assert any(line.startswith("~ 13 Conv2d") for line in table)


def test_a_block_that_came_is_named_once() -> None:
    """Its name is the layer's, not an argument too."""
    zoo = ROOT / "archs/zoo"
    out = run("diff", str(zoo / "resnet18.yaml"), str(zoo / "resnet50.yaml")).out
    [block] = [line for line in out.splitlines() if line.startswith("+    1 Repeat 2")][:1]
    assert block.split()[:5] == ["+", "1", "Repeat", "2", "256x56x56"]
    assert "name basic -> stage" in out


def test_two_runs_of_a_document_differ_in_their_seeds(tmp_path: Path) -> None:
    """And in device and precision; a run against a document does not."""
    out = tmp_path / "runs"
    first, second = (
        made_run(out, network("wide", 9), [(90, 95 + seed)], seed=seed) for seed in (0, 1)
    )
    ran = run("diff", str(first.path), str(second.path))
    assert "~ run.seed 0 -> 1" in ran.out.splitlines()
    assert "test accuracy on mnist5k: best +1.00, last +1.00 points" in ran.out
    found = json.loads(run("diff", str(first.path), str(second.path), "--format", "json").out)
    assert found["differs"]
    assert found["run"] == [{"field": "run.seed", "before": 0, "after": 1}]
    document = tmp_path / "wide.yaml"
    document.write_text(network("wide", 9).text())
    assert "no difference" in run("diff", str(document), str(second.path)).out


def test_a_data_set_of_any_name_comes_out_as_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In tables, markdown and the message of a command that refuses it."""
    monkeypatch.setenv("COLUMNS", "300")
    out, name = tmp_path / "runs", HOSTILE + "\n\x1b[31m\u202e\U0001f98a"
    made = made_run(out, network("wide", 9), [(90, 95)])
    on(made, name)
    listed = run("runs", str(out))
    assert listed.code == 0, listed.err
    refused = [
        run("compare", str(out)),
        run("diff", str(made.path), str(made.path)),
        run("results", str(out)),
    ]
    assert {ran.code for ran in refused} == {2}
    for text in (listed.out, *(ran.err for ran in refused)):
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert HOSTILE[:20] in text
    assert "<b>" not in run("runs", str(out), "--format", "markdown").out


def test_a_document_without_a_train_section_has_no_runs_to_come(tmp_path: Path) -> None:
    """It is not said how to train it; every setting of the other side is one that is gone."""
    bare, whole = tmp_path / "bare.yaml", tmp_path / "whole.yaml"
    whole.write_text(TEXT)
    bare.write_text(TEXT[: TEXT.index("train:")])
    told = run("diff", str(whole), str(bare)).out
    assert "small: cannot be trained, it has no train section" in told
    assert f"netbuilder train {bare}" not in told
    assert "- train.epochs 1" in told.splitlines()
