"""What a report says of each network: values, without a word of HTML or markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean, linear_regression

from netbuilder.errors import ConfigError
from netbuilder.network.analysis import Analysis, Row, analyse
from netbuilder.network.diff import diff_architectures
from netbuilder.network.targets import Verdict, judge_document
from netbuilder.render.diff import change_lines
from netbuilder.runs.records import Evaluation, RunRecord
from netbuilder.runs.run import Run
from netbuilder.runs.selection import Selection
from netbuilder.runs.statistics import MeanStd

MOST = 3
"""How many layers and pairs of classes are named as the largest."""

WORST = 10
"""How many mistakes are listed."""


@dataclass(frozen=True)
class Gap:
    """Training accuracy minus test accuracy in percent points, the mean over the seeds.

    Attributes:
        last: after the last epoch.
        change: by how much it moved over the last ``epochs``, by a straight line through them;
            None where a single epoch was trained.
        epochs: the second half of all, at least two.
    """

    last: float
    change: float | None
    epochs: int


@dataclass(frozen=True)
class ConfusedPair:
    """How often images of one class were taken for another, over all seeds."""

    label: str
    guess: str
    count: int


@dataclass(frozen=True)
class Mistake:
    """A test image that was taken for something else, by how many of the seeds."""

    index: int
    label: str
    guess: str
    seeds: int
    confidence: float


@dataclass(frozen=True)
class TargetResult:
    """How a target that every document states was kept: its name, its bound, by how many seeds.

    ``found`` holds the figures that were judged; ``met`` is None where it cannot be judged.
    """

    target: str
    bound: str
    found: tuple[float, ...]
    met: int | None
    of: int
    reason: str


@dataclass(frozen=True)
class ReportEntry:
    """One network of the report.

    Attributes:
        key: a name for links and files that no other iteration has.
        path: the document or folder that was named.
        analysis: of the document.
        trained: its finished runs, one a seed; of a seed that ran twice, the newest.
        remarks: a line for all that was left out, or is missing.
        before: the key of the iteration before; empty for the first.
        changes: what the document changes of that one, a line each.
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
        """What was trained on; empty without a run."""
        return self.trained[0].dataset if self.trained else ""

    @cached_property
    def best_test(self) -> MeanStd | None:
        """The best test accuracy of each run, percent."""
        return self.over_seeds(lambda run: run.best["test_accuracy"])

    def over_seeds(self, figure: Callable[[RunRecord], float]) -> MeanStd | None:
        """A figure of each run over all of them; None without a run."""
        return MeanStd.of([figure(run) for run in self.trained]) if self.trained else None

    @property
    def met(self) -> int | None:
        """How many seeds met every target; None where none can be judged."""
        judged = [run.met for run in self.trained if run.met is not None]
        return sum(judged) if judged else None

    @property
    def goals(self) -> tuple[TargetResult, ...]:
        """Every target of the document, with what was found."""
        if not self.trained:
            alone = [(verdict,) for verdict in judge_document(self.analysis)]
            return tuple(_goal(verdicts) for verdicts in alone)
        return tuple(map(_goal, zip(*(run.verdicts for run in self.trained), strict=True)))

    @cached_property
    def gap(self) -> Gap | None:
        """None without a run."""
        if not self.trained:
            return None
        epochs = min(len(run.metrics) for run in self.trained)
        gaps = [
            fmean(
                run.metrics[epoch]["train_accuracy"] - run.metrics[epoch]["test_accuracy"]
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
        """What the runs recorded of the test set, where they are of one list of classes."""
        found = [run.evaluation for run in self.trained if run.evaluation]
        return tuple(each for each in found if each.classes == found[0].classes)

    @cached_property
    def confusion(self) -> tuple[tuple[int, ...], ...]:
        """The counts of `evaluated`, added up; a row a label, a column a guess."""
        tables = [evaluation.confusion for evaluation in self.evaluated]
        return tuple(tuple(map(sum, zip(*rows, strict=True))) for rows in zip(*tables, strict=True))

    @property
    def confused(self) -> tuple[ConfusedPair, ...]:
        """The pairs of classes that were confused most, the most frequent first."""
        classes = self.evaluated[0].classes if self.evaluated else []
        pairs = [
            ConfusedPair(classes[label], classes[guess], count)
            for label, row in enumerate(self.confusion)
            for guess, count in enumerate(row)
            if count and label != guess
        ]
        return tuple(sorted(pairs, key=lambda pair: -pair.count)[:MOST])

    @property
    def mistakes(self) -> tuple[Mistake, ...]:
        """The recorded mistakes, first those that most seeds made, then the most confident."""
        seeds: Counter[tuple[int, str, str]] = Counter()
        confidence: dict[tuple[int, str, str], float] = {}
        for evaluation in self.evaluated:
            for wrong in evaluation.mistakes:
                key = (wrong.index, wrong.label, wrong.guess)
                seeds[key] += 1
                confidence[key] = max(confidence.get(key, 0.0), wrong.confidence)
        made = [Mistake(*key, count, confidence[key]) for key, count in seeds.items()]
        made.sort(key=lambda mistake: (-mistake.seeds, -mistake.confidence, mistake.index))
        return tuple(made[:WORST])

    @property
    def largest(self) -> tuple[Row, ...]:
        """The layers in which the most parameters sit, the largest first."""
        rows = [row for row in self.analysis.rows if row.parameters and not row.is_container]
        return tuple(sorted(rows, key=lambda row: -row.parameters)[:MOST])


@dataclass(frozen=True)
class Report:
    """All that is said, in the order in which it was asked for."""

    iterations: tuple[ReportEntry, ...]

    @property
    def runs(self) -> int:
        """How many finished runs it is made from."""
        return sum(len(iteration.trained) for iteration in self.iterations)

    @property
    def tested(self) -> dict[str, list[ReportEntry]]:
        """Those with runs by their data set; accuracies on two say nothing about each other."""
        found: dict[str, list[ReportEntry]] = {}
        for iteration in self.iterations:
            if iteration.trained:
                found.setdefault(iteration.dataset, []).append(iteration)
        return found

    @property
    def smallest(self) -> ReportEntry | None:
        """The first of the smallest networks of which every run met every target."""
        kept = [i for i in self.iterations if i.met and i.met == len(i.trained)]
        return min(kept, key=lambda i: i.analysis.parameters) if kept else None


def report_on(subjects: Iterable[Selection]) -> Report:
    """What there is to say of ``subjects``.

    A record that cannot be read costs a line, not the report.
    """
    iterations: list[ReportEntry] = []
    taken: set[str] = set()
    for subject in subjects:
        before = iterations[-1] if iterations else None
        iterations.append(_iteration(subject, before, _free(subject.architecture.name, taken)))
    return Report(tuple(iterations))


def _free(name: str, taken: set[str]) -> str:
    """A name that none has yet, not even in other letters: some disks take these for the same."""
    key, number = name, 1
    while key.lower() in taken:
        number += 1
        key = f"{name}-{number}"
    taken.add(key.lower())
    return key


def _iteration(subject: Selection, before: ReportEntry | None, key: str) -> ReportEntry:
    analysis = analyse(subject.architecture)
    trained, remarks = _trained(subject.runs, analysis)
    if subject.other_runs:
        runs = f"{len(subject.other_runs)} run{'s' * (len(subject.other_runs) > 1)}"
        remarks.append(f"Left out: {runs} of this name, of a document that said something else.")
    remarks += [f"Left out: {line}" for line in subject.unreadable]
    if not trained and analysis.architecture.train:
        remarks.append("; ".join(filter(None, ("No finished run", subject.train_hint))))
    missing = [run.run.path.name for run in trained if run.evaluation is None]
    if missing:
        which = missing[0] if len(missing) == 1 else f"{len(missing)} of {len(trained)} runs"
        remarks.append(
            f"No confusion matrix and no mistakes of {which}: evaluation.json is not there. "
            "Older versions did not write it; a run trained anew has it."
        )
    return ReportEntry(
        key=key,
        path=str(subject.path),
        analysis=analysis,
        trained=tuple(trained),
        remarks=tuple(remarks),
        before=before.key if before else "",
        changes=change_lines(diff_architectures(before.analysis, analysis)) if before else (),
    )


def _trained(runs: Sequence[Run], analysis: Analysis) -> tuple[list[RunRecord], list[str]]:
    """The finished runs of one data set, by their seeds, and a line for each other."""
    found: list[RunRecord] = []
    remarks = []
    for run in runs:
        try:
            trained = RunRecord.read(run, analysis)
            if trained:
                found.append(trained)
            else:
                told = f"{len(run.metrics)} of {run.config['architecture']['train']['epochs']}"
                remarks.append(f"Left out: {run.path} is not finished, {told} epochs trained.")
        except ConfigError as error:
            remarks.append(f"Left out: {error}")
    real = [run for run in found if not run.stands_in]
    if real and len(real) < len(found):
        count = len(found) - len(real)
        remarks.append(f"Left out: {count} on data that stood in for the document's own.")
    by_seed: dict[int, RunRecord] = {}
    for trained in sorted(real or found, key=lambda one: (one.run.started, one.run.path.name)):
        by_seed[trained.seed] = trained
    return [by_seed[seed] for seed in sorted(by_seed)], remarks


def _goal(verdicts: Sequence[Verdict]) -> TargetResult:
    """One target over the seeds."""
    first = verdicts[0]
    judged = [verdict.met for verdict in verdicts if verdict.met is not None]
    found = tuple(verdict.found for verdict in verdicts if verdict.found is not None)
    reasons = [verdict.reason for verdict in verdicts if verdict.reason]
    return TargetResult(
        target=first.target.replace("_", " "),
        bound=first.bound,
        found=found,
        met=sum(judged) if judged else None,
        of=len(verdicts),
        reason=reasons[0] if reasons else "",
    )
