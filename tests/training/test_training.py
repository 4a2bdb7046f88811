"""What training does, and what its run folder records."""

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


def test_the_step_is_the_textbook_one() -> None:
    """Without draws, ten steps give the weights of ten steps of plain PyTorch."""
    architecture = small(*PLAIN)
    config = architecture.train
    assert config is not None
    hardware = Device.choose("cpu", "fp32")
    trainee = TrainState.make(
        architecture, hardware, seed=0, steps_per_epoch=10, scheduled_epochs=3
    )
    reference = copy.deepcopy(trainee.model)
    optimizer = torch.optim.SGD(reference.parameters(), lr=0.05, momentum=0.9, nesterov=True)
    data = open_dataset(config.dataset)
    step = Step(trainee, config, config.dataset, hardware, 0, steps_per_epoch=42)
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
    torch.testing.assert_close(trainee.model.state_dict(), dict(reference.state_dict()))


def first_loss(architecture: Architecture, seed: int, epoch: int, index: int) -> float:
    """The loss of fresh weights on the first batch, as that step of that run would draw it."""
    hardware = Device.choose("cpu", "fp32")
    trainee, config = TrainState.make(architecture, hardware, 0, 42, 3), architecture.trained
    data = open_dataset(config.dataset)
    step = Step(trainee, config, config.dataset, hardware, seed, steps_per_epoch=42)
    return step(data.train_images[:96], data.train_labels[:96], epoch, index)[0].item()


@pytest.mark.parametrize("off", ["train.augment=[]", "layers[3]=Identity"])
def test_each_step_draws_anew_and_the_same_step_draws_the_same(off: str) -> None:
    """Dropout and augmentation are functions of seed, epoch and step, and of nothing else."""
    architecture = small(off)
    losses = {
        first_loss(architecture, *key) for key in ((0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0))
    }
    assert len(losses) == 4
    assert first_loss(architecture, 0, 0, 0) in losses


def test_the_average_is_the_exponential_moving_average() -> None:
    """With ema, the kept values follow decay * average + (1 - decay) * weights, decay growing."""
    architecture = small(*PLAIN, "train.ema=0.75")
    config = architecture.train
    assert config is not None
    hardware = Device.choose("cpu", "fp32")
    trainee = TrainState.make(
        architecture, hardware, seed=0, steps_per_epoch=10, scheduled_epochs=3
    )
    step = Step(trainee, config, config.dataset, hardware, 0, steps_per_epoch=42)
    data = open_dataset(config.dataset)
    expected: dict[str, torch.Tensor] = {}
    first = {name: value.clone() for name, value in trainee.model.state_dict().items()}
    for index in range(40):
        step(data.train_images[:96], data.train_labels[:96], 0, index)
        for name, value in trainee.model.state_dict().items():
            if value.is_floating_point():
                decay = min(0.75, (1 + index) / (10 + index))
                before = expected.get(name, first[name])
                expected[name] = before * decay + value * (1 - decay)
    kept = trainee.eval_model.state_dict()
    assert "1.running_mean" in expected
    torch.testing.assert_close({name: kept[name] for name in expected}, expected)


@pytest.mark.skipif(not has_compiler(), reason="no C++ compiler")
def test_a_compiled_step_is_the_eager_one() -> None:
    """On the same batches, a shorter last one among them, it ends in the same weights."""
    architecture = small("layers[3]=Identity")  # compiled, some versions of torch drop others
    config, hardware = architecture.trained, Device.choose("cpu", "fp32")
    data = open_dataset(config.dataset)
    found = []
    for compiled_from in (None, 0):
        trainee = TrainState.make(architecture, hardware, 0, 42, 3)
        step = Step(trainee, config, config.dataset, hardware, 0, 42, compiled_from=compiled_from)
        for index in (*range(6), 41):
            images = data.train_images[index * 96 :][:96]
            loss, hits = step(images, data.train_labels[index * 96 :][:96], 0, index)
        found.append((loss, hits, trainee.model.state_dict(), trainee.eval_model.state_dict()))
    torch.testing.assert_close(found[0], found[1], rtol=1e-3, atol=1e-5)


@pytest.mark.skipif(not has_compiler(), reason="no C++ compiler")
@pytest.mark.parametrize(
    ("asked", "steps", "epochs", "chosen"),
    [
        ("auto", 50, 3, None),
        ("auto", 10**6, 2, 1),
        ("auto", 10**6, 1, None),
        ("on", 1, 1, 0),
        ("off", 10**6, 9, None),
    ],
)
def test_compiling_is_chosen_by_the_length_of_the_run(
    asked: str, steps: int, epochs: int, chosen: int | None
) -> None:
    """By nothing that a busy machine could change, or by what was asked for."""
    hardware = Device.choose("cpu", "fp32")
    assert decide_compile(asked, analyse(small()), steps, epochs, hardware)[0] == chosen


def test_compiling_without_a_compiler_is_refused_or_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``on`` says what is missing; ``auto`` does without."""
    monkeypatch.setenv("PATH", "")
    hardware = Device.choose("cpu", "fp32")
    assert decide_compile("auto", analyse(small()), 10**6, 2, hardware) == (
        None,
        "not compiled, no C++ compiler here",
    )
    with pytest.raises(
        MachineError, match=r"--compile on: no C\+\+ compiler here; use auto or off"
    ):
        decide_compile("on", analyse(small()), 1, 2, hardware)
    with pytest.raises(ConfigError, match=r"--compile: found 'yes'; allowed: auto, on, off"):
        decide_compile("yes", analyse(small()), 1, 2, hardware)


def test_records_come_in_order_and_every_image_is_seen_once_an_epoch(tmp_path: Path) -> None:
    """Started, then each epoch's steps and its end, then Finished."""
    records = list(train(small("train.epochs=2"), out=tmp_path))
    kinds = [type(record) for record in records]
    epoch = [Stepped] * 42 + [EpochEnded]
    assert kinds == [Started, *epoch, *epoch, Finished]
    last = records[42]
    assert isinstance(last, Stepped)
    assert (last.epoch, last.step, last.images) == (1, 42, 4000)


def test_the_run_folder_is_the_record(tmp_path: Path) -> None:
    """Every file that the folder promises is there and agrees with the others."""
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
def test_kept_weights_give_the_recorded_accuracy(tmp_path: Path, which: str) -> None:
    """Plain torch code on the kept weights finds the accuracy that the record names."""
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
    """Each run gets a folder of its own, however fast they start."""
    folders = {run_until_stopped(train(small(), out=tmp_path, stop=after(1)))[0] for _ in range(3)}
    assert len(folders) == 3
    assert len(list((tmp_path / "small").iterdir())) == 3


def test_a_loss_that_is_not_finite_stops_before_the_update(tmp_path: Path) -> None:
    """A diverging run names epoch and step, and what it had saved still loads."""
    architecture = small("train.optimizer={SGD: {lr: 1.0e+38}}", "train.scheduler=")
    told = r"the loss is (nan|inf) in epoch 1, step \d+; the update"
    with pytest.raises(Diverged, match=told) as caught:
        list(train(architecture, out=tmp_path, precision="fp32"))
    [folder] = (tmp_path / "small").iterdir()
    assert str(caught.value).count(str(folder)) == str(caught.value).count("stays") == 1
    trainee = TrainState.make(architecture, Device.choose("cpu", "fp32"), 0, 42, 3)
    progress, damaged = checkpoint.restore(folder / "checkpoints", trainee)
    assert (progress.epoch, damaged) == (0, [])
    assert all(bool(p.isfinite().all()) for p in trainee.model.parameters())


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "the folder is read-only")],
)
def test_a_disk_that_fails_is_one_line_and_the_checkpoint_before_it_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    """When the second epoch cannot be written, the first one's checkpoint still loads."""
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
    trainee = TrainState.make(small(), Device.choose("cpu", "auto"), 0, 42, 3)
    progress, _ = checkpoint.restore(folder / "checkpoints", trainee)
    assert progress.epoch == 1
    assert not [path for path in folder.rglob("*") if ".tmp" in path.name]


def test_out_of_memory_is_a_line_that_names_the_batch_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory that runs out in a step ends the run with what to change."""

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
    """Twice the memory fits twice the batch; what fits no image is told as 0."""
    analysis = analyse(small())
    sample = 2 * (analysis.activation_bytes + 4 * 784)
    fits = batch_that_fits(analysis, memory=2**30, data_bytes=0)
    assert fits <= 0.9 * 2**30 / sample < 2 * fits
    assert batch_that_fits(analysis, memory=2**31, data_bytes=0) in (2 * fits, 4 * fits)
    assert batch_that_fits(analysis, memory=2**20, data_bytes=2**20) == 0


@pytest.mark.parametrize("what", ["input", "weight", "masked weight", "gradient", "loss"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_stops_the_run_before_the_update(what: str, value: float) -> None:
    """Wherever it comes in, weights and average stay as they were."""
    architecture = small("train.scheduler=")
    config, hardware = architecture.trained, Device.choose("cpu", "fp32")
    trainee = TrainState.make(architecture, hardware, 0, 42, 3)
    step = Step(trainee, config, config.dataset, hardware, 0, steps_per_epoch=42)
    data = open_dataset(config.dataset)
    images, labels = data.train_images[:96], data.train_labels[:96]
    step(images, labels, 0, 0)
    first, last = trainee.model[0], trainee.model[5]
    if what == "input":
        first.register_forward_pre_hook(lambda module, given: (given[0] * value,))
    elif what == "weight":
        last.get_parameter("weight").data[3, 3] = value
    elif what == "masked weight":  # behind a ReLU that lets nothing of it through
        trainee.model[2].register_forward_hook(lambda module, given, out: out.nan_to_num(0, 0, 0))
        first.get_parameter("weight").data[0] = value
    elif what == "gradient":
        hook = last.get_parameter("bias").register_hook
        hook(lambda gradient: gradient * value)  # type: ignore[no-untyped-call]
    else:
        last.register_forward_hook(lambda module, given, out: out * value)
    before = {name: t.clone() for name, t in trainee.model.named_parameters()}
    average = {name: t.clone() for name, t in trainee.eval_model.state_dict().items()}
    with pytest.raises(Diverged, match=r"not finite|the loss is .* in epoch 1, step 2; the update"):
        step(images, labels, 0, 1)
    for name, parameter in trainee.model.named_parameters():
        assert torch.equal(parameter.nan_to_num(7), before[name].nan_to_num(7)), name
    for name, kept in trainee.eval_model.state_dict().items():
        assert torch.equal(kept, average[name]), name


def test_a_network_without_an_output_for_each_class_is_refused(tmp_path: Path) -> None:
    """The shape that the network ends with is compared with the classes before any training."""
    with pytest.raises(
        ConfigError, match=r"layers\[5\]\.Linear: the network ends with 7 = 7 values, but mnist5k"
    ):
        list(train(small("layers[5].Linear.out_features=7"), out=tmp_path))
    assert not list(tmp_path.iterdir())


def test_a_last_batch_that_batch_norm_cannot_take_is_refused_before_training(
    tmp_path: Path,
) -> None:
    """One image has no statistics where a channel holds a single value."""
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
    """Training what says nothing of training tells what to add."""
    with pytest.raises(ConfigError, match="the document has no train section; add one"):
        list(train(small("train="), out=tmp_path))


def test_asking_for_a_device_that_is_not_there_is_refused() -> None:
    """A device that torch does not find is the machine's fault, an unknown name the user's."""
    if not torch.cuda.is_available():
        with pytest.raises(MachineError, match="--device cuda: torch finds none here"):
            Device.choose("cuda")
    with pytest.raises(ConfigError, match=r"--device: found 'gpu'; allowed: auto, cpu, cuda, mps"):
        Device.choose("gpu")


def test_the_first_weights_are_settled_by_the_seed_alone() -> None:
    """Whatever was drawn before, a seed gives its weights."""
    hardware = Device.choose("cpu", "fp32")
    torch.rand(17)
    first = TrainState.make(small(), hardware, 4, 42, 3).model.state_dict()
    torch.rand(3)
    again = TrainState.make(small(), hardware, 4, 42, 3).model.state_dict()
    torch.testing.assert_close(first, again, rtol=0, atol=0)


def test_normalised_training_images_have_mean_0_and_deviation_1() -> None:
    """The constants of a data set are those of its images."""
    config = small().train
    assert config is not None
    images = open_dataset(config.dataset).train_images
    unit = normalize(to_unit(images), config.dataset.mean, config.dataset.std)
    assert unit.mean().item() == pytest.approx(0, abs=0.03)
    assert unit.std().item() == pytest.approx(1, abs=0.03)


def test_a_missing_or_damaged_weight_file_is_named(tmp_path: Path) -> None:
    """Kept weights that cannot be loaded are an error that says what to do."""
    folder, _ = run_until_stopped(train(small(), out=tmp_path, stop=after(2)))
    run = Run.open(folder)
    with pytest.raises(MachineError, match=r"best\.safetensors: no such file; the run has not"):
        load_model(run, "best")
    (folder / "best.safetensors").write_bytes(json.dumps({}).encode())
    with pytest.raises(MachineError, match=r"best\.safetensors: cannot be loaded"):
        load_model(run, "best")


def test_a_test_loss_that_is_not_finite_is_not_recorded(tmp_path: Path) -> None:
    """The update behind the last finite training loss may ruin the weights: no epoch is saved."""
    architecture = small(
        "train.batch_size=4000", "train.optimizer={SGD: {lr: 1.0e+38}}", "train.scheduler="
    )
    with pytest.raises(Diverged, match="test loss is nan after epoch 1; the epoch is not"):
        list(train(architecture, out=tmp_path, precision="fp32"))
    [folder] = (tmp_path / "small").iterdir()
    assert not (folder / "metrics.jsonl").exists()


def test_a_one_cycle_without_a_step_to_rise_in_is_refused(tmp_path: Path) -> None:
    """torch would divide by zero; the message names the argument and the steps."""
    architecture = small(
        "train.batch_size=400", "train.epochs=1", "train.scheduler.OneCycleLR.pct_start=0.1"
    )
    with pytest.raises(ConfigError, match=r"OneCycleLR: pct_start 0\.1 of 10 steps leaves no step"):
        list(train(architecture, out=tmp_path))


def test_a_training_analyzes_once_and_tests_each_epoch_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the command to the result; a finished run that is resumed is not tested again."""
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
