"""The training loop and the record in its run folder."""

from __future__ import annotations

import copy
import errno
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from command import run
from safetensors.torch import load_file
from small import DOCUMENT, after, run_until_stopped, small

from netbuilder._files import write_atomic
from netbuilder.config.schema import Architecture
from netbuilder.data.open import open_dataset
from netbuilder.data.transforms import normalize, to_unit
from netbuilder.errors import ConfigError, Diverged, MachineError
from netbuilder.inference.evaluate import evaluate_run
from netbuilder.inference.load import load_model
from netbuilder.network.analysis import analyse
from netbuilder.network.build import build
from netbuilder.runs.run import Run
from netbuilder.training import checkpoint
from netbuilder.training.compile import decide_compile, has_compiler
from netbuilder.training.device import Device
from netbuilder.training.evaluation import evaluate
from netbuilder.training.events import EpochEnded, Finished, Started, Stepped
from netbuilder.training.loop import train
from netbuilder.training.resources import batch_that_fits
from netbuilder.training.step import Step, TrainState

PLAIN = ("train.scheduler=", "train.ema=", "train.augment=[]", "layers[3]=Identity")


def test_the_step_equals_plain_pytorch() -> None:
    """Without random draws, ten steps produce the weights of ten steps of plain PyTorch."""
    architecture = small(*PLAIN)
    config = architecture.train
    assert config is not None
    hardware = Device.choose("cpu", "fp32")
    train_state = TrainState.make(
        architecture, hardware, seed=0, steps_per_epoch=10, scheduled_epochs=3
    )
    reference = copy.deepcopy(train_state.model)
    optimizer = torch.optim.SGD(reference.parameters(), lr=0.05, momentum=0.9, nesterov=True)
    data = open_dataset(config.dataset)
    step = Step(train_state, config, config.dataset, hardware, 0, steps_per_epoch=42)
    for index in range(10):
        images = data.train_images[index * 96 :][:96]
        labels = data.train_labels[index * 96 :][:96]
        loss_sum, hits = step(images, labels, 0, index)

        x = (images / 255 - 0.1307) / 0.3081
        logits = reference(x).flatten(1)
        loss = torch.nn.functional.cross_entropy(logits, labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        torch.testing.assert_close(loss_sum.item(), loss.item() * 96, rtol=1e-4, atol=0)
        assert hits == (logits.argmax(1) == labels).sum()
    torch.testing.assert_close(train_state.model.state_dict(), dict(reference.state_dict()))


def first_loss(architecture: Architecture, seed: int, epoch: int, index: int) -> float:
    """Return the loss of fresh weights on the first batch, with the draws of that step and run."""
    hardware = Device.choose("cpu", "fp32")
    train_state, config = TrainState.make(architecture, hardware, 0, 42, 3), architecture.trained
    data = open_dataset(config.dataset)
    step = Step(train_state, config, config.dataset, hardware, seed, steps_per_epoch=42)
    return step(data.train_images[:96], data.train_labels[:96], epoch, index)[0].item()


@pytest.mark.parametrize("off", ["train.augment=[]", "layers[3]=Identity"])
def test_draws_are_functions_of_seed_epoch_and_step(off: str) -> None:
    """Each of the three changes dropout and augmentation; the same three repeat them."""
    architecture = small(off)
    losses = {
        first_loss(architecture, *key) for key in ((0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0))
    }
    assert len(losses) == 4
    assert first_loss(architecture, 0, 0, 0) in losses


def test_the_average_is_the_exponential_moving_average() -> None:
    """Each value follows decay * average + (1 - decay) * weights with a growing decay."""
    architecture = small(*PLAIN, "train.ema=0.75")
    config = architecture.train
    assert config is not None
    hardware = Device.choose("cpu", "fp32")
    train_state = TrainState.make(
        architecture, hardware, seed=0, steps_per_epoch=10, scheduled_epochs=3
    )
    step = Step(train_state, config, config.dataset, hardware, 0, steps_per_epoch=42)
    data = open_dataset(config.dataset)
    expected: dict[str, torch.Tensor] = {}
    first = {name: value.clone() for name, value in train_state.model.state_dict().items()}
    for index in range(40):
        step(data.train_images[:96], data.train_labels[:96], 0, index)
        for name, value in train_state.model.state_dict().items():
            if value.is_floating_point():
                decay = min(0.75, (1 + index) / (10 + index))
                before = expected.get(name, first[name])
                expected[name] = before * decay + value * (1 - decay)
    averages = train_state.eval_model.state_dict()
    assert "1.running_mean" in expected
    torch.testing.assert_close({name: averages[name] for name in expected}, expected)


@pytest.mark.skipif(not has_compiler(), reason="no C++ compiler")
def test_a_compiled_step_equals_the_eager_one() -> None:
    """Both reach the same weights on the same batches, including a shorter last one."""
    architecture = small("layers[3]=Identity")  # compiled dropout differs in some versions
    config, hardware = architecture.trained, Device.choose("cpu", "fp32")
    data = open_dataset(config.dataset)
    results = []
    for compiled_from in (None, 0):
        train_state = TrainState.make(architecture, hardware, 0, 42, 3)
        step = Step(
            train_state, config, config.dataset, hardware, 0, 42, compiled_from=compiled_from
        )
        for index in (*range(6), 41):
            images = data.train_images[index * 96 :][:96]
            loss, hits = step(images, data.train_labels[index * 96 :][:96], 0, index)
        results.append(
            (loss, hits, train_state.model.state_dict(), train_state.eval_model.state_dict())
        )
    torch.testing.assert_close(results[0], results[1], rtol=1e-3, atol=1e-5)


@pytest.mark.skipif(not has_compiler(), reason="no C++ compiler")
@pytest.mark.parametrize(
    ("choice", "steps", "epochs", "epoch"),
    [
        ("auto", 50, 3, None),
        ("auto", 10**6, 2, 1),
        ("auto", 10**6, 1, None),
        ("on", 1, 1, 0),
        ("off", 10**6, 9, None),
    ],
)
def test_compilation_depends_on_the_length_of_the_run(
    choice: str, steps: int, epochs: int, epoch: int | None
) -> None:
    """``on`` and ``off`` override it; no measured time matters."""
    hardware = Device.choose("cpu", "fp32")
    assert decide_compile(choice, analyse(small()), steps, epochs, hardware)[0] == epoch


def test_compilation_needs_a_compiler(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``on`` is refused without one; ``auto`` does not compile."""
    monkeypatch.setenv("PATH", "")
    hardware = Device.choose("cpu", "fp32")
    assert decide_compile("auto", analyse(small()), 10**6, 2, hardware) == (
        None,
        "not compiled (no C++ compiler found)",
    )
    with pytest.raises(
        MachineError, match=r"--compile on: no C\+\+ compiler found; use auto or off"
    ):
        decide_compile("on", analyse(small()), 1, 2, hardware)
    with pytest.raises(ConfigError, match=r"--compile: found 'yes'; allowed: auto, on, off"):
        decide_compile("yes", analyse(small()), 1, 2, hardware)


def test_events_come_in_order(tmp_path: Path) -> None:
    """Started, each epoch's steps and its end, then Finished; an epoch has every image once."""
    records = list(train(small("train.epochs=2"), out=tmp_path))
    kinds = [type(record) for record in records]
    epoch = [Stepped] * 42 + [EpochEnded]
    assert kinds == [Started, *epoch, *epoch, Finished]
    last = records[42]
    assert isinstance(last, Stepped)
    assert (last.epoch, last.step, last.images) == (1, 42, 4000)


def test_the_run_folder_is_the_record(tmp_path: Path) -> None:
    """Its files exist and agree with each other."""
    folder, _ = run_until_stopped(train(small(), out=tmp_path, seed=5))
    run = Run.open(folder)
    assert folder.parent == tmp_path / "small"
    assert folder.name.endswith("-seed5")
    assert (folder / "architecture.yaml").read_text() == DOCUMENT
    assert run.architecture.model_dump() == small().model_dump()
    assert run.environment.versions["torch"] == torch.__version__
    assert run.environment.data.kind == "mnist5k"
    metrics, result = run.metrics, run.result
    assert [epoch.epoch for epoch in metrics] == [1, 2, 3]
    assert set(metrics[0].model_dump()) == {
        "epoch", "train_loss", "train_accuracy", "test_loss", "test_accuracy", "learning_rate",
        "train_seconds", "test_seconds",
    }  # fmt: skip
    assert result is not None
    assert result.last == metrics[-1]
    assert result.best.test_accuracy == max(epoch.test_accuracy for epoch in metrics)
    assert [verdict.target for verdict in result.targets] == ["parameters", "test_accuracy"]
    assert result.met is (min(m.test_accuracy for m in metrics[-2:]) >= 50)


@pytest.mark.parametrize("which", ["last", "best"])
def test_saved_weights_have_the_recorded_accuracy(tmp_path: Path, which: str) -> None:
    """Plain PyTorch and `evaluate_run` compute the accuracy of the record from the weights."""
    folder, _ = run_until_stopped(train(small(), out=tmp_path, precision="fp32"))
    result = Run.open(folder).result
    assert result is not None
    epoch = result.best if which == "best" else result.last
    model = build(small())
    model.load_state_dict(load_file(folder / f"{which}.safetensors"))
    model.eval()
    config = small().train
    assert config is not None
    data = open_dataset(config.dataset)
    with torch.no_grad():
        guesses = model((data.test_images / 255 - 0.1307) / 0.3081).argmax(1)
    accuracy = 100 * (guesses == data.test_labels).float().mean().item()
    assert accuracy == pytest.approx(epoch.test_accuracy)
    evaluation, _ = evaluate_run(Run.open(folder), which=which)
    assert evaluation.accuracy == epoch.test_accuracy
    assert evaluation.loss == epoch.test_loss
    assert int(evaluation.confusion.sum()) == 1000
    assert int(evaluation.confusion.trace()) == round(10 * evaluation.accuracy)


def test_the_learning_rate_follows_torchs_scheduler(tmp_path: Path) -> None:
    """The recorded rates are those of torch's OneCycleLR at the last step of each epoch."""
    folder, _ = run_until_stopped(train(small(), out=tmp_path))
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.05, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.2, epochs=3, steps_per_epoch=42)
    rates = []
    for _ in range(3 * 42):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    recorded = [epoch.learning_rate for epoch in Run.open(folder).metrics]
    assert recorded == pytest.approx([rates[41], rates[83], rates[125]])


def test_runs_of_the_same_second_do_not_overwrite_each_other(tmp_path: Path) -> None:
    """Each run has a separate folder."""
    folders = {run_until_stopped(train(small(), out=tmp_path, stop=after(1)))[0] for _ in range(3)}
    assert len(folders) == 3
    assert len(list((tmp_path / "small").iterdir())) == 3


def test_a_loss_that_is_not_finite_stops_before_the_update(tmp_path: Path) -> None:
    """The error names epoch and step, and the last checkpoint still loads."""
    architecture = small("train.optimizer={SGD: {lr: 1.0e+38}}", "train.scheduler=")
    message = (
        r"the loss is (nan|inf) in epoch 1, step \d+: layer \d \w+ \(small\.yaml:\d+:5\) is the "
        r"first whose output is not finite, .*; the update"
    )
    with pytest.raises(Diverged, match=message) as excinfo:
        list(train(architecture, out=tmp_path, precision="fp32"))
    [folder] = (tmp_path / "small").iterdir()
    assert str(excinfo.value).count(str(folder)) == str(excinfo.value).count("stays") == 1
    train_state = TrainState.make(architecture, Device.choose("cpu", "fp32"), 0, 42, 3)
    progress, damaged = checkpoint.restore(folder / "checkpoints", train_state)
    assert (progress.epoch, damaged) == (0, [])
    assert all(bool(p.isfinite().all()) for p in train_state.model.parameters())


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "the folder is read-only")],
)
def test_a_failed_write_keeps_the_previous_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    """If the second epoch cannot be saved, the checkpoint of the first still loads."""
    real, calls = write_atomic, []

    def failing(path: Path, content: bytes) -> None:
        calls.append(path)
        if len(calls) > 4:  # the first checkpoint, then last, best and checkpoint of epoch 1
            raise OSError(number, "no", str(path))
        real(path, content)

    monkeypatch.setattr("netbuilder.training.checkpoint.write_atomic", failing)
    with pytest.raises(
        MachineError, match=f"{words}; the last checkpoint is intact, continue with --resume"
    ):
        list(train(small(), out=tmp_path))
    monkeypatch.undo()
    [folder] = (tmp_path / "small").iterdir()
    train_state = TrainState.make(small(), Device.choose("cpu", "auto"), 0, 42, 3)
    progress, _ = checkpoint.restore(folder / "checkpoints", train_state)
    assert progress.epoch == 1
    assert not [path for path in folder.rglob("*") if ".tmp" in path.name]


def test_out_of_memory_is_reported_with_a_batch_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the batch size, the available memory and a size that fits."""

    def exhausted(*args: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Step, "__call__", exhausted)
    with pytest.raises(
        MachineError,
        match=r"out of memory: batches of 96 do not fit into .* GiB; batches of "
        r"\d+ should: train again with --set train\.batch_size=\d+; the last checkpoint is intact",
    ):
        list(train(small(), out=tmp_path))


def test_the_batch_that_fits_follows_from_the_summary() -> None:
    """Twice the memory fits at least twice the batch; 0 means that no image fits."""
    analysis = analyse(small())
    sample = 2 * (analysis.activation_bytes + 4 * 784)
    fits = batch_that_fits(analysis, memory=2**30, data_bytes=0)
    assert fits <= 0.9 * 2**30 / sample < 2 * fits
    assert batch_that_fits(analysis, memory=2**31, data_bytes=0) in (2 * fits, 4 * fits)
    assert batch_that_fits(analysis, memory=2**20, data_bytes=2**20) == 0


@pytest.mark.parametrize("source", ["input", "weight", "masked weight", "gradient", "loss"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_value_that_is_not_a_number_stops_the_run_before_the_update(
    source: str, value: float
) -> None:
    """Whatever its source, weights and average do not change."""
    architecture = small("train.scheduler=")
    config, hardware = architecture.trained, Device.choose("cpu", "fp32")
    train_state = TrainState.make(architecture, hardware, 0, 42, 3)
    step = Step(train_state, config, config.dataset, hardware, 0, steps_per_epoch=42)
    data = open_dataset(config.dataset)
    images, labels = data.train_images[:96], data.train_labels[:96]
    step(images, labels, 0, 0)
    first, last = train_state.model[0], train_state.model[5]
    if source == "input":
        first.register_forward_pre_hook(lambda module, inputs: (inputs[0] * value,))
    elif source == "weight":
        last.get_parameter("weight").data[3, 3] = value
    elif source == "masked weight":  # after a ReLU whose output is replaced by zeros
        train_state.model[2].register_forward_hook(
            lambda module, inputs, out: out.nan_to_num(0, 0, 0)
        )
        first.get_parameter("weight").data[0] = value
    elif source == "gradient":
        hook = last.get_parameter("bias").register_hook
        hook(lambda gradient: gradient * value)  # type: ignore[no-untyped-call]
    else:
        last.register_forward_hook(lambda module, inputs, out: out * value)
    before = {name: t.clone() for name, t in train_state.model.named_parameters()}
    average = {name: t.clone() for name, t in train_state.eval_model.state_dict().items()}
    with pytest.raises(Diverged, match=r"not finite|the loss is .* in epoch 1, step 2; the update"):
        step(images, labels, 0, 1)
    for name, parameter in train_state.model.named_parameters():
        assert torch.equal(parameter.nan_to_num(7), before[name].nan_to_num(7)), name
    for name, value_after in train_state.eval_model.state_dict().items():
        assert torch.equal(value_after, average[name]), name


def test_a_network_without_an_output_for_each_class_is_refused(tmp_path: Path) -> None:
    """The output shape is compared with the classes, and no run is created."""
    with pytest.raises(
        ConfigError, match=r"layers\[5\]\.Linear: the network ends with 7 values, but mnist5k"
    ):
        list(train(small("layers[5].Linear.out_features=7"), out=tmp_path))
    assert not list(tmp_path.iterdir())


def test_a_last_batch_of_a_single_value_per_channel_is_refused(
    tmp_path: Path,
) -> None:
    """Batch normalization has no statistics of a single value."""
    norm = small(
        *(
            f"layers[{i}]={layer}"
            for i, layer in enumerate(
                [
                    "{Conv2d: [4, 28]}",
                    "BatchNorm2d",
                    "ReLU",
                    "Identity",
                    "Flatten",
                    "{Linear: 10}",
                ]
            )
        ),
        "train.batch_size=43",
    )
    with pytest.raises(
        ConfigError, match=r"train\.batch_size: found 43, which leaves a last batch"
    ):
        list(train(norm, out=tmp_path))


def test_a_document_without_a_train_section_is_refused(tmp_path: Path) -> None:
    """The message names the missing section."""
    with pytest.raises(ConfigError, match="the document has no train section; add one"):
        list(train(small("train="), out=tmp_path))


def test_a_missing_device_is_refused() -> None:
    """A missing device is an error of the machine; an unknown name is an error of the user."""
    if not torch.cuda.is_available():
        with pytest.raises(MachineError, match="--device cuda: torch finds no such device"):
            Device.choose("cuda")
    with pytest.raises(ConfigError, match=r"--device: found 'gpu'; allowed: auto, cpu, cuda, mps"):
        Device.choose("gpu")


def test_the_first_weights_depend_on_the_seed_alone() -> None:
    """Earlier random draws do not change them."""
    hardware = Device.choose("cpu", "fp32")
    torch.rand(17)
    first = TrainState.make(small(), hardware, 4, 42, 3).model.state_dict()
    torch.rand(3)
    second = TrainState.make(small(), hardware, 4, 42, 3).model.state_dict()
    torch.testing.assert_close(first, second, rtol=0, atol=0)


def test_normalized_training_images_have_mean_0_and_deviation_1() -> None:
    """Mean and deviation of a data set's class describe its images."""
    config = small().train
    assert config is not None
    images = open_dataset(config.dataset).train_images
    unit = normalize(to_unit(images), config.dataset.mean, config.dataset.std)
    assert unit.mean().item() == pytest.approx(0, abs=0.03)
    assert unit.std().item() == pytest.approx(1, abs=0.03)


def test_a_missing_or_damaged_weight_file_is_reported(tmp_path: Path) -> None:
    """Each is an error with the name of the file."""
    folder, _ = run_until_stopped(train(small(), out=tmp_path, stop=after(2)))
    run = Run.open(folder)
    with pytest.raises(MachineError, match=r"best\.safetensors: no such file; the run has not"):
        load_model(run, "best")
    (folder / "best.safetensors").write_bytes(json.dumps({}).encode())
    with pytest.raises(MachineError, match=r"best\.safetensors: cannot be loaded"):
        load_model(run, "best")


def test_a_test_loss_that_is_not_finite_is_not_recorded(tmp_path: Path) -> None:
    """The update after a finite training loss may ruin the weights: the epoch is not saved."""
    architecture = small(
        "train.batch_size=4000", "train.optimizer={SGD: {lr: 1.0e+38}}", "train.scheduler="
    )
    with pytest.raises(
        Diverged, match=r"test loss is nan after epoch 1: layer 0 Conv2d .*; the epoch"
    ):
        list(train(architecture, out=tmp_path, precision="fp32"))
    [folder] = (tmp_path / "small").iterdir()
    assert not (folder / "metrics.jsonl").exists()


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (3, "a number that floats do not hold, in epoch"),
        (9, "the learning rate is too large for a number; lower gamma"),
    ],
)
def test_a_rate_beyond_floats_stops_the_run_in_one_line(
    times: int, message: str, tmp_path: Path
) -> None:
    """torch refuses a factor beyond 32-bit floats, and Python a power beyond 64-bit floats."""
    milestones = f"{{milestones: {[1] * times}, gamma: 1.0e+37}}"
    architecture = small(
        "train.optimizer={RMSprop: 1.0e-37}", f"train.scheduler={{MultiStepLR: {milestones}}}"
    )
    with pytest.raises(Diverged, match=message) as stopped:
        run_until_stopped(train(architecture, out=tmp_path))
    assert "\n" not in str(stopped.value)


def test_a_one_cycle_without_a_rising_step_is_refused(tmp_path: Path) -> None:
    """The message names the argument and the steps, where torch would divide by zero."""
    architecture = small(
        "train.batch_size=400", "train.epochs=1", "train.scheduler.OneCycleLR.pct_start=0.1"
    )
    with pytest.raises(ConfigError, match=r"OneCycleLR: pct_start 0\.1 of 10 steps leaves no step"):
        list(train(architecture, out=tmp_path))


def test_a_training_analyzes_once_and_tests_each_epoch_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A finished run that is resumed is analyzed but not tested again."""
    calls: Counter[str] = Counter()

    def count(place: str, real: Callable[..., object]) -> None:
        def counted(*arguments: object, **named: object) -> object:
            calls[place] += 1
            return real(*arguments, **named)

        monkeypatch.setattr(place, counted)

    count("netbuilder.network.check.analyse", analyse)
    count("netbuilder.network.build.analyse", analyse)
    count("netbuilder.training.trainer.evaluate", evaluate)
    document = tmp_path / "small.yaml"
    document.write_text(DOCUMENT.replace("epochs: 3", "epochs: 2"))
    assert run("train", str(document), "-q", "--out", str(tmp_path / "runs")).code in (0, 1)
    assert sorted(calls.values()) == [1, 2]
    [folder] = (tmp_path / "runs" / "small").iterdir()
    calls.clear()
    assert run("train", "--resume", str(folder), "-q").code in (0, 1)
    assert calls == {"netbuilder.network.check.analyse": 1}
