"""Exports of a run's network: their output, their metadata and their errors."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from pathlib import Path

import pytest
import torch
from command import run
from paths import ROOT
from safetensors import safe_open
from small import DOCUMENT, run_until_stopped

from netbuilder.components.datasets import Mnist5k
from netbuilder.config.loader import parse_architecture
from netbuilder.data.open import open_dataset
from netbuilder.data.transforms import normalize, to_unit
from netbuilder.inference import export as exporting
from netbuilder.inference.load import load_model
from netbuilder.runs.run import Run
from netbuilder.training.loop import train

NESTED = """\
layers:
  - Conv2d: {out_channels: 4, kernel_size: 5, stride: 3}
  - Residual: {body: [{Conv2d: [4, 3, 1, 1]}, BatchNorm2d], activation: ReLU}
  - Parallel: {branches: {wide: [{Conv2d: [2, 3, 1, 1]}], deep: [{Conv2d: [3, 1]}, GELU]}}
  - {AdaptiveAvgPool2d: 1}
  - {Conv2d: [10, 1]}
train:"""
NO_ONNX = """\
layers:
  - Conv2d: {out_channels: 4, kernel_size: 5, stride: 3}
  - AdaptiveMaxPool2d: 3
  - Flatten
  - Linear: 10
train:"""
ENDINGS = {"onnx": ".onnx", "torch-export": ".pt2", "safetensors": ".safetensors"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Runs of a plain network, a nested one and one with an operator that ONNX lacks."""
    text = DOCUMENT.replace("epochs: 3", "epochs: 1").split("targets:")[0]
    head, _, body = text.partition("layers:")
    tail = body.partition("train:")[2]
    texts = {"small": text, "nested": head + NESTED + tail, "no_onnx": head + NO_ONNX + tail}
    out = tmp_path_factory.mktemp("runs")
    trained = {}
    for name, document in texts.items():
        architecture = parse_architecture(document, f"{name}.yaml")
        folder, _ = run_until_stopped(train(architecture, out=out / name))
        trained[name] = Run(folder)
    return trained


@pytest.fixture(scope="module")
def batch() -> torch.Tensor:
    """Normalized test images."""
    data = open_dataset(Mnist5k())
    return normalize(to_unit(data.test_images[:40]), data.dataset.mean, data.dataset.std)


@pytest.mark.parametrize("name", ["small", "nested"])
@pytest.mark.parametrize("form", ["torch-export", "safetensors", "onnx"])
def test_an_exported_file_computes_the_same_outputs(
    name: str, form: str, runs: dict[str, Run], batch: torch.Tensor, tmp_path: Path
) -> None:
    """It does so for batches of any size; the JSON reports the difference."""
    if form == "onnx":
        pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
        pytest.importorskip("onnxscript", reason="the extra onnx is not installed")
    out = tmp_path / f"net{ENDINGS[form]}"
    result = run(
        "export", str(runs[name].path), "--to", form, "--out", str(out), "--format", "json"
    )
    assert result.code == 0, result.err
    report = json.loads(result.out)
    assert (report["path"], report["size"]) == (str(out), out.stat().st_size)
    assert (report["images"], report["agreeing"]) == (256, 256)
    assert report["difference"] < 1e-3
    model = load_model(runs[name], "best").eval()
    if form == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(out))
        metadata = session.get_modelmeta().custom_metadata_map["netbuilder"]

        def predict(images: torch.Tensor) -> torch.Tensor:
            return torch.from_numpy(session.run(["logits"], {"images": images.numpy()})[0])
    elif form == "torch-export":
        extra = {"netbuilder.json": ""}
        predict = torch.export.load(out, extra_files=extra).module()
        metadata = extra["netbuilder.json"]
    else:
        with safe_open(out, framework="pt") as file:
            metadata = file.metadata()["netbuilder"]
            loaded = load_model(runs[name], "last").eval()
            loaded.load_state_dict({key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118
        predict = loaded
    with torch.no_grad():
        for size in (1, 7, 40):
            torch.testing.assert_close(
                predict(batch[:size]), model(batch[:size]), rtol=1e-3, atol=1e-4
            )
    carried = json.loads(metadata)
    assert carried["classes"] == list("0123456789")
    assert (carried["input"], carried["weights"]) == ([1, 28, 28], "best")
    assert carried["mean"] == list(Mnist5k().mean)
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_a_file_with_different_outputs_is_removed(
    runs: dict[str, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check of the outputs fails with exit code 1, and no file remains."""
    form = exporting.FORMATS["safetensors"]

    def write(model: torch.nn.Module, images: torch.Tensor, carried: str, path: Path) -> None:
        changed_model = load_model(runs["small"], "best")
        with torch.no_grad():
            next(changed_model.parameters()).mul_(1.5)
        form.write(changed_model, images, carried, path)

    changed = exporting.ExportFormat(form.packages, write, form.read)
    monkeypatch.setitem(exporting.FORMATS, "safetensors", changed)
    out = tmp_path / "net.safetensors"
    result = run("export", str(runs["small"].path), "--to", "safetensors", "--out", str(out))
    assert result.code == 1
    assert "not written: on 256 images its outputs differ from" in result.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_a_missing_package_is_reported_with_its_command(
    package: str, runs: dict[str, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit code is 3; the command uses this interpreter and installs this clone's extra."""
    for needed in exporting.FORMATS["onnx"].packages:
        if needed != package:
            pytest.importorskip(needed, reason="the extra onnx is not installed")
    monkeypatch.setitem(sys.modules, package, None)  # importing it raises ModuleNotFoundError
    result = run(
        "export", str(runs["small"].path), "--to", "onnx", "--out", str(tmp_path / "a.onnx")
    )
    assert result.code == 3
    clone = ROOT
    assert result.err == (
        f"{package} is not installed; install it with: "
        f"{shlex.join([sys.executable, '-m', 'pip', 'install', '-e', f'{clone}[onnx]'])}\n"
    )


def test_an_operator_that_onnx_lacks_is_named(runs: dict[str, Run], tmp_path: Path) -> None:
    """The message is one line with the operator, and no file is written."""
    for package in exporting.FORMATS["onnx"].packages:
        pytest.importorskip(package, reason="the extra onnx is not installed")
    out = tmp_path / "net.onnx"
    result = run("export", str(runs["no_onnx"].path), "--to", "onnx", "--out", str(out))
    assert result.code == 3
    document = runs["no_onnx"].path / "architecture.yaml"
    layer = f"layer 1 AdaptiveMaxPool2d ({document}:6:5)"
    assert result.err.startswith(f"onnx cannot represent small: {layer}: No ONNX function found")
    assert "adaptive_max_pool2d" in result.err
    assert result.err.endswith("; use another format\n")
    assert (result.err.count("\n"), result.err.count("\x1b"), list(tmp_path.iterdir())) == (
        1,
        0,
        [],
    )


def test_records_without_weights_are_refused(runs: dict[str, Run], tmp_path: Path) -> None:
    """The message names the command that trains the weights again."""
    record = tmp_path / "record"
    shutil.copytree(runs["small"].path, record, ignore=shutil.ignore_patterns("*.safetensors"))
    result = run("export", str(record), "--to", "safetensors", "--out", str(tmp_path / "a"))
    assert result.code == 3
    assert result.err == (
        f"{record}/best.safetensors: no such file; the folder has the run's records without its "
        f"weights. Train it again with: netbuilder train {record}/architecture.yaml\n"
    )


def test_an_unsupported_layer_is_reported(
    runs: dict[str, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exporter's error becomes one line."""
    form = exporting.FORMATS["torch-export"]

    def write(model: torch.nn.Module, images: torch.Tensor, carried: str, path: Path) -> None:
        class Unknown(torch.nn.Module):
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return x if x.sum() > 0 else -x  # an exporter cannot trace this branch

        form.write(Unknown(), images, carried, path)

    monkeypatch.setitem(
        exporting.FORMATS, "torch-export", exporting.ExportFormat(form.packages, write, form.read)
    )
    out = tmp_path / "net.pt2"
    result = run("export", str(runs["small"].path), "--to", "torch-export", "--out", str(out))
    assert result.code == 3
    assert result.err.startswith("torch-export cannot represent small: ")
    assert result.err.endswith("; use another format\n")
    assert result.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_wrong_arguments_of_export_are_refused(runs: dict[str, Run], tmp_path: Path) -> None:
    """Each message names the mistake, the exit code is 2, and an existing file stays."""
    document, existing = tmp_path / "small.yaml", tmp_path / "existing.pt2"
    document.write_text(DOCUMENT)
    existing.write_text("mine")
    folder = str(runs["small"].path)
    for arguments, message in (
        ((str(document), "--to", "onnx"), "needs trained weights, and this is a document"),
        ((folder, "--to", "tflite"), "--to: found 'tflite'; allowed: python, onnx, torch-export"),
        ((folder, "--to", "torch-export", "--out", str(existing)), "--force replaces it"),
        ((folder, "--to", "torch-export", "--out", "net.pt"), "needs a name ending with .pt2"),
        ((folder, "--to", "onnx", "--out", f"{tmp_path}/no/a.onnx"), "no folder"),
        ((str(tmp_path), "--to", "safetensors"), "not a run folder"),
        ((folder, "--to", "onnx", "--weights", "worst"), "allowed: best, last"),
    ):
        result = run("export", *arguments)
        assert result.code == 2
        assert message in result.err
    assert existing.read_text() == "mine"


def test_a_run_can_be_exported_as_python(runs: dict[str, Run]) -> None:
    """The code is the class of its document."""
    result = run("export", str(runs["small"].path), "--to", "python")
    assert result.code == 0
    assert "class Small(nn.Sequential):" in result.out


@pytest.mark.parametrize("option", [("--weights", "last"), ("--format", "json")])
def test_python_code_refuses_options_of_the_other_formats(
    runs: dict[str, Run], option: tuple[str, str]
) -> None:
    """An option without an effect is refused."""
    result = run("export", str(runs["small"].path), *option)
    assert (result.code, result.out) == (2, "")
    assert f"{' '.join(option)}: --to python writes code without weights" in result.err
