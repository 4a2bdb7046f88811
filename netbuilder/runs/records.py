"""What a finished run recorded, checked: its files are JSON that anybody may have edited."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Self, TypeVar

from pydantic import BaseModel, Field, TypeAdapter, ValidationError, model_validator

from netbuilder.errors import ConfigError
from netbuilder.network.analysis import Analysis
from netbuilder.network.targets import Verdict, judge_run
from netbuilder.runs.run import Metrics, Run
from netbuilder.runs.statistics import RunStatistics, at_target

T = TypeVar("T")

Count = Annotated[int, Field(ge=0)]


class WrongGuess(BaseModel):
    """A test image that was taken for something else; ``confidence`` is in [0, 1]."""

    index: Count
    label: str
    guess: str
    confidence: Annotated[float, Field(ge=0, le=1)]


class Evaluation(BaseModel):
    """The test set after the last epoch; ``confusion`` has a row a label, a column a guess."""

    classes: list[str]
    confusion: list[list[Count]]
    mistakes: list[WrongGuess]

    @model_validator(mode="after")
    def _is_square(self) -> Self:
        size = len(self.classes)
        if [len(row) for row in self.confusion] != [size] * size:
            raise ValueError(f"confusion is no table of {size} x {size}, as there are classes")
        return self


@dataclass(frozen=True)
class RunRecord(RunStatistics):
    """A finished run, and how it stands against the targets of its document.

    Attributes:
        run: its folder.
        seed: of its random draws.
        device: with the precision, as ``cpu bf16``.
        dataset: what it was trained on.
        stands_in: why accuracies prove nothing about the document's data set; else empty.
        verdicts: one a target of the document as it stands now.
        evaluation: None where the run recorded none.
    """

    run: Run
    seed: int
    device: str
    dataset: str
    stands_in: str
    verdicts: tuple[Verdict, ...]
    evaluation: Evaluation | None

    @classmethod
    def read(cls, run: Run, analysis: Analysis) -> Self | None:
        """What ``run`` recorded, judged by ``analysis``; None where it is not finished.

        Raises:
            ConfigError: a record cannot be read, or is none that `train` wrote.
        """
        if run.result is None:
            return None
        data = run.environment["data"]
        kind = str(data.get("kind", "unnamed data"))
        stands_in = f"trained on {kind}, which stood in" if data["fell_back"] else ""
        metrics = _checked(run, "metrics.jsonl", _METRICS, run.metrics)
        evaluation = run.evaluation
        target = analysis.architecture.targets.test_accuracy
        return cls(
            run=run,
            seed=_checked(run, "config.json", _SEED, run.config["seed"]),
            device=f"{run.config['device']} {run.config['precision']}",
            dataset=kind,
            stands_in=stands_in,
            metrics=tuple(metrics),
            verdicts=tuple(judge_run(analysis, metrics, stands_in)),
            at_target=at_target(metrics, target, stands_in=bool(stands_in)),
            evaluation=None
            if evaluation is None
            else _checked(run, "evaluation.json", _EVALUATION, evaluation),
        )

    @property
    def met(self) -> bool | None:
        """Whether every target was met; None where none is missed and some cannot be judged."""
        found = {verdict.met for verdict in self.verdicts}
        if False in found:
            return False
        return None if None in found or not found else True


_METRICS: TypeAdapter[list[Metrics]] = TypeAdapter(
    Annotated[list[dict[str, float]], Field(min_length=1)]
)

_SEED = TypeAdapter(int)

_EVALUATION = TypeAdapter(Evaluation)


def _checked(run: Run, name: str, kind: TypeAdapter[T], value: object) -> T:
    try:
        return kind.validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        message = (
            f"cannot be read: {place}: {first['msg']}; it is no record that `train` wrote; "
            "take another run"
        )
        raise ConfigError.at(run.path / name, message) from None
