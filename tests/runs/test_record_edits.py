"""Run folders with edited records: every command answers, or names file and field in one line.

The fields are enumerated from the models, so that a new one is covered as soon as it exists. All
edits of all fields go through `netbuilder runs` in one call; the other commands get a sample, and
every edit with the marker ``long``.
"""

from __future__ import annotations

import json
import os
import shutil
import types
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from command import Result, run
from small import DOCUMENT, after, run_until_stopped

from netbuilder.config.loader import parse_architecture
from netbuilder.runs.lr_curve import RangeTest
from netbuilder.runs.records import (
    Environment,
    EpochRecord,
    Evaluation,
    RunConfig,
    RunResult,
)
from netbuilder.runs.values import Record
from netbuilder.training.loop import resume, train

TEXT = DOCUMENT.replace("epochs: 3", "epochs: 2")

MODELS: dict[str, type[Record]] = {
    "config.json": RunConfig,
    "environment.json": Environment,
    "metrics.jsonl": EpochRecord,
    "evaluation.json": Evaluation,
    "result.json": RunResult,
}

DOCUMENT_FIELDS = ("name", "input", "layers", "train", "train.epochs", "train.dataset")
"""Fields of the document in config.json: those that readers use without checking all of it."""

DELETED = "deleted"

VALUES: dict[str, str] = {
    "null": "null",
    "true": "true",
    "text": '"x"',
    "empty text": '""',
    "escape sequence": r'"\u001b[31mred\u0007"',
    "lone surrogate": r'"\ud800"',
    "NUL": r'"\u0000"',
    "20 kB text": json.dumps("x" * 20_000),
    "zero": "0",
    "negative": "-1",
    "fraction": "1.5",
    "large": "1000000",
    "64 bits": str(2**64),
    "10**400": "1" + "0" * 400,
    "5,000 digits": "1" * 5_000,
    "1e999": "1e999",
    "NaN": "NaN",
    "Infinity": "-Infinity",
    "list": "[]",
    "list of lists": "[[1], [[]]]",
    "deep list": "[" * 10_000 + "]" * 10_000,
    "mapping": '{"x": 1}',
    "invalid date": '"2026-02-30T00:00:00+00:00"',
    "first date": '"0001-01-01T00:00:00+14:00"',
    DELETED: "",
}


def models_in(annotation: object) -> Iterator[type[Record]]:
    """Yield the models that an annotation names, in unions and containers."""
    if isinstance(annotation, type) and issubclass(annotation, Record):
        yield annotation
    elif not isinstance(annotation, types.GenericAlias) or typing.get_args(annotation):
        for part in typing.get_args(annotation):
            yield from models_in(part)


def fields_of(model: type[Record]) -> Iterator[str]:
    """Yield the path of every field of a model and of nested models; of lists, the first item."""
    for name, field in model.model_fields.items():
        key = field.alias or name
        yield key
        for inner in models_in(field.annotation):
            first = ".0" if "tuple" in str(field.annotation) else ""
            yield from (f"{key}{first}.{path}" for path in fields_of(inner))


class Edit(NamedTuple):
    """An edit of one field: the file, the field's path and the name of the new value."""

    file: str
    field: str
    value: str

    def apply(self, folder: Path) -> None:
        """Edit the file; of metrics.jsonl, the last line."""
        path = folder / self.file
        *lines, last = path.read_text().splitlines() if self.file.endswith("l") else [""]
        content = json.loads(last or path.read_text())
        *parents, key = [int(k) if k.isdecimal() else k for k in self.field.split(".")]
        place: Any = content
        for parent in parents:
            place = place[parent]
        if self.value == DELETED:
            if isinstance(key, int) or key in place:
                del place[key]
        else:
            place[key] = "@new@"
        text = json.dumps(content).replace('"@new@"', VALUES[self.value])
        path.write_text("\n".join([*lines, text]) + "\n")


FIELDS = [
    *((name, path) for name, model in MODELS.items() for path in fields_of(model)),
    *(("config.json", f"architecture.{path}") for path in DOCUMENT_FIELDS),
    *(("evaluation.json", f"{path}.0") for path in ("classes", "class_accuracy", "confusion")),
    ("evaluation.json", "confusion.0.0"),
]
EDITS = [Edit(*field, value) for field in FIELDS for value in VALUES]


def replace_content(content: bytes) -> Callable[[Path], object]:
    """Return a function that replaces a file's content."""
    return lambda path: path.write_bytes(content)


def replace_with_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def replace_with_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def add_unknown_keys(path: Path) -> None:
    extra = '{"new": {"a": [NaN, 1e999, "\\u001b"]}, '
    path.write_text(path.read_text().replace("{", extra, 1))


def add_duplicate_keys(path: Path) -> None:
    lines = path.read_text().splitlines()
    pairs = json.loads(lines[0] if path.suffix == ".jsonl" else path.read_text())
    name = next(iter(pairs))
    path.write_text(path.read_text().replace("{", f'{{"{name}": "twice", ', 1))


SOUND = ("unknown keys", "BOM", "duplicate keys")
"""Edits of a whole file that leave it valid: the last of duplicate keys counts, as in JSON."""

FILE_EDITS: dict[str, Callable[[Path], object]] = {
    "empty": replace_content(b""),
    "null": replace_content(b"null\n"),
    "list": replace_content(b"[1, 2]\n"),
    "text": replace_content(b'"x"\n'),
    "NUL bytes": replace_content(b"\0" * 100),
    "not UTF-8": replace_content(b'{"a": "\xff\xfe"}'),
    "UTF-16": lambda path: path.write_text(path.read_text(), encoding="utf-16"),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "folder": replace_with_folder,
    "FIFO": replace_with_fifo,
    "deep": replace_content(b"[" * 10_000),
    "unknown keys": add_unknown_keys,
    "BOM": lambda path: path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes()),
    "duplicate keys": add_duplicate_keys,
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run that was resumed once, its document, a range test and a picture."""
    from PIL import Image

    base = tmp_path_factory.mktemp("base")
    (base / "small.yaml").write_text(TEXT)
    architecture = parse_architecture(TEXT, "small.yaml")
    folder, _ = run_until_stopped(train(architecture, out=base / "runs", stop=after(3)))
    run_until_stopped(resume(folder))
    folder.rename(base / "R")
    RangeTest(
        architecture=architecture.model_dump(mode="json"), dataset="mnist5k", seed=0,
        device="cpu", precision="fp32", learning_rates=(0.01, 0.1), losses=(2.0, 9.0),
        smoothed=(2.0, 9.0), field="train.optimizer.SGD.lr", suggestion=0.01, diverged_at=0.1,
        steps=40,
    ).save(base / "lr-find.json")  # fmt: skip
    Image.new("L", (28, 28)).save(base / "black.png")
    Image.linear_gradient("L").resize((28, 28)).save(base / "digit.png")
    return base


@pytest.fixture
def work(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a document, for short paths in messages."""
    monkeypatch.chdir(tmp_path)
    for name in ("small.yaml", "digit.png"):
        shutil.copy(base / name, name)
    return tmp_path


def copy_records(base: Path, folder: Path) -> Path:
    """Copy the records of the base's run to ``folder``/small/R."""
    target = folder / "small" / "R"
    target.mkdir(parents=True)
    for name in MODELS:
        (target / name).write_bytes((base / "R" / name).read_bytes())
    return target


def copy_run(base: Path, folder: Path) -> Path:
    """Copy the run with its weights and checkpoints."""
    return Path(shutil.copytree(base / "R", folder / "small" / "R"))


def refuse_constant(name: str) -> None:
    raise AssertionError(f"{name} in JSON")


def require_answer(result: Result, label: str, fields: tuple[str, ...] = ()) -> None:
    """Require an answer, or one short line per damaged file that names it and one of ``fields``."""
    assert result.code in (0, 1, 2, 3), (label, result)
    lines = [line for line in result.err.splitlines() if "left out, not finished" not in line]
    for line in lines:
        assert line.isprintable(), (label, line)
        assert len(line) <= 300, (label, line)
    named = [line for line in lines if any(name in line for name in (*MODELS, "lr-find.json"))]
    assert len(named) <= 1, (label, named)
    if result.code in (2, 3):
        assert named or "SHA-256" in result.err or "weights" in result.err, (label, result.err)
    for line in named:
        known = ("not JSON", "cannot be read", "allowed: a mapping", "epochs", "as in", *fields)
        assert any(word in line for word in known), (label, line)
    if result.out.startswith(("[", "{")):
        json.loads(result.out, parse_constant=refuse_constant)


CHEAP = (
    "runs {0} --format json",
    "results {0} --format json",
    "compare {0} --format json",
    "compare small.yaml --runs {0} --format json",
    "diff small.yaml {0}/small/R --format json",
    "check small.yaml --advice --runs {0} --format json",
    "export {0}/small/R",
)

COSTLY = (
    "report {0} --out {0}/report",
    "evaluate {0}/small/R --format json",
    "predict {0}/small/R digit.png --format json",
    "export {0}/small/R --to safetensors --out {0}/x.safetensors",
    "train --resume {0}/small/R -q",
    "train small.yaml --resume auto --out {0} -q",
)


def test_the_edits_cover_every_model() -> None:
    """The enumeration reaches nested fields, lists and the document."""
    fields = {field for _, field in FIELDS}
    assert {"data.fell_back", "resumed.0.started", "best.test_accuracy", "targets.0.met"} <= fields
    assert {"mistakes.0.index", "reference.parameters", "architecture.train.epochs"} <= fields
    assert len(EDITS) > 1_500


def test_every_edit_is_listed(base: Path, work: Path) -> None:
    """`runs` lists each run as sound or damaged in one call, in standard JSON."""
    for number, edit in enumerate(EDITS):
        edit.apply(copy_records(base, work / "all" / str(number)))
    result = run("runs", "all", "--format", "json")
    assert result.code == 0
    rows = json.loads(result.out, parse_constant=refuse_constant)
    assert len(rows) == len(EDITS)
    for row in rows:
        edit = EDITS[int(Path(row["path"]).parts[1])]
        if fault := row["fault"]:
            assert fault.isprintable()
            assert len(fault) <= 300, (edit, fault)
            assert any(name in fault for name in MODELS), (edit, fault)
    assert all(line.isprintable() and len(line) <= 300 for line in result.err.splitlines())
    assert "Infinity" not in run("runs", "all").out


@pytest.mark.parametrize("command", CHEAP)
def test_a_sample_of_edits_is_answered(command: str, base: Path, work: Path) -> None:
    """Each command that reads records without torch answers every 60th edit."""
    first = CHEAP.index(command)
    for number, edit in list(enumerate(EDITS))[8 * first :: 60]:
        edit.apply(copy_records(base, work / str(number)))
        result = run(*command.format(number).split())
        require_answer(result, f"{edit}: {command}", tuple(edit.field.split(".")))


@pytest.mark.long
@pytest.mark.parametrize("command", CHEAP)
def test_every_edit_is_answered(command: str, base: Path, work: Path) -> None:
    """Each command that reads records without torch answers every edit."""
    for number, edit in enumerate(EDITS):
        edit.apply(copy_records(base, work / str(number)))
        result = run(*command.format(number).split())
        require_answer(result, f"{edit}: {command}", tuple(edit.field.split(".")))
        shutil.rmtree(work / str(number))


@pytest.mark.parametrize("file", MODELS)
def test_a_replaced_file_is_answered(file: str, base: Path, work: Path) -> None:
    """Files that are not records are reported; valid variants of records are read."""
    for number, (name, change) in enumerate(FILE_EDITS.items()):
        change(copy_records(base, work / name.replace(" ", "-")) / file)
        for command in (CHEAP[0], CHEAP[1 + number % 2], CHEAP[3 + number % 4]):
            result = run(*command.format(name.replace(" ", "-")).split())
            require_answer(result, f"{name} {file}: {command}")
            if name in SOUND:
                assert result.code == 0, (name, result)
                assert "cannot be read" not in result.err, (name, result)


def costly_edits() -> list[Edit]:
    """Return a sample that covers each file, and each command with several values."""
    return EDITS[17::263]


@pytest.mark.parametrize("number", range(len(COSTLY)))
def test_costly_commands_answer_a_sample(number: int, base: Path, work: Path) -> None:
    """Commands that load torch or draw answer a few edits each."""
    for position, edit in enumerate(costly_edits()[number::3]):
        edit.apply(copy_run(base, work / str(position)))
        result = run(*COSTLY[number].format(position).split())
        require_answer(result, f"{edit}: {COSTLY[number]}", tuple(edit.field.split(".")))


@pytest.mark.long
@pytest.mark.parametrize("command", COSTLY)
def test_costly_commands_answer_every_field(command: str, base: Path, work: Path) -> None:
    """Commands that load torch or draw answer a few values of every field."""
    values = list(VALUES)
    for position, field in enumerate(FIELDS):
        for step in range(3):
            edit = Edit(*field, values[(7 * position + 5 * step) % len(values)])
            edit.apply(copy_run(base, work / "edit"))
            result = run(*command.format("edit").split())
            require_answer(result, f"{edit}: {command}", tuple(edit.field.split(".")))
            shutil.rmtree(work / "edit")


@pytest.mark.parametrize("field", RangeTest.model_fields)
def test_edits_of_a_range_test_are_reported(field: str, base: Path, work: Path) -> None:
    """`check --advice` continues without the evidence, and names file and field."""
    folder = work / "runs" / "small"
    folder.mkdir(parents=True)
    for value in VALUES:
        shutil.copy(base / "lr-find.json", folder)
        Edit("lr-find.json", field, value).apply(folder)
        result = run("check", "small.yaml", "--advice", "--format", "json")
        assert result.code == 0, (field, value, result)
        require_answer(result, f"{field}: {value}", (field, "another"))


def test_a_resume_keeps_unknown_keys_and_writes_missing_files(base: Path, work: Path) -> None:
    """The run was killed before its result, and a newer version wrote its records."""
    folder = copy_run(base, work / "runs")
    for name in ("config.json", "environment.json"):
        add_unknown_keys(folder / name)
    for name in ("result.json", "evaluation.json"):
        (folder / name).unlink()
    assert run("train", "--resume", str(folder), "-q").code == 0
    assert json.loads((folder / "environment.json").read_text())["new"]
    assert json.loads((folder / "config.json").read_text())["new"]
    for name in ("result.json", "evaluation.json", "metrics.jsonl"):
        assert (folder / name).read_bytes() == (base / "R" / name).read_bytes()


@pytest.mark.parametrize(("field", "value"), [("epochs", "50"), ("batch_size", "50")])
def test_a_resume_refuses_a_schedule_of_another_length(
    field: str, value: str, base: Path, work: Path
) -> None:
    """The document in config.json was edited by hand; torch's schedule cannot go past its end."""
    folder = copy_run(base, work / "runs")
    (folder / "result.json").unlink()
    config = json.loads((folder / "config.json").read_text())
    config["architecture"]["train"][field] = int(value)
    (folder / "config.json").write_text(json.dumps(config))
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    result = run("train", "--resume", str(folder), "-q")
    assert result.code in (2, 3), result
    assert "config.json: architecture.train: epochs and batch_size make" in result.err
    assert "as in the checkpoint" in result.err
    assert {path: path.read_bytes() for path in before} == before


IMPOSSIBLE = [
    ("evaluation.json", "confusion.0", [1, 2], "confusion[0]: found a list of 2"),
    ("evaluation.json", "mistakes.0.index", 1_000, "mistakes[0].index: found the number 1000"),
    ("evaluation.json", "mistakes.0.label", "x", "mistakes[0].label: found the text 'x'"),
    ("evaluation.json", "confusion.0.0", 5_000, "confusion: found"),
    ("metrics.jsonl", "epoch", 3, "line 2: epoch: found the number 3; allowed: 2"),
    ("metrics.jsonl", "test_accuracy", 100.5, "line 2: test_accuracy: found the number 100.5"),
    ("environment.json", "started", "2026-02-30", "started: found the text '2026-02-30'"),
    ("environment.json", "data.kind", "mnist", "data.kind: found the text 'mnist'"),
    ("config.json", "compiled_from", 2, "compiled_from: found the number 2; allowed: below"),
    ("config.json", "scheduled_epochs", 3, "scheduled_epochs: found the number 3"),
    ("config.json", "seed", -1, "seed: found the number -1; allowed: at least 0"),
    ("config.json", "seed", "x", "seed: found the text 'x'; allowed: a whole number"),
    ("config.json", "architecture.layers.0.Conv2d.kernel_size", [99, 99], "layers[0].Conv2d"),
    ("config.json", "architecture.train.dataset", {"mnist99": {}}, "data.kind"),
    ("result.json", "last.epoch", 1, "last.epoch: found the number 1; allowed: 2"),
]


@pytest.mark.parametrize(("file", "field", "value", "message"), IMPOSSIBLE)
def test_values_that_contradict_each_other_are_named(
    file: str, field: str, value: object, message: str, base: Path, work: Path
) -> None:
    """The right type is not enough: `report` names what it leaves out, or refuses the only run."""
    folder = copy_records(base, work / "runs")
    VALUES["this"] = json.dumps(value)
    try:
        Edit(file, field, "this").apply(folder)
    finally:
        del VALUES["this"]
    result = run("report", "runs", "--out", "report")
    text = result.err if result.code else (work / "report" / "report.md").read_text()
    assert message in text.replace("\\", ""), (result, text[:2000])
