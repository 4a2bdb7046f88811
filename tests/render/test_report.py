"""The report: what it says, that it says it as text, and what it does to a folder."""

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
from run_folders import made_run
from small import DOCUMENT, small

from netbuilder.errors import ConfigError
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
    """A network of two seeds; the second is better by one point, and confuses the same images."""
    better = [(train + 1, test + 1) for train, test in ACCURACIES]
    made_run(tmp_path, THREE, ACCURACIES, seed=0, confused=[(5, 3, 7), (2, 7, 4)])
    made_run(tmp_path, THREE, better, seed=1, confused=[(5, 3, 2), (9, 4, 1)])
    return report_on(Selection.open_all([tmp_path]))


def written(text: str, tmp_path: Path) -> Report:
    """The report on a document whose author wrote ``text`` wherever words are free."""
    architecture = THREE.model_copy(
        update={
            "title": text,
            "notes": THREE.notes.model_copy(
                update={"target": text, "choices": text, "analysis": text}
            ),
        }
    )
    return report_on([Selection(tmp_path, architecture, ())])


def test_facts_over_the_seeds_are_exact(two_seeds: Report) -> None:
    """Mean, gap and its growth, the epochs at the target, and confused classes, by hand."""
    [iteration] = two_seeds.iterations
    assert iteration.best_test
    assert (iteration.best_test.mean, iteration.best_test.low) == (60.5, 60.0)
    assert iteration.best_test.deviation == pytest.approx(0.5**0.5)
    # Training minus test is -5, 1, 5 and 10; its second half is two epochs.
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


def test_a_target_that_was_lost_again_counts_from_the_loss(tmp_path: Path) -> None:
    """Held is the unbroken end of a run; first is the first epoch of all."""
    made_run(tmp_path, THREE, [(1, 50), (1, 60), (1, 49.9), (1, 50)])
    [iteration] = report_on(Selection.open_all([tmp_path])).iterations
    [seed] = iteration.trained
    assert (seed.first_at_target, seed.target_streak, sum(seed.at_target)) == (1, 1, 3)
    assert seed.met is False


def test_sentences_say_the_facts(two_seeds: Report) -> None:
    """Each observation is a whole sentence with its figures."""
    [iteration] = two_seeds.iterations
    lines = words.observations(iteration)
    assert any("is +10.00 points" in line and "grew by 5.00" in line for line in lines)
    assert any("met in epochs 2 to 3, by 2 of 2 seeds" in line for line in lines)
    assert any("5 classified as 3 (9 times), 2 classified as 7" in line for line in lines)


def test_the_name_of_a_class_ends_no_line(tmp_path: Path) -> None:
    """Names of classes are from a record, and begin nothing of their own in a report."""
    made = made_run(tmp_path, THREE, ACCURACIES, confused=[(5, 3, 7)])
    evaluation = json.loads((made.path / "evaluation.json").read_text())
    evaluation["classes"] = [f"{name}\n\n> quoted" for name in evaluation["classes"]]
    for mistake in evaluation["mistakes"]:
        mistake |= {field: f"{mistake[field]}\n\n> quoted" for field in ("label", "guess")}
    (made.path / "evaluation.json").write_text(json.dumps(evaluation))
    text = text_of(report_on(Selection.open_all([tmp_path])), [])
    assert "5 > quoted classified as 3 > quoted" in text
    assert "\n> " not in text


@pytest.mark.parametrize(
    ("gaps", "said"),
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
def test_a_gap_grows_away_from_zero(gaps: tuple[float, float], said: str, tmp_path: Path) -> None:
    """It narrows towards zero, and rises or falls across it."""
    made_run(tmp_path, small("train.epochs=2"), [(50 + gap, 50) for gap in gaps])
    [iteration] = report_on(Selection.open_all([tmp_path])).iterations
    assert any(said in line for line in words.observations(iteration))


@pytest.mark.parametrize(
    ("tested", "said"),
    [
        ([50, 40], "first met in epoch 1; it is met in 1 epoch in all, and not in the last one."),
        ([40, 50, 60], "in epoch 2; it is met in 2 epochs in all, and held over the last 2."),
        ([40, 40], "No epoch met the target test accuracy of 50."),
    ],
)
def test_the_epochs_at_the_target_are_a_sentence(
    tested: list[float], said: str, tmp_path: Path
) -> None:
    """One epoch is no epochs, and what was lost at the end was not held."""
    document = small(f"train.epochs={len(tested)}", "targets.test_accuracy.at_least=50")
    made_run(tmp_path, document, [(50, accuracy) for accuracy in tested])
    [iteration] = report_on(Selection.open_all([tmp_path])).iterations
    assert any(line.endswith(said) for line in words.observations(iteration))


def test_figures_are_those_of_results() -> None:
    """For the ten iterations on record, `netbuilder results` says the same means."""
    folder = ROOT / "archs/results"
    report = report_on(Selection.open_all([folder]))
    summaries = summarize_runs(Run.find([folder]))
    found = {i.key: i for i in report.iterations}
    assert [i.key for i in report.iterations] == [f"iter{n}" for n in range(1, 11)]
    for summary in summaries:
        iteration = found[summary.name]
        last = iteration.over_seeds(lambda run: run.last.test_accuracy)
        assert iteration.best_test
        assert last
        assert iteration.best_test.mean == fmean(summary.best_test)
        assert last.mean == fmean(summary.last_test)
        assert iteration.met == summary.met or summary.met is None


REPORT = ROOT / "archs/results/report"


def test_the_committed_report_matches_its_records(tmp_path: Path) -> None:
    """Its text is what the command in the guide writes."""
    documents = [str(ROOT / f"archs/iter{number}.yaml") for number in range(1, 11)]
    out = tmp_path / "report"
    assert run("report", *documents, "--runs", str(REPORT.parent), "--out", str(out)).code == 0
    committed = (REPORT / "report.md").read_text()
    assert (out / "report.md").read_text() == committed, "run the command in guide/report.md"


def test_the_committed_report_is_small() -> None:
    """Its text and pictures stay below 1 MB; the page of HTML is not committed."""
    committed = [path for path in REPORT.iterdir() if path.name != "report.html"]
    assert sum(path.stat().st_size for path in committed) < 1_000_000


def test_what_is_left_out_is_told(tmp_path: Path) -> None:
    """An unfinished run, one on data that stood in and a damaged record are a line each."""
    made_run(tmp_path, THREE, ACCURACIES, seed=0)
    made_run(tmp_path, THREE, ACCURACIES[:2], seed=1, finished=False)
    made_run(tmp_path, THREE, ACCURACIES, seed=2, fell_back="no network")
    damaged = made_run(tmp_path, THREE, ACCURACIES, seed=3, confused=[])
    evaluation = json.loads((damaged.path / "evaluation.json").read_text())
    evaluation["confusion"].pop()
    (damaged.path / "evaluation.json").write_text(json.dumps(evaluation))
    [iteration] = report_on(Selection.open_all([tmp_path])).iterations
    assert [seed.seed for seed in iteration.trained] == [0]
    told = "\n".join(iteration.remarks)
    assert "is not finished, 2 of 4 epochs trained" in told
    assert "1 on the fallback of the document's data set" in told
    assert "confusion: found a list of 9; allowed: 10 rows" in told
    assert "evaluation.json is missing" in told


def test_a_network_without_a_run_says_what_to_do(tmp_path: Path) -> None:
    """A document is trained, a run that was begun is gone on with, by commands that work."""
    document = tmp_path / "my net.yaml"
    document.write_text(DOCUMENT)
    [alone] = report_on(Selection.open_all([document], tmp_path)).iterations
    assert alone.remarks == (f"No finished run; to train it: netbuilder train '{document}'",)
    begun = made_run(tmp_path / "runs", THREE, ACCURACIES[:2], finished=False)
    for path in (tmp_path / "runs", begun.path):
        [iteration] = report_on(Selection.open_all([path])).iterations
        command = f"netbuilder train --resume {begun.path}"
        assert iteration.remarks[-1] == f"No finished run; to resume it: {command}"


def test_the_newest_run_of_a_seed_counts(tmp_path: Path) -> None:
    """A seed that ran twice is one row."""
    for accuracy in (50.0, 70.0):
        made_run(tmp_path, THREE, [(50.0, accuracy)] * 4)
    [iteration] = report_on(Selection.open_all([tmp_path])).iterations
    assert [seed.last.test_accuracy for seed in iteration.trained] == [70.0]


def test_changes_name_layers_and_training() -> None:
    """What was added, removed and changed since the network before is a line each."""
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


def replaced(text: str) -> str:
    """What HTML cannot carry, and a file neither, as a reader is told of it."""
    return text.encode("utf-8", "replace").decode()


@settings(deadline=None)
@given(HOSTILE)
@example("</style><img src=x onerror=alert(1)>")
def test_html_holds_the_text_as_text(text: str) -> None:
    """Read back as a browser reads it, every word is there and no element came of it."""
    text = replaced(text)
    report = written(text, Path("a.yaml"))
    plain = written("plain", Path("a.yaml"))
    tree, other = (
        html5lib.parse(page(each, {}), namespaceHTMLElements=False) for each in (report, plain)
    )
    prose = ["".join(p.itertext()) for p in tree.iterfind(".//p[@class='prose']")]
    assert prose == words.paragraphs(text) * 3
    heading = tree.find(".//h2/bdi")
    title = words.one_line(text)
    assert ("" if heading is None else "".join(heading.itertext())) == title

    tags, allowed = ([e.tag for e in each.iter()] for each in (tree, other))
    assert set(tags) <= set(allowed)
    assert [tags.count(each) for each in ("script", "style")] == [2, 1]


def test_data_for_the_script_cannot_end_it(two_seeds: Report) -> None:
    """The script's data are JSON without a character that HTML could read."""
    tree = html5lib.parse(page(two_seeds, {}), namespaceHTMLElements=False)
    data = tree.find(".//script[@id='curves']")
    assert data is not None
    assert data.text
    assert not set("<>&\u2028") & set(data.text)
    assert json.loads(data.text)["small"]["panels"]["accuracy"]["test"]["values"][1][-1] == 61.0


def test_the_same_runs_give_the_same_bytes(two_seeds: Report, tmp_path: Path) -> None:
    """Neither a clock nor an order of sets is in a report."""
    for name in ("a", "b"):
        write_report(two_seeds, tmp_path / name)
    first, second = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in "ab"
    )
    assert first == second
    assert set(first) == {"report.md", "report.html", "small-curves.png", "small-confusion.png"}


def test_pictures_of_the_markdown_lie_beside_it(two_seeds: Report, tmp_path: Path) -> None:
    """Every link is to a file that is there, or to a place in the text."""
    markdown, _ = write_report(two_seeds, tmp_path / "out")
    text = markdown.read_text()
    pictures = re.findall(r"!\[[^]]+\]\((.*?)\)", text)
    assert pictures
    assert all((tmp_path / "out" / name).is_file() for name in pictures)
    assert all(f'<a id="{link}"></a>' in text for link in re.findall(r"\]\(#(.*?)\)", text))


def test_the_picture_of_sizes_is_that_of_compare(tmp_path: Path) -> None:
    """The front with it: the same bytes."""
    runs = tmp_path / "runs"
    for channels, accuracy in ((4, 60.0), (8, 70.0), (16, 65.0)):
        name, size = f"name=net{channels}", f"layers[0].Conv2d.out_channels={channels}"
        changed = small(name, size, "train.epochs=1")
        made_run(runs, changed, [(50.0, accuracy)])
    write_report(report_on(Selection.open_all([runs])), tmp_path / "out")
    picture = tmp_path / "compared.png"
    assert run("compare", str(runs), "--out", str(picture)).code == 0
    written = tmp_path / "out" / "accuracy-against-parameters.png"
    assert written.read_bytes() == picture.read_bytes()


def test_data_sets_are_told_apart(tmp_path: Path) -> None:
    """Each has its best network and its picture, whose front leaves the others' networks out."""
    for name, accuracy, dataset in (
        ("a", 90.0, "mnist5k"),
        ("b", 80.0, "mnist5k"),
        ("c", 70.0, "kmnist"),
    ):
        changes = (f"name={name}", "train.epochs=1", f"train.dataset={dataset}")
        made_run(tmp_path, small(*changes), [(50.0, accuracy)])
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


def test_an_earlier_report_is_renewed_and_nothing_else_is(
    two_seeds: Report, tmp_path: Path
) -> None:
    """A stranger's file stops it and is named; with force it stays where it is."""
    out = tmp_path / "out"
    write_report(two_seeds, out)
    write_report(report_on([Selection(Path("a"), THREE, ())]), out)
    assert {path.name for path in out.iterdir()} == {"report.md", "report.html"}
    (out / "thesis.txt").write_text("mine")
    before = (out / "report.md").read_bytes()
    with pytest.raises(ConfigError, match=r"has other files than a report: thesis\.txt"):
        write_report(two_seeds, out)
    assert (out / "report.md").read_bytes() == before
    write_report(two_seeds, out, force=True)
    assert (out / "thesis.txt").read_text() == "mine"
    assert (out / "small-curves.png").is_file()


def test_a_document_without_runs_and_a_fault_are_reported() -> None:
    """There is a network to show, and a line on what is missing."""
    broken = small("layers[0].Conv2d.kernel_size=40")
    report = report_on([Selection(Path("a.yaml"), each, ()) for each in (THREE, broken)])
    for text in (page(report, {}), text_of(report, ())):
        assert "No finished run" in text
        assert "is larger than its input" in text


@pytest.mark.parametrize("kind", ["empty", "half"])
def test_the_command_says_what_it_cannot_use(kind: str, tmp_path: Path) -> None:
    """An empty folder and a half-written run end in one line, and no report."""
    if kind == "half":
        folder = tmp_path / "small" / "x-seed0"
        folder.mkdir(parents=True)
        (folder / "config.json").write_text('{"arch')
    code, out, err = run("report", str(tmp_path), "--out", str(tmp_path / "out"))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert not (tmp_path / "out").exists()


def test_the_command_counts_documents_up(tmp_path: Path) -> None:
    """A shell's pattern gives iter10 before iter2; the report does not."""
    for name in ("net1", "net10", "net2"):
        (tmp_path / f"{name}.yaml").write_text(DOCUMENT.replace("name: small", f"name: {name}"))
    paths = sorted(map(str, tmp_path.glob("*.yaml")))
    out = tmp_path / "out"
    code, said, _ = run("report", *paths, "--out", str(out), "--runs", str(tmp_path))
    assert code == 0
    assert "3 networks, 0 finished runs" in said
    headings = re.findall(r"^## (\w+)", (out / "report.md").read_text(), re.MULTILINE)
    assert headings == ["net1", "net2", "net10"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A file stands where the folder is to be."""
    (tmp_path / "small.yaml").write_text(DOCUMENT)
    (tmp_path / "out").write_text("")
    code, _, err = run("report", str(tmp_path / "small.yaml"), "--out", str(tmp_path / "out"))
    assert (code, err) == (2, f"--out {tmp_path / 'out'}: it is a file; name a folder\n")
