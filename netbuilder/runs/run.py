"""What a run folder tells: its files as values, checked, for anybody may have edited them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netbuilder._files import exclusive_lock, is_locked, remove_leftovers, sync_folder, write_atomic
from netbuilder._text import printable
from netbuilder.errors import ConfigError, MachineError

if TYPE_CHECKING:
    from netbuilder.config.schema import Architecture


Metrics = dict[str, float]
"""An epoch: ``epoch`` (from 1), ``train_loss``, ``train_accuracy``, ``test_loss``,
``test_accuracy`` (percent), ``learning_rate``, ``train_seconds``, ``test_seconds``."""

_FIGURES = {
    "epoch",
    "train_loss",
    "train_accuracy",
    "test_loss",
    "test_accuracy",
    "learning_rate",
    "train_seconds",
    "test_seconds",
}


@dataclass(frozen=True)
class RunFiles:
    """A run folder that is read."""

    path: Path

    @cached_property
    def config(self) -> dict[str, Any]:
        """The document resolved, with seed, device and precision."""
        config = self._read("config.json", "architecture", "seed", "device", "precision")
        if not isinstance(config["architecture"], dict):
            raise self._damaged("config.json", "its architecture is no mapping")
        return config

    @property
    def environment(self) -> dict[str, Any]:
        """Versions, device, threads, data set and its digest."""
        name = "environment.json"
        environment = self._read(name, "data", "device", "precision", "seed", "started")
        data = environment["data"]
        if not isinstance(data, dict) or not data.keys() >= {"kind", "sha256", "fell_back"}:
            raise self._damaged(name, "it lacks data.kind, data.sha256 or data.fell_back")
        if not isinstance(data["kind"], str):
            raise self._damaged(name, f"data.kind is no name: {data['kind']!r}")
        started = environment["started"]
        try:
            datetime.fromisoformat(started).astimezone()
        except (TypeError, ValueError, OverflowError):
            raise self._damaged(name, f"started is no time: {started!r}") from None
        return environment

    @property
    def started(self) -> datetime:
        """When it was; records are of machines anywhere, and their texts are in no order."""
        return datetime.fromisoformat(self.environment["started"]).astimezone()

    @cached_property
    def architecture(self) -> Architecture:
        """The architecture that was trained, command-line changes included."""
        # Not above: a list of hundreds of runs checks no document.
        from pydantic import ValidationError

        from netbuilder.config.schema import Architecture

        try:
            return Architecture.model_validate(self.config["architecture"])
        except ValidationError as error:
            why = str(error.errors()[0]["msg"])
            if why.startswith("unknown layer"):
                message = f"{why}; name the module that brings it by --plugin"
                raise self._wrong("config.json", message) from None
            raise self._damaged("config.json", why) from None

    @property
    def experiment(self) -> str:
        """What was trained on what; runs that agree in it differ in seed and machine alone."""
        return experiment(self.config["architecture"])

    @property
    def compiled_from(self) -> int | None:
        """The epoch, from 0, from which the passes are compiled; None where they never are."""
        # Records of before there was a choice of epochs say whether, and meant the first.
        first = 0 if self.config.get("compile") else None
        found: int | None = self.config.get("compiled_from", first)
        return found

    @property
    def scheduled_epochs(self) -> int:
        """The epochs that a schedule spans: all of them, unless it is held behind some."""
        return int(self.config.get("scheduled_epochs", self.asked_epochs))

    @property
    def asked_epochs(self) -> int:
        """The epochs that the run is to have."""
        try:
            return int(self.config["architecture"]["train"]["epochs"])
        except (KeyError, TypeError, ValueError):
            raise self._damaged("config.json", "it lacks architecture.train.epochs") from None

    @property
    def metrics(self) -> list[Metrics]:
        """The epochs so far."""
        file = self.path / "metrics.jsonl"
        try:
            lines = self._text(file.name).splitlines() if file.exists() else []
            epochs = [json.loads(line) for line in lines]
        except (ValueError, RecursionError) as error:
            raise self._damaged(file.name, str(error)) from None
        if not all(isinstance(epoch, dict) and epoch.keys() >= _FIGURES for epoch in epochs):
            raise self._damaged(file.name, f"an epoch lacks one of {', '.join(sorted(_FIGURES))}")
        if (done := self._result) and len(epochs) < done["epochs"]:
            raise self._damaged(file.name, f"it has {len(epochs)} of {done['epochs']} epochs")
        for epoch in epochs:
            for name in _FIGURES:
                if not isinstance(epoch[name], int | float):
                    raise self._damaged(file.name, f"{name} is no number: {epoch[name]!r}")
            for name in ("train_accuracy", "test_accuracy"):
                value = epoch[name]
                if not 0 <= value <= 100:
                    raise self._damaged(file.name, f"{name} is no percentage: {value!r}")
        return epochs

    @property
    def result(self) -> dict[str, Any] | None:
        """Best and last figures and the verdicts; None while the run is unfinished.

        That of a run which was given more epochs since is no result of it.
        """
        result = self._result
        # Not by the checked document: a list of hundreds of runs reads none of theirs.
        return result if result and result["epochs"] >= self.asked_epochs else None

    @property
    def _result(self) -> dict[str, Any] | None:
        """What the run recorded at its end, be it that of fewer epochs than it has now."""
        name = "result.json"
        if not (self.path / name).exists():
            return None
        result = self._read(name, "best", "last", "parameters", "epochs", "met")
        if type(result["epochs"]) is not int:
            raise self._damaged(name, "its epochs are no number")
        return result

    @property
    def evaluation(self) -> dict[str, Any] | None:
        """The test set behind the last epoch; None where the run is unfinished, or an older one.

        ``classes`` names them; ``class_accuracy`` is in percent; ``confusion`` counts, a row a
        label, a column a guess; ``mistakes`` are the most confident, each with ``index`` in the
        test set, ``label``, ``guess`` and ``confidence`` in [0, 1].
        """
        if self.result is None or not (self.path / "evaluation.json").exists():
            return None
        return self._read("evaluation.json", "classes", "class_accuracy", "confusion", "mistakes")

    def _read(self, name: str, *needed: str) -> dict[str, Any]:
        try:
            content = json.loads(self._text(name))
        except (ValueError, RecursionError) as error:
            raise self._damaged(name, str(error)) from None
        if not isinstance(content, dict) or (missing := [k for k in needed if k not in content]):
            lacks = ", ".join(missing) if isinstance(content, dict) else "a mapping"
            raise self._damaged(name, f"it lacks {lacks}")
        return content

    def _text(self, name: str) -> str:
        """A record as it lies there.

        Raises:
            ConfigError: there is none, or it is no text.
            MachineError: the disk does not give it; it may be sound.
        """
        path = self.path / name
        try:
            if path.exists() and not path.is_file():  # a pipe would be waited for
                raise self._damaged(name, "it is no file")
            return path.read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            raise self._damaged(name, "no such file") from None
        except UnicodeDecodeError as error:
            raise self._damaged(name, str(error)) from None
        except OSError as error:
            reason = error.strerror or str(error)
            raise MachineError(
                printable(f"{path}: cannot be read: {reason}; see whether the disk is sound")
            ) from error

    def _damaged(self, name: str, why: str) -> ConfigError:
        again = f"delete it, and `netbuilder train --resume {self.path}` writes it anew"
        if name in ("config.json", "environment.json"):
            again = "put back the one that `train` wrote, or train anew"
        return self._wrong(name, f"cannot be read: {why}; {again}")

    def _wrong(self, name: str, message: str) -> ConfigError:
        return ConfigError.at(self.path / name, message)


def experiment(architecture: Mapping[str, Any]) -> str:
    """A resolved document without the words that change nothing about its training."""
    words = ("title", "reference", "targets", "notes")
    return json.dumps({name: part for name, part in architecture.items() if name not in words})


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
            raise ConfigError.at(path, message)
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
                raise ConfigError.at(path, message)
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
        return is_locked(self.path)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep every other process from writing into the folder.

        Raises:
            ConfigError: another one writes into it.
        """
        with exclusive_lock(self.path) as sole:
            if not sole:
                message = "another process trains this run; let it end, or stop it first"
                raise ConfigError.at(self.path, message)
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
