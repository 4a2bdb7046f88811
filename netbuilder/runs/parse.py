"""Read and check the files of a run folder; the error of a damaged file names its field."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from netbuilder._files import UnfitFileError, require_regular
from netbuilder._text import describe, printable
from netbuilder.components.component import explain
from netbuilder.errors import ConfigError, MachineError, Problem
from netbuilder.runs.records import EpochRecord
from netbuilder.runs.values import Record

if TYPE_CHECKING:
    from netbuilder.config.schema import Architecture

R = TypeVar("R", bound=Record)

MAX_BYTES = 32 << 20
"""The largest file of a record: a hundred thousand epochs, or a thousand classes, have less."""


def read_bytes(path: Path, remedy: str) -> bytes:
    """Read a record's file.

    Args:
        path: The file.
        remedy: What to do if the file is unusable; the end of the message.

    Raises:
        ConfigError: The file is missing or too large, or it is not a regular file.
        MachineError: The disk fails to read the file, which may be sound.
    """
    try:
        require_regular(path, MAX_BYTES)
        return path.read_bytes()
    except UnfitFileError as error:
        raise damaged(path, f"cannot be read: {error}", remedy) from None
    except (FileNotFoundError, NotADirectoryError):
        raise damaged(path, "cannot be read: no such file", remedy) from None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise damaged(path, "cannot be read: its link leads in a circle", remedy) from None
        reason = error.strerror or str(error)
        raise MachineError(
            printable(f"{path}: cannot be read: {reason}; check that the disk is sound")
        ) from error


def read_record(path: Path, model: type[R], remedy: str) -> R:
    """Read and check a record; see `read_bytes`."""
    return parse_record(read_bytes(path, remedy), path, model, remedy)


def read_epochs(path: Path, remedy: str) -> tuple[EpochRecord, ...]:
    """Read and check metrics.jsonl, whose lines count from epoch 1; see `read_bytes`."""
    lines = read_bytes(path, remedy).splitlines()
    epochs = []
    for number, line in enumerate(lines, 1):
        epoch = parse_record(line, path, EpochRecord, remedy, f"line {number}")
        if epoch.epoch != number:
            message = f"found {describe(epoch.epoch)}; allowed: {number}, as epochs count from 1"
            raise damaged(path, message, remedy, f"line {number}: epoch")
        epochs.append(epoch)
    return tuple(epochs)


def parse_record(content: bytes, path: Path, model: type[R], remedy: str, part: str = "") -> R:
    """Parse and check a record.

    Args:
        content: JSON in UTF-8.
        path: The file, for messages.
        model: The record's model.
        remedy: What to do if the file is unusable; the end of the message.
        part: The part of the file that is the record, such as ``line 3``.

    Raises:
        ConfigError: The content is not JSON, or a value is not allowed; the message names the
            first such value.
    """
    try:
        return model.model_validate_json(content.removeprefix(b"\xef\xbb\xbf"))
    except ValidationError as error:
        raise record_error(error, path, model, remedy, part) from None


def record_error(
    error: ValidationError, path: Path, model: type[BaseModel], remedy: str, part: str = ""
) -> ConfigError:
    """Return the error that names a file and its first wrong field."""
    from netbuilder.config.schema import format_path

    first = error.errors(include_url=False)[0]
    if first["type"] == "json_invalid":
        return damaged(path, f"cannot be read: not JSON: {first['ctx']['error']}", remedy, part)
    separator = "." if part == "architecture" else ": "
    field = separator.join(filter(None, (part, format_path(first["loc"]))))
    return damaged(path, explain(first, model), remedy, field)


def parse_architecture(document: dict[str, Any], path: Path, remedy: str) -> Architecture:
    """Check the resolved document in the field ``architecture`` of a record.

    Raises:
        ConfigError: The document is wrong; the message names its first wrong value.
    """
    # Imported here: listing hundreds of runs checks no document.
    from netbuilder.config.schema import Architecture

    try:
        return Architecture.model_validate(document)
    except ValidationError as error:
        if "unknown layer" in str(error.errors(include_url=False)[0]["msg"]):
            remedy = "name the module that defines it with --plugin"
        raise record_error(error, path, Architecture, remedy, "architecture") from None


def damaged(path: Path, message: str, remedy: str, field: str = "") -> ConfigError:
    """Return the error of a damaged file, in one line."""
    return ConfigError([Problem(str(path), 0, 0, field, f"{message}; {remedy}")])
