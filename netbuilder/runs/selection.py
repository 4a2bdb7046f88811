"""What a command is pointed at: a document or a run folder, and the runs that are of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from netbuilder._text import natural_key
from netbuilder.config.loader import load
from netbuilder.config.schema import Architecture
from netbuilder.errors import ConfigError, MachineError
from netbuilder.runs import RUNS
from netbuilder.runs.run import Run, experiment, run_folders


@dataclass(frozen=True)
class Selection:
    """A network and what was trained of it.

    Attributes:
        path: as it was named.
        architecture: as the document stands now; of a run folder, as it was trained.
        runs: those of this very document, the newest first; of a run folder that one alone.
        other_runs: runs of the same name that trained something else: the document has changed
            since, or it was changed for them on the command line.
        unreadable: a line for each run folder that is passed over.
    """

    path: Path
    architecture: Architecture
    runs: tuple[Run, ...]
    other_runs: tuple[Run, ...] = ()
    unreadable: tuple[str, ...] = ()

    @property
    def finished(self) -> tuple[Run, ...]:
        """The runs that have a result, the newest first."""
        return tuple(run for run in self.runs if run.result is not None)

    @property
    def train_hint(self) -> str:
        """How a finished run of it is to be had, as a command; empty where by none."""
        begun = next((run.path for run in self.runs if run.result is None), None)
        if begun:
            return f"to go on with it: netbuilder train --resume {quote(str(begun))}"
        if self.path.is_dir() or self.architecture.train is None:
            return ""
        return f"to train it: netbuilder train {quote(str(self.path))}"

    @property
    def excluded_note(self) -> str:
        """A line on the runs of its name that are not of it; empty where there is none."""
        count = len(self.other_runs)
        if not count:
            return ""
        return (
            f"{self.path}: {count} run{'s' * (count > 1)} of its name left out, trained from "
            "another text or with other settings; name their folders to see them"
        )

    @classmethod
    def open(cls, path: Path, runs: Path = RUNS) -> Selection:
        """The document at ``path`` with its runs below ``runs``, or the run folder at ``path``.

        Raises:
            ConfigError: it is neither, or cannot be read.
        """
        if path.is_dir():
            run = Run.open(path)
            return cls(path, run.architecture, (run,))
        architecture = load(path)
        wanted = experiment(architecture.model_dump(mode="json"))
        # Folders that begin with a dot are being made, or never were to the end.
        configs = (runs / architecture.name).glob("[!.]*/config.json")
        found, unreadable = readable(config.parent for config in configs)
        ours = {run for run in found if _trained(run, wanted)}
        same = tuple(run for run in found if run in ours)
        otherwise = tuple(run for run in found if run not in ours)
        return cls(path, architecture, same, otherwise, unreadable)

    @classmethod
    def open_all(cls, paths: Iterable[Path], runs: Path = RUNS) -> list[Selection]:
        """Each path as `open` takes it; a folder of runs gives one subject a trained document.

        Raises:
            ConfigError: a path is nothing of that; all such paths are named.
        """
        subjects, problems = [], []
        for path in paths:
            try:
                if path.is_dir() and not (path / "config.json").is_file():
                    subjects += cls._inside(path)
                else:
                    subjects.append(cls.open(path, runs))
            except ConfigError as error:
                problems += error.problems
        if problems:
            raise ConfigError(problems)
        return subjects

    @classmethod
    def _inside(cls, folder: Path) -> list[Selection]:
        found, unreadable = readable(run_folders(folder))
        if not found:
            message = (
                unreadable[0]
                if unreadable
                else "no run folder in it; `netbuilder train` makes them"
            )
            raise ConfigError.at(folder, message)
        groups: dict[str, list[Run]] = {}
        for run in found:
            groups.setdefault(run.experiment, []).append(run)
        subjects = [cls(folder, group[0].architecture, tuple(group)) for group in groups.values()]
        subjects.sort(key=lambda subject: natural_key(subject.architecture.name))
        first, *rest = subjects
        return [cls(folder, first.architecture, first.runs, (), unreadable), *rest]


def natural_order(paths: Sequence[Path]) -> list[Path]:
    """Paths in the order given, but iter2 before iter10 where a shell's pattern sorted them."""
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
    except ConfigError:  # a plugin's kind that nobody named; it is not in this document
        return False


def readable(folders: Iterable[Path]) -> tuple[list[Run], tuple[str, ...]]:
    """The runs whose records can be read, the newest first, and a line for each other."""
    found, unreadable = [], []
    for folder in sorted(folders):
        run = Run(folder)
        try:
            _ = run.experiment, run.metrics, run.result
            found.append((run.started, str(run.path), run))
        except (ConfigError, MachineError) as error:
            unreadable.append(str(error))
    found.sort(key=lambda entry: entry[:2], reverse=True)
    return [run for *_, run in found], tuple(unreadable)
