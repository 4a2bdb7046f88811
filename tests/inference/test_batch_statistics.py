"""Batch normalization without running statistics: no image's answer depends on its batch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from command import run
from PIL import Image
from small import run_until_stopped
from torch import nn

from netbuilder.components.datasets import Mnist5k
from netbuilder.config.loader import parse_architecture
from netbuilder.data.dataset import LoadedData
from netbuilder.data.open import open_dataset
from netbuilder.data.transforms import normalize, to_unit
from netbuilder.inference.evaluate import evaluate_run
from netbuilder.inference.load import load_model
from netbuilder.inference.predict import predict_run
from netbuilder.network.analysis import analyse
from netbuilder.network.build import build
from netbuilder.network.check import check_architecture
from netbuilder.runs.run import Run
from netbuilder.training.device import Device
from netbuilder.training.evaluation import BATCH
from netbuilder.training.loop import train
from netbuilder.training.reference import fix_statistics

TEXT = """\
name: bn
input: [1, 28, 28]
layers:
  - Conv2d: [4, 5, 3]
  - BatchNorm2d: {track_running_stats: false}
  - ReLU
  - Dropout: 0.5
  - Flatten
  - BatchNorm1d: {track_running_stats: false, affine: false}
  - Linear: 10
train: {dataset: mnist5k, epochs: 2, batch_size: 500, optimizer: {SGD: 0.1}}
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of a network that normalizes by the batch."""
    architecture = parse_architecture(TEXT, "bn.yaml")
    folder, _ = run_until_stopped(train(architecture, out=tmp_path_factory.mktemp("runs")))
    return Run(folder)


@pytest.fixture(scope="module")
def data() -> LoadedData:
    return open_dataset(Mnist5k())


def normalized(images: torch.Tensor) -> torch.Tensor:
    return normalize(to_unit(images), Mnist5k.mean, Mnist5k.std)


def test_statistics_are_those_of_the_first_training_images(trained: Run, data: LoadedData) -> None:
    """The outputs equal those of torch's layers with the statistics of one batch of these."""
    model = load_model(trained, "last").eval()
    reference = normalized(data.train_images[:BATCH])
    images = normalized(data.test_images[:7])
    x, y = reference, images
    with torch.no_grad():
        for layer in model:
            if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                axes = [axis for axis in range(x.ndim) if axis != 1]
                mean, variance = x.mean(axes), x.var(axes, correction=0)
                arguments = (layer.weight, layer.bias, False, 0.0, layer.eps)
                y = nn.functional.batch_norm(y, mean, variance, *arguments)
                x = nn.functional.batch_norm(x, mean, variance, *arguments)
            else:
                x, y = layer(x), layer(y)
        hardware = Device.choose("cpu", "fp32")
        fix_statistics(model, data.dataset, hardware, data.train_images)
        torch.testing.assert_close(model(images), y, rtol=1e-4, atol=1e-5)
        alone = torch.cat([model(image[None]) for image in images])
        torch.testing.assert_close(alone, y, rtol=1e-4, atol=1e-5)


def test_the_evaluation_is_that_of_the_training(trained: Run) -> None:
    """`evaluate` repeats the accuracy of the last epoch."""
    predictions, _ = evaluate_run(trained, which="last")
    assert predictions.accuracy == trained.metrics[-1].test_accuracy
    assert predictions.loss == pytest.approx(trained.metrics[-1].test_loss, rel=1e-5)


def test_one_picture_has_the_prediction_that_it_has_among_others(
    trained: Run, data: LoadedData, tmp_path: Path
) -> None:
    """Both are the prediction of the evaluation."""
    paths = [tmp_path / f"{i}.png" for i in range(5)]
    for path, image in zip(paths, data.test_images, strict=False):
        Image.fromarray(image[0].numpy()).save(path)
    together = predict_run(trained, paths, which="last").images
    evaluation, _ = evaluate_run(trained, which="last")
    for position, path in enumerate(paths):
        [alone] = predict_run(trained, [path], which="last").images
        assert alone.probabilities == pytest.approx(together[position].probabilities, abs=1e-6)
        assert alone.best == evaluation.guesses[position]


@pytest.mark.parametrize(
    ("form", "ending"),
    [
        ("torch-export", "pt2"),
        ("safetensors", "safetensors"),
        pytest.param("onnx", "onnx", marks=pytest.mark.long),
    ],
)
def test_every_export_is_verified(trained: Run, form: str, ending: str, tmp_path: Path) -> None:
    """The file computes the outputs of the network for single images too."""
    if form == "onnx":
        pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
        pytest.importorskip("onnxscript", reason="the extra onnx is not installed")
    out = tmp_path / f"net.{ending}"
    result = run("export", str(trained.path), "--to", form, "--out", str(out))
    assert (result.code, result.err) == (0, "")
    assert out.stat().st_size > 0


def test_weights_have_no_statistics(trained: Run, data: LoadedData) -> None:
    """The state of the network is that of torch's module, and training still uses its batch."""
    model = load_model(trained, "last")
    names = set(model.state_dict())
    fix_statistics(model, data.dataset, Device.choose("cpu", "fp32"), data.train_images)
    assert set(model.state_dict()) == names
    batch = normalized(data.test_images[:50])
    plain = load_model(trained, "last").train()
    torch.manual_seed(0)
    expected = plain(batch)
    torch.manual_seed(0)
    torch.testing.assert_close(model.train()(batch), expected)


def test_check_warns_of_an_answer_that_depends_on_the_batch() -> None:
    """Each layer is named; a document with running statistics gets no warning."""
    warnings = check_architecture(parse_architecture(TEXT, "bn.yaml")).warnings
    assert [warning.problem.field for warning in warnings] == [
        "layers[1].BatchNorm2d.track_running_stats",
        "layers[5].BatchNorm1d.track_running_stats",
    ]
    tracked = TEXT.replace("track_running_stats: false", "track_running_stats: true")
    assert check_architecture(parse_architecture(tracked, "bn.yaml")).warnings == ()


@pytest.mark.parametrize("kind", ["BatchNorm2d", "InstanceNorm2d"])
def test_running_statistics_that_never_move_are_reported(kind: str) -> None:
    """With momentum 0, evaluation returns its input, up to eps."""
    text = f"name: a\ninput: [3, 4, 4]\nlayers: [{{{kind}: {{momentum: 0, track_running_stats: "
    architecture = parse_architecture(text + "true, affine: false}}]\n", "a.yaml")
    [warning] = check_architecture(architecture).warnings
    assert warning.problem.field == f"layers[0].{kind}.momentum"
    model = build(analyse(architecture)).train()
    images = 5 + torch.randn(8, 3, 4, 4)
    model(images)
    torch.testing.assert_close(model.eval()(images), images, rtol=1e-4, atol=1e-4)
