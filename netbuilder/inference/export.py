"""A run's trained network in the forms that other programs load, each checked against itself."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import BytesIO, StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import netbuilder
from netbuilder.errors import CheckFailed, MachineError, require_extra
from netbuilder.runs.run import Run

if TYPE_CHECKING:
    from torch import Tensor, nn


IMAGES = 256

TOLERANCE = 1e-4
"""The largest difference allowed, as a part of the largest output; float32 keeps seven digits."""

METADATA = "netbuilder"
"""The key below which each form carries `metadata` as JSON."""


Predict = Callable[["Tensor"], "Tensor"]


@dataclass(frozen=True)
class Form:
    """A form to export to: the packages that it needs beyond torch's, and what writes and reads it.

    ``write`` takes the network, one batch, what the file is to carry, and the path; ``read`` takes
    the path and a fresh network, and gives what the file computes.
    """

    packages: tuple[str, ...]
    write: Callable[[nn.Module, Tensor, str, Path], None]
    read: Callable[[Path, nn.Module], Predict]


@dataclass(frozen=True)
class Exported:
    """A file that was written and compared with the network that it is of.

    Attributes:
        path: the file.
        size: its bytes.
        images: how many real test images both were given.
        difference: the largest between their outputs.
        agreeing: of how many images both name the same class.
    """

    path: Path
    size: int
    images: int
    difference: float
    agreeing: int


def export_run(
    run: Run, form: str, out: Path, *, which: str = "best", data_dir: Path | None = None
) -> Exported:
    """Write a run's network to ``out``, as it is tested, and hold the file against it.

    It takes what `netbuilder.build` makes takes: float32 images of shape (N, C, H, W), normalised,
    for any N. What normalises them, the classes and where the network comes from goes along, see
    `metadata`.

    Args:
        run: the run.
        form: one of `FORMS`.
        out: the file; it is there once it has passed.
        which: the kept weights, ``best`` or ``last``.
        data_dir: a torchvision-style root; else NETBUILDER_DATA, else the user's cache.

    Raises:
        MachineError: a package is missing, the form cannot carry a layer, or the disk is full.
        CheckFailed: the file computes something else.
    """
    chosen = FORMS[form]
    # onnxruntime would tell its makers of its use, and leave files in the home and in /tmp.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    for package in chosen.packages:
        require_extra(package, form)
    import torch

    from netbuilder.data.transforms import normalise, to_unit
    from netbuilder.inference.load import load_model
    from netbuilder.network.build import build
    from netbuilder.training.restore import open_recorded_data

    model = load_model(run, which).eval()
    data = open_recorded_data(run, data_dir)
    carried = json.dumps(metadata(run, which))
    images = data.test_images[:IMAGES]
    batch = normalise(to_unit(images), data.dataset.mean, data.dataset.std)
    with TemporaryDirectory(prefix=f".{out.name}.", suffix=".tmp", dir=out.parent) as folder:
        aside = Path(folder) / out.name
        try:
            with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
                chosen.write(model, batch[:2], carried, aside)
        except OSError:
            raise
        except Exception as error:  # whatever a layer that it does not carry makes an exporter do
            raise MachineError(
                f"{form} cannot carry {run.architecture.name}: {_reason(error)}; take another form"
            ) from error
        predict = chosen.read(aside, build(run.architecture).eval())
        with torch.no_grad():
            # In two batches, for the file is to take any.
            wanted, found = (torch.cat([f(batch[:1]), f(batch[1:])]) for f in (model, predict))
        difference = float((wanted - found).abs().max())
        if not difference <= TOLERANCE * max(1.0, float(wanted.abs().max())):
            raise CheckFailed(
                f"{out}: not written: on {len(batch)} images its outputs are up to {difference:g} "
                f"off the network's; take another form, and report it"
            )
        size = aside.stat().st_size
        os.replace(aside, out)  # noqa: PTH105  # from a folder that is removed behind it
    same = wanted.flatten(1).argmax(1) == found.flatten(1).argmax(1)
    return Exported(out, size, len(batch), difference, int(same.sum()))


def _reason(error: BaseException) -> str:
    """The first line of what began it; what was raised over it tells of the exporter's steps."""
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def metadata(run: Run, which: str) -> dict[str, Any]:
    """What a file carries beside the network."""
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


def _write_onnx(model: nn.Module, batch: Tensor, carried: str, path: Path) -> None:
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
    assert program is not None, "dynamo=True gives a program"
    program.model.metadata_props[METADATA] = carried
    program.save(str(path), external_data=False)


def _read_onnx(path: Path, model: nn.Module) -> Predict:
    import onnxruntime
    import torch

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda batch: torch.from_numpy(session.run(None, {"images": batch.numpy()})[0])


def _write_torch_export(model: nn.Module, batch: Tensor, carried: str, path: Path) -> None:
    import torch

    shapes = ({0: torch.export.Dim("batch")},)
    program = torch.export.export(model, (batch,), dynamic_shapes=shapes)
    # Not to the path: its writer ends the whole process where the disk is full.
    content = BytesIO()
    torch.export.save(program, content, extra_files={f"{METADATA}.json": carried})
    path.write_bytes(content.getvalue())


def _read_torch_export(path: Path, model: nn.Module) -> Predict:
    import torch

    loaded: Predict = torch.export.load(path).module()
    return loaded


def _write_safetensors(model: nn.Module, batch: Tensor, carried: str, path: Path) -> None:
    from safetensors.torch import save

    path.write_bytes(
        save(model.state_dict(), {METADATA: carried})
    )  # save_file hides it from others


def _read_safetensors(path: Path, model: nn.Module) -> Predict:
    from safetensors.torch import load_file

    model.load_state_dict(load_file(path))
    return model


FORMS = {
    "onnx": Form(("onnx", "onnxscript", "onnxruntime"), _write_onnx, _read_onnx),
    "torch-export": Form((), _write_torch_export, _read_torch_export),
    "safetensors": Form((), _write_safetensors, _read_safetensors),
}
