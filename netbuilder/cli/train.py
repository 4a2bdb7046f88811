"""``netbuilder train``."""

from __future__ import annotations

import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from netbuilder._text.commands import repeat
from netbuilder.cli import _completion as completion
from netbuilder.cli._options import (
    Changes,
    DataDir,
    Dataset,
    Plugins,
    require_documents,
    require_folder,
    whole,
)
from netbuilder.cli._output import echo
from netbuilder.cli._screen import Screen
from netbuilder.cli._signals import Stop
from netbuilder.errors import ConfigError, MachineError, require_extra
from netbuilder.runs import RUNS
from netbuilder.training.options import DeviceName, PrecisionName, ScheduleExtension, Switch

if TYPE_CHECKING:
    from netbuilder.network.analysis import Analysis
    from netbuilder.training.events import Event, Finished


@dataclass(frozen=True)
class TrainSettings:
    """How to train and where to write; None means the default, or the setting of the run."""

    out: Path = RUNS
    seed: int = 0
    device: DeviceName | None = None
    precision: PrecisionName | None = None
    compile: Switch = "auto"
    graph: Switch = "auto"
    deterministic: bool = False
    data_dir: Path | None = None


def train(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH", help="Documents.", autocompletion=completion.documents),
    ] = None,
    epochs: Annotated[
        int | None, whole("--epochs", 1, "Replace the epochs of the document.")
    ] = None,
    seed: Annotated[
        int | None, whole("--seed", 0, "Seed of the weights and of all random draws; default 0.")
    ] = None,
    device: Annotated[DeviceName | None, typer.Option(help="Where to train.")] = None,
    precision: Annotated[
        PrecisionName | None, typer.Option(help="Precision of the computation.")
    ] = None,
    compile: Annotated[
        Switch | None, typer.Option(help="auto: from epoch 2, if the run is long enough.")
    ] = None,
    graph: Annotated[
        Switch | None, typer.Option(help="auto: where a CUDA graph can be captured.")
    ] = None,
    deterministic: Annotated[
        bool,
        typer.Option("--deterministic", help="Bitwise reproducible on a GPU, or an error."),
    ] = False,
    changes: Changes = None,
    dataset: Dataset = None,
    data_dir: DataDir = None,
    out: Annotated[Path | None, typer.Option(help="Folder for run folders; default runs.")] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            autocompletion=completion.resumable,
            help="Resume this run folder; auto: the newest run of each document, if any.",
        ),
    ] = None,
    schedule: Annotated[
        ScheduleExtension | None,
        typer.Option(help="With --resume RUN --epochs N: extend the schedule, or hold its end."),
    ] = None,
    logger: Annotated[
        Literal["tensorboard"] | None, typer.Option(help="Write RUN/tensorboard as well.")
    ] = None,
    plugins: Plugins = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="One line per run.")] = False,
) -> None:
    """Train each document and report whether its targets are met.

    Example: netbuilder train archs/iter10.yaml --epochs 2
    """
    require_folder(out)
    if logger:
        repeat("--logger", logger)
    settings = TrainSettings(
        out or RUNS, seed or 0, device, precision, compile or "auto", graph or "auto",
        deterministic, data_dir,
    )  # fmt: skip
    run = resume if str(resume) != "auto" else None
    if schedule is not None and not (run and epochs):
        raise ConfigError("--schedule needs --resume RUN --epochs N, which extend a run")
    analyses: list[Analysis] = []
    if run is not None:
        options = (dataset, seed, precision, compile, graph, out)
        if paths or changes or deterministic or any(option is not None for option in options):
            raise ConfigError(
                "--resume continues a run with its own settings; use it without documents and "
                "with no other options than --epochs, --schedule, --device, --data-dir, --logger, "
                "--plugin and --quiet"
            )
    elif not paths:
        raise ConfigError("name a document, such as archs/iter10.yaml, or a run with --resume")
    else:
        require_documents(paths)
        analyses = _require_trainable(paths, changes, dataset, epochs)
    with Stop() as stop:
        import netbuilder.training.loop  # noqa: F401  # here Ctrl-C ends the process at once

        if logger:
            require_extra("tensorboard", "tensorboard")
        screen = Screen(stop, quiet=quiet, logged=bool(logger))
        if run is not None:
            finished = screen.show(_resume(run, settings, stop, epochs, schedule or "extend"))
        elif len(analyses) == 1:
            finished = _train(analyses[0], settings, screen, auto=resume is not None)
        else:
            by_path = dict(zip(paths or (), analyses, strict=True))
            _train_in_turn(by_path, settings, screen, auto=resume is not None)
            return
    if finished.result.met is False:
        raise typer.Exit(1)


def _require_trainable(
    paths: list[Path], changes: list[str] | None, dataset: str | None, epochs: int | None
) -> list[Analysis]:
    """Check all documents, with their changes, before the first is trained."""
    from netbuilder.config.overrides import OptionOverride
    from netbuilder.network.check import require_sound_documents

    overrides = list(changes or [])
    if dataset is not None:
        overrides.append(OptionOverride(f"train.dataset={dataset}", f"--dataset {dataset}"))
    if epochs is not None:
        overrides.append(OptionOverride(f"train.epochs={epochs}", f"--epochs {epochs}"))
    return require_sound_documents(paths, overrides, to_train=True)


def _train_in_turn(
    analyses: dict[Path, Analysis], settings: TrainSettings, screen: Screen, *, auto: bool
) -> None:
    """Train documents in turn; data that are missing are reported before the first."""
    from netbuilder.cli._batch import Batch
    from netbuilder.training.loop import prepare

    screen.last_line = not screen.quiet  # the batch has a line per document
    batch = Batch(list(analyses), screen.stop, quiet=screen.quiet)
    for path, analysis in analyses.items():
        try:
            prepare(analysis, settings.data_dir)
        except MachineError as error:
            batch.fail(path, error)
    batch.run(lambda path: _train(analyses[path], settings, screen, auto=auto))


def _train(analysis: Analysis, settings: TrainSettings, screen: Screen, *, auto: bool) -> Finished:
    """Train a document; with ``auto``, resume its run if it has one."""
    from netbuilder.data.open import must_download
    from netbuilder.training.loop import prepare

    # Missing data are reported before the table of layers.
    if must_download(analysis.architecture.trained.dataset, settings.data_dir):
        prepare(analysis, settings.data_dir)
    if not screen.quiet:
        _show_summary(analysis)
    earlier = _find(analysis, settings) if auto else None
    start = _resume(earlier, settings, screen.stop) if earlier else None
    return screen.show(start or _start(analysis, settings, screen.stop))


def _start(analysis: Analysis, settings: TrainSettings, stop: Stop) -> Generator[Event, None, None]:
    """Start a run of a document."""
    from netbuilder.training.loop import train as start

    return start(
        analysis,
        out=settings.out,
        seed=settings.seed,
        device=settings.device or "auto",
        precision=settings.precision or "auto",
        compile=settings.compile,
        graph=settings.graph,
        deterministic=settings.deterministic,
        data_dir=settings.data_dir,
        stop=stop,
    )


def _resume(
    run: Path,
    settings: TrainSettings,
    stop: Stop,
    epochs: int | None = None,
    schedule: ScheduleExtension = "extend",
) -> Generator[Event, None, None]:
    """Resume a run; extend it to ``epochs``, if any."""
    from netbuilder.training.loop import resume

    return resume(
        run,
        device=settings.device,
        data_dir=settings.data_dir,
        stop=stop,
        epochs=epochs,
        schedule=schedule,
    )


def _find(analysis: Analysis, settings: TrainSettings) -> Path | None:
    """Return the newest run of a document with the same seed, or None."""
    from netbuilder.runs.run import Run

    run = Run.latest(
        settings.out, analysis.architecture, settings.seed, settings.precision, _report_skipped
    )
    return run.path if run else None


def _report_skipped(error: ConfigError) -> None:
    echo(f"skipped: {error}", err=True)


def _show_summary(analysis: Analysis) -> None:
    from netbuilder.render import network as tables
    from netbuilder.render.console import show

    plain = not sys.stdout.isatty()
    show(*tables.summary(analysis, plain=plain), plain=plain)
