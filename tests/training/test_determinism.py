"""The same command produces the same bits."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from pydantic import TypeAdapter
from small import DOCUMENT, fingerprint, small

from netbuilder.components.component import Component
from netbuilder.config.schema import FAMILIES
from netbuilder.errors import MachineError
from netbuilder.runs.run import Run
from netbuilder.training.device import deterministic
from netbuilder.training.loop import train
from netbuilder.training.step import Step


@pytest.mark.parametrize("count", [2, pytest.param(10, marks=pytest.mark.long)])
def test_fresh_processes_produce_the_same_hash(count: int, tmp_path: Path) -> None:
    """The run has dropout, augmentation, average and schedule, in the CPU's default precision."""
    (tmp_path / "small.yaml").write_text(DOCUMENT)
    command = [sys.executable, "-m", "netbuilder", "train", "small.yaml", "--epochs", "1", "-q"]
    change = ["--set", "train.batch_size=500", "--set", "targets={}"]
    for _ in range(count):
        subprocess.run([*command, *change], cwd=tmp_path, check=True, capture_output=True)
    folders = list((tmp_path / "runs" / "small").iterdir())
    assert len(folders) == count
    assert len({fingerprint(folder) for folder in folders}) == 1


def test_a_deterministic_run_is_recorded_as_one(tmp_path: Path) -> None:
    """The record names the option, and torch's global setting is restored."""
    list(train(small("train.epochs=1"), out=tmp_path, deterministic=True))
    [folder] = (tmp_path / "small").iterdir()
    assert json.loads((folder / "config.json").read_text())["deterministic"] is True
    assert Run.open(folder).result is not None
    assert not torch.are_deterministic_algorithms_enabled()


def test_an_operation_without_a_deterministic_form_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch's message ends the run as an error that names the option and the operation."""

    def fails(*arguments: object) -> None:
        assert torch.are_deterministic_algorithms_enabled()
        raise RuntimeError(
            "adaptive_avg_pool2d_backward_cuda does not have a deterministic implementation, but "
            "you set 'torch.use_deterministic_algorithms(True)'. You can turn off determinism"
        )

    monkeypatch.setattr(Step, "__call__", fails)
    with pytest.raises(
        MachineError, match=r"--deterministic: adaptive_avg_pool2d_backward_cuda does not have"
    ):
        list(train(small("train.epochs=1"), out=tmp_path, deterministic=True))
    assert not torch.are_deterministic_algorithms_enabled()


def test_other_errors_pass_unchanged() -> None:
    """Only torch's message about determinism is replaced."""
    with pytest.raises(RuntimeError, match="size mismatch"), deterministic(enabled=True):
        raise RuntimeError("size mismatch")


@pytest.mark.parametrize(
    "kind",
    [
        kind
        for family in FAMILIES
        if family.noun not in ("initializer", "data set")
        for kind in family.kinds.values()
    ],
    ids=lambda kind: kind.__name__,
)
def test_a_default_survives_a_record(kind: type[Component]) -> None:
    """A default that is written as JSON and read again is equal, in type too."""
    for field in kind.model_fields.values():
        if not field.is_required():
            default = field.get_default(call_default_factory=True)
            stored = json.loads(json.dumps(default))
            read = TypeAdapter(field.rebuild_annotation()).validate_python(stored)
            assert repr(read) == repr(default)
