"""The documents and run folders that a command is given, with the runs of each."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote

from netbuilder._text import natural_key
from netbuilder.config.loader import load
from netbuilder.config.schema import Architecture
from netbuilder.errors import ConfigError, MachineError, Problem
from netbuilder.runs import RUNS
from netbuilder.runs.run import Run, experiment, run_folders


@dataclass(frozen=True)
class Selection:
    """A network and its runs.

    Attributes:
        path: The document or the run folder.
        architecture: The document as it is now; of a run folder, as it was trained.
        runs: The runs of exactly this document, the newest first; of a run folder, that run.
        other_runs: Runs of the same name that trained something else: the document has changed
            since, or was changed for them on the command line.
        unreadable: A line for each damaged run folder.
    """

    path: Path
    architecture: Architecture
    runs: tuple[Run, ...]
    other_runs: tuple[Run, ...] = ()
    unreadable: tuple[str, ...] = ()

    @property
    def finished(self) -> tuple[Run, ...]:
        """The finished runs, the newest first."""
        return tuple(run for run in self.runs if run.result is not None)

    @property
    def train_hint(self) -> str:
        """The command that gives it a finished run; empty where there is none."""
        unfinished = next((run.path for run in self.runs if run.result is None), None)
        if unfinished:
            return f"to resume it: netbuilder train --resume {quote(str(unfinished))}"
        if self.path.is_dir() or self.architecture.train is None:
            return ""
        return f"to train it: netbuilder train {quote(str(self.path))}"

    @property
    def excluded_note(self) -> str:
        """A line on the runs of its name that trained something else; empty without such."""
        count = len(self.other_runs)
        if not count:
            return ""
        return (
            f"{self.path}: {count} run{'s' * (count > 1)} of its name left out, trained from "
            "another text or with other settings; name their folders to see them"
        )

    @classmethod
    def open(cls, path: Path, runs: Path = RUNS) -> Selection:
        """Return the document at ``path`` with its runs below ``runs``, or the run at ``path``.

        Raises:
            ConfigError: It is neither, or cannot be read.
        """
        if path.is_dir():
            run = Run.open(path)
            return cls(path, run.analysis.architecture, (run,))
        architecture = load(path)
        wanted = experiment(architecture.model_dump(mode="json"))
        # Names that begin with a dot are of folders still being created, or never completed.
        configs = (runs / architecture.name).glob("[!.]*/config.json")
        readable, unreadable = readable_runs(config.parent for config in configs)
        same = tuple(run for run in readable if _trained(run, wanted))
        others = tuple(run for run in readable if run not in same)
        return cls(path, architecture, same, others, unreadable)

    @classmethod
    def open_all(cls, paths: Iterable[Path], runs: Path = RUNS) -> list[Selection]:
        """Open each path; a folder of runs gives one selection per document that was trained.

        Raises:
            ConfigError: A path is neither a document, a run nor a folder of runs; all such paths
                are named.
        """
        selections, problems = [], []
        for path in paths:
            try:
                if path.is_dir() and not (path / "config.json").exists():
                    selections += cls._below(path)
                else:
                    selections.append(cls.open(path, runs))
            except ConfigError as error:
                problems += error.problems
        if problems:
            raise ConfigError(problems)
        return selections

    @classmethod
    def _below(cls, folder: Path) -> list[Selection]:
        readable, unreadable = readable_runs(run_folders(folder), analyzed=True)
        groups: dict[str, list[Run]] = {}
        for run in readable:
            groups.setdefault(run.experiment, []).append(run)
        if not groups:
            lines = [line.removeprefix(f"{folder}{os.sep}") for line in unreadable]
            messages = lines or ["no run folder in it; `netbuilder train` creates them"]
            raise ConfigError(
                [Problem(str(folder), None, None, "", message) for message in messages]
            )
        selections = [cls(folder, group[0].architecture, tuple(group)) for group in groups.values()]
        selections.sort(key=lambda selection: natural_key(selection.architecture.name))
        return [replace(selections[0], unreadable=unreadable), *selections[1:]]


def natural_order(paths: Sequence[Path]) -> list[Path]:
    """Order paths that a shell's pattern has sorted so that iter2 comes before iter10."""
    if list(paths) != sorted(paths):
        return list(paths)
    return sorted(paths, key=lambda path: natural_key(path.name))


def _trained(run: Run, wanted: str) -> bool:
    """Whether a run is of the experiment ``wanted``."""
    if run.experiment == wanted:
        return True
    try:
        # An older record lacks the fields that came since; they count at their defaults.
        return experiment(run.architecture.model_dump(mode="json")) == wanted
    except ConfigError:  # a plugin's kind that is not loaded, so it is not in this document
        return False


def readable_runs(
    folders: Iterable[Path], *, analyzed: bool = False
) -> tuple[list[Run], tuple[str, ...]]:
    """Return the runs whose records can be read, the newest first, and a line for each other.

    Args:
        folders: The run folders.
        analyzed: Whether runs whose network cannot be analyzed count as unreadable, too.
    """
    readable, unreadable = [], []
    for folder in sorted(folders):
        run = Run(folder)
        try:
            _ = run.config, run.metrics, run.result
            start = run.environment.start
            if analyzed:
                _ = run.analysis
            readable.append((start, str(run.path), run))
        except (ConfigError, MachineError) as error:
            unreadable.append(str(error))
    readable.sort(key=lambda entry: entry[:2], reverse=True)
    return [run for *_, run in readable], tuple(unreadable)
