"""A run's network in other forms: what a file computes, what it carries, when there is none."""

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
    """A run of a plain network, one of a nested one, and one that ONNX has no operators for."""
    text = DOCUMENT.replace("epochs: 3", "epochs: 1").split("targets:")[0]
    head, _, rest = text.partition("layers:")
    tail = rest.partition("train:")[2]
    texts = {"small": text, "nested": head + NESTED + tail, "no_onnx": head + NO_ONNX + tail}
    out = tmp_path_factory.mktemp("runs")
    made = {}
    for name, document in texts.items():
        architecture = parse_architecture(document, f"{name}.yaml")
        folder, _ = run_until_stopped(train(architecture, out=out / name))
        made[name] = Run(folder)
    return made


@pytest.fixture(scope="module")
def batch() -> torch.Tensor:
    """Real test images, as the network takes them."""
    data = open_dataset(Mnist5k())
    return normalize(to_unit(data.test_images[:40]), data.dataset.mean, data.dataset.std)


@pytest.mark.parametrize("name", ["small", "nested"])
@pytest.mark.parametrize("form", ["torch-export", "safetensors", "onnx"])
def test_a_file_computes_what_the_network_does(
    name: str, form: str, runs: dict[str, Run], batch: torch.Tensor, tmp_path: Path
) -> None:
    """For batches of any size, on real images, and it says how far off it is."""
    if form == "onnx":
        pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
        pytest.importorskip("onnxscript", reason="the extra onnx is not installed")
    out = tmp_path / f"net{ENDINGS[form]}"
    ran = run("export", str(runs[name].path), "--to", form, "--out", str(out), "--format", "json")
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    assert (told["path"], told["size"]) == (str(out), out.stat().st_size)
    assert (told["images"], told["agreeing"]) == (256, 256)
    assert told["difference"] < 1e-3
    model = load_model(runs[name], "best").eval()
    if form == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(out))
        given = session.get_modelmeta().custom_metadata_map["netbuilder"]

        def predict(images: torch.Tensor) -> torch.Tensor:
            return torch.from_numpy(session.run(["logits"], {"images": images.numpy()})[0])
    elif form == "torch-export":
        extra = {"netbuilder.json": ""}
        predict = torch.export.load(out, extra_files=extra).module()
        given = extra["netbuilder.json"]
    else:
        with safe_open(out, framework="pt") as file:
            given = file.metadata()["netbuilder"]
            other = load_model(runs[name], "last").eval()
            other.load_state_dict({key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118
        predict = other
    with torch.no_grad():
        for size in (1, 7, 40):
            torch.testing.assert_close(
                predict(batch[:size]), model(batch[:size]), rtol=1e-3, atol=1e-4
            )
    carried = json.loads(given)
    assert carried["classes"] == list("0123456789")
    assert (carried["input"], carried["weights"]) == ([1, 28, 28], "best")
    assert carried["mean"] == list(Mnist5k().mean)
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_a_file_that_computes_something_else_is_not_kept(
    runs: dict[str, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its weights are other ones; the check says so, exit code 1, and nothing is left."""
    form = exporting.FORMATS["safetensors"]

    def write(model: torch.nn.Module, images: torch.Tensor, carried: str, path: Path) -> None:
        other = load_model(runs["small"], "best")
        with torch.no_grad():
            next(other.parameters()).mul_(1.5)
        form.write(other, images, carried, path)

    changed = exporting.ExportFormat(form.packages, write, form.read)
    monkeypatch.setitem(exporting.FORMATS, "safetensors", changed)
    out = tmp_path / "net.safetensors"
    ran = run("export", str(runs["small"].path), "--to", "safetensors", "--out", str(out))
    assert ran.code == 1
    assert "not written: on 256 images its outputs differ from" in ran.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_a_missing_package_is_a_line_that_names_the_command(
    package: str, runs: dict[str, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 3; the command is this interpreter's and installs this clone's extra."""
    for other in exporting.FORMATS["onnx"].packages:
        if other != package:
            pytest.importorskip(other, reason="the extra onnx is not installed")
    monkeypatch.setitem(sys.modules, package, None)  # import raises what it does without it
    ran = run("export", str(runs["small"].path), "--to", "onnx", "--out", str(tmp_path / "a.onnx"))
    assert ran.code == 3
    clone = ROOT
    assert ran.err == (
        f"{package} is not installed; install it with: "
        f"{shlex.join([sys.executable, '-m', 'pip', 'install', '-e', f'{clone}[onnx]'])}\n"
    )


def test_an_operator_that_onnx_lacks_is_named(runs: dict[str, Run], tmp_path: Path) -> None:
    """Not the exporter's step in which it was missed; one line, and no file."""
    for package in exporting.FORMATS["onnx"].packages:
        pytest.importorskip(package, reason="the extra onnx is not installed")
    out = tmp_path / "net.onnx"
    ran = run("export", str(runs["no_onnx"].path), "--to", "onnx", "--out", str(out))
    assert ran.code == 3
    assert ran.err.startswith("onnx cannot represent small: No ONNX function found for ")
    assert "adaptive_max_pool2d" in ran.err
    assert ran.err.endswith("; use another format\n")
    assert (ran.err.count("\n"), ran.err.count("\x1b"), list(tmp_path.iterdir())) == (1, 0, [])


def test_records_without_their_weights_are_told_as_such(
    runs: dict[str, Run], tmp_path: Path
) -> None:
    """Nothing is to be resumed there; the message says how to have the weights again."""
    record = tmp_path / "record"
    shutil.copytree(runs["small"].path, record, ignore=shutil.ignore_patterns("*.safetensors"))
    ran = run("export", str(record), "--to", "safetensors", "--out", str(tmp_path / "a"))
    assert ran.code == 3
    assert ran.err == (
        f"{record}/best.safetensors: no such file; the folder has the run's records without its "
        f"weights. Train it again with: netbuilder train {record}/architecture.yaml\n"
    )


def test_a_layer_that_a_form_cannot_carry_is_told(
    runs: dict[str, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the exporter raises becomes one line with its reason."""
    form = exporting.FORMATS["torch-export"]

    def write(model: torch.nn.Module, images: torch.Tensor, carried: str, path: Path) -> None:
        class Unknown(torch.nn.Module):
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return x if x.sum() > 0 else -x  # what an exporter cannot follow

        form.write(Unknown(), images, carried, path)

    monkeypatch.setitem(
        exporting.FORMATS, "torch-export", exporting.ExportFormat(form.packages, write, form.read)
    )
    out = tmp_path / "net.pt2"
    ran = run("export", str(runs["small"].path), "--to", "torch-export", "--out", str(out))
    assert ran.code == 3
    assert ran.err.startswith("torch-export cannot represent small: ")
    assert ran.err.endswith("; use another format\n")
    assert ran.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_what_has_no_weights_or_is_there_already_is_refused(
    runs: dict[str, Run], tmp_path: Path
) -> None:
    """A document, an unknown form, a file that stands there, a folder without a run."""
    document, taken = tmp_path / "small.yaml", tmp_path / "taken.pt2"
    document.write_text(DOCUMENT)
    taken.write_text("mine")
    folder = str(runs["small"].path)
    for arguments, message in (
        ((str(document), "--to", "onnx"), "needs trained weights, and this is a document"),
        ((folder, "--to", "tflite"), "--to: found 'tflite'; allowed: python, onnx, torch-export"),
        ((folder, "--to", "torch-export", "--out", str(taken)), "--force replaces it"),
        ((folder, "--to", "torch-export", "--out", "net.pt"), "needs a name ending with .pt2"),
        ((folder, "--to", "onnx", "--out", f"{tmp_path}/no/a.onnx"), "no folder"),
        ((str(tmp_path), "--to", "safetensors"), "not a run folder"),
        ((folder, "--to", "onnx", "--weights", "worst"), "allowed: best, last"),
    ):
        ran = run("export", *arguments)
        assert ran.code == 2
        assert message in ran.err
    assert taken.read_text() == "mine"


def test_a_run_is_written_as_python_too(runs: dict[str, Run]) -> None:
    """Its document's class, without the weights."""
    ran = run("export", str(runs["small"].path), "--to", "python")
    assert ran.code == 0
    assert "class Small(nn.Sequential):" in ran.out


@pytest.mark.parametrize("option", [("--weights", "last"), ("--format", "json")])
def test_python_takes_no_option_of_the_others(
    runs: dict[str, Run], option: tuple[str, str]
) -> None:
    """What would change nothing is refused, not passed over."""
    ran = run("export", str(runs["small"].path), *option)
    assert (ran.code, ran.out) == (2, "")
    assert f"{' '.join(option)}: --to python writes code without weights" in ran.err
