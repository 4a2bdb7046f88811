"""Create run folders."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

from netbuilder._files import remove_leftovers, sync_folder, temporary_folder, write_atomic
from netbuilder.config.schema import Architecture
from netbuilder.runs.records import Environment, RunConfig
from netbuilder.runs.run import Run


def create_run(
    out: Path, architecture: Architecture, config: RunConfig, environment: Environment
) -> Run:
    """Create the run folder ``out/<name>/<time>-seed<n>``.

    The folder is renamed into place once it is complete, and replaces nothing.

    Raises:
        OSError: The folder cannot be created or written.
    """
    parent = out / architecture.name
    parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(parent)
    stem = f"{datetime.now():%Y-%m-%dT%H-%M-%S}-seed{config.seed}"
    try:
        with temporary_folder(parent / stem) as draft:
            (draft / "checkpoints").mkdir()
            write_atomic(draft / "architecture.yaml", architecture.text().encode())
            for name, text in architecture.included().items():
                path = draft / "included" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                write_atomic(path, text.encode())
            write_atomic(draft / "config.json", config.as_json())
            write_atomic(draft / "environment.json", environment.as_json())
            folder = _rename_to_free(draft, parent / stem)
    except OSError as error:  # the user does not know the temporary name
        raise OSError(error.errno, error.strerror, str(parent / stem)) from error
    try:
        sync_folder(parent)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return Run(folder)


def _rename_to_free(draft: Path, path: Path) -> Path:
    """Rename a folder to the first of ``path``, ``path-2``, ``path-3`` … that does not exist."""
    for number in range(1, 1000):
        free = path if number == 1 else path.with_name(f"{path.name}-{number}")
        if free.exists():
            continue
        try:
            return draft.rename(free)  # fails if another process has just created the folder
        except OSError:
            if not free.exists():
                raise
    raise FileExistsError(f"{path}: 1,000 runs started in the same second")
