"""The content of a report: the values of each network, in no format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean, linear_regression

from netbuilder._text import plural
from netbuilder.errors import ConfigError, MachineError
from netbuilder.network.analysis import Analysis, analyse
from netbuilder.network.diff import diff_architectures
from netbuilder.network.rows import Row
from netbuilder.network.targets import Verdict, judge_document
from netbuilder.render.diff_text import change_lines
from netbuilder.runs.records import Evaluation
from netbuilder.runs.run import Run
from netbuilder.runs.selection import Selection
from netbuilder.runs.statistics import MeanStd, RunRecord, newest_per_seed

MOST = 3
"""The number of largest layers and of most confused pairs of classes to report."""

WORST = 10
"""The number of mistakes to list."""


@dataclass(frozen=True)
class Gap:
    """Training accuracy minus test accuracy in percent points, the mean over the seeds.

    Attributes:
        last: The gap after the last epoch.
        change: Its change over the last ``epochs`` epochs, by linear regression; None after a
            single epoch.
        epochs: Half the number of all epochs, at least two.
    """

    last: float
    change: float | None
    epochs: int


@dataclass(frozen=True)
class ConfusedPair:
    """The number of images of one class classified as another, over all seeds."""

    label: str
    guess: str
    count: int


@dataclass(frozen=True)
class SharedMistake:
    """A misclassified test image; ``confidence`` is the highest over the seeds."""

    index: int
    label: str
    guess: str
    seeds: int
    confidence: float


@dataclass(frozen=True)
class TargetResult:
    """A target over the seeds.

    Attributes:
        target: The target's name.
        bound: The bound in words.
        values: The judged values.
        met: The number of seeds that meet it; None if it cannot be judged.
        of: The number of seeds.
        reason: Why it cannot be judged.
    """

    target: str
    bound: str
    values: tuple[float, ...]
    met: int | None
    of: int
    reason: str


@dataclass(frozen=True)
class ReportEntry:
    """One network of the report.

    Attributes:
        key: A unique name for links and files.
        path: The path of the document or folder.
        analysis: The analysis of the document.
        trained: Its finished runs, one per seed; the newest run of a seed counts.
        remarks: A line for each thing that is left out or missing.
        before: The key of the previous network; empty for the first.
        changes: The changes since the previous network, one line each.
    """

    key: str
    path: str
    analysis: Analysis
    trained: tuple[RunRecord, ...]
    remarks: tuple[str, ...]
    before: str
    changes: tuple[str, ...]

    @property
    def dataset(self) -> str:
        """The data set of the runs; empty without a run."""
        return self.trained[0].dataset if self.trained else ""

    @cached_property
    def best_test(self) -> MeanStd | None:
        """The best test accuracy of each run, percent."""
        return self.over_seeds(lambda run: run.best.test_accuracy)

    def over_seeds(self, value: Callable[[RunRecord], float]) -> MeanStd | None:
        """Return mean and deviation of a value over the runs; None without a run."""
        return MeanStd.of([value(run) for run in self.trained]) if self.trained else None

    @property
    def met(self) -> int | None:
        """The number of seeds that met every target; None if none can be judged."""
        judged = [run.met for run in self.trained if run.met is not None]
        return sum(judged) if judged else None

    @property
    def goals(self) -> tuple[TargetResult, ...]:
        """Every target of the document, with the values of the runs."""
        if not self.trained:
            return tuple(_goal([verdict]) for verdict in judge_document(self.analysis))
        return tuple(map(_goal, zip(*(run.verdicts for run in self.trained), strict=True)))

    @cached_property
    def gap(self) -> Gap | None:
        """The gap between training and test accuracy; None without a run."""
        if not self.trained:
            return None
        epochs = min(len(run.metrics) for run in self.trained)
        gaps = [
            fmean(
                run.metrics[epoch].train_accuracy - run.metrics[epoch].test_accuracy
                for run in self.trained
            )
            for epoch in range(epochs)
        ]
        last = gaps[-max(2, -(-epochs // 2)) :]
        if len(last) < 2:
            return Gap(gaps[-1], None, 1)
        slope = linear_regression(range(len(last)), last).slope
        return Gap(gaps[-1], slope * (len(last) - 1), len(last))

    @property
    def evaluated(self) -> tuple[Evaluation, ...]:
        """The evaluations of the runs that have the classes of the first."""
        recorded = [run.evaluation for run in self.trained if run.evaluation]
        return tuple(entry for entry in recorded if entry.classes == recorded[0].classes)

    @cached_property
    def confusion(self) -> tuple[tuple[int, ...], ...]:
        """The counts summed over `evaluated`: one row per label, one column per guess."""
        tables = [evaluation.confusion for evaluation in self.evaluated]
        return tuple(tuple(map(sum, zip(*rows, strict=True))) for rows in zip(*tables, strict=True))

    @property
    def confused(self) -> tuple[ConfusedPair, ...]:
        """The most confused pairs of classes, in descending order."""
        classes = self.evaluated[0].classes if self.evaluated else ()
        pairs = [
            ConfusedPair(classes[label], classes[guess], count)
            for label, row in enumerate(self.confusion)
            for guess, count in enumerate(row)
            if count and label != guess
        ]
        return tuple(sorted(pairs, key=lambda pair: -pair.count)[:MOST])

    @property
    def mistakes(self) -> tuple[SharedMistake, ...]:
        """The recorded mistakes, sorted by the number of seeds, then by confidence."""
        seeds: Counter[tuple[int, str, str]] = Counter()
        confidence: dict[tuple[int, str, str], float] = {}
        for evaluation in self.evaluated:
            for mistake in evaluation.mistakes:
                key = (mistake.index, mistake.label, mistake.guess)
                seeds[key] += 1
                confidence[key] = max(confidence.get(key, 0.0), mistake.confidence)
        shared = [SharedMistake(*key, count, confidence[key]) for key, count in seeds.items()]
        shared.sort(key=lambda mistake: (-mistake.seeds, -mistake.confidence, mistake.index))
        return tuple(shared[:WORST])

    @property
    def largest(self) -> tuple[Row, ...]:
        """The layers with the most parameters, in descending order."""
        rows = [row for row in self.analysis.rows if row.parameters and not row.is_container]
        return tuple(sorted(rows, key=lambda row: -row.parameters)[:MOST])


@dataclass(frozen=True)
class Report:
    """The networks in the order of the paths."""

    iterations: tuple[ReportEntry, ...]

    @property
    def runs(self) -> int:
        """The number of finished runs."""
        return sum(len(iteration.trained) for iteration in self.iterations)

    @property
    def tested(self) -> dict[str, list[ReportEntry]]:
        """The networks with runs by data set: only accuracies on the same one are comparable."""
        by_dataset: dict[str, list[ReportEntry]] = {}
        for iteration in self.iterations:
            if iteration.trained:
                by_dataset.setdefault(iteration.dataset, []).append(iteration)
        return by_dataset

    @property
    def smallest(self) -> ReportEntry | None:
        """The smallest network whose runs all met every target; of equal ones the first."""
        met = [i for i in self.iterations if i.met and i.met == len(i.trained)]
        return min(met, key=lambda i: i.analysis.parameters) if met else None


def report_on(selections: Iterable[Selection]) -> Report:
    """Return the report on documents and runs; a damaged run becomes a remark."""
    iterations: list[ReportEntry] = []
    used: set[str] = set()
    for selection in selections:
        before = iterations[-1] if iterations else None
        key = _free(selection.architecture.name, used)
        iterations.append(_iteration(selection, before, key))
    return Report(tuple(iterations))


def _free(name: str, used: set[str]) -> str:
    """Return an unused name; it differs in more than case, which some file systems ignore."""
    key, number = name, 1
    while key.lower() in used:
        number += 1
        key = f"{name}-{number}"
    used.add(key.lower())
    return key


def _iteration(selection: Selection, before: ReportEntry | None, key: str) -> ReportEntry:
    analysis = analyse(selection.architecture)
    trained, remarks = _trained(selection.runs, analysis)
    if selection.other_runs:
        runs = plural(len(selection.other_runs), "run")
        remarks.append(f"Left out: {runs} of this name, of another version of the document.")
    remarks += [f"Left out: {line}" for line in selection.unreadable]
    if not trained and analysis.architecture.train:
        remarks.append("; ".join(filter(None, ("No finished run", selection.train_hint))))
    missing = [run.run.path.name for run in trained if run.evaluation is None]
    if missing:
        which = missing[0] if len(missing) == 1 else f"{len(missing)} of {len(trained)} runs"
        remarks.append(
            f"No confusion matrix and no mistakes of {which}: evaluation.json is missing, which "
            "older versions did not write; train again to get it."
        )
    return ReportEntry(
        key=key,
        path=str(selection.path),
        analysis=analysis,
        trained=tuple(trained),
        remarks=tuple(remarks),
        before=before.key if before else "",
        changes=change_lines(diff_architectures(before.analysis, analysis)) if before else (),
    )


def _trained(runs: Sequence[Run], analysis: Analysis) -> tuple[list[RunRecord], list[str]]:
    """Return the finished runs on one data set by seed, and a line for each other run."""
    finished: list[RunRecord] = []
    remarks = []
    for run in runs:
        try:
            record = RunRecord.read(run, analysis)
            if record is None:
                progress = f"{len(run.metrics)} of {run.config.epochs} epochs trained"
                remarks.append(f"Left out: {run.path} is not finished, {progress}.")
                continue
            _ = record.evaluation  # a damaged one is left out, too
        except (ConfigError, MachineError) as error:
            remarks.append(f"Left out: {error}")
        else:
            finished.append(record)
    real = [record for record in finished if not record.fallback]
    if real and len(real) < len(finished):
        count = len(finished) - len(real)
        remarks.append(f"Left out: {count} on the fallback of the document's data set.")
    return newest_per_seed(real or finished), remarks


def _goal(verdicts: Sequence[Verdict]) -> TargetResult:
    """Return one target over the seeds."""
    first = verdicts[0]
    judged = [verdict.met for verdict in verdicts if verdict.met is not None]
    reasons = [verdict.reason for verdict in verdicts if verdict.reason]
    return TargetResult(
        target=first.target.replace("_", " "),
        bound=first.bound,
        values=tuple(verdict.value for verdict in verdicts if verdict.value is not None),
        met=sum(judged) if judged else None,
        of=len(verdicts),
        reason=reasons[0] if reasons else "",
    )
