"""The run folder: the record of one training, from which everything shown about it is made.

architecture.yaml   the document as written
included/           the files that it includes
config.json         the document resolved, with seed, device and precision
environment.json    versions, device, threads, data set and its digest
metrics.jsonl       a line an epoch
checkpoints/        what the next step depends on
last.safetensors    the kept weights behind the last epoch; best.safetensors behind the best
evaluation.json     the weights behind the last epoch on the test set: confusion, worst mistakes
result.json         best and last figures, each target with its verdict; there once finished
curves.png, misclassified.png
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netbuilder.errors import ConfigError, Problem
from netbuilder.files import is_held, remove_leftovers, sole_user, sync_folder, write_atomic
from netbuilder.run_files import Metrics, RunFiles

if TYPE_CHECKING:
    from netbuilder.schema import Architecture

RUNS = Path("runs")
"""Where `train` makes run folders unless told otherwise; nobody need have made it."""


@dataclass(frozen=True)
class Run(RunFiles):
    """A run folder that can be made and written."""

    @classmethod
    def create(
        cls,
        out: Path,
        architecture: Architecture,
        config: Mapping[str, Any],
        environment: Mapping[str, Any],
    ) -> Run:
        """Make ``out/<name>/<time>-seed<n>``; it appears whole and overwrites nothing.

        Raises:
            OSError: the folder cannot be made or written.
        """
        parent = out / architecture.name
        parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(parent)
        stem = f"{datetime.now():%Y-%m-%dT%H-%M-%S}-seed{config['seed']}"
        aside = parent / f".{stem}.{os.getpid()}.tmp"
        try:
            aside.mkdir()
            (aside / "checkpoints").mkdir()
            write_atomic(aside / "architecture.yaml", architecture.text().encode())
            for name, text in architecture.included().items():
                path = aside / "included" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                write_atomic(path, text.encode())
            resolved = {"architecture": architecture.model_dump(mode="json"), **config}
            write_atomic(aside / "config.json", _json(resolved))
            write_atomic(aside / "environment.json", _json(environment))
            made = _rename_to_free(aside, parent / stem)
        except BaseException as error:
            shutil.rmtree(aside, ignore_errors=True)
            if isinstance(error, OSError):  # nobody knows the name that it was made under
                raise OSError(error.errno, error.strerror, str(parent / stem)) from error
            raise
        try:
            sync_folder(parent)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise
        return cls(made)

    @classmethod
    def open(cls, path: Path) -> Run:
        """The run in ``path``.

        Raises:
            ConfigError: there is no run folder.
        """
        if not (path / "config.json").is_file():
            what = "no run folder: it has no config.json" if path.is_dir() else "no such folder"
            if path.is_file():
                what = "a file, no run folder"
            message = f"{what}; name a folder that `train` made"
            raise ConfigError([Problem(str(path), 0, 0, "", message)])
        return cls(path)

    @classmethod
    def find(cls, paths: Iterable[Path]) -> list[Run]:
        """Every run in ``paths``, each a run folder or a folder that holds some, in name order."""
        found = []
        for path in paths:
            runs = [cls(folder) for folder in sorted(run_folders(path))]
            if not runs:
                what = "no run folder in it" if path.exists() else "no such folder"
                message = f"{what}; `netbuilder train` makes them"
                raise ConfigError([Problem(str(path), 0, 0, "", message)])
            found += runs
        return found

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.path / "checkpoints"

    def write_metrics(self, metrics: Iterable[Metrics]) -> None:
        """Replace the epochs; a run's file is small, and one whole file cannot be torn."""
        path = self.path / "metrics.jsonl"
        content = "".join(json.dumps(epoch) + "\n" for epoch in metrics).encode()
        if not path.is_file() or path.read_bytes() != content:
            write_atomic(path, content)

    def write_evaluation(self, evaluation: Mapping[str, Any]) -> None:
        """Record what the network makes of the test set at its end."""
        write_atomic(self.path / "evaluation.json", _json(evaluation, indent=None))

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Mark the run as finished."""
        write_atomic(self.path / "result.json", _json(result))

    def extended(self, epochs: int, scheduled: int) -> Run:
        """The run with more epochs, which `write_config` makes true on the disk.

        ``scheduled`` of them are those that a schedule spans.
        """
        config = deepcopy(self.config)
        config.setdefault("epochs_begun", config["architecture"]["train"]["epochs"])
        config["architecture"]["train"]["epochs"] = epochs
        config["scheduled_epochs"] = scheduled
        run = Run(self.path)
        run.__dict__["config"] = config  # where the cached property keeps it
        return run

    def write_config(self) -> None:
        """Record the document and the settings as this run has them."""
        write_atomic(self.path / "config.json", _json(self.config))

    @property
    def is_running(self) -> bool:
        """Whether a process trains it just now, as far as this machine can tell."""
        return is_held(self.path)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep every other process from writing into the folder.

        Raises:
            ConfigError: another one writes into it.
        """
        with sole_user(self.path) as sole:
            if not sole:
                message = "another process trains this run; let it end, or stop it first"
                raise ConfigError([Problem(str(self.path), 0, 0, "", message)])
            yield

    @classmethod
    def latest(
        cls,
        out: Path,
        architecture: Architecture,
        seed: int,
        precision: str | None,
        pass_over: Callable[[ConfigError], None] = lambda error: None,
    ) -> Run | None:
        """The newest unfinished run below ``out`` of the same resolved document and seed.

        Where none is unfinished, the newest that is done; None where there is no run of it.

        A ``precision`` of None or ``auto`` is any. What cannot be read is no run to go on with, and
        is handed to ``pass_over``.

        Raises:
            MachineError: a run may be that one, and cannot be read.
        """
        wanted = architecture.model_dump(mode="json")
        found = []
        # Without those that begin with a dot: they are being made, or never were to the end.
        for config in (out / architecture.name).glob("[!.]*/config.json"):
            run = cls(config.parent)
            try:
                same = run.config["architecture"] == wanted and run.config["seed"] == seed
                if same and precision in (None, "auto", run.config["precision"]):
                    found.append((run.result is None, run.started, run.path.name))
            except ConfigError as error:
                pass_over(error)
        if not found:
            return None
        return cls(out / architecture.name / max(found)[2])

    def remove_leftovers(self) -> None:
        """Remove files that a killed process had not finished."""
        for folder in (self.path, self.checkpoints):
            remove_leftovers(folder)

    def add_session(self, session: Mapping[str, Any]) -> None:
        """Record that the run was resumed, where and with what."""
        environment = self.environment
        environment["resumed"] = [*environment.get("resumed", []), session]
        write_atomic(self.path / "environment.json", _json(environment))


def run_folders(folder: Path) -> Iterator[Path]:
    """Each run folder at or below ``folder``, in no order."""
    for config in folder.rglob("config.json"):
        # Those that begin with a dot are being made, or never were to the end.
        if not config.parent.name.startswith("."):
            yield config.parent


def _rename_to_free(aside: Path, wanted: Path) -> Path:
    """Rename to the first of ``wanted``, ``wanted-2``, ``wanted-3`` … that does not exist."""
    for attempt in range(1, 1000):
        path = wanted if attempt == 1 else wanted.with_name(f"{wanted.name}-{attempt}")
        if path.exists():
            continue
        try:
            return aside.rename(path)  # a folder that came meanwhile is not empty: this fails
        except OSError:
            if not path.exists():
                raise
    raise FileExistsError(f"{wanted}: 1,000 runs of one second")


def _json(value: Mapping[str, Any], indent: int | None = 2) -> bytes:
    return (json.dumps(value, indent=indent, ensure_ascii=False) + "\n").encode()
