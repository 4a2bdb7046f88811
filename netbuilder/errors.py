"""Everything that netbuilder raises on purpose.

NetbuilderError
├── ConfigError         what the user wrote is wrong (exit 2)
│   ├── DocumentError   a document has problems; it carries the part that is sound
│   └── ShapeError      a layer cannot take the shape that reaches it
├── MachineError        the machine cannot do it: memory, disk, device, a missing extra (exit 3)
│   ├── DataError       a data set is missing, corrupt or out of reach
│   └── CheckpointError no checkpoint of a run can be loaded
├── CheckFailed         what was made does not do what it was made for (exit 1)
├── Diverged            the loss of a training is no finite number (exit 1)
└── Interrupted         SIGINT or SIGTERM stopped a run, its state saved (exit 130 or 143)

Each message says what was found, what is allowed and what to do; the command line prints it as it
is and exits with ``exit_code``.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import ClassVar

from netbuilder._text import printable


class NetbuilderError(Exception):
    """The root of the tree; ``exit_code`` is what the command line exits with."""

    exit_code: ClassVar[int] = 1


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong with what a user wrote, and where; lines and columns count from 1.

    ``field`` is the path of the value in the document, such as ``layers[3].Conv2d.kernel_size``.
    """

    file: str
    line: int
    column: int
    field: str
    message: str

    @property
    def place(self) -> str:
        """Where it is: ``archs/iter10.yaml:17:9``."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    def __str__(self) -> str:
        field = f"{self.field}: " if self.field else ""
        return printable(f"{self.place}: {field}{self.message}")


class ConfigError(NetbuilderError):
    """What the user wrote is wrong; ``problems`` holds all that is wrong with a document."""

    exit_code = 2

    def __init__(self, problems: Iterable[Problem] | str) -> None:
        self.problems = [] if isinstance(problems, str) else sorted(problems)
        super().__init__(
            problems if isinstance(problems, str) else "\n".join(map(str, self.problems))
        )


class ShapeError(ConfigError):
    """A layer cannot take the shape that reaches it; the walk adds the place in the document."""


class MachineError(NetbuilderError):
    """The user's input is right, and this machine cannot serve it."""

    exit_code = 3


def missing_extra(package: str, extra: str) -> MachineError:
    """What to raise where ``package``, which netbuilder's ``extra`` brings, is not installed.

    The command is for this interpreter, and for the clone that is run: an index may know another
    package by the name.
    """
    root = Path(__file__).parents[1]
    cloned = (root / "pyproject.toml").is_file()
    source = ("-e", f"{root}[{extra}]") if cloned else (f"netbuilder[{extra}]",)
    command = shlex.join((sys.executable, "-m", "pip", "install", *source))
    return MachineError(f"{package} is not installed; install it with: {command}")


def require_extra(package: str, extra: str) -> None:
    """Refuse before anything else is done.

    Raises:
        MachineError: ``package``, which netbuilder's ``extra`` brings, cannot be imported.
    """
    try:
        import_module(package)
    except ImportError as error:  # one that is there may lack another
        raise missing_extra(error.name or package, extra) from error


class DataError(MachineError):
    """A data set is missing, corrupt or out of reach."""


class CheckpointError(MachineError):
    """No checkpoint of a run can be loaded."""


class CheckFailed(NetbuilderError):
    """What was made does not do what it was made for; it is not kept."""


class Diverged(NetbuilderError):
    """The loss is no finite number; the update that it asked for was not made."""


class Interrupted(NetbuilderError):
    """A signal stopped the run after its state was saved."""

    def __init__(self, signum: int, message: str) -> None:
        super().__init__(message)
        self.signum = signum

    @property
    def exit_code(self) -> int:  # type: ignore[override]  # known only once the signal has come
        return 128 + self.signum


def require_choice(option: str, found: str, allowed: Sequence[str]) -> None:
    """Refuse what is none of the names allowed behind ``option``.

    Raises:
        ConfigError: it is not.
    """
    if found not in allowed:
        raise ConfigError(f"{option}: found {found!r}; allowed: {', '.join(allowed)}")
