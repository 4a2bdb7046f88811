"""``netbuilder train``."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from netbuilder._text import printable
from netbuilder.cli import _completion as completion
from netbuilder.cli._options import DataDir, Dataset, Plugins, choice, require_folder, whole
from netbuilder.cli._signals import Stop
from netbuilder.errors import ConfigError, require_extra
from netbuilder.render.plots.run import _draw
from netbuilder.training.options import DEVICES, PRECISIONS, SCHEDULES, SWITCH

if TYPE_CHECKING:
    from netbuilder.render.tensorboard import TensorBoardLog
    from netbuilder.training.events import Event


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
    from netbuilder.config.loader import load
    from netbuilder.network.check import require_trainable
    from netbuilder.render import network as tables
    from netbuilder.render.console import show
    from netbuilder.runs.run import RUNS, Run

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
        from netbuilder.training.loop import prepare
        from netbuilder.training.loop import resume as go_on
        from netbuilder.training.loop import train as begin

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
                prepare(analysis, data_dir)
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
                analysis,
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


def show_run(
    records: Generator[Event, None, None], stop: Stop, *, quiet: bool, logged: bool
) -> bool | None:
    """Show a run to its end, draw its pictures, and tell whether its targets were met."""
    from netbuilder.render.progress import RunProgress
    from netbuilder.training.events import Finished
    from netbuilder.training.resources import limits

    # Closed, for a run that is not let go of cannot be taken up again.
    with (
        closing(records),
        RunProgress(plain=not sys.stdout.isatty(), quiet=quiet) as live,
        _log() if logged else nullcontext() as log,
    ):
        for record in records:
            stop.follow(record)
            live.show(record)
            if log:
                log.show(record)
            if isinstance(record, Finished):
                with limits(record.run.path, "; the run itself is recorded"):
                    _draw(record)
                met: bool | None = record.result.met
                return met
    raise AssertionError("a run ends with Finished or an error")


def _log() -> TensorBoardLog:
    from netbuilder.render.tensorboard import TensorBoardLog

    return TensorBoardLog()
