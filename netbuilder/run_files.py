"""What a run folder tells: its files as values, checked, for anybody may have edited them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netbuilder.errors import ConfigError, MachineError, Problem, printable

if TYPE_CHECKING:
    from netbuilder.schema import Architecture

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

        from netbuilder.schema import Architecture

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
        return ConfigError([Problem(str(self.path / name), 0, 0, "", message)])


def natural(name: str) -> tuple[tuple[tuple[str, int], ...], str]:
    """The order of names, whose numbers count up: iter2 before iter10, and that before net1."""
    parts = re.findall(r"([^0-9]*)([0-9]*)", name)
    return tuple((text, int(digits or 0)) for text, digits in parts), name


def experiment(architecture: Mapping[str, Any]) -> str:
    """A resolved document without the words that change nothing about its training."""
    words = ("title", "reference", "targets", "notes")
    return json.dumps({name: part for name, part in architecture.items() if name not in words})
