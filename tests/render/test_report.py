"""The report: its statements, its escaping of text, and its files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from statistics import fmean

import html5lib
import pytest
from command import run
from hypothesis import example, given, settings
from hypothesis import strategies as st
from paths import ROOT
from run_folders import write_run
from small import DOCUMENT, small

from netbuilder.config.schema import Architecture
from netbuilder.errors import ConfigError
from netbuilder.render.drawing import draw
from netbuilder.render.drawing.style import stylesheet
from netbuilder.render.report import text as words
from netbuilder.render.report.html import page
from netbuilder.render.report.markdown import text_of
from netbuilder.render.report.model import Gap, Report, report_on
from netbuilder.render.report.write import write_report
from netbuilder.runs.run import Run
from netbuilder.runs.selection import Selection
from netbuilder.runs.statistics import summarize_runs

ACCURACIES = [(40.0, 45.0), (50.0, 49.0), (60.0, 55.0), (70.0, 60.0)]
THREE = small("train.epochs=4", "targets.test_accuracy.at_least=50")


@pytest.fixture
def two_seeds(tmp_path: Path) -> Report:
    """A report on two seeds; the second is better by one point and confuses the same images."""
    better = [(train + 1, test + 1) for train, test in ACCURACIES]
    write_run(tmp_path, THREE, ACCURACIES, seed=0, confused=[(5, 3, 7), (2, 7, 4)])
    write_run(tmp_path, THREE, better, seed=1, confused=[(5, 3, 2), (9, 4, 1)])
    return report_on(Selection.open_all([tmp_path]))


def report_with_text(text: str, tmp_path: Path) -> Report:
    """Create a report on a document with ``text`` as its title and in its notes."""
    architecture = THREE.model_copy(
        update={
            "title": text,
            "notes": THREE.notes.model_copy(
                update={"target": text, "choices": text, "analysis": text}
            ),
        }
    )
    return report_on([Selection(tmp_path, architecture, ())])


def test_statistics_over_the_seeds_are_exact(two_seeds: Report) -> None:
    """Mean, gap and its growth, epochs at the target and confused classes equal computed values."""
    [iteration] = two_seeds.iterations
    assert iteration.best_test
    assert (iteration.best_test.mean, iteration.best_test.low) == (60.5, 60.0)
    assert iteration.best_test.deviation == pytest.approx(0.5**0.5)
    # Training minus test is -5, 1, 5 and 10; the second half is two epochs.
    assert iteration.gap == Gap(10.0, 5.0, 2)
    assert [seed.first_at_target for seed in iteration.trained] == [3, 2]
    assert [seed.target_streak for seed in iteration.trained] == [2, 3]
    assert [(p.label, p.guess, p.count) for p in iteration.confused] == [
        ("5", "3", 9), ("2", "7", 4), ("9", "4", 1),
    ]  # fmt: skip
    assert [(m.index, m.seeds, round(m.confidence, 2)) for m in iteration.mistakes] == [
        (53, 2, 0.57), (27, 1, 0.54), (94, 1, 0.51),
    ]  # fmt: skip
    assert iteration.met == 2


def test_a_target_that_was_lost_counts_from_its_last_return(tmp_path: Path) -> None:
    """``held`` counts the unbroken epochs at the end; ``first_at_target`` is the first of all."""
    write_run(tmp_path, THREE, [(1, 50), (1, 60), (1, 49.9), (1, 50)])
    [iteration] = report_on(Selection.open_all([tmp_path])).iterations
    [seed] = iteration.trained
    assert (seed.first_at_target, seed.target_streak, sum(seed.at_target)) == (1, 1, 3)
    assert seed.met is False


def test_sentences_contain_the_statistics(two_seeds: Report) -> None:
    """Observations contain gap, epochs at the target and confused classes."""
    [iteration] = two_seeds.iterations
    lines = words.observations(iteration)
    assert any("is +10.00 points" in line and "grew by 5.00" in line for line in lines)
    assert any("met in epochs 2 to 3, by 2 of 2 seeds" in line for line in lines)
    assert any("5 classified as 3 (9 times), 2 classified as 7" in line for line in lines)


def test_the_name_of_a_class_stays_on_its_line(tmp_path: Path) -> None:
    """Line breaks in the name of a class start no block of markdown."""
    run_record = write_run(tmp_path, THREE, ACCURACIES, confused=[(5, 3, 7)])
    evaluation = json.loads((run_record.path / "evaluation.json").read_text())
    evaluation["classes"] = [f"{name}\n\n> quoted" for name in evaluation["classes"]]
    for mistake in evaluation["mistakes"]:
        mistake |= {field: f"{mistake[field]}\n\n> quoted" for field in ("label", "guess")}
    (run_record.path / "evaluation.json").write_text(json.dumps(evaluation))
    text = text_of(report_on(Selection.open_all([tmp_path])), [])
    assert "5 > quoted classified as 3 > quoted" in text
    assert "\n> " not in text


@pytest.mark.parametrize(
    ("gaps", "phrase"),
    [
        ((1.0, 3.0), "grew by 2.00"),
        ((3.0, 1.0), "narrowed by 2.00"),
        ((-3.0, -1.0), "narrowed by 2.00"),
        ((-1.0, -3.0), "grew by 2.00"),
        ((-1.0, 1.0), "rose by 2.00"),
        ((1.0, -1.0), "fell by 2.00"),
        ((1.0, 1.04), "hardly changed"),
    ],
)
def test_a_gap_grows_away_from_zero(gaps: tuple[float, float], phrase: str, tmp_path: Path) -> None:
    """The gap narrows towards zero, and rises or falls across it."""
    write_run(tmp_path, small("train.epochs=2"), [(50 + gap, 50) for gap in gaps])
    [iteration] = report_on(Selection.open_all([tmp_path])).iterations
    assert any(phrase in line for line in words.observations(iteration))


@pytest.mark.parametrize(
    ("tested", "ending"),
    [
        ([50, 40], "first met in epoch 1; it is met in 1 epoch in all, and not in the last one."),
        ([40, 50, 60], "in epoch 2; it is met in 2 epochs in all, and held over the last 2."),
        ([40, 40], "No epoch met the target test accuracy of 50."),
    ],
)
def test_the_epochs_at_the_target_are_a_sentence(
    tested: list[float], ending: str, tmp_path: Path
) -> None:
    """It has the right grammatical number, and says whether the target was held at the end."""
    document = small(f"train.epochs={len(tested)}", "targets.test_accuracy.at_least=50")
    write_run(tmp_path, document, [(50, accuracy) for accuracy in tested])
    [iteration] = report_on(Selection.open_all([tmp_path])).iterations
    assert any(line.endswith(ending) for line in words.observations(iteration))


def test_numbers_equal_those_of_results() -> None:
    """The means of the ten recorded iterations are those of `netbuilder results`."""
    folder = ROOT / "archs/results"
    report = report_on(Selection.open_all([folder]))
    summaries = summarize_runs(Run.find([folder]))
    by_key = {i.key: i for i in report.iterations}
    assert [i.key for i in report.iterations] == [f"iter{n}" for n in range(1, 11)]
    for summary in summaries:
        iteration = by_key[summary.name]
        last = iteration.over_seeds(lambda run: run.last.test_accuracy)
        assert iteration.best_test
        assert last
        assert iteration.best_test.mean == fmean(summary.best_test)
        assert last.mean == fmean(summary.last_test)
        assert iteration.met == summary.met or summary.met is None


REPORT = ROOT / "archs/results/report"


def test_the_committed_report_matches_its_records(tmp_path: Path) -> None:
    """Its text and its pictures of networks equal the output of the command in the guide."""
    documents = [str(ROOT / f"archs/iter{number}.yaml") for number in range(1, 11)]
    out = tmp_path / "report"
    assert run("report", *documents, "--runs", str(REPORT.parent), "--out", str(out)).code == 0
    names = {"report.md", *(path.name for path in out.glob("*.svg"))}
    assert len(names) == 11
    for name in names:
        committed = (REPORT / name).read_text()
        assert (out / name).read_text() == committed, "run the command in guide/report.md"


def test_the_committed_report_is_small() -> None:
    """Its text and pictures are below 1 MB without the page of HTML."""
    committed = [path for path in REPORT.iterdir() if path.name != "report.html"]
    assert sum(path.stat().st_size for path in committed) < 1_000_000


def test_omissions_are_reported(tmp_path: Path) -> None:
    """An unfinished run, one on the fallback and a damaged record have a remark each."""
    write_run(tmp_path, THREE, ACCURACIES, seed=0)
    write_run(tmp_path, THREE, ACCURACIES[:2], seed=1, finished=False)
    write_run(tmp_path, THREE, ACCURACIES, seed=2, fell_back="no network")
    damaged = write_run(tmp_path, THREE, ACCURACIES, seed=3, confused=[])
    evaluation = json.loads((damaged.path / "evaluation.json").read_text())
    evaluation["confusion"].pop()
    (damaged.path / "evaluation.json").write_text(json.dumps(evaluation))
    [iteration] = report_on(Selection.open_all([tmp_path])).iterations
    assert [seed.seed for seed in iteration.trained] == [0]
    remarks = "\n".join(iteration.remarks)
    assert "is not finished, 2 of 4 epochs trained" in remarks
    assert "1 on the fallback of the document's data set" in remarks
    assert "confusion: found a list of 9; allowed: 10 rows" in remarks
    assert "evaluation.json is missing" in remarks


def test_a_network_without_a_finished_run_has_a_next_step(tmp_path: Path) -> None:
    """The remark has the command that trains the document or resumes the unfinished run."""
    document = tmp_path / "my net.yaml"
    document.write_text(DOCUMENT)
    [alone] = report_on(Selection.open_all([document], tmp_path)).iterations
    hint = f"netbuilder train '{document}' --out {tmp_path}"
    assert alone.remarks == (f"No finished run; to train it: {hint}",)
    unfinished = write_run(tmp_path / "runs", THREE, ACCURACIES[:2], finished=False)
    for path in (tmp_path / "runs", unfinished.path):
        [iteration] = report_on(Selection.open_all([path])).iterations
        command = f"netbuilder train --resume {unfinished.path}"
        assert iteration.remarks[-1] == f"No finished run; to resume it: {command}"


def test_the_newest_run_of_a_seed_counts(tmp_path: Path) -> None:
    """Two runs of a seed are one row."""
    for accuracy in (50.0, 70.0):
        write_run(tmp_path, THREE, [(50.0, accuracy)] * 4)
    [iteration] = report_on(Selection.open_all([tmp_path])).iterations
    assert [seed.last.test_accuracy for seed in iteration.trained] == [70.0]


def test_changes_name_layers_and_training() -> None:
    """Each difference from the previous network is a line."""
    after = small(
        "train.epochs=4", "layers[3].Dropout.p=0.2", "train.ema=", "layers[0].Conv2d.out_channels=8"
    )
    subjects = [Selection(Path("a"), each, ()) for each in (THREE, after, after)]
    _, changed, same = report_on(subjects).iterations
    assert changed.changes == (
        "Changed Conv2d: out_channels 4 -> 8",
        "Changed Dropout: p 0.1 -> 0.2",
        "Removed train.ema 0.9",
    )
    assert same.changes == ()
    assert (changed.key, same.key, same.before) == ("small-2", "small-3", "small-2")


HOSTILE = st.text(min_size=1, max_size=60) | st.lists(
    st.sampled_from(
        ["</script>", "<script>alert(1)</script>", "<!--", "]]>", "&amp;", '"', "'", "`", "|",
         "$x$", "*", "_a_", "# ", "- ", "1. ", "[a](b)", "![a](b)", "~~x~~", "\\", "{{ 1 }}",
         "{% raw %}", "😀", "👩‍🔬", "\u202eabc", "שלום", "\u2028", "\x1b[31m", "https://a.b",
         "\n\n", " "]
    ),
    min_size=1,
    max_size=8,
).map("".join)  # fmt: skip


def encodable(text: str) -> str:
    """Replace the surrogates that neither HTML nor a file can have."""
    return text.encode("utf-8", "replace").decode()


@settings(deadline=None)
@given(HOSTILE)
@example("</style><img src=x onerror=alert(1)>")
def test_html_contains_text_as_text(text: str) -> None:
    """A browser's parser reads the same text and no element of it."""
    text = encodable(text)
    report = report_with_text(text, Path("a.yaml"))
    plain = report_with_text("plain", Path("a.yaml"))
    tree, reference = (
        html5lib.parse(page(each, {}), namespaceHTMLElements=False) for each in (report, plain)
    )
    prose = ["".join(p.itertext()) for p in tree.iterfind(".//p[@class='prose']")]
    assert prose == words.paragraphs(text) * 3
    heading = tree.find(".//h2/bdi")
    title = words.one_line(text)
    assert ("" if heading is None else "".join(heading.itertext())) == title

    tags, allowed = ([e.tag for e in each.iter()] for each in (tree, reference))
    assert set(tags) <= set(allowed)
    assert [tags.count(each) for each in ("script", "style")] == [2, 1]


def test_data_for_the_script_cannot_end_it(two_seeds: Report) -> None:
    """The data are JSON without a character that HTML interprets."""
    tree = html5lib.parse(page(two_seeds, {}), namespaceHTMLElements=False)
    data = tree.find(".//script[@id='curves']")
    assert data is not None
    assert data.text
    assert not set("<>&\u2028") & set(data.text)
    assert json.loads(data.text)["small"]["panels"]["accuracy"]["test"]["values"][1][-1] == 61.0


def test_reports_of_the_same_runs_are_identical(two_seeds: Report, tmp_path: Path) -> None:
    """Two reports have the same files with the same bytes."""
    for name in ("a", "b"):
        write_report(two_seeds, tmp_path / name)
    first, second = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in "ab"
    )
    assert first == second
    assert set(first) == {
        "report.md", "report.html", "small-curves.png", "small-confusion.png", "small-network.svg",
    }  # fmt: skip


def test_each_network_has_a_picture(two_seeds: Report, tmp_path: Path) -> None:
    """In markdown a file, in HTML a part of the page, which has the style of pictures once."""
    markdown, html = write_report(two_seeds, tmp_path / "out")
    [entry] = two_seeds.iterations
    assert (tmp_path / "out" / "small-network.svg").read_text() == draw(entry.analysis)
    assert "![The network small](small-network.svg)" in markdown.read_text()
    assert html.read_text().count(draw(entry.analysis, embed=True)) == 1
    assert html.read_text().count(stylesheet(in_page=True)) == 1


def test_only_a_large_picture_is_folded_and_a_faulty_network_has_none(tmp_path: Path) -> None:
    """As its table of layers; a network with a fault is reported without a picture."""
    layers = [{"Conv2d": [2, 1]}] * 41 + [{"Flatten": {}}, {"Linear": 10}]
    large = Architecture.model_validate({"name": "large", "input": [1, 4, 4], "layers": layers})
    faulty = Architecture.model_validate(
        {"name": "faulty", "input": [1, 4, 4], "layers": [{"Conv2d": [2, 9]}]}
    )
    networks = (THREE, large, faulty)
    report = report_on([Selection(Path("a"), each, ()) for each in networks])
    tree = html5lib.parse(page(report, {}), namespaceHTMLElements=False)
    sections = tree.findall(".//section")
    figures = [section.find("figure[@class='network']") for section in sections]
    folds = [None if f is None else f.find("details") is not None for f in figures]
    assert folds == [False, True, None]
    write_report(report, tmp_path / "out")
    pictures = {path.name for path in (tmp_path / "out").glob("*.svg")}
    assert pictures == {"small-network.svg", "large-network.svg"}


def test_links_of_the_markdown_resolve(two_seeds: Report, tmp_path: Path) -> None:
    """Every link leads to a picture in the folder or to an anchor in the text."""
    markdown, _ = write_report(two_seeds, tmp_path / "out")
    text = markdown.read_text()
    pictures = re.findall(r"!\[[^]]+\]\((.*?)\)", text)
    assert pictures
    assert all((tmp_path / "out" / name).is_file() for name in pictures)
    assert all(f'<a id="{link}"></a>' in text for link in re.findall(r"\]\(#(.*?)\)", text))


def test_the_picture_of_sizes_equals_that_of_compare(tmp_path: Path) -> None:
    """Both files have the same bytes."""
    runs = tmp_path / "runs"
    for channels, accuracy in ((4, 60.0), (8, 70.0), (16, 65.0)):
        name, size = f"name=net{channels}", f"layers[0].Conv2d.out_channels={channels}"
        changed = small(name, size, "train.epochs=1")
        write_run(runs, changed, [(50.0, accuracy)])
    write_report(report_on(Selection.open_all([runs])), tmp_path / "out")
    picture = tmp_path / "compared.png"
    assert run("compare", str(runs), "--out", str(picture)).code == 0
    sizes = tmp_path / "out" / "accuracy-against-parameters.png"
    assert sizes.read_bytes() == picture.read_bytes()


def test_data_sets_are_separate(tmp_path: Path) -> None:
    """Each has its best network and its picture, whose front has no network of another data set."""
    for name, accuracy, dataset in (
        ("a", 90.0, "mnist5k"),
        ("b", 80.0, "mnist5k"),
        ("c", 70.0, "kmnist"),
    ):
        changes = (f"name={name}", "train.epochs=1", f"train.dataset={dataset}")
        write_run(tmp_path, small(*changes), [(50.0, accuracy)])
    report = report_on(Selection.open_all([tmp_path]))
    assert words.lead(report)[1:3] == [
        "The best test accuracy on mnist5k is 90.00\u00a0%, by a.",
        "The best test accuracy on kmnist is 70.00\u00a0%, by c.",
    ]
    assert "Data sets: mnist5k by a, b; kmnist by c." in text_of(report, [])
    figures = html5lib.parse(page(report, {}), namespaceHTMLElements=False).findall(
        ".//figure[@class='sizes']"
    )
    assert [len(figure.findall(".//{*}circle")) for figure in figures] == [2, 1]
    for figure in figures:
        best, front = figure.find(".//{*}circle"), figure.find(".//{*}polyline")
        assert best is not None
        assert front is not None
        assert front.get("points", "").endswith(f"{float(best.get('cy', '')):.2f}")


def test_only_an_earlier_report_is_replaced(two_seeds: Report, tmp_path: Path) -> None:
    """A foreign file is refused by name; with ``force`` it stays unchanged."""
    out = tmp_path / "out"
    write_report(two_seeds, out)
    write_report(report_on([Selection(Path("a"), THREE, ())]), out)
    names = {path.name for path in out.iterdir()}
    assert names == {"report.md", "report.html", "small-network.svg"}
    (out / "thesis.txt").write_text("mine")
    before = (out / "report.md").read_bytes()
    with pytest.raises(ConfigError, match=r"has other files than a report: thesis\.txt"):
        write_report(two_seeds, out)
    assert (out / "report.md").read_bytes() == before
    write_report(two_seeds, out, force=True)
    assert (out / "thesis.txt").read_text() == "mine"
    assert (out / "small-curves.png").is_file()


def test_a_document_without_runs_and_a_fault_are_reported() -> None:
    """Both formats contain the missing run and the fault."""
    broken = small("layers[0].Conv2d.kernel_size=40")
    report = report_on([Selection(Path("a.yaml"), each, ()) for each in (THREE, broken)])
    for text in (page(report, {}), text_of(report, ())):
        assert "No finished run" in text
        assert "is larger than its input" in text


@pytest.mark.parametrize("kind", ["empty", "half"])
def test_a_folder_without_a_sound_run_is_refused(kind: str, tmp_path: Path) -> None:
    """An empty folder and a damaged run end in one line without a report."""
    if kind == "half":
        folder = tmp_path / "small" / "x-seed0"
        folder.mkdir(parents=True)
        (folder / "config.json").write_text('{"arch')
    code, out, err = run("report", str(tmp_path), "--out", str(tmp_path / "out"))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert not (tmp_path / "out").exists()


def test_the_command_sorts_documents_by_number(tmp_path: Path) -> None:
    """The order of a shell's pattern becomes net1, net2, net10."""
    for name in ("net1", "net10", "net2"):
        (tmp_path / f"{name}.yaml").write_text(DOCUMENT.replace("name: small", f"name: {name}"))
    paths = sorted(map(str, tmp_path.glob("*.yaml")))
    out = tmp_path / "out"
    code, output, _ = run("report", *paths, "--out", str(out), "--runs", str(tmp_path))
    assert code == 0
    assert "3 networks, 0 finished runs" in output
    headings = re.findall(r"^## (\w+)", (out / "report.md").read_text(), re.MULTILINE)
    assert headings == ["net1", "net2", "net10"]


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    """The message names the option and the path."""
    (tmp_path / "small.yaml").write_text(DOCUMENT)
    (tmp_path / "out").write_text("")
    code, _, err = run("report", str(tmp_path / "small.yaml"), "--out", str(tmp_path / "out"))
    assert (code, err) == (2, f"--out {tmp_path / 'out'}: it is a file; name a folder\n")
