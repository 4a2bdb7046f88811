"""The sections of a document and their fields."""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Protocol

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    WithJsonSchema,
    model_validator,
)

from netbuilder._text import describe, plural
from netbuilder.components.component import (
    Component,
    StrictModel,
    validation_error,
    validation_errors,
)
from netbuilder.components.fields import LIST_AS_TUPLE, Finite, Interval, Length, NumberOrList, Size
from netbuilder.components.init import INITIALIZERS, Init
from netbuilder.components.layers.base import LAYERS, AnyLayer
from netbuilder.components.registries import (
    AUGMENTATIONS,
    DATASETS,
    LOSSES,
    OPTIMIZERS,
    SCHEDULERS,
    AnyAugmentation,
    AnyDataset,
    AnyLoss,
    AnyOptimizer,
    AnyScheduler,
)
from netbuilder.components.registry import Registry
from netbuilder.components.shapes import format_shape, spatial
from netbuilder.errors import Problem

Place = Sequence[str | int]
"""The path of a value in a document: ``("layers", 3, "Conv2d", "kernel_size")``."""


class Source(Protocol):
    """The text of a document, which locates its values."""

    text: str
    included: Mapping[str, str]

    def problem(self, place: Place, message: str) -> Problem:
        """Return the problem with the value at ``place``, with its position."""

    def value_at(self, place: Place) -> object:
        """Return the value at ``place`` as it is written."""


def _as_tuple(value: object) -> object:
    """Return a list, a single value or null as a tuple."""
    if isinstance(value, list | tuple):
        return tuple(value)
    return () if value is None else (value,)


FOLDER_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"


FOLDER_NAME_RULE = (
    "at most 64 of a to z, A to Z, digits, dots, dashes and underscores, no dot or dash first"
)


def _check_folder_name(value: str) -> str:
    if not re.fullmatch(FOLDER_NAME, value):
        right = re.sub("[^A-Za-z0-9._-]+", "-", value).strip(".-_")[:64]
        hint = f"; write {right}" if right else ""
        raise validation_error(f"found {describe(value)}; allowed: {FOLDER_NAME_RULE}{hint}")
    return value


_ONE_BOUND: dict[str, Any] = {
    "not": {"patternProperties": {"^(below|at_most|above|at_least)$": {"type": "null"}}}
}
"""The JSON Schema of a mapping that sets a bound: not all of its bounds are null or absent."""


class Bound(StrictModel):
    """A range that a number must be in; at least one of its bounds is set."""

    model_config = ConfigDict(json_schema_extra=_ONE_BOUND)

    below: Finite | None = None
    at_most: Finite | None = None
    above: Finite | None = None
    at_least: Finite | None = None

    @model_validator(mode="after")
    def _check_bounds(self) -> Bound:
        if (self.below, self.at_most, self.above, self.at_least) == (None,) * 4:
            raise validation_error("it has no bound; allowed: below, at_most, above, at_least")
        return self


class AccuracyTarget(Bound):
    """A range for an accuracy in percent, in each of the last epochs of a run."""

    for_last_epochs: Size = 1


_LIMIT = Interval(-1e300, 1e300)

PerAxisLimit = Annotated[
    float | tuple[float, ...],
    NumberOrList(
        _LIMIT, range(1, 4), "a number for every axis, or a list of one per axis", scalar=_LIMIT
    ),
]


class FieldBound(StrictModel):
    """A range for the receptive field; a number holds for every axis, a list for one axis each."""

    model_config = ConfigDict(json_schema_extra=_ONE_BOUND)

    below: PerAxisLimit | None = None
    at_most: PerAxisLimit | None = None
    above: PerAxisLimit | None = None
    at_least: PerAxisLimit | None = None

    @model_validator(mode="after")
    def _check_bounds(self) -> FieldBound:
        if not self.limits():
            raise validation_error("it has no bound; allowed: below, at_most, above, at_least")
        return self

    def limits(self) -> dict[str, float | tuple[float, ...]]:
        """Return the limits that are set, by name."""
        limits = {
            "below": self.below,
            "at_most": self.at_most,
            "above": self.above,
            "at_least": self.at_least,
        }
        return {name: limit for name, limit in limits.items() if limit is not None}

    def along(self, axis: int) -> Bound:
        """Return the bound of one axis."""
        return Bound.model_validate(
            {
                name: limit[axis] if isinstance(limit, tuple) else limit
                for name, limit in self.limits().items()
            }
        )


class Targets(StrictModel):
    """What the architecture must reach; the first three are known before training."""

    parameters: Bound | None = None
    receptive_field: FieldBound | None = None
    epochs: Bound | None = None
    train_accuracy: AccuracyTarget | None = None
    test_accuracy: AccuracyTarget | None = None


class Reference(StrictModel):
    """Published results to compare a run with; accuracies are the best of a run, in percent."""

    parameters: Size | None = None
    train_accuracy: Finite | None = None
    test_accuracy: Finite | None = None


class Notes(StrictModel):
    """The author's notes: the target, the choices and their reasons, and the analysis of the runs.

    ``learned`` is what the documents before this one showed; `netbuilder new --from` fills it.
    """

    target: str = ""
    choices: str = ""
    analysis: str = ""
    learned: str = ""


class TrainConfig(StrictModel):
    """How the network is trained."""

    dataset: AnyDataset
    epochs: Size
    batch_size: Size = 64
    loss: AnyLoss = Field(default_factory=lambda: LOSSES.parse("CrossEntropyLoss"))
    optimizer: AnyOptimizer
    scheduler: Annotated[
        tuple[AnyScheduler, ...],
        Field(default=()),
        Length(0, 2),
        BeforeValidator(
            _as_tuple,
            json_schema_input_type=AnyScheduler
            | Annotated[list[AnyScheduler], Length(0, 2)]
            | None,
        ),
    ]
    """One scheduler, or a LinearLR warm-up and the scheduler after it."""
    augment: Annotated[
        tuple[AnyAugmentation, ...], Field(default=()), LIST_AS_TUPLE, Length(0, 100)
    ]
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    """The decay per step of an exponential moving average of weights and buffers. The test accuracy
    and the saved weights are then those of the average. After n steps, the decay is
    (1 + n) / (10 + n) if that is lower."""

    @model_validator(mode="after")
    def _check_combinations(self) -> TrainConfig:
        faults: list[tuple[tuple[str | int, ...], str, object]] = []
        if len(self.scheduler) == 2:
            first, second = self.scheduler
            if first.kind != "LinearLR":
                message = f"the first of two schedulers must be LinearLR, found {first.kind}"
                faults.append((("scheduler", 0), message, first))
            if second.every_step or second.watches_loss:
                message = f"{second.kind} cannot follow a warm-up; use it alone"
                faults.append((("scheduler", 1), message, second))
        for position, augmentation in enumerate(self.augment):
            if problem := augmentation.problem(self.dataset.shape):
                place = ("augment", position, augmentation.kind)
                faults.append((place, problem, augmentation))
        if faults:
            raise validation_errors(faults)
        return self

    @property
    def warm_up(self) -> int:
        """The number of epochs of the warm-up before the second scheduler; 0 without one."""
        return self.scheduler[0].arguments()["total_iters"] if len(self.scheduler) > 1 else 0

    def with_schedule(self, epochs: int, longer: int) -> TrainConfig:
        """Return the settings with the schedule for ``epochs`` extended to span ``longer``.

        A warm-up stays as it is, and so does what had not started when the run was to end.
        """
        before, after = epochs - self.warm_up, longer - self.warm_up
        if before < 1 or not self.scheduler or before == after:
            return self
        *warm_up, last = self.scheduler
        return self.model_copy(update={"scheduler": (*warm_up, last.extended(before, after))})

    def steps_per_epoch(self, images: int) -> int:
        """Return how many batches an epoch over ``images`` takes; the last may be smaller."""
        return -(-images // self.batch_size)


class Architecture(StrictModel):
    """A network, how it is trained and the targets it must reach.

    `netbuilder.load` creates it from a document; in Python, it takes the same fields. ``input`` is
    the shape of one sample: channels, height and width of an image.

    Raises:
        pydantic.ValidationError: A field is invalid. `netbuilder.load` raises
            `netbuilder.errors.ConfigError` instead, with the position in the document.
    """

    definitions: ClassVar[tuple[str, ...]] = ("values", "blocks", "include")
    """The sections of a document that its expansion removes."""

    name: Annotated[
        str,
        AfterValidator(_check_folder_name),
        WithJsonSchema({"type": "string", "pattern": FOLDER_NAME}),
    ]
    """The name of the architecture and of its run folder."""
    title: str = ""
    input: Annotated[tuple[Size, ...], LIST_AS_TUPLE, Length(1, 4)]
    layers: Annotated[tuple[AnyLayer, ...], LIST_AS_TUPLE, Length(1, 20_000)]
    init: Init | None = None
    """The initialization of convolutions and matrix products; torch's own by default."""
    train: TrainConfig | None = None
    targets: Targets = Field(default_factory=Targets)
    reference: Reference = Field(default_factory=Reference)
    notes: Notes = Field(default_factory=Notes)

    _source: Source | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _check_input(self) -> Architecture:
        bound, axes = self.targets.receptive_field, len(spatial(self.input))
        faults: list[tuple[tuple[str | int, ...], str, object]] = [
            (
                ("targets", "receptive_field", name),
                f"found a list of {len(limit)}; allowed: a number, or a list of {axes}, one per "
                f"axis of the input {format_shape(spatial(self.input))}",
                limit,
            )
            for name, limit in (bound.limits().items() if bound else ())
            if isinstance(limit, tuple) and len(limit) != axes
        ]
        if self.train and self.train.dataset.shape != self.input:
            dataset, shape = self.train.dataset.kind, self.train.dataset.shape
            message = (
                f"found {format_shape(self.input)}, but the images of {dataset} are "
                f"{format_shape(shape)}; write {list(shape)}"
            )
            faults.append((("input",), message, self.input))
        if faults:
            raise validation_errors(faults)
        return self

    @property
    def trained(self) -> TrainConfig:
        """The ``train`` section of a document that must have one."""
        if self.train is None:
            raise TypeError(f"{self.name} has no train section")
        return self.train

    def __eq__(self, other: object) -> bool:
        """Return whether both have equal fields, regardless of their source."""
        return isinstance(other, Architecture) and self.__dict__ == other.__dict__

    __hash__ = StrictModel.__hash__

    def __str__(self) -> str:
        text = f"{self.name}: input {format_shape(self.input)}, {plural(len(self.layers), 'layer')}"
        if self.train is None:
            return text
        epochs = plural(self.train.epochs, "epoch")
        return f"{text}; {epochs} on {self.train.dataset.kind} with {self.train.optimizer.kind}"

    def text(self) -> str:
        """Return the document as written; as JSON, which is also YAML, if created in Python."""
        return self._source.text if self._source else self.model_dump_json(indent=2) + "\n"

    def included(self) -> Mapping[str, str]:
        """Return the texts of the included files, by the names they are included by."""
        return self._source.included if self._source else {}

    def problem(self, place: Place, message: str) -> Problem:
        """Return the problem with the value at ``place``, with its position in a document."""
        if self._source is not None:
            return self._source.problem(place, message)
        return Problem(f"<{self.name}>", None, None, format_path(place), message)

    def value_at(self, place: Place) -> object:
        """Return the value at ``place`` as a document writes it; None without a document."""
        return self._source.value_at(place) if self._source is not None else None


def format_path(place: Place) -> str:
    """Return a path as messages show it: ``layers[3].Conv2d.kernel_size``.

    Keys that are long or not printable are quoted.
    """
    text = ""
    for step in place:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            name = step if step.isprintable() and len(step) <= 60 else repr(step[:60])
            text += f".{name}" if text else name
    return text


FAMILIES: tuple[Registry[Any], ...] = (
    LAYERS, INITIALIZERS, DATASETS, LOSSES, OPTIMIZERS, SCHEDULERS, AUGMENTATIONS,
)  # fmt: skip
"""Every family of kinds that a document can name."""

COMPONENTS: Mapping[str, type[Component]] = ChainMap(*(family.kinds for family in FAMILIES))
"""Every kind of every family; no two share a name."""
