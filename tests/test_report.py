"""The report: what is in it, that it is text, and that it needs nothing else."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from command import run
from documents import HOSTILE
from small import DOCUMENT, after, run_until_stopped

from netbuilder.loader import parse_architecture
from netbuilder.training import train

ROOT = Path(__file__).parents[1]
TEXT = DOCUMENT.replace("epochs: 3", "epochs: 1").replace("last_epochs: 2", "last_epochs: 1")
RTL = "\u202eשלום 🎉 </script><script>alert(1)</script>"


class Page(HTMLParser):
    """The page's text, tags and addresses."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of a tag and of what it points to."""
        self.tags.append(tag)
        given = dict(attrs)
        self.addresses += [given[name] or "" for name in ("src", "href") if name in given]
        self.ids += [given["id"] or ""] if "id" in given else []

    def handle_data(self, data: str) -> None:
        """Take note of text."""
        self.text.append(data)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two documents with runs, one of them stopped, and texts that want to be something else."""
    folder = tmp_path_factory.mktemp("report")
    quoted = HOSTILE.replace("\\", "\\\\").replace('"', '\\"')
    texts = {
        "first": TEXT.replace("title: Small $enough", f'title: "{quoted}"'),
        "second": TEXT.replace("out_channels: 4", "out_channels: 6"),
    }
    analysis = RTL.encode("unicode_escape").decode()
    notes = f'notes: {{target: "{quoted}", analysis: "{analysis}"}}\n'
    for name, small in texts.items():
        text = small.replace("name: small", f"name: {name}") + notes
        (folder / f"{name}.yaml").write_text(text)
        architecture = parse_architecture(text, f"{name}.yaml")
        run_until_stopped(train(architecture, out=folder / "runs", seed=0))
        run_until_stopped(train(architecture, out=folder / "runs", seed=1, stop=after(3)))
    return folder


def report(folder: Path, out: Path, *more: str) -> str:
    """Write the report of both documents; what the command says."""
    paths = [str(folder / f"{name}.yaml") for name in ("first", "second")]
    ran = run("report", *paths, "--runs", str(folder / "runs"), "--out", str(out), *more)
    assert ran.code == 0, ran.err
    return ran.out


def test_the_page_needs_nothing_else(folder: Path, tmp_path: Path) -> None:
    """Every address in it is one of its own, or data; none leaves it, and all are there."""
    report(folder, tmp_path / "report")
    html = (tmp_path / "report" / "report.html").read_text()
    page = Page(html)
    for address in page.addresses:
        assert address.startswith(("data:", "#")), address
        if address.startswith("#") and len(address) > 1:
            assert address[1:] in page.ids
    assert "default-src" in html
    assert page.tags.count("script") == len(re.findall("<script", html))
    assert page.tags.count("h1") == 1


def test_texts_come_out_as_text(folder: Path, tmp_path: Path) -> None:
    """Markup, scripts, emoji and right-to-left words of a document are shown as they are."""
    report(folder, tmp_path / "report")
    html = (tmp_path / "report" / "report.html").read_text()
    page = Page(html)
    shown = "".join(page.text)
    assert "<b>&amp; $x$" in shown
    assert "<script>alert(1)</script>" in shown
    assert "b" not in page.tags
    assert "alert(1)" not in re.sub(r"&lt;script&gt;alert\(1\)", "", html)
    markdown = (tmp_path / "report" / "report.md").read_text()
    assert "<b>" not in markdown
    assert "<script>" not in markdown


def test_the_same_records_give_the_same_report(folder: Path, tmp_path: Path) -> None:
    """Bit for bit, and over an earlier one."""
    for name in ("one", "two", "one"):
        report(folder, tmp_path / name)
    one, two = (sorted((tmp_path / name).iterdir()) for name in ("one", "two"))
    assert [path.name for path in one] == [path.name for path in two]
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def test_markdown_and_its_pictures_lie_together(folder: Path, tmp_path: Path) -> None:
    """Every picture that is named is there, and what changed between the two is said."""
    out = tmp_path / "report"
    said = report(folder, out)
    assert "2 networks, 2 finished runs" in said
    markdown = (out / "report.md").read_text()
    pictures = re.findall(r"!\[[^]]*\]\(([^)]+)\)", markdown)
    assert pictures
    assert all((out / name).read_bytes().startswith(b"\x89PNG") for name in pictures)
    assert "channels" in markdown


def test_a_folder_of_something_else_is_left_alone(folder: Path, tmp_path: Path) -> None:
    """Unless it is said."""
    out = tmp_path / "mine"
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    ran = run("report", str(folder / "first.yaml"), "--out", str(out))
    assert ran.code == 2
    assert "thesis.txt" in ran.err
    assert [path.name for path in out.iterdir()] == ["thesis.txt"]
    report(folder, out, "--force")
    assert (out / "thesis.txt").read_text() == "mine"
