"""The exceptions that netbuilder raises on purpose.

NetbuilderError
├── ConfigError         the user's input is wrong (exit 2)
│   ├── DocumentError   a document has problems (in `netbuilder.config.loader`)
│   └── ShapeError      a layer does not accept the shape of its input
├── MachineError        the machine lacks memory, disk space, a device or a package (exit 3)
│   ├── DataError       a data set is missing, corrupt or unreachable
│   └── CheckpointError no checkpoint of a run can be loaded
├── CheckFailed         an output failed its check and is discarded (exit 1)
├── Diverged            the loss is not a finite number (exit 1)
└── Interrupted         a signal stopped a run after its state was saved (exit 128 + its number)

A message names the place, what was found, what is allowed and what to do. The command line prints
it unchanged and exits with ``exit_code``.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Self

from netbuilder._text import printable


class NetbuilderError(Exception):
    """Base class of all errors; ``exit_code`` is the exit code of the command line."""

    exit_code: int = 1


@dataclass(frozen=True)
class Problem:
    """A mistake in the user's input. Problems sort by file and position.

    Attributes:
        file: The path of the file, or another name of the input, such as ``--set epochs=0``.
        line: The line, from 1; None if the problem concerns the whole input.
        column: The column, from 1; None if the problem concerns the whole input.
        field: The path of the value in the document, such as ``layers[3].Conv2d.kernel_size``.
        message: What was found, what is allowed and what to do.
    """

    file: str
    line: int | None
    column: int | None
    field: str
    message: str

    @property
    def place(self) -> str:
        """The position as messages show it: ``archs/iter10.yaml:17:9``."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    def __lt__(self, other: Problem) -> bool:
        return self._sort_key() < other._sort_key()

    def _sort_key(self) -> tuple[str, int, int, str, str]:
        return self.file, self.line or 0, self.column or 0, self.field, self.message

    def __str__(self) -> str:
        field = f"{self.field}: " if self.field else ""
        return printable(f"{self.place}: {field}{self.message}")


class ConfigError(NetbuilderError):
    """The user's input is wrong; ``problems`` lists every problem of a document."""

    exit_code = 2

    def __init__(self, problems: Iterable[Problem] | str) -> None:
        self.problems = [] if isinstance(problems, str) else sorted(problems)
        super().__init__(
            problems if isinstance(problems, str) else "\n".join(map(str, self.problems))
        )

    @classmethod
    def at(cls, file: Path | str, message: str) -> Self:
        """Return the error of a single problem that concerns the whole of ``file``."""
        return cls([Problem(str(file), None, None, "", message)])


class ShapeError(ConfigError):
    """A layer does not accept the shape of its input; the caller adds the place."""


class MachineError(NetbuilderError):
    """The user's input is valid, but this machine cannot process it."""

    exit_code = 3


def missing_extra(package: str, extra: str) -> MachineError:
    """Return the error for a missing ``package`` that netbuilder's ``extra`` installs.

    Its message is a pip command for this interpreter. In a clone of the repository, the command
    installs the clone, not a package from an index.
    """
    root = Path(__file__).parents[1]
    is_clone = (root / "pyproject.toml").is_file()
    source = ("-e", f"{root}[{extra}]") if is_clone else (f"netbuilder[{extra}]",)
    command = shlex.join((sys.executable, "-m", "pip", "install", *source))
    return MachineError(f"{package} is not installed; install it with: {command}")


def require_extra(package: str, extra: str) -> None:
    """Import ``package``, which netbuilder's ``extra`` installs.

    Raises:
        MachineError: The import fails.
    """
    try:
        import_module(package)
    except ImportError as error:  # an installed package may lack a dependency
        raise missing_extra(error.name or package, extra) from error


class DataError(MachineError):
    """A data set is missing, corrupt or unreachable."""


class CheckpointError(MachineError):
    """No checkpoint of a run can be loaded."""


class CheckFailed(NetbuilderError):
    """An output failed its check, such as an export that differs from the model."""


class Diverged(NetbuilderError):
    """The loss is not a finite number; the update was not applied."""


class Interrupted(NetbuilderError):
    """A signal stopped the run after its state was saved."""

    def __init__(self, signum: int, message: str) -> None:
        super().__init__(message)
        self.signum = signum
        self.exit_code = 128 + signum


def require_choice(option: str, value: str, allowed: Sequence[str]) -> None:
    """Check that the value of an option is one of those allowed.

    Raises:
        ConfigError: It is not.
    """
    if value not in allowed:
        raise ConfigError(f"{option}: found {value!r}; allowed: {', '.join(allowed)}")
