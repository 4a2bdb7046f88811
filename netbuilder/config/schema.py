"""The document: what an architecture file may say, and what each part means."""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Mapping, Sequence
from typing import Annotated, Protocol

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    WithJsonSchema,
    model_validator,
)

from netbuilder._text import describe
from netbuilder.components.augmentations import AUGMENTATIONS
from netbuilder.components.augmentations.base import Augmentation
from netbuilder.components.component import (
    Component,
    Registry,
    StrictModel,
    validation_error,
    validation_errors,
)
from netbuilder.components.datasets import DATASETS, AnyDataset
from netbuilder.components.fields import LIST_AS_TUPLE, Length, Number, Size
from netbuilder.components.initializers import INITIALIZERS, Init
from netbuilder.components.layers.base import LAYERS, AnyLayer
from netbuilder.components.losses import LOSSES, AnyLoss, CrossEntropyLoss
from netbuilder.components.optimizers import OPTIMIZERS, AnyOptimizer
from netbuilder.components.schedulers import SCHEDULERS, AnyScheduler
from netbuilder.components.shapes import format_shape
from netbuilder.errors import Problem

Place = Sequence[str | int]
"""Where a value stands in a document: ``("layers", 3, "Conv2d", "kernel_size")``."""


class Source(Protocol):
    """The text that a document came from: it knows where each value stands."""

    text: str
    included: Mapping[str, str]

    def problem(self, place: Place, message: str) -> Problem:
        """The problem at ``place``, with its file, line and column."""


def _as_several(value: object) -> object:
    if isinstance(value, list | tuple):
        return tuple(value)
    return () if value is None else (value,)


FOLDER_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"


def _as_folder_name(value: str) -> str:
    if not re.fullmatch(FOLDER_NAME, value):
        signs = "a to z, A to Z, digits, dots, dashes and underscores"
        allowed = f"at most 64 of {signs}, no dot or dash first"
        raise validation_error(f"found {describe(value)}; allowed: {allowed}")
    return value


class Bound(StrictModel):
    """What a figure has to stay within; at least one of the four."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": [bound], "properties": {bound: {"type": "number"}}}
                for bound in ("below", "at_most", "above", "at_least")
            ]
        }
    )

    below: Number | None = None
    at_most: Number | None = None
    above: Number | None = None
    at_least: Number | None = None

    @model_validator(mode="after")
    def _bounds_something(self) -> Bound:
        if (self.below, self.at_most, self.above, self.at_least) == (None,) * 4:
            raise validation_error("it bounds nothing; allowed: below, at_most, above, at_least")
        return self


class AccuracyTarget(Bound):
    """A bound on an accuracy in percent, in each of the last epochs of a run."""

    for_last_epochs: Size = 1


class Targets(StrictModel):
    """What the architecture is meant to reach; the first three are known before training."""

    parameters: Bound | None = None
    receptive_field: Bound | None = None
    epochs: Bound | None = None
    train_accuracy: AccuracyTarget | None = None
    test_accuracy: AccuracyTarget | None = None


class Reference(StrictModel):
    """Published figures to compare a run with; accuracies in percent, the best of the run."""

    parameters: Size | None = None
    train_accuracy: Number | None = None
    test_accuracy: Number | None = None


class Notes(StrictModel):
    """The author's words: what is tried, what was chosen and why, what came of it.

    ``learned`` is what the documents before this one taught; `netbuilder new --from` fills it.
    """

    target: str = ""
    choices: str = ""
    analysis: str = ""
    learned: str = ""


AnyAugmentation = Annotated[Augmentation, Registry("augmentation", AUGMENTATIONS)]


class TrainConfig(StrictModel):
    """How the network is trained."""

    dataset: AnyDataset
    epochs: Size
    batch_size: Size = 64
    loss: AnyLoss = Field(default_factory=CrossEntropyLoss)
    optimizer: AnyOptimizer
    scheduler: Annotated[
        tuple[AnyScheduler, ...],
        Field(default=()),
        Length(0, 2),
        BeforeValidator(
            _as_several,
            json_schema_input_type=AnyScheduler
            | Annotated[list[AnyScheduler], Length(0, 2)]
            | None,
        ),
    ]
    """One scheduler, or a LinearLR warm-up and the one behind it."""
    augment: Annotated[
        tuple[AnyAugmentation, ...], Field(default=()), LIST_AS_TUPLE, Length(0, 100)
    ]
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    """The decay, a step, of an exponential moving average of weights and buffers. With it the test
    accuracy and the kept weights are the average's. It begins lower, at (1 + n) / (10 + n) behind n
    steps, until that reaches it."""

    @model_validator(mode="after")
    def _parts_fit(self) -> TrainConfig:
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

    def steps_per_epoch(self, images: int) -> int:
        """Return how many batches an epoch over ``images`` takes; the last may be smaller."""
        return -(-images // self.batch_size)


class Architecture(StrictModel):
    """A network, how it is trained and what it is meant to reach.

    Made by `netbuilder.load` from a document, or in Python from the same fields. ``input`` is the
    shape of one sample: channels, height, width for an image.

    Raises:
        pydantic.ValidationError: a field made in Python is wrong; `netbuilder.load` raises
            `netbuilder.errors.ConfigError` with the place in the document instead.
    """

    name: Annotated[
        str,
        AfterValidator(_as_folder_name),
        WithJsonSchema({"type": "string", "pattern": FOLDER_NAME}),
    ]
    """It names the run folder."""
    title: str = ""
    input: Annotated[tuple[Size, ...], LIST_AS_TUPLE, Length(1, 4)]
    layers: Annotated[tuple[AnyLayer, ...], LIST_AS_TUPLE, Length(1, 20_000)]
    init: Init | None = None
    """How the weights of convolutions and matrix products begin; torch's own way unless given."""
    train: TrainConfig | None = None
    targets: Targets = Field(default_factory=Targets)
    reference: Reference = Field(default_factory=Reference)
    notes: Notes = Field(default_factory=Notes)

    _source: Source | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _input_is_the_data(self) -> Architecture:
        if self.train and self.train.dataset.shape != self.input:
            message = (
                f"found {format_shape(self.input)}, but the images of {self.train.dataset.kind} "
                f"are {format_shape(self.train.dataset.shape)}; write {list(self.train.dataset.shape)}"
            )
            raise validation_errors([(("input",), message, self.input)])
        return self

    @property
    def trained(self) -> TrainConfig:
        """The ``train`` section of a document that was found to have one."""
        if self.train is None:
            raise TypeError(f"{self.name} has no train section")
        return self.train

    def __eq__(self, other: object) -> bool:
        """Whether both say the same, wherever each was read."""
        return isinstance(other, Architecture) and self.__dict__ == other.__dict__

    __hash__ = StrictModel.__hash__

    def text(self) -> str:
        """The document as written, or as JSON, which is YAML too, where it was made in Python."""
        return self._source.text if self._source else self.model_dump_json(indent=2) + "\n"

    def included(self) -> Mapping[str, str]:
        """The texts of the files that the document includes, by the names that it gives them."""
        return self._source.included if self._source else {}

    def problem(self, place: Place, message: str) -> Problem:
        """A problem with the value at ``place``, with its line where the document is known."""
        if self._source is not None:
            return self._source.problem(place, message)
        return Problem(f"<{self.name}>", 0, 0, format_path(place), message)


def format_path(place: Place) -> str:
    """A place as messages write it: ``layers[3].Conv2d.kernel_size``; what a key hides is shown."""
    text = ""
    for step in place:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            name = step if step.isprintable() and len(step) <= 60 else repr(step[:60])
            text += f".{name}" if text else name
    return text


COMPONENTS: Mapping[str, type[Component]] = ChainMap(
    LAYERS.kinds,  # type: ignore[arg-type]  # grows with plugins
    {
        kind.kind: kind
        for kinds in (INITIALIZERS, DATASETS, LOSSES, OPTIMIZERS, SCHEDULERS, AUGMENTATIONS)
        for kind in kinds
    },
)
"""Every kind of component of every family; no two share a name."""
