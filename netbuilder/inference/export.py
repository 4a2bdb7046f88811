"""Export the trained network of a run to formats of other programs, and verify the file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import BytesIO, StringIO
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any

import netbuilder
from netbuilder._files import destination, remove_leftovers, temporary_folder, write_to
from netbuilder.errors import CheckFailed, MachineError, require_extra
from netbuilder.inference.export_fault import failing_layer
from netbuilder.runs.run import Run

if TYPE_CHECKING:
    from torch import Tensor, nn


TEST_IMAGES = 256
"""The number of test images on which a file is compared with the network."""

TOLERANCE = 1e-4
"""The largest allowed difference, relative to the largest output; float32 has seven digits."""

METADATA_KEY = "netbuilder"
"""The key of `metadata`, as JSON, in every format."""


Predict = Callable[["Tensor"], "Tensor"]


@dataclass(frozen=True)
class ExportFormat:
    """A file format.

    Attributes:
        packages: The packages that it needs in addition to torch.
        write: Writes a file, from the network, a batch, the metadata as JSON, and the path.
        read: Loads a file, from the path and a new network, as a function of batches.
    """

    packages: tuple[str, ...]
    write: Callable[[nn.Module, Tensor, str, Path], None]
    read: Callable[[Path, nn.Module], Predict]


@dataclass(frozen=True)
class ExportedFile:
    """A file that was written and compared with its network.

    Attributes:
        path: The file.
        size: The size of the file in bytes.
        images: The number of test images in the comparison.
        difference: The largest difference between two outputs.
        agreeing: The number of images for which both predict the same class.
    """

    path: Path
    size: int
    images: int
    difference: float
    agreeing: int


def export_run(
    run: Run, form: str, out: Path, *, which: str = "best", data_dir: Path | None = None
) -> ExportedFile:
    """Export a run's network in evaluation mode to ``out``, and verify the file.

    The exported network takes the same input as `netbuilder.build`: normalized float32 images of
    shape (N, C, H, W), for any N. The file also contains `metadata`.

    Args:
        run: The run.
        form: The format, a key of `FORMATS`.
        out: The file; written only if the verification succeeds. A link is written through; a
            device, a pipe and ``-``, which is standard output, take the content as it is.
        which: The saved weights to use, ``best`` or ``last``.
        data_dir: The data root, see `netbuilder.data.open.data_root`.

    Raises:
        MachineError: A package is missing, the format does not support a layer, or the disk is
            full.
        CheckFailed: The outputs of the file differ from those of the network.
    """
    file_format = FORMATS[form]
    # onnxruntime would send telemetry, and leave files in the home folder and in /tmp.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    for package in file_format.packages:
        require_extra(package, form)
    from torch import nn

    from netbuilder.data.transforms import normalize, to_unit
    from netbuilder.inference.load import load_model
    from netbuilder.network.build import build
    from netbuilder.training.device import Device
    from netbuilder.training.reference import fix_statistics
    from netbuilder.training.restore import open_recorded_data

    model = load_model(run, which).eval()
    data = open_recorded_data(run, data_dir)
    images = data.test_images[:TEST_IMAGES]
    batch = normalize(to_unit(images), data.dataset.mean, data.dataset.std)
    hardware = Device.choose("cpu", "fp32")
    fix_statistics(model, data.dataset, hardware, data.train_images)
    # Next to the file, where there is space; a device or a pipe has no folder of its own.
    file = destination(out) or Path(gettempdir()) / f"{run.architecture.name}-export"
    remove_leftovers(file.parent)
    with temporary_folder(file) as folder:
        temporary = folder / "network.pt2"  # torch.export.load needs this ending
        description = json.dumps(metadata(run, which))
        try:
            with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
                file_format.write(model, batch[:2], description, temporary)
        except OSError:
            raise
        except Exception as error:  # exporters raise anything for an unsupported layer
            layer = _failing_layer(run, form, model, folder)
            raise MachineError(
                f"{form} cannot represent {run.architecture.name}: "
                f"{layer and f'{layer}: '}{_reason(error)}; use another format"
            ) from error
        try:
            predict = file_format.read(temporary, build(run.analysis).eval())
            if isinstance(predict, nn.Module):
                fix_statistics(predict, data.dataset, hardware, data.train_images)
            difference, agreeing = _compare(model, predict, batch, out)
        except CheckFailed as error:
            layer = _failing_layer(run, form, model, folder)
            raise CheckFailed(f"{error}; {layer} differs" if layer else str(error)) from None
        content = temporary.read_bytes()
    write_to(out, content)
    return ExportedFile(out, len(content), len(batch), difference, agreeing)


def _compare(model: nn.Module, predict: Predict, batch: Tensor, out: Path) -> tuple[float, int]:
    """Return the largest difference between two outputs, and the number of equal classes.

    Raises:
        CheckFailed: The difference is larger than float32 explains.
    """
    import torch

    with torch.no_grad():
        # In two batches of different sizes, because the file must accept any size.
        parts = batch[:1], batch[1:]
        # Each takes its own copy, because a first layer may work in place.
        expected, actual = (torch.cat([f(x.clone()) for x in parts]) for f in (model, predict))
    difference = float((expected - actual).abs().max())
    if not difference <= TOLERANCE * max(1.0, float(expected.abs().max())):
        raise CheckFailed(
            f"{out}: not written: on {len(batch)} images its outputs differ from the network's "
            f"by up to {difference:g}; use another format, and report it"
        )
    same = expected.flatten(1).argmax(1) == actual.flatten(1).argmax(1)
    return difference, int(same.sum())


def _failing_layer(run: Run, form: str, model: nn.Module, folder: Path) -> str:
    """Return the first layer whose export alone fails, or differs; empty if there is none."""
    file_format, path = FORMATS[form], folder / "layer.pt2"

    def attempt(module: nn.Module, batch: Tensor) -> None:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            file_format.write(module, batch[:2], "{}", path)
            _compare(module, file_format.read(path, module), batch, path)

    return failing_layer(run, form, model, attempt)


def _reason(error: BaseException) -> str:
    """The first line of the original error; errors raised from it describe the exporter."""
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def metadata(run: Run, which: str) -> dict[str, Any]:
    """Describe the input, the classes and the origin of an exported network."""
    from netbuilder.training.restore import recorded_dataset

    architecture, dataset = run.architecture, recorded_dataset(run)
    return {
        "name": architecture.name,
        "title": architecture.title,
        "input": list(architecture.input),
        "mean": list(dataset.mean),
        "std": list(dataset.std),
        "scale": "bytes / 255, minus mean, divided by std, for each channel",
        "classes": list(dataset.classes),
        "dataset": dataset.kind,
        "weights": which,
        "run": run.path.name,
        "netbuilder": netbuilder.__version__,
    }


def _write_onnx(model: nn.Module, batch: Tensor, content: str, path: Path) -> None:
    import torch

    program = torch.onnx.export(
        model,
        (batch,),
        dynamo=True,
        input_names=["images"],
        output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        verbose=False,
    )
    assert program is not None, "dynamo=True returns a program"
    program.model.metadata_props[METADATA_KEY] = content
    program.save(str(path), external_data=False)


def _read_onnx(path: Path, model: nn.Module) -> Predict:
    import onnxruntime
    import torch

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda batch: torch.from_numpy(session.run(None, {"images": batch.numpy()})[0])


def _write_torch_export(model: nn.Module, batch: Tensor, content: str, path: Path) -> None:
    import torch

    shapes = ({0: torch.export.Dim("batch")},)
    program = torch.export.export(model, (batch,), dynamic_shapes=shapes)
    # In memory first: torch's file writer aborts the process if the disk is full.
    buffer = BytesIO()
    torch.export.save(program, buffer, extra_files={f"{METADATA_KEY}.json": content})
    path.write_bytes(buffer.getvalue())


def _read_torch_export(path: Path, model: nn.Module) -> Predict:
    import torch

    predict: Predict = torch.export.load(path).module()
    return predict


def _write_safetensors(model: nn.Module, batch: Tensor, content: str, path: Path) -> None:
    from safetensors.torch import save

    # Not save_file, which makes the file readable by the user alone.
    path.write_bytes(save(model.state_dict(), {METADATA_KEY: content}))


def _read_safetensors(path: Path, model: nn.Module) -> Predict:
    from safetensors.torch import load_file

    model.load_state_dict(load_file(path))
    return model


FORMATS = {
    "onnx": ExportFormat(("onnx", "onnxscript", "onnxruntime"), _write_onnx, _read_onnx),
    "torch-export": ExportFormat((), _write_torch_export, _read_torch_export),
    "safetensors": ExportFormat((), _write_safetensors, _read_safetensors),
}
