"""Select documents and run folders by the paths of a command, each with its runs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from netbuilder._text import natural_key, plural
from netbuilder._text.commands import command, resume_command
from netbuilder.config.loader import load
from netbuilder.config.schema import Architecture
from netbuilder.errors import ConfigError, MachineError, Problem
from netbuilder.runs import RUNS
from netbuilder.runs.folders import folders_of, is_run_folder, run_folders
from netbuilder.runs.run import Run, experiment


@dataclass(frozen=True)
class Selection:
    """A network and its runs.

    Attributes:
        path: The document or the run folder.
        architecture: The current document; for a run folder, the trained one.
        runs: The runs of exactly this document, newest first; for a run folder, that run.
        other_runs: Runs of the same name with another document or other settings: the document has
            changed since, or options changed it for them.
        unreadable: A line for each damaged run folder.
        folder: The folder with the runs of documents.
    """

    path: Path
    architecture: Architecture
    runs: tuple[Run, ...]
    other_runs: tuple[Run, ...] = ()
    unreadable: tuple[str, ...] = ()
    folder: Path = RUNS

    @property
    def finished(self) -> tuple[Run, ...]:
        """The finished runs, newest first."""
        return tuple(run for run in self.runs if run.result is not None)

    @property
    def train_hint(self) -> str:
        """The command that leads to a finished run; empty if there is none."""
        unfinished = next((run.path for run in self.runs if run.result is None), None)
        if unfinished:
            return f"to resume it: {resume_command(unfinished)}"
        if self.path.is_dir() or self.architecture.train is None:
            return ""
        out = self.folder if self.folder != RUNS else None
        return f"to train it: {command('train', self.path, out=out)}"

    @property
    def excluded_note(self) -> str:
        """A line on `other_runs`; empty without any."""
        if not self.other_runs:
            return ""
        return (
            f"{self.path}: {plural(len(self.other_runs), 'run')} of its name left out, trained "
            "from another text or with other settings; name their folders to see them"
        )

    @classmethod
    def open(cls, path: Path, runs: Path = RUNS) -> Selection:
        """Return the document at ``path`` with its runs below ``runs``, or the run at ``path``.

        Raises:
            ConfigError: The path is neither, or cannot be read.
        """
        if path.is_dir():
            run = Run.open(path)
            return cls(path, run.analysis.architecture, (run,))
        architecture = load(path)
        document = experiment(architecture.model_dump(mode="json"))
        readable, unreadable = readable_runs(folders_of(architecture.name, runs))
        same = tuple(run for run in readable if _trained(run, document))
        others = tuple(run for run in readable if run not in same)
        return cls(path, architecture, same, others, unreadable, runs)

    @classmethod
    def open_all(cls, paths: Iterable[Path], runs: Path = RUNS) -> list[Selection]:
        """Open each path; a folder of runs becomes one selection per trained document.

        Raises:
            ConfigError: A path is neither a document, a run folder nor a folder of runs; the
                message names all such paths.
        """
        selections, problems = [], []
        for path in paths:
            try:
                if path.is_dir() and not is_run_folder(path):
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
    """Sort paths by number, iter2 before iter10, if they are sorted as a shell expands them."""
    if list(paths) != sorted(paths):
        return list(paths)
    return sorted(paths, key=lambda path: natural_key(path.name))


def _trained(run: Run, document: str) -> bool:
    """Whether a run trained ``document``, which is the text that `experiment` returns."""
    if run.experiment == document:
        return True
    try:
        # A record of an older version lacks newer fields, which count at their defaults.
        return experiment(run.architecture.model_dump(mode="json")) == document
    except ConfigError:  # it has a plugin's kind that is not loaded, which the document lacks
        return False


def readable_runs(
    folders: Iterable[Path], *, analyzed: bool = False
) -> tuple[list[Run], tuple[str, ...]]:
    """Return the runs whose records can be read, newest first, and a line for each other run.

    Args:
        folders: The run folders.
        analyzed: Whether a run whose network cannot be analyzed is unreadable, too.
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
