"""The README and the guide: every example runs, every link resolves, and `netbuilder guide`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from command import COMMAND
from command import run as run_here
from documents import SMALL
from pages import (
    CATALOGUE,
    DRAWING,
    GUIDE,
    PAGES,
    PICTURE,
    README,
    RESULTS,
    TABLES,
    TEXTS,
    TRAIN,
    anchors,
    blocks,
    catalogue,
    commands,
    drawing,
    is_document,
    links,
    picture,
    run,
    table,
    transcript,
    transcripts,
)
from paths import ROOT
from PIL import Image
from small import run_until_stopped, small
from test_imports import HEAVY

import netbuilder
from netbuilder.cli._app import app
from netbuilder.cli.guide import TOPICS, description
from netbuilder.components.datasets import Mnist5k
from netbuilder.config.loader import parse_architecture
from netbuilder.data.open import open_dataset
from netbuilder.network.analysis import analyse
from netbuilder.render.progress import HEADER
from netbuilder.training.loop import train

REGENERATE = "run `python tests/helpers/pages.py`"
NAMES = {str(page.relative_to(ROOT)): page for page in PAGES}
each_page = pytest.mark.parametrize("page", NAMES.values(), ids=NAMES)


# --- transcripts and generated parts -------------------------------------------------------------

TRANSCRIPTS = [(page, command) for page in PAGES for command in transcripts(page)]


@pytest.mark.parametrize(
    ("page", "command"), TRANSCRIPTS, ids=[command for _, command in TRANSCRIPTS]
)
def test_a_transcript_is_the_output_of_its_command(page: Path, command: str) -> None:
    """Every character matches; the training is printed from the record in archs/results."""
    assert transcripts(page)[command] == transcript(command), REGENERATE


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_generated(name: str) -> None:
    """Each generated table is on one page and up to date."""
    tables = [text for page in PAGES for text in table(page, name)]
    assert tables == [TABLES[name]()], REGENERATE


def test_the_page_of_the_results_names_their_command() -> None:
    """A reader can print the table again."""
    assert f"`{RESULTS}`" in TEXTS[GUIDE / "iterations.md"]


def test_the_catalogue_lists_every_kind() -> None:
    """The page equals the one that is generated from the kinds."""
    assert TEXTS[CATALOGUE] == catalogue(), REGENERATE


def test_the_picture_shows_the_first_document_and_its_summary() -> None:
    """The picture is small, and its text is that of the document and of the command."""
    assert PICTURE.stat().st_size < 100_000
    assert _text_of(PICTURE.read_text(encoding="utf-8")) == _text_of(picture()), REGENERATE


def test_the_drawing_is_that_of_the_command() -> None:
    """The guide's picture of a network is what ``netbuilder draw`` writes."""
    assert DRAWING.read_text(encoding="utf-8") == drawing(), REGENERATE


def _text_of(svg: str) -> list[str]:
    """Return the text of a picture, whose markup varies with the version of rich."""
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


# --- the README ----------------------------------------------------------------------------------


def test_the_readme_is_short() -> None:
    """It has at most 160 lines."""
    assert len(TEXTS[README].splitlines()) <= 160


def test_the_readme_links_to_every_page() -> None:
    """Each page of the guide is a target of its links."""
    assert {page.relative_to(ROOT).as_posix() for page in PAGES} - set(links(README)) == {
        "README.md"
    }


def test_the_training_command_works(tmp_path: Path) -> None:
    """The README's first command trains; the test takes one epoch of the bundled data."""
    assert f".venv/bin/{TRAIN}" in blocks(README, "bash")[0]
    printed = run(f"{TRAIN} --dataset mnist5k --epochs 1 --out {tmp_path}", ROOT)
    assert HEADER in printed
    assert (next((tmp_path / "iter10").iterdir()) / "result.json").exists()


def test_the_machine_check_runs_the_test_command_of_the_readme() -> None:
    """.ci/run contains the line of the README."""
    command = blocks(README, "bash")[1].strip()
    assert command.endswith(".venv/bin/pytest -n auto")
    assert command in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


# --- examples ------------------------------------------------------------------------------------


@each_page
def test_a_command_line_names_real_options(page: Path) -> None:
    """Each command in a block or in the text exists, and so do its options."""
    root: Any = typer.main.get_command(app)
    for line in commands(page):
        _, name, *words = line.replace("`", "").split()
        command = root if name.startswith("-") else root.get_command(None, name)
        known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        named = {word for word in (name, *words) if word.startswith("--")}
        assert named - known == set(), line


@each_page
def test_a_bash_block_runs(page: Path, tmp_path: Path) -> None:
    """It runs on the small data set; only the README's lines of installation are left out."""
    for block in blocks(page, "bash"):
        for line in block.splitlines():
            if line.startswith("netbuilder"):
                printed = run(f"{line} --dataset mnist5k --out {tmp_path}", ROOT)
                assert "best test accuracy" in printed, printed
            else:
                assert page == README, line


@each_page
def test_a_yaml_example_is_sound(page: Path) -> None:
    """It loads without a shape error; a part of a document is completed first."""
    for text in blocks(page, "yaml"):
        completed = text
        if not is_document(text):
            completed = yaml.safe_dump({"name": "part", "input": [3, 32, 32]}) + text
        analysis = analyse(parse_architecture(completed, page.name))
        assert analysis.fault is None, analysis.fault


def test_the_lenet_example_meets_its_target() -> None:
    """The document of the guide has fewer parameters than its target."""
    [text] = [text for text in blocks(GUIDE / "documents.md", "yaml") if is_document(text)]
    assert analyse(parse_architecture(text, "documents.md")).parameters < 62_000


def test_the_block_example_repeats() -> None:
    """The document of the guide has a repeated block of three stages."""
    [text] = [text for text in blocks(GUIDE / "blocks.md", "yaml") if is_document(text)]
    analysis = analyse(parse_architecture(text, "blocks.md"))
    assert analysis.output_shape == (10,)
    assert analysis.folded(0)[2].title == "Repeat 3"


@each_page
def test_a_toml_example_parses(page: Path) -> None:
    """It is valid TOML."""
    for text in blocks(page, "toml"):
        assert tomllib.loads(text)


PYTHON = {
    "import netbuilder": GUIDE / "python.md",
    "# classify.py": GUIDE / "inference.md",
    "# scale/modules.py": GUIDE / "own-layers.md",
    "# scale/layers.py": GUIDE / "own-layers.md",
    "# scale/test_layers.py": GUIDE / "own-layers.md",
    "# netbuilder/components/layers/reshape.py": GUIDE / "own-layers.md",
}
"""The Python examples by their first lines; each is run by a test below."""


def python(first: str) -> str:
    """Return the Python example that starts with the line ``first``."""
    [text] = [text for text in blocks(PYTHON[first], "python") if text.startswith(f"{first}\n")]
    return text


def execute(text: str, names: dict[str, object]) -> None:
    """Run an example as a separate module."""
    exec(compile(text, "guide", "exec", dont_inherit=True), names)


def test_every_python_example_is_run() -> None:
    """Each example of a page is in the table of examples."""
    firsts = [text.partition("\n")[0] for page in PAGES for text in blocks(page, "python")]
    assert sorted(firsts) == sorted(PYTHON)


def test_the_api_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example loads, analyzes, builds and trains."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "archs").mkdir()
    document = json.dumps(small("train.epochs=1").model_dump(mode="json"))
    (tmp_path / "archs" / "iter10.yaml").write_text(document)
    execute(python("import netbuilder"), {})
    assert (next((tmp_path / "runs" / "small").iterdir()) / "result.json").exists()


def test_an_exported_file_is_read_without_netbuilder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The example prints the class that `predict` prints."""
    monkeypatch.chdir(tmp_path)
    folder, _ = run_until_stopped(train(small("train.epochs=1"), out=tmp_path))
    image = open_dataset(Mnist5k()).test_images[7, 0]
    Image.fromarray(image.numpy()).save("digit.png")
    assert "wrote" in run(f"netbuilder export {folder} --to onnx --out iter10.onnx", tmp_path)
    execute(python("# classify.py"), {})
    answer = json.loads(run(f"netbuilder predict {folder} digit.png --format json", tmp_path))
    assert capsys.readouterr().out.strip() == answer["predictions"][0]["class"]


def test_a_kind_for_netbuilder_itself_works() -> None:
    """The kind of the guide passes the contract."""
    from netbuilder.plugin import check_layer

    names: dict[str, object] = {}
    execute(python("# netbuilder/components/layers/reshape.py"), names)
    kind = names["ChannelShuffle"]
    check_layer(kind.model_validate({"groups": 3}), (6, 4, 5))  # type: ignore[attr-defined]


def test_the_example_package_passes_the_contract(tmp_path: Path) -> None:
    """The package of the guide passes its test, and works as a plugin."""
    (tmp_path / "scale").mkdir()
    for first in PYTHON:
        if first.startswith("# scale/"):
            (tmp_path / first[2:]).write_text(python(first))
    process = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "scale"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed" in process.stdout, process.stdout
    document = SMALL.replace("layers:\n", "layers:\n  - Scale: 0.5\n", 1)
    (tmp_path / "net.yaml").write_text(document)
    printed = run("netbuilder summarize net.yaml --plugin scale.layers", tmp_path)
    assert "0 Scale" in printed


# --- links and facts -----------------------------------------------------------------------------


@each_page
def test_links_resolve(page: Path) -> None:
    """The file of a relative link exists, and so does the heading that it names."""
    for target in links(page):
        if re.match("https?://", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.is_file(), target
        assert not anchor or anchor in anchors(file), target


def test_every_test_file_that_a_page_names_exists() -> None:
    """The pages on reliability and performance name existing tests and benchmarks."""
    named = {
        path for page in PAGES for path in re.findall(r"`[^`\n]*?\b(tests/[\w/]+\.py)", TEXTS[page])
    }
    assert named
    assert [path for path in sorted(named) if not (ROOT / path).is_file()] == []


def test_every_room_has_a_row_in_the_architecture_page() -> None:
    """The table lists exactly the folders and modules at the top of the package."""
    text = TEXTS[GUIDE / "architecture.md"].partition("\n## ")[0]
    rooms = set(re.findall(r"`([a-z_]+(?:\.py|/))`", text)) - {"__init__.py"}
    entries = {
        f"{path.name}/" if path.is_dir() else path.name
        for path in (ROOT / "netbuilder").iterdir()
        if path.is_dir() or path.suffix == ".py"
    }
    assert rooms == entries - {"__init__.py", "__main__.py", "__pycache__/"}


# --- the command ---------------------------------------------------------------------------------


def test_every_page_is_a_topic() -> None:
    """The topics are the files of the guide, each listed once."""
    assert set(TOPICS) == {page.stem for page in GUIDE.glob("*.md")}
    assert len(TOPICS) == len(set(TOPICS))


def test_the_list_describes_each_topic_in_a_short_line() -> None:
    """The description is the first sentence of the page, in plain text."""
    lines = run_here("guide").out.splitlines()
    assert [line.split()[0] for line in lines] == list(TOPICS)
    for name, line in zip(TOPICS, lines, strict=True):
        sentence = description(TEXTS[GUIDE / f"{name}.md"])
        assert line.endswith(f"  {sentence}")
        assert re.fullmatch(r"[A-Z][^`\[\]*]{20,79}\.", sentence), name


@pytest.mark.parametrize("name", TOPICS)
def test_a_topic_is_printed_as_markdown_to_a_pipe(name: str) -> None:
    """The output is the unchanged text of the page."""
    assert run_here("guide", name).out == TEXTS[GUIDE / f"{name}.md"]


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is needed")
def test_a_topic_is_rendered_on_a_terminal() -> None:
    """Markup and comments are removed, and links to pages are commands."""
    import pty

    terminal, other_end = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "guide", "iterations"], stdout=other_end, env=os.environ | {"COLUMNS": "220"}
    )
    os.close(other_end)
    text = ""
    with suppress(OSError), os.fdopen(terminal) as output:  # EIO after it is closed
        for line in output:
            text += line
    assert process.wait() == 0
    assert "The ten iterations" in text
    assert "6,379,786" in text
    assert "netbuilder guide performance" in text
    for markup in ("# The ten", "<!--", "| --- |", "performance.md"):
        assert markup not in text


def test_a_page_imports_nothing_heavy() -> None:
    """A list of topics and a page load no heavy package."""
    code = (
        "import sys\n"
        "from netbuilder.cli import guide\n"
        "guide.guide(None)\n"
        "guide.guide('zoo')\n"
        f"print(*sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert process.stderr == "\n"


def test_the_pages_are_part_of_the_package() -> None:
    """Each file of the guide matches a pattern of the package data."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["netbuilder"]
    shipped = {path for pattern in patterns for path in GUIDE.parent.glob(pattern)}
    assert {path for path in GUIDE.rglob("*") if path.is_file()} <= shipped


def test_an_unknown_topic_is_refused_with_a_suggestion() -> None:
    """The exit code is 2, and the message is one line."""
    result = run_here("guide", "trainig")
    assert (result.code, result.out) == (2, "")
    assert result.err == "guide: no such topic trainig; did you mean training?\n"


def test_a_topic_that_is_a_path_is_refused() -> None:
    """No file outside the guide is read."""
    result = run_here("guide", "../../README")
    assert result.code == 2
    assert len(result.err.splitlines()) == 1
    assert "no such topic" in result.err


def test_the_python_page_lists_the_public_api() -> None:
    """Every public name is on the page, and the table lists public names alone."""
    text = TEXTS[GUIDE / "python.md"]
    rows = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    listed = {name for row in rows for name in re.findall(r"`(\w+)", row)}
    assert listed <= set(netbuilder.__all__) <= set(re.findall(r"`(\w+)", text))
