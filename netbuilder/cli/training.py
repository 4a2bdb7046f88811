"""The commands around a run: train, evaluate, results."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from netbuilder.choices import DEVICES, PRECISIONS, SCHEDULES, SWITCH
from netbuilder.cli import completion
from netbuilder.cli.options import (
    DataDir,
    Dataset,
    Device,
    Plugins,
    TableFormat,
    TextOrJson,
    Weights,
    choice,
    require_folder,
    table_format,
    whole,
)
from netbuilder.cli.running import Stop, show_run
from netbuilder.errors import ConfigError, printable, require_extra


def train(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH", help="Documents.", autocompletion=completion.documents),
    ] = None,
    epochs: Annotated[int | None, whole("--epochs", 1, "In place of the document's.")] = None,
    seed: Annotated[
        int | None, whole("--seed", 0, "Settles the weights and all draws; 0 unless given.")
    ] = None,
    device: Annotated[str | None, choice("--device", DEVICES)] = None,
    precision: Annotated[str | None, choice("--precision", PRECISIONS)] = None,
    compile: Annotated[
        str | None, choice("--compile", SWITCH, "auto: from the second epoch, where it pays.")
    ] = None,
    graph: Annotated[
        str | None, choice("--graph", SWITCH, "auto: where a CUDA graph can be captured.")
    ] = None,
    deterministic: Annotated[
        bool, typer.Option("--deterministic", help="The same bits on a GPU too, or say why not.")
    ] = False,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="FIELD=VALUE", help="train.optimizer.SGD.lr=0.05, any field."
        ),
    ] = None,
    dataset: Dataset = None,
    data_dir: DataDir = None,
    out: Annotated[
        Path | None, typer.Option(help="Where run folders are made; runs unless given.")
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            autocompletion=completion.resumable,
            help="Go on with this run folder; auto: with the documents' newest, if there is one.",
        ),
    ] = None,
    schedule: Annotated[
        str | None,
        choice(
            "--schedule",
            SCHEDULES,
            "With --resume RUN --epochs N: extend the schedule, or hold its end.",
        ),
    ] = None,
    logger: Annotated[
        str | None,
        choice("--logger", ("tensorboard",), "Write RUN/tensorboard too, which it opens."),
    ] = None,
    plugins: Plugins = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="One line a run.")] = False,
) -> None:
    """Train each document and say whether its targets were met.

    Example: netbuilder train archs/iter10.yaml --epochs 2
    """
    from netbuilder import tables
    from netbuilder.analysis import require_trainable
    from netbuilder.console import show
    from netbuilder.loader import load
    from netbuilder.runs import RUNS, Run

    overrides = [*(changes or [])]
    if dataset is not None:
        overrides.append(f"train.dataset={dataset}")
    if epochs is not None:
        overrides.append(f"train.epochs={epochs}")
    require_folder(out)
    one = resume is not None and str(resume) != "auto"
    if schedule is not None and not (one and epochs):
        raise ConfigError("--schedule goes with --resume RUN --epochs N, a run's further epochs")
    if one:
        fixed = (dataset, seed, precision, compile, graph, out) != (None,) * 6 or deterministic
        if paths or changes or fixed:
            raise ConfigError(
                "--resume goes on with a run as it began; give it no document and no change, "
                "only --epochs, --schedule, --device, --data-dir and --quiet"
            )
        analyses = []
    elif not paths:
        raise ConfigError("name a document, such as archs/iter10.yaml, or a run with --resume")
    else:
        # All of them before the first is trained: a mistake in the last costs no hours.
        analyses = [require_trainable(load(path, overrides)) for path in paths]

    with Stop() as stop:
        from netbuilder.training import prepare
        from netbuilder.training import resume as go_on
        from netbuilder.training import train as begin

        if logger:
            require_extra("tensorboard", "tensorboard")
        met = []
        if resume is not None and one:
            records = go_on(
                resume,
                device=device,
                data_dir=data_dir,
                stop=stop,
                epochs=epochs,
                schedule=schedule or "extend",
            )
            met.append(show_run(records, stop, quiet=quiet, logged=bool(logger)))
        if len(analyses) > 1:
            # All data before the first is trained: what the last lacks costs no hours.
            for analysis in analyses:
                prepare(analysis.architecture, data_dir)
        for analysis in analyses:
            if not quiet:
                plain = not sys.stdout.isatty()
                show(tables.summary(analysis, plain=plain), plain=plain)
            kept = out or RUNS
            if resume is not None and (
                run := Run.latest(kept, analysis.architecture, seed or 0, precision, _pass_over)
            ):
                records = go_on(run.path, device=device, data_dir=data_dir, stop=stop)
                met.append(show_run(records, stop, quiet=quiet, logged=bool(logger)))
                continue
            records = begin(
                analysis.architecture,
                out=kept,
                seed=seed or 0,
                device=device or "auto",
                precision=precision or "auto",
                compile=compile or "auto",
                graph=graph or "auto",
                deterministic=deterministic,
                data_dir=data_dir,
                stop=stop,
            )
            met.append(show_run(records, stop, quiet=quiet, logged=bool(logger)))
    if False in met:
        raise typer.Exit(1)


def _pass_over(error: ConfigError) -> None:
    print(printable(f"passed over: {error}"), file=sys.stderr)


def evaluate(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="A run folder.", autocompletion=completion.runs)
    ],
    weights: Weights = "best",
    device: Device = "auto",
    data_dir: DataDir = None,
    plugins: Plugins = None,
    output: TextOrJson = "text",
) -> None:
    """Test a run's kept weights.

    Accuracy, loss, the accuracy of each class and the confusion matrix.

    Example: netbuilder evaluate runs/iter10/2026-11-24T12-00-00-seed0
    """
    from netbuilder.runs import Run

    recorded = Run.open(run)
    from netbuilder.training.recorded import evaluate_run

    evaluation, data = evaluate_run(recorded, which=weights, device=device, data_dir=data_dir)
    if output == "json":
        typer.echo(
            json.dumps(
                {
                    "run": str(run),
                    "weights": weights,
                    "dataset": data.dataset.kind,
                    "accuracy": evaluation.accuracy,
                    "loss": evaluation.loss,
                    "classes": list(data.dataset.classes),
                    "class_accuracy": evaluation.class_accuracy,
                    "confusion": evaluation.confusion.tolist(),
                }
            )
        )
        return
    from netbuilder.console import show
    from netbuilder.live import evaluation_table

    print(
        f"{weights} weights of {printable(str(run))} on {len(evaluation.labels):,} test images of "
        f"{data.dataset.kind}: accuracy {evaluation.accuracy:.2f} %, loss {evaluation.loss:.4f}"
    )
    plain = not sys.stdout.isatty()
    show(evaluation_table(evaluation, data.dataset.classes, plain=plain), plain=plain)


def results(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUNS",
            help="Run folders, or folders of them.",
            autocompletion=completion.runs,
        ),
    ],
    output: TableFormat = None,
    plugins: Plugins = None,
) -> None:
    """Compare finished runs with published figures.

    One row an architecture: means over its seeds, in percent.

    Example: netbuilder results runs --format markdown
    """
    output = output or table_format()
    from dataclasses import asdict

    from netbuilder.markdown import table as markdown_table
    from netbuilder.results import COLUMNS, DISPENSABLE, cells, summarise
    from netbuilder.runs import Run
    from netbuilder.subjects import readable

    kept, unreadable = readable(run.path for run in Run.find(paths))
    if not kept:
        raise ConfigError("\n".join(unreadable))
    summaries = summarise(kept)
    for line in unreadable:
        print(line, file=sys.stderr)
    if not summaries:
        print(
            "no finished run in it; go on with one: netbuilder train --resume RUN", file=sys.stderr
        )
    if output == "markdown":
        print(markdown_table(COLUMNS, map(cells, summaries)), end="")
    elif output == "json":
        print(json.dumps([asdict(summary) for summary in summaries], indent=2))
    elif summaries:
        from rich.text import Text

        from netbuilder.console import show
        from netbuilder.fitted import Fitted

        plain = output == "plain"
        rows = [list(map(Text, cells(summary))) for summary in summaries]
        show(Fitted(COLUMNS, rows, plain=plain, dispensable=DISPENSABLE), plain=plain)
