"""The files of a run folder as frozen models: training writes them, everything else reads them.

=================  ===============  ==============================================================
file               model            written
=================  ===============  ==============================================================
config.json        `RunConfig`      when the run starts; again when it gets more epochs
environment.json   `Environment`    when the run starts; again each time it is resumed
metrics.jsonl      `EpochRecord`    after each epoch, one line per epoch
evaluation.json    `Evaluation`     at the end
result.json        `RunResult`      at the end
=================  ===============  ==============================================================

A user may edit a file by hand, so every value is bounded: what a model accepts can be printed,
summed and written as JSON. Unknown keys, which a newer version may have added, are ignored; a file
that is written again keeps them. Keys that an older version did not write have defaults.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, field_serializer, model_validator

from netbuilder._text import LARGEST
from netbuilder.runs.values import (
    LARGEST_COUNT,
    Count,
    DeviceName,
    Epochs,
    Loss,
    Number,
    Percent,
    Precision,
    Rate,
    Reason,
    Record,
    Seconds,
    Text,
    Time,
    contradiction,
    parse_time,
)


class EpochRecord(Record):
    """An epoch: a line of metrics.jsonl.

    Attributes:
        epoch: The epoch's number, from 1.
        train_loss: The mean loss over the epoch's batches.
        train_accuracy: Percent, over the epoch's augmented batches.
        test_loss: The mean loss on the test set after the epoch.
        test_accuracy: Percent, after the epoch.
        learning_rate: The rate of the epoch's last update.
        train_seconds: The duration of the epoch.
        test_seconds: The duration of its test.
    """

    epoch: Epochs
    train_loss: Loss
    train_accuracy: Percent
    test_loss: Loss
    test_accuracy: Percent
    learning_rate: Rate
    train_seconds: Seconds
    test_seconds: Seconds

    @property
    def seconds(self) -> float:
        """The duration of the epoch with its test."""
        return self.train_seconds + self.test_seconds


def best_epoch(epochs: Iterable[EpochRecord]) -> EpochRecord:
    """Return the first epoch with the highest test accuracy."""
    return max(epochs, key=lambda epoch: epoch.test_accuracy)


def best_train_accuracy(epochs: Iterable[EpochRecord]) -> float:
    """Return the highest training accuracy of an epoch, percent."""
    return max(epoch.train_accuracy for epoch in epochs)


def total_seconds(epochs: Iterable[EpochRecord]) -> float:
    """Return the duration of all epochs, tests included."""
    return sum(epoch.seconds for epoch in epochs)


class RunConfig(Record):
    """What a run trains and how: config.json.

    Attributes:
        architecture: The resolved document; only what every reader needs is checked.
        seed: The seed of the weights and of all random draws.
        device: The device that the run started on.
        precision: ``fp32`` or ``bf16``.
        compile: Whether the model is compiled from the first epoch; only older versions wrote it.
        compiled_from: The first compiled epoch, from 0; None if the model is never compiled.
        graph: Whether steps are replayed as a CUDA graph.
        deterministic: Whether only deterministic operations are used.
        epochs_begun: The number of epochs at the start of the run, if it was extended since.
        scheduled_epochs: The number of epochs that the schedule spans; all by default.
    """

    model_config = ConfigDict(extra="allow")

    architecture: dict[str, Any]
    seed: Count
    device: DeviceName
    precision: Precision
    compile: bool = False
    compiled_from: Annotated[int, Field(ge=0)] | None = None
    graph: bool = False
    deterministic: bool = False
    epochs_begun: Epochs | None = None
    scheduled_epochs: Epochs | None = None

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        name, train = self.architecture.get("name"), self.architecture.get("train")
        if not isinstance(name, str) or len(name) > 64:
            raise contradiction(("architecture", "name"), name, "a name of at most 64 characters")
        if not isinstance(train, dict):
            raise contradiction(("architecture", "train"), train, "a mapping")
        epochs, dataset = train.get("epochs"), train.get("dataset")
        if type(epochs) is not int or not 1 <= epochs <= LARGEST:
            raise contradiction(
                ("architecture", "train", "epochs"), epochs, f"a whole number from 1 to {LARGEST}"
            )
        if not (
            isinstance(dataset, dict) and len(dataset) == 1 and len(next(iter(dataset))) <= 200
        ):
            raise contradiction(
                ("architecture", "train", "dataset"), dataset, "a mapping of one data set"
            )
        if self.compiled_from is not None and self.compiled_from >= epochs:
            raise contradiction(
                ("compiled_from",), self.compiled_from, f"below the {epochs} epochs"
            )
        for field in ("epochs_begun", "scheduled_epochs"):
            if (getattr(self, field) or 0) > epochs:
                raise contradiction((field,), getattr(self, field), f"at most the {epochs} epochs")
        return self

    @property
    def name(self) -> str:
        """The architecture's name."""
        return str(self.architecture["name"])

    @property
    def epochs(self) -> int:
        """The number of epochs that the run trains."""
        return int(self.architecture["train"]["epochs"])

    @property
    def schedule_span(self) -> int:
        """The number of epochs that the schedule spans: all, unless it is held at its end."""
        return self.scheduled_epochs or self.epochs

    @property
    def first_compiled_epoch(self) -> int | None:
        """The first compiled epoch, from 0; None if the model is never compiled."""
        if self.compile and "compiled_from" not in self.model_fields_set:
            return 0
        return self.compiled_from

    @property
    def hardware(self) -> str:
        """The device with the precision: ``cpu bf16``."""
        return f"{self.device} {self.precision}"

    @property
    def datasets(self) -> tuple[str, ...]:
        """The data sets that the run may train on: the document's and its fallback."""
        [(kind, arguments)] = self.architecture["train"]["dataset"].items()
        fallback = arguments.get("fallback") if isinstance(arguments, dict) else None
        return (kind, fallback) if isinstance(fallback, str) else (kind,)

    def extended(self, epochs: int, scheduled: int) -> RunConfig:
        """Return the configuration of the same run with more epochs.

        Args:
            epochs: The new number of epochs.
            scheduled: The number of epochs that the schedule spans.
        """
        train = {**self.architecture["train"], "epochs": epochs}
        return self.model_copy(
            update={
                "architecture": {**self.architecture, "train": train},
                "epochs_begun": self.epochs_begun or self.epochs,
                "scheduled_epochs": scheduled,
            }
        )


class DataRecord(Record):
    """The data that a run trains on.

    Attributes:
        kind: The data set.
        sha256: The digest of its tensors, in hexadecimal.
        train: The number of training images; absent in runs of older versions, like ``test``.
        test: The number of test images.
        fallback: Why the document's fallback is used; empty if it is not.
        streamed: Why images are streamed to the device; absent if they are not.
    """

    model_config = ConfigDict(extra="allow")

    kind: Text
    sha256: Annotated[str, Field(max_length=64)]
    train: Count | None = None
    test: Count | None = None
    fallback: Reason = Field(alias="fell_back")
    streamed: Text | None = None


class Session(Record):
    """A session of a resumed run: its start and its machine.

    Attributes:
        started: The time, in ISO 8601.
        epochs: The new number of epochs; absent if the run was not extended.
        schedule: How the schedule was continued: ``extend`` or ``hold``.
    """

    model_config = ConfigDict(extra="allow")

    device: Text = ""
    device_name: Text = ""
    precision: Text = ""
    threads: Count | None = None
    python: Text = ""
    platform: Text = ""
    versions: dict[str, Text] = Field(default_factory=dict)
    started: Time
    epochs: Epochs | None = None
    schedule: Text = ""


class Environment(Record):
    """The machine, the versions and the data of a run: environment.json.

    Attributes:
        device: ``cpu``, ``cuda`` or ``mps``.
        device_name: The processor.
        precision: ``fp32`` or ``bf16``.
        threads: The number of threads that torch used.
        python: The version of Python.
        platform: The operating system.
        versions: The versions of packages.
        seed: The run's seed.
        data: The data set.
        started: The time, in ISO 8601.
        compile: Why the model is compiled, or not.
        graph: Whether steps are replayed as a CUDA graph; only on CUDA devices.
        resumed: One session for each time that the run was resumed.
    """

    model_config = ConfigDict(extra="allow")

    device: Text
    device_name: Text = ""
    precision: Text
    threads: Count | None = None
    python: Text = ""
    platform: Text = ""
    versions: dict[str, Text] = Field(default_factory=dict)
    seed: Count
    data: DataRecord
    started: Time
    compile: Text = ""
    graph: Text = ""
    resumed: tuple[Session, ...] = ()

    @property
    def start(self) -> datetime:
        """When the run started, in this machine's time zone."""
        return parse_time(self.started)

    def with_session(self, session: Session) -> Environment:
        """Return the environment with one more session."""
        return self.model_copy(update={"resumed": (*self.resumed, session)})


class Mistake(Record):
    """A misclassified test image.

    Attributes:
        index: The image's index in the test set.
        label: The name of its class.
        guess: The name of the predicted class.
        confidence: The predicted probability, in [0, 1].
    """

    index: Count
    label: Text
    guess: Text
    confidence: Annotated[float, Field(ge=0, le=1)]


class Evaluation(Record):
    """The test set after the last epoch: evaluation.json.

    Attributes:
        classes: The names of the classes.
        class_accuracy: Percent per class; None for a class without test images.
        confusion: Counts: one row per label, one column per guess.
        mistakes: The most confident mistakes, in descending order of confidence.
    """

    classes: Annotated[tuple[Text, ...], Field(min_length=1)]
    class_accuracy: tuple[Percent | None, ...]
    confusion: tuple[tuple[Count, ...], ...]
    mistakes: tuple[Mistake, ...]

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        size = len(self.classes)
        if len(self.class_accuracy) != size:
            raise contradiction(
                ("class_accuracy",), list(self.class_accuracy), f"one for each of {size}"
            )
        if len(self.confusion) != size:
            raise contradiction(("confusion",), list(self.confusion), f"{size} rows, one per class")
        for label, row in enumerate(self.confusion):
            if len(row) != size:
                raise contradiction(
                    ("confusion", label), list(row), f"{size} counts, one per class"
                )
        images = self.images
        if images > LARGEST_COUNT:
            raise contradiction(
                ("confusion",), list(self.confusion), f"counts of {LARGEST_COUNT} images"
            )
        for rank, mistake in enumerate(self.mistakes):
            if mistake.index >= images:
                place = ("mistakes", rank, "index")
                raise contradiction(
                    place, mistake.index, f"below {images}, the number of test images"
                )
            for field in ("label", "guess"):
                if (name := getattr(mistake, field)) not in self.classes:
                    raise contradiction(("mistakes", rank, field), name, "one of the classes")
            if mistake.label == mistake.guess:
                raise contradiction(("mistakes", rank, "guess"), mistake.guess, "another class")
        return self

    @property
    def images(self) -> int:
        """The number of test images."""
        return sum(map(sum, self.confusion))

    def renamed(self, classes: tuple[str, ...]) -> Evaluation:
        """Return the evaluation with other names of the classes, in the same order."""
        names = dict(zip(self.classes, classes, strict=True))
        mistakes = tuple(
            mistake.model_copy(
                update={"label": names[mistake.label], "guess": names[mistake.guess]}
            )
            for mistake in self.mistakes
        )
        return self.model_copy(update={"classes": classes, "mistakes": mistakes})


class VerdictRecord(Record):
    """The verdict on one target; see `netbuilder.network.targets.Verdict`."""

    target: Text
    bound: Text
    value: Number | None = Field(default=None, alias="found")
    met: bool | None = None
    left: Number | None = None
    reason: Reason = ""


class Reference(Record):
    """The published values that the document states; accuracies are in percent."""

    parameters: Count | None = None
    train_accuracy: Percent | None = None
    test_accuracy: Percent | None = None


class RunResult(Record):
    """Best and last epoch and the verdicts of a finished run: result.json.

    Attributes:
        epochs: The number of epochs trained.
        parameters: The number of learnable values.
        best: The first epoch with the highest test accuracy.
        best_train_accuracy: The highest training accuracy of an epoch, percent.
        last: The last epoch.
        targets: One verdict per target of the document.
        met: Whether every target is met; None if none is missed and some cannot be judged.
        reference: The published values.
        seconds: The duration of all epochs, tests included.
    """

    epochs: Epochs
    parameters: Count
    best: EpochRecord
    best_train_accuracy: Percent
    last: EpochRecord
    targets: tuple[VerdictRecord, ...] = ()
    met: bool | None
    reference: Reference = Reference()
    seconds: Seconds

    @field_serializer("reference")
    def _without_absent(self, reference: Reference) -> dict[str, Any]:
        return reference.model_dump(exclude_none=True)

    @property
    def published(self) -> dict[str, float]:
        """The published values by name."""
        return self.reference.model_dump(exclude_none=True)

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.last.epoch != self.epochs:
            raise contradiction(("last", "epoch"), self.last.epoch, f"{self.epochs}, as in epochs")
        if self.best.epoch > self.epochs:
            raise contradiction(("best", "epoch"), self.best.epoch, f"at most {self.epochs}")
        return self
