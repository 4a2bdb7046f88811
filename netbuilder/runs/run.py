"""Run folders: find, read and write them.

A `Run` is a handle on a folder. Its properties read the files of `netbuilder.runs.records` and
refuse a file that contradicts another one, since a user may edit any of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netbuilder._files import exclusive_lock, is_locked, remove_leftovers, write_atomic
from netbuilder._text import describe, quoted
from netbuilder.components.registries import DATASETS
from netbuilder.errors import ConfigError, Problem
from netbuilder.runs.folders import distinct, folders_of, is_run_folder, run_folders
from netbuilder.runs.parse import damaged, parse_architecture, read_epochs, read_record
from netbuilder.runs.records import (
    Environment,
    EpochRecord,
    Evaluation,
    RunConfig,
    RunResult,
    Session,
)

if TYPE_CHECKING:
    from netbuilder.config.schema import Architecture
    from netbuilder.network.analysis import Analysis

RESTORE = "put back the one that `train` wrote, or train again"
"""What to do about a damaged file that only the start of a run writes."""

REWRITE = "delete it, and `train --resume` writes it again"
"""What to do about a damaged file that the end of a run writes."""


def experiment(architecture: Mapping[str, Any]) -> str:
    """Return a resolved document without the fields that do not affect training, as text."""
    ignored = ("title", "reference", "targets", "notes")
    return json.dumps({name: part for name, part in architecture.items() if name not in ignored})


@dataclass(frozen=True)
class Run:
    """A run folder; two of the same path are equal.

    Attributes:
        path: The folder.
        pending: A configuration that `write_config` has yet to write.
    """

    path: Path
    pending: RunConfig | None = field(default=None, compare=False, repr=False)

    # --- read ------------------------------------------------------------------------------------

    @cached_property
    def config(self) -> RunConfig:
        """The resolved document with seed, device and precision.

        Raises:
            ConfigError: config.json is missing or damaged.
        """
        return self.pending or read_record(self.path / "config.json", RunConfig, RESTORE)

    @property
    def environment(self) -> Environment:
        """The machine, the versions and the data.

        Raises:
            ConfigError: environment.json is missing or damaged.
        """
        path = self.path / "environment.json"
        environment = read_record(path, Environment, RESTORE)
        datasets, kind = self.config.datasets, environment.data.kind
        if kind not in datasets:
            known = " or ".join(map(quoted, datasets))
            message = f"found {describe(kind)}; allowed: {known}, as in config.json"
            raise damaged(path, message, RESTORE, "data.kind")
        return environment

    @cached_property
    def architecture(self) -> Architecture:
        """The architecture that is trained, with the changes by options.

        Raises:
            ConfigError: config.json is damaged, or its document needs a plugin.
        """
        return parse_architecture(self.config.architecture, self.path / "config.json", RESTORE)

    @cached_property
    def analysis(self) -> Analysis:
        """The analysis of the architecture, which can be built and evaluated.

        Raises:
            ConfigError: As `architecture`; or a layer cannot take its input, or the output does
                not fit the classes.
        """
        from netbuilder.network.check import require_network

        architecture = self.architecture
        try:
            return require_network(architecture)
        except ConfigError as error:
            first = error.problems[0]
            where = f"architecture.{first.field}"
            raise damaged(self.path / "config.json", first.message, RESTORE, where) from None

    @property
    def metrics(self) -> tuple[EpochRecord, ...]:
        """The epochs so far.

        Raises:
            ConfigError: metrics.jsonl is damaged, or lacks epochs of a finished run.
        """
        path = self.path / "metrics.jsonl"
        epochs = read_epochs(path, REWRITE) if path.exists() else ()
        total, result = self.config.epochs, self._recorded_result
        if result and len(epochs) < result.epochs:
            message = f"cannot be read: it has {len(epochs)} of {result.epochs} epochs"
            raise damaged(path, message, REWRITE)
        if len(epochs) > total:
            message = f"found {len(epochs)} epochs; allowed: the {total} epochs of config.json"
            raise damaged(path, message, REWRITE)
        return epochs

    @property
    def result(self) -> RunResult | None:
        """Best and last epoch and the verdicts; None while the run is unfinished.

        The result of a run that was extended since does not count.

        Raises:
            ConfigError: result.json is damaged.
        """
        result = self._recorded_result
        return result if result and result.epochs >= self.config.epochs else None

    @property
    def _recorded_result(self) -> RunResult | None:
        """The result in the folder; it has fewer epochs than the run if that was extended since."""
        path = self.path / "result.json"
        if not path.exists():
            return None
        result = read_record(path, RunResult, REWRITE)
        if result.epochs > self.config.epochs:
            message = (
                f"found {describe(result.epochs)}; allowed: at most the {self.config.epochs} "
                "epochs of config.json"
            )
            raise damaged(path, message, REWRITE, "epochs")
        return result

    @property
    def evaluation(self) -> Evaluation | None:
        """The test set after the last epoch; None if the run is unfinished or of an older version.

        Raises:
            ConfigError: evaluation.json is damaged.
        """
        path = self.path / "evaluation.json"
        if self.result is None or not path.exists():
            return None
        evaluation, images = read_record(path, Evaluation, REWRITE), self.environment.data.test
        if images is not None and evaluation.images != images:
            message = (
                f"found counts of {evaluation.images} images; allowed: {images}, as in "
                "environment.json"
            )
            raise damaged(path, message, REWRITE, "confusion")
        dataset = DATASETS.kinds.get(self.environment.data.kind)
        if dataset is not None and evaluation.classes == dataset.former_classes:
            return evaluation.renamed(dataset.classes)
        return evaluation

    @property
    def experiment(self) -> str:
        """The trained document as text; runs that agree in it differ only in seed and machine."""
        return experiment(self.config.architecture)

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.path / "checkpoints"

    @property
    def is_running(self) -> bool:
        """Whether a process on this machine is training the run."""
        return is_locked(self.path)

    # --- find ------------------------------------------------------------------------------------

    @classmethod
    def open(cls, path: Path) -> Run:
        """Return the run in ``path``.

        Raises:
            ConfigError: The path is not a run folder.
        """
        if not is_run_folder(path):
            reason = (
                "not a run folder: it has no config.json" if path.is_dir() else "no such folder"
            )
            if path.is_file():
                reason = "a file, not a run folder"
            message = f"{reason}; name a folder that `train` created"
            raise ConfigError([Problem(str(path), 0, 0, "", message)])
        return cls(path)

    @classmethod
    def find(cls, paths: Iterable[Path]) -> list[Run]:
        """Return every run at or below ``paths`` once, sorted by path within each of them.

        Raises:
            ConfigError: There is no run folder at or below a path.
        """
        runs: list[Run] = []
        for path in paths:
            folders = sorted(run_folders(path))
            if not folders:
                reason = "no run folder in it" if path.exists() else "no such folder"
                message = f"{reason}; `netbuilder train` creates them"
                raise ConfigError([Problem(str(path), 0, 0, "", message)])
            runs += map(cls, folders)
        return [cls(path) for path in distinct(run.path for run in runs)]

    @classmethod
    def latest(
        cls,
        out: Path,
        architecture: Architecture,
        seed: int,
        precision: str | None,
        skip: Callable[[ConfigError], None] = lambda error: None,
    ) -> Run | None:
        """Return the newest unfinished run below ``out`` of the same resolved document and seed.

        If all are finished, return the newest of them; None if there is no run.

        Args:
            out: The folder of run folders.
            architecture: The document.
            seed: The seed.
            precision: ``fp32`` or ``bf16``; None or ``auto`` for either.
            skip: Called with the error of each run whose records are damaged.

        Raises:
            MachineError: The disk fails to read a run, which may be the newest.
        """
        document = architecture.model_dump(mode="json")
        candidates = []
        for folder in folders_of(architecture.name, out):
            run = cls(folder)
            try:
                config = run.config
                same = config.architecture == document and config.seed == seed
                if same and precision in (None, "auto", config.precision):
                    candidates.append((run.result is None, run.environment.start, run.path.name))
            except ConfigError as error:
                skip(error)
        return cls(out / architecture.name / max(candidates)[2]) if candidates else None

    # --- write -----------------------------------------------------------------------------------

    def write_metrics(self, metrics: Iterable[EpochRecord]) -> None:
        """Replace metrics.jsonl as a whole, so that no line of it is ever incomplete."""
        path = self.path / "metrics.jsonl"
        content = b"".join(epoch.as_json(indent=None) for epoch in metrics)
        if not path.is_file() or path.read_bytes() != content:
            write_atomic(path, content)

    def write_evaluation(self, evaluation: Evaluation) -> None:
        """Record the test set after the last epoch."""
        write_atomic(self.path / "evaluation.json", evaluation.as_json(indent=None))

    def write_result(self, result: RunResult) -> None:
        """Record the result, which marks the run as finished."""
        write_atomic(self.path / "result.json", result.as_json())

    def extended(self, epochs: int, scheduled: int) -> Run:
        """Return the run with more epochs, which `write_config` then records.

        Args:
            epochs: The new number of epochs.
            scheduled: The number of epochs that the schedule spans.
        """
        return replace(self, pending=self.config.extended(epochs, scheduled))

    def write_config(self) -> None:
        """Write config.json."""
        write_atomic(self.path / "config.json", self.config.as_json())

    def add_session(self, session: Session) -> None:
        """Record that the run was resumed."""
        environment = self.environment.with_session(session)
        write_atomic(self.path / "environment.json", environment.as_json())

    def remove_leftovers(self) -> None:
        """Remove the incomplete files of killed processes."""
        for folder in (self.path, self.checkpoints):
            remove_leftovers(folder)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Lock the folder, so that no other process trains the run.

        Raises:
            ConfigError: Another process trains the run.
        """
        with exclusive_lock(self.path) as locked:
            if not locked:
                message = "another process trains this run; let it end, or stop it first"
                raise ConfigError.at(self.path, message)
            yield
