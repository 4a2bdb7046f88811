"""`diff`, `compare` and `results`: the differences between networks and their ranking."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command import run
from documents import HOSTILE
from paths import ROOT
from run_folders import write_run
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
    """A document with two runs, one with a run and one without."""
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


def test_a_difference_is_printed_in_every_format(folder: Path) -> None:
    """It has signs beside layers, accuracies, and the command to train a document without runs."""
    pair = (str(folder / "small.yaml"), str(folder / "large.yaml"), "--runs", str(folder / "runs"))
    for form in ("plain", "markdown", "json"):
        result = run("diff", *pair, "--format", form)
        assert result.code == 0, result.err
        assert "out_channels" in result.out.replace("\\", "")
    plain = run("diff", *pair, "--format", "plain").out
    assert any(line.startswith("~ ") and "Conv2d" in line for line in plain.splitlines())
    assert "test accuracy" in plain
    result = run("diff", pair[0], str(folder / "none.yaml"), *pair[2:])
    assert "netbuilder train" in result.out
    result = run("diff", pair[0], pair[0], *pair[2:])
    assert result.code == 0
    assert "no difference" in result.out


def test_networks_are_compared_over_their_seeds(folder: Path) -> None:
    """A row has numbers of the document, means and spreads of the runs, and the front."""
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
    """A network without runs is marked; a picture is not replaced without --force."""
    picture = tmp_path / "compare.png"
    arguments = [str(folder / f"{name}.yaml") for name in ("small", "large", "none")]
    arguments += ["--runs", str(folder / "runs"), "--out", str(picture)]
    result = run("compare", *arguments)
    assert result.code == 0, result.err
    lines = result.out.splitlines()
    assert len(lines) == 4
    assert "±" in lines[1]
    assert lines[3].endswith("no runs")
    assert picture.read_bytes().startswith(b"\x89PNG")
    result = run("compare", *arguments)
    assert result.code == 2
    assert "--force replaces it" in result.err
    rows: list[dict[str, Any]] = json.loads(run("compare", *arguments[:3], "--format", "json").out)
    assert [row["name"] for row in rows] == ["small", "large", "none"]
    assert run("compare", str(folder / "runs"), "--format", "markdown").out.count("\n") == 4
    result = run("compare", arguments[2], "--out", str(tmp_path / "other.png"))
    assert (result.code, result.err) == (
        2,
        "no runs of none in runs; train them, or name the folder of their runs with --runs\n"
        "--out: no network has a finished run to draw; train one first\n",
    )
    jpeg = tmp_path / "compare.jpg"
    result = run("compare", *arguments[:3], "--out", str(jpeg))
    message = f"--out {jpeg}: it is a PNG file; choose a name that ends with .png\n"
    assert (result.code, result.err, jpeg.exists()) == (2, message, False)


def test_paths_in_alphabetical_order_are_sorted_by_number() -> None:
    """The order of a shell's pattern becomes iter1, iter2, iter10; any other order stays."""
    archs = [str(ROOT / f"archs/iter{number}.yaml") for number in (1, 10, 2)]
    for paths, names in (
        (archs, ["iter1", "iter2", "iter10"]),
        (archs[::-1], ["iter2", "iter10", "iter1"]),
    ):
        rows = json.loads(run("compare", *paths, "--format", "json").out)
        assert [row["name"] for row in rows] == names


def test_runs_of_another_version_are_left_out_and_reported(folder: Path, tmp_path: Path) -> None:
    """A document that has changed since its runs has none."""
    path = tmp_path / "small.yaml"
    path.write_text(TEXT.replace("Dropout: 0.1", "Dropout: 0.3"))
    result = run("compare", str(path), "--runs", str(folder / "runs"))
    assert result.code == 0
    assert "no runs" in result.out
    assert result.err == (
        f"{path}: 2 runs of its name left out, trained from another text or with other settings; "
        "name their folders to see them\n"
    )


def network(name: str, channels: int) -> Architecture:
    """Create a network with this number of channels."""
    text = TEXT.replace("name: small", f"name: {name}")
    return parse_architecture(text.replace("channels: 4", f"channels: {channels}"), f"{name}.yaml")


def set_dataset(run: Run, dataset: str) -> None:
    """Write the name of a data set into a run's records."""
    for name in ("config.json", "environment.json"):
        text = (run.path / name).read_text()
        (run.path / name).write_text(text.replace('"mnist5k"', json.dumps(dataset)))


def test_each_data_set_has_a_separate_front(tmp_path: Path) -> None:
    """A better network on easier data beats none on other data; the picture has two panels."""
    write_run(tmp_path / "runs", network("wide", 9), [(95, 97)])
    write_run(tmp_path / "runs", network("wider", 12), [(90, 94)])
    set_dataset(write_run(tmp_path / "runs", network("narrow", 2), [(99, 99)]), "mnist")
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


def test_a_repeated_path_counts_once(tmp_path: Path) -> None:
    """A document, its runs, one of them again and their folder are one row."""
    document = tmp_path / "wide.yaml"
    document.write_text(network("wide", 9).text())
    out = tmp_path / "runs"
    runs = [write_run(out, network("wide", 9), [(90, 95 + s)], seed=s) for s in (0, 1)]
    paths = [document, *(run.path for run in runs), runs[0].path / ".." / runs[0].path.name, out]
    [row] = compare_networks(Selection.open_all(paths, tmp_path / "nowhere"))
    assert row.summary
    assert (row.summary.seeds, row.best) == ((0, 1), 95.5)


def test_an_unfinished_run_is_reported(tmp_path: Path) -> None:
    """The table marks it, and a line on stderr names it."""
    out = tmp_path / "runs"
    write_run(out, network("wide", 9), [(90, 95)], finished=False)
    result = run("compare", str(out))
    assert "unfinished" in result.out
    assert result.err == f"{out}: 1 run of wide left out, not finished\n"


def test_networks_are_compared_on_narrow_terminals(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names and best accuracies are complete; columns that are left out are named."""
    for width in (60, 80):
        monkeypatch.setenv("COLUMNS", str(width))
        out = run("compare", str(folder / "runs"), "--format", "rich").out
        assert max(map(len, out.splitlines())) <= width
        [small] = [line for line in out.splitlines() if line.startswith("small")]
        assert "±" in small
        assert "too narrow for device" in out


def test_results_are_readable_on_narrow_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    """No number is cut; measured and published numbers are adjacent."""
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
    """Every layer is named and no number is cut; long cells break between words."""
    arguments = ("diff", str(ROOT / "archs/iter1.yaml"), str(ROOT / "archs/iter2.yaml"))
    for width in (60, 80):
        monkeypatch.setenv("COLUMNS", str(width))
        out = run(*arguments, "--format", "rich").out
        table = [line for line in out.splitlines() if line[:1] in "~+-" and "train." not in line]
        assert max(map(len, table)) <= width
        assert "…" not in out
        assert any(line.startswith("~ 13 Conv2d") for line in table)


def test_an_added_block_is_named_once() -> None:
    """Its name belongs to the layer and is not an argument too."""
    zoo = ROOT / "archs/zoo"
    out = run("diff", str(zoo / "resnet18.yaml"), str(zoo / "resnet50.yaml")).out
    [block] = [line for line in out.splitlines() if line.startswith("+    1 Repeat 2")][:1]
    assert block.split()[:5] == ["+", "1", "Repeat", "2", "256x56x56"]
    assert "name basic -> stage" in out


def test_two_runs_of_a_document_differ_in_their_seeds(tmp_path: Path) -> None:
    """The seed is a difference between two runs, but not between a run and a document."""
    out = tmp_path / "runs"
    first, second = (
        write_run(out, network("wide", 9), [(90, 95 + seed)], seed=seed) for seed in (0, 1)
    )
    result = run("diff", str(first.path), str(second.path))
    assert "~ run.seed 0 -> 1" in result.out.splitlines()
    assert "test accuracy on mnist5k: best +1.00, last +1.00 points" in result.out
    difference = json.loads(run("diff", str(first.path), str(second.path), "--format", "json").out)
    assert difference["differs"]
    assert difference["run"] == [{"field": "run.seed", "before": 0, "after": 1}]
    document = tmp_path / "wide.yaml"
    document.write_text(network("wide", 9).text())
    assert "no difference" in run("diff", str(document), str(second.path)).out


def test_the_name_of_a_data_set_is_printed_as_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is escaped in tables, in markdown and in the messages that refuse it."""
    monkeypatch.setenv("COLUMNS", "300")
    out, name = tmp_path / "runs", HOSTILE + "\n\x1b[31m\u202e\U0001f98a"
    run_record = write_run(out, network("wide", 9), [(90, 95)])
    set_dataset(run_record, name)
    listed = run("runs", str(out))
    assert listed.code == 0, listed.err
    refusals = [
        run("compare", str(out)),
        run("diff", str(run_record.path), str(run_record.path)),
        run("results", str(out)),
    ]
    assert {result.code for result in refusals} == {2}
    for text in (listed.out, *(result.err for result in refusals)):
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert HOSTILE[:20] in text
    assert "<b>" not in run("runs", str(out), "--format", "markdown").out


def test_a_document_without_a_train_section_cannot_be_trained(tmp_path: Path) -> None:
    """The difference has no command to train it, and lists each missing setting of training."""
    bare, complete = tmp_path / "bare.yaml", tmp_path / "complete.yaml"
    complete.write_text(TEXT)
    bare.write_text(TEXT[: TEXT.index("train:")])
    output = run("diff", str(complete), str(bare)).out
    assert "small: cannot be trained, it has no train section" in output
    assert f"netbuilder train {bare}" not in output
    assert "- train.epochs 1" in output.splitlines()


def test_a_network_with_a_fault_is_not_compared() -> None:
    """The totals of the layers before the fault are not those of a network."""
    result = run("compare", str(ROOT / "tests/wrong/shape.yaml"), str(ROOT / "archs/iter10.yaml"))
    assert (result.code, result.out) == (2, "")
    assert "shape.yaml:" in result.err
