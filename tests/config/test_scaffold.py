"""New documents from templates, and from earlier documents."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from command import run
from hypothesis import given
from hypothesis import strategies as st
from paths import ARCHS
from small import DOCUMENT

from netbuilder.config.loader import load, parse_architecture
from netbuilder.config.scaffold import TEMPLATES, from_template, next_document
from netbuilder.config.schema import Architecture
from netbuilder.errors import ConfigError

DOCUMENTS = sorted([*ARCHS.glob("*.yaml"), *ARCHS.glob("zoo/*.yaml")])
DESCRIPTIONS = {"name", "title", "reference", "notes"}


def definition(architecture: Architecture) -> dict[str, object]:
    """Return all sections of a document except its descriptions."""
    return {key: part for key, part in architecture.model_dump().items() if key not in DESCRIPTIONS}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_the_next_document_defines_the_same_network(path: Path) -> None:
    """It has a new name, no title and reference, and the comments of the sections it keeps."""
    before = load(path)
    draft = next_document(path, "other")
    after = parse_architecture(draft.text, "other.yaml", folder=path.parent)
    assert definition(after) == definition(before)
    assert (after.name, after.title, after.notes.analysis) == ("other", "", "")
    assert after.reference.model_dump(exclude_none=True) == {}
    assert " ".join(before.notes.analysis.split()) in after.notes.learned
    text = path.read_text()
    layers = text[text.index("\nlayers:") : text.find("\nnotes:") if "\nnotes:" in text else None]
    for line in layers.splitlines():
        if "#" in line:
            assert line in draft.text.splitlines()
    assert draft.text.count("\n\n\n") == 0
    lines = draft.text.splitlines()
    for number, section in draft.edit:
        assert lines[number - 1].startswith(section.split(":")[0])


def test_lessons_accumulate_over_documents() -> None:
    """After three steps the notes contain the lessons of each document, in order."""
    text = DOCUMENT + "notes: {target: Begin., analysis: It begins.}\n"
    for number in (2, 3):
        path = Path("small.yaml")
        draft = _next(text, path, f"small{number}")
        text = draft.replace('analysis: ""', f"analysis: Step {number}.")
    learned = parse_architecture(_next(text, path, "small4"), "small4.yaml").notes.learned
    places = [learned.index(words) for words in ("Begin.", "It begins.", "Step 2.", "Step 3.")]
    assert places == sorted(places)


def _next(text: str, path: Path, name: str) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("netbuilder.config.scaffold.read_text", lambda source: text)
        return next_document(path, name).text


@given(
    text=st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=200),
    style=st.sampled_from(["json", "flow"]),
)
def test_notes_may_contain_any_text(text: str, style: str) -> None:
    """Any text is copied to the lessons, except that runs of white space become one space."""
    quoted = json.dumps(text)
    block = f"notes:\n  analysis: {quoted}\n"
    notes = f"notes: {{analysis: {quoted}}}\n" if style == "flow" else block
    try:
        parse_architecture(DOCUMENT + notes, "small.yaml")
    except ConfigError:
        return  # a text that documents may not contain
    after = parse_architecture(_next(DOCUMENT + notes, Path("a.yaml"), "next"), "next.yaml")
    words = " ".join(text.split())
    assert after.notes.learned == (f"small, its analysis: {words}" if words else "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{name: a, input: [1, 8, 8], layers: [ReLU]}\n", "one section per line"),
        (
            "name: a\nreference: {parameters: &p 9}\ninput: [1, 8, 8]\n"
            "layers: [{Conv2d: [*p, 3]}]\n",
            "an anchor in its name, title, reference or notes is used elsewhere",
        ),
        ("name: a\ninput: [1, 8, 8]\nlayers: [Relu]\n", "did you mean ReLU"),
    ],
)
def test_a_document_that_cannot_be_copied_is_refused(text: str, message: str) -> None:
    """The message names the reason, such as an anchor in a section that is not copied."""
    with pytest.raises(ConfigError, match=message):
        _next(text, Path("a.yaml"), "b")


def test_an_anchor_used_within_dropped_sections_alone_is_allowed() -> None:
    """Name, title and notes may share an anchor, since none of them is copied."""
    text = "name: &n a\ntitle: *n\ninput: [1, 8, 8]\nlayers: [ReLU]\nnotes: {target: *n}\n"
    assert "name: b\n" in _next(text, Path("a.yaml"), "b")


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_document_from_a_template_passes_the_check(template: str, tmp_path: Path) -> None:
    """`new` reports the lines to edit and the next commands, and the document is sound."""
    path = tmp_path / "mine.yaml"
    result = run("new", "mine", "--template", template, "--out", str(path))
    assert result.code == 0, result.err
    assert load(path).name == "mine"
    assert re.search(rf"{re.escape(str(path))}:\d+: layers: the network", result.out)
    assert f"netbuilder train {path}" in result.out
    assert run("check", str(path)).code == 0


def test_the_next_document_is_in_the_folder_of_the_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The earlier document is found by its name, and an existing file is not replaced."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "archs").mkdir()
    (tmp_path / "archs" / "small.yaml").write_text(DOCUMENT)
    assert run("new", "small2", "--from", "small").code == 0
    path = tmp_path / "archs" / "small2.yaml"
    assert load(path).name == "small2"
    path.write_text("mine")
    result = run("new", "small2", "--from", "small")
    assert (result.code, path.read_text()) == (2, "mine")
    assert "--force replaces it" in result.err
    for arguments, message in (
        (("small3", "--from", "smal"), "--from smal: no such document; did you mean small?"),
        (("small3", "--from", "wide"), "--from wide: no such document; known: small, small2"),
        (("small3.yaml", "--from", "small"), "use small3, the file gets the suffix .yaml"),
        (("small3", "--from", "small", "--out", "no/a.yaml"), "there is no folder no; make it"),
        (("sm all", "--from", "small"), "NAME: found 'sm all'; allowed: at most 64 of a to z"),
        (("small3",), "name an earlier document with --from, or a template with --template: plain"),
        (("small3", "--template", "wide"), "found 'wide'; allowed: plain, residual, mobile"),
    ):
        result = run("new", *arguments)
        assert result.code == 2
        assert message in result.err
    assert from_template("plain", "x").text.count("name: x\n") == 1


def test_a_document_in_another_folder_keeps_its_references_valid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path of the schema is relative to the new folder, which must have the included files."""
    monkeypatch.chdir(tmp_path)
    for folder in ("archs", "else where"):
        (tmp_path / folder).mkdir()
    line = "# yaml-language-server: $schema=netbuilder.schema.json\n"
    (tmp_path / "archs" / "small.yaml").write_text(line + DOCUMENT + "include: blocks.yaml\n")
    (tmp_path / "archs" / "blocks.yaml").write_text("values: {width: 4}\n")
    result = run("new", "small2", "--from", "small")
    assert (
        "archs/small2.yaml:1: for editors: netbuilder schema --out archs/netbuilder" in result.out
    )
    assert run("schema", "--out", "archs/netbuilder.schema.json").code == 0
    assert "for editors" not in run("new", "small3", "--from", "small").out
    arguments = ("new", "small4", "--from", "small", "--out", "else where/small4.yaml")
    result = run(*arguments)
    assert result.code == 2
    assert "it includes blocks.yaml, which else where lacks or has changed; copy it" in result.err
    assert not (tmp_path / "else where" / "small4.yaml").exists()
    (tmp_path / "else where" / "blocks.yaml").write_text("values: {width: 4}\n")
    result = run(*arguments)
    assert result.code == 0, result.err
    assert result.out.endswith(
        "then: netbuilder check 'else where/small4.yaml' && "
        "netbuilder train 'else where/small4.yaml'\n"
    )
    text = (tmp_path / "else where" / "small4.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=../archs/netbuilder.schema.json\n")
    assert run("check", "else where/small4.yaml").code == 0


def test_a_document_without_training_suggests_only_the_check(tmp_path: Path) -> None:
    """The suggested commands omit `train`, which would fail."""
    (tmp_path / "bare.yaml").write_text(DOCUMENT.split("train:")[0])
    result = run("new", "bare2", "--from", str(tmp_path / "bare.yaml"))
    assert result.out.endswith(f"then: netbuilder check {tmp_path}/bare2.yaml\n")


def test_new_writes_no_document_into_a_run_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the document of a run, the next document is written to the current folder."""
    monkeypatch.chdir(tmp_path)
    record = tmp_path / "runs/small/2026-01-01T00-00-00-seed0"
    record.mkdir(parents=True)
    (record / "config.json").write_text("{}")
    (record / "architecture.yaml").write_text(DOCUMENT)
    result = run("new", "next", "--from", str(record / "architecture.yaml"))
    assert (result.code, result.out.splitlines()[0]) == (0, "wrote next.yaml")
    assert {path.name for path in record.iterdir()} == {"config.json", "architecture.yaml"}
