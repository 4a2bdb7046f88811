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

Anybody may have edited a file, so every value is bounded: what a model accepts can be printed,
added up and written as JSON. Unknown keys are ignored, for a newer version may have added them;
files that are written again keep them. Keys that an older version did not write have defaults.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    field_serializer,
    model_validator,
)

from netbuilder._text import LARGEST, describe
from netbuilder.components.component import validation_error, validation_errors

LARGEST_COUNT = 2**53
"""The largest whole number that every reader of JSON represents exactly."""

LARGEST_NUMBER = 1e39
"""Above the largest float32 (3.4e38), and far enough below float64's for sums over many runs."""

LONGEST_SECONDS = 1e10

LONGEST_REASON = 2000
"""Reasons name URLs and paths."""


def _number(value: object) -> float:
    """Accept an int as an int and a float as a float, which strict unions report as two errors."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise validation_error(f"found {describe(value)}; allowed: a number")
    if not abs(value) <= LARGEST_NUMBER:
        raise validation_error(f"found {describe(value)}; allowed: a finite number")
    return value


def parse_time(text: str) -> datetime:
    """Parse an ISO 8601 time into this machine's time zone.

    Raises:
        PydanticCustomError: There is no such time.
    """
    try:
        time = datetime.fromisoformat(text).astimezone()
        time.astimezone(UTC)  # overflows in the first and the last hours of the calendar
        return time
    except (ValueError, OverflowError):
        raise validation_error(
            f"found {describe(text)}; allowed: a time such as 2026-01-31T12:00:00+00:00"
        ) from None


def _is_time(text: str) -> str:
    parse_time(text)
    return text


DeviceName = Literal["cpu", "cuda", "mps"]
Precision = Literal["fp32", "bf16"]
Count = Annotated[int, Field(ge=0, le=LARGEST_COUNT)]
Number = Annotated[int | float, PlainValidator(_number)]
Loss = Annotated[float, Field(ge=-LARGEST_NUMBER, le=LARGEST_NUMBER)]
Percent = Annotated[float, Field(ge=0, le=100)]
Rate = Annotated[float, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0, le=LONGEST_SECONDS)]
Text = Annotated[str, Field(max_length=200)]
Reason = Annotated[str, Field(max_length=LONGEST_REASON)]
Time = Annotated[str, Field(max_length=40), AfterValidator(_is_time)]
Epochs = Annotated[int, Field(ge=1, le=LARGEST)]


class Record(BaseModel):
    """Base of all records: strict, frozen, finite; unknown keys are ignored."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        allow_inf_nan=False,
        defer_build=True,
        populate_by_name=True,
    )

    def as_json(self, indent: int | None = 2) -> bytes:
        """Return the text of the record's file; keys that the file did not have stay absent."""
        values = self.model_dump(by_alias=True, exclude_unset=True)
        text = json.dumps(values, indent=indent, ensure_ascii=False)
        return (text + "\n").encode()


Place = tuple[str | int, ...]


def _error(place: Place, value: object, allowed: str) -> ValidationError:
    """Return the error of a value that contradicts others of its record."""
    return validation_errors([(place, f"found {describe(value)}; allowed: {allowed}", value)])


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
        architecture: The resolved document; only what every reader needs of it is checked here.
        seed: The seed of the weights and of everything drawn.
        device: The device that the run started on.
        precision: ``fp32`` or ``bf16``.
        compile: Whether the passes are compiled from the first epoch on; older versions wrote it.
        compiled_from: The epoch, from 0, from which they are compiled; None where they never are.
        graph: Whether steps are replayed as a CUDA graph.
        deterministic: Whether only deterministic operations are used.
        epochs_begun: How many epochs the run started with, where it got more since.
        scheduled_epochs: How many of them the schedule spans; all by default.
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
            raise _error(("architecture", "name"), name, "a name of at most 64 characters")
        if not isinstance(train, dict):
            raise _error(("architecture", "train"), train, "a mapping")
        epochs, dataset = train.get("epochs"), train.get("dataset")
        if type(epochs) is not int or not 1 <= epochs <= LARGEST:
            raise _error(
                ("architecture", "train", "epochs"), epochs, f"a whole number from 1 to {LARGEST}"
            )
        if not (
            isinstance(dataset, dict) and len(dataset) == 1 and len(next(iter(dataset))) <= 200
        ):
            raise _error(("architecture", "train", "dataset"), dataset, "a mapping of one data set")
        if self.compiled_from is not None and self.compiled_from >= epochs:
            raise _error(("compiled_from",), self.compiled_from, f"below the {epochs} epochs")
        for field in ("epochs_begun", "scheduled_epochs"):
            if (getattr(self, field) or 0) > epochs:
                raise _error((field,), getattr(self, field), f"at most the {epochs} epochs")
        return self

    @property
    def name(self) -> str:
        """The architecture's name."""
        return str(self.architecture["name"])

    @property
    def epochs(self) -> int:
        """How many epochs the run trains."""
        return int(self.architecture["train"]["epochs"])

    @property
    def schedule_span(self) -> int:
        """How many epochs the schedule spans: all of them, unless it is held at its end."""
        return self.scheduled_epochs or self.epochs

    @property
    def first_compiled_epoch(self) -> int | None:
        """The epoch, from 0, from which the passes are compiled; None where they never are."""
        return (
            0
            if self.compile and "compiled_from" not in self.model_fields_set
            else (self.compiled_from)
        )

    @property
    def hardware(self) -> str:
        """The device with the precision: ``cpu bf16``."""
        return f"{self.device} {self.precision}"

    @property
    def datasets(self) -> tuple[str, ...]:
        """The data sets that the run may train on: the document's, and its fallback."""
        [(kind, arguments)] = self.architecture["train"]["dataset"].items()
        fallback = arguments.get("fallback") if isinstance(arguments, dict) else None
        return (kind, fallback) if isinstance(fallback, str) else (kind,)

    def extended(self, epochs: int, scheduled: int) -> RunConfig:
        """Return the configuration of the same run with more epochs.

        Args:
            epochs: How many epochs the run then has.
            scheduled: How many of them the schedule spans.
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
        train: The number of training images; older versions did not write it, nor ``test``.
        test: The number of test images.
        fallback: Why the document's fallback is used; empty where it is not.
        streamed: Why images are streamed to the device; absent where they are not.
    """

    model_config = ConfigDict(extra="allow")

    kind: Text
    sha256: Annotated[str, Field(max_length=64)]
    train: Count | None = None
    test: Count | None = None
    fallback: Reason = Field(alias="fell_back")
    streamed: Text | None = None


class Session(Record):
    """A time at which a run was resumed, and the machine.

    Attributes:
        started: The time, in ISO 8601.
        epochs: The number of epochs that the run got then; absent where it got none.
        schedule: How the schedule went on then.
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
        threads: How many threads torch used.
        python: The version of Python.
        platform: The operating system.
        versions: The versions of packages.
        seed: The run's.
        data: The data set.
        started: The time, in ISO 8601.
        compile: Why the passes are compiled, or not.
        graph: Whether steps are replayed as a CUDA graph; only on CUDA devices.
        resumed: Each time at which the run was resumed.
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
        """Return the environment of the run after it was resumed once more."""
        return self.model_copy(update={"resumed": (*self.resumed, session)})


class Mistake(Record):
    """A test image that the network takes for another class.

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
        confusion: Counts, one row per label and one column per guess.
        mistakes: The most confident mistakes, the most confident first.
    """

    classes: Annotated[tuple[Text, ...], Field(min_length=1)]
    class_accuracy: tuple[Percent | None, ...]
    confusion: tuple[tuple[Count, ...], ...]
    mistakes: tuple[Mistake, ...]

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        size = len(self.classes)
        if len(self.class_accuracy) != size:
            raise _error(("class_accuracy",), list(self.class_accuracy), f"one for each of {size}")
        if len(self.confusion) != size:
            raise _error(("confusion",), list(self.confusion), f"{size} rows, one per class")
        for label, row in enumerate(self.confusion):
            if len(row) != size:
                raise _error(("confusion", label), list(row), f"{size} counts, one per class")
        images = self.images
        if images > LARGEST_COUNT:
            raise _error(("confusion",), list(self.confusion), f"counts of {LARGEST_COUNT} images")
        for rank, mistake in enumerate(self.mistakes):
            if mistake.index >= images:
                place = ("mistakes", rank, "index")
                raise _error(place, mistake.index, f"below {images}, the number of test images")
            for field in ("label", "guess"):
                if (name := getattr(mistake, field)) not in self.classes:
                    raise _error(("mistakes", rank, field), name, "one of the classes")
            if mistake.label == mistake.guess:
                raise _error(("mistakes", rank, "guess"), mistake.guess, "another class")
        return self

    @property
    def images(self) -> int:
        """How many test images there are."""
        return sum(map(sum, self.confusion))


class VerdictRecord(Record):
    """A target, and the value that the run reached; see `netbuilder.network.targets.Verdict`."""

    target: Text
    bound: Text
    found: Number | None = None
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
        epochs: How many were trained.
        parameters: The number of learnable values.
        best: The first epoch with the highest test accuracy.
        best_train_accuracy: The highest training accuracy of an epoch, percent.
        last: The last epoch.
        targets: One verdict per target of the document.
        met: Whether every target is met; None where none is missed and some cannot be judged.
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
            raise _error(("last", "epoch"), self.last.epoch, f"{self.epochs}, as epochs has it")
        if self.best.epoch > self.epochs:
            raise _error(("best", "epoch"), self.best.epoch, f"at most {self.epochs}")
        return self
