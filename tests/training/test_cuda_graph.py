"""The step as a CUDA graph: its requirements, its choice, and its parity with the plain step."""

from __future__ import annotations

import pytest
import torch
from paths import ROOT
from small import DOCUMENT, small
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    FakeTensor,
    FakeTensorMode,
)

from netbuilder.components.datasets import Dataset
from netbuilder.config.loader import load, parse_architecture
from netbuilder.config.schema import Architecture
from netbuilder.errors import ConfigError, Diverged, MachineError
from netbuilder.training import step as step_module
from netbuilder.training.cuda_graph import CudaGraphed, DeferredFiniteCheck, decide_graph
from netbuilder.training.device import Device
from netbuilder.training.evaluation import BATCH, evaluate, prediction
from netbuilder.training.step import Step, TrainState

CPU = Device.choose("cpu", "fp32")
STEPS = 4
AUGMENTED = DOCUMENT.replace(
    "augment: [{RandomAffine: {degrees: 7, translate: [0.04, 0.04]}}]",
    "augment: [{RandomAffine: {degrees: 7, translate: [0.04, 0.04], interpolation: bilinear}}, "
    "{RandomCrop: {size: 28, padding: 2}}, RandomHorizontalFlip, {RandomErasing: {value: random}}]",
)


def dataset_of(architecture: Architecture) -> Dataset:
    """Return the document's data set, whose images are not loaded."""
    return architecture.trained.dataset


def step_of(architecture: Architecture, hardware: Device, *, graphed: bool = False) -> Step:
    """Create the step of a fresh network."""
    trainee = TrainState.make(architecture, hardware, 0, STEPS, architecture.trained.epochs)
    config, dataset = architecture.trained, dataset_of(architecture)
    return Step(trainee, config, dataset, hardware, 0, STEPS, graph=graphed)


def batch(size: int, seed: int, device: str = "cpu") -> tuple[torch.Tensor, torch.Tensor]:
    """Create random images and labels in MNIST's format."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (size, 1, 28, 28), dtype=torch.uint8, generator=generator)
    labels = torch.randint(0, 10, (size,), generator=generator)
    return images.to(device), labels.to(device)


def state(step: Step) -> list[torch.Tensor]:
    """Return every tensor that an update changes, on the CPU."""
    trainee = step._state
    tensors = [*trainee.model.state_dict().values(), *trainee.eval_model.state_dict().values()]
    for values in trainee.optimizer.state_dict()["state"].values():
        tensors += [value for value in values.values() if isinstance(value, torch.Tensor)]
    return [tensor.detach().cpu().clone() for tensor in tensors]


@pytest.mark.parametrize(
    "architecture",
    [
        parse_architecture(AUGMENTED, "small.yaml"),
        *(load(ROOT / "archs" / f"iter{i}.yaml") for i in (1, 4, 10)),
    ],
    ids=lambda architecture: architecture.name,
)
def test_the_passes_do_not_read_values_on_the_host(architecture: Architecture) -> None:
    """They run with tensors without values, so that a graph of them can be captured."""
    step = step_of(architecture, CPU)
    step.passes(*batch(8, 0))  # constants are created once and cached
    step._state.optimizer.zero_grad()
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        outputs = step.passes(*map(mode.from_tensor, batch(8, 0)))
        assert all(isinstance(output, FakeTensor) and not output.ndim for output in outputs)
        with pytest.raises(DataDependentOutputException, match="_local_scalar_dense"):
            bool(outputs[2])  # the check can fail: reading a value raises


@pytest.mark.parametrize("choice", ["auto", "off"])
def test_no_graph_is_used_without_cuda(choice: str) -> None:
    """The CPU runs the plain step."""
    assert decide_graph(choice, small().trained.optimizer, CPU) is False


def test_a_required_graph_is_refused_without_cuda() -> None:
    """The message names the device and the choice to use."""
    with pytest.raises(MachineError, match="needs a CUDA GPU, and this run is on cpu; use auto"):
        decide_graph("on", small().trained.optimizer, CPU)


def test_an_unknown_choice_is_refused() -> None:
    """The message lists the choices."""
    with pytest.raises(ConfigError, match="--graph: found 'yes'; allowed: auto, on, off"):
        decide_graph("yes", small().trained.optimizer, CPU)


def test_an_optimizer_without_a_skippable_update_runs_without_a_graph() -> None:
    """The device cannot skip its update, so ``auto`` uses no graph and ``on`` is refused."""
    optimizer = small("train.optimizer={NAdam: {lr: 0.01}}").trained.optimizer
    cuda = Device(torch.device("cuda"), "fp32")
    assert decide_graph("auto", optimizer, cuda) is False
    assert decide_graph("auto", small().trained.optimizer, cuda) is True
    with pytest.raises(ConfigError, match="NAdam is not supported"):
        decide_graph("on", optimizer, cuda)


def test_a_deferred_check_reports_the_first_failure() -> None:
    """Later steps do not change it, and the next failure after a sound step is reported too."""
    check = DeferredFiniteCheck(torch.device("cpu"))
    for step, finite in enumerate([True, True, False, True]):
        check.record(torch.tensor(finite), 3, step)
    assert check.first_failure() == (3, 2)
    fresh = DeferredFiniteCheck(torch.device("cpu"))
    fresh.record(torch.tensor(True), 0, 0)
    assert fresh.first_failure() is None
    fresh.record(torch.tensor(False), 0, 1)
    assert fresh.first_failure() == (0, 1)


@pytest.mark.parametrize("optimizer", ["SGD: {lr: 0.1, momentum: 0.9}", "Adam", "AdamW"])
def test_a_step_with_a_deferred_failure_updates_nothing(
    optimizer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The failed step leaves the weights unchanged, and the later check raises the error."""
    monkeypatch.setattr(step_module, "CudaGraphed", lambda body, *_: body)
    changed = (f"train.optimizer={{{optimizer}}}", "train.scheduler=", "train.ema=")
    step = step_of(small(*changed), CPU, graphed=True)
    step(*batch(96, 0), 0, 0)
    step.raise_if_diverged()
    weights = [weight.detach().clone() for weight in step._parameters]
    good = step._dataset
    step._dataset = good.model_copy()
    monkeypatch.setattr(type(good), "std", (0.0,), raising=False)
    step(*batch(96, 1), 0, 1)
    monkeypatch.undo()
    step._dataset = good
    for before, now in zip(weights, step._parameters, strict=True):
        assert torch.equal(before, now)
    with pytest.raises(Diverged, match="not finite in epoch 1, step 2; the update was skipped"):
        step.raise_if_diverged()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("optimizer", ["SGD: {lr: 0.05, momentum: 0.9}", "AdamW"])
def test_a_replayed_step_equals_the_plain_step(precision: str, optimizer: str) -> None:
    """Both reach the same weights on the same batches, including a shorter last one."""
    hardware = Device.choose("cuda", precision)
    text = AUGMENTED.replace("SGD: {lr: 0.05, momentum: 0.9, nesterov: true}", optimizer)
    architecture = parse_architecture(text, "small.yaml")
    steps = [step_of(architecture, hardware, graphed=graphed) for graphed in (False, True)]
    for epoch in range(2):
        for number, size in enumerate((96, 96, 96, 50)):
            images, labels = batch(size, 10 * epoch + number, "cuda")
            (loss, hits), (replayed_loss, replayed_hits) = (
                [value.clone() for value in step(images, labels, epoch, number)] for step in steps
            )
            torch.testing.assert_close(replayed_loss, loss, rtol=1e-4, atol=1e-4)
            assert abs(int(hits) - int(replayed_hits)) <= 1
        for step in steps:
            step.raise_if_diverged()
    for plain, replayed in zip(*map(state, steps), strict=True):
        torch.testing.assert_close(replayed, plain, rtol=1e-3, atol=1e-4)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_replayed_evaluation_equals_the_plain_one() -> None:
    """Both agree on full batches and a shorter last one, before and after an update."""
    hardware = Device.choose("cuda", "fp32")
    architecture = small()
    config, dataset = architecture.trained, architecture.trained.dataset
    step = step_of(architecture, hardware)
    model = step._state.eval_model
    replayed = CudaGraphed(prediction(model, dataset, hardware), model)
    images, labels = batch(2 * BATCH + 50, 0, "cuda")
    for number in range(2):
        evaluations = [
            evaluate(model, config, dataset, hardware, images, labels, predict=predict)
            for predict in (None, replayed)
        ]
        assert evaluations[1].loss == pytest.approx(evaluations[0].loss, rel=1e-5)
        assert torch.equal(evaluations[1].guesses, evaluations[0].guesses)
        step(*batch(96, 1, "cuda"), 0, number)
