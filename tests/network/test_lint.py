"""Advice: the networks for which each rule gives advice, and those for which it does not."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from command import run
from documents import analysis_of, network
from paths import ROOT
from run_folders import epoch_record
from small import DOCUMENT, small

from netbuilder.config.loader import load
from netbuilder.config.scaffold import TEMPLATES
from netbuilder.network.analysis import analyse
from netbuilder.network.lint import advise, warn
from netbuilder.network.lint.base import Evidence
from netbuilder.runs.lr_curve import RangeTest
from netbuilder.runs.records import EpochRecord

CONV = "Conv2d: {out_channels: 4, kernel_size: 3, padding: 1, bias: false}"
CLOSE = ("AdaptiveAvgPool2d: 1", "Flatten", "Linear: 2")
RESIDUAL = "Residual: {body: [{Conv2d: [4, 1, 1, 0, 1, 1, false]}, BatchNorm2d]}"


def advice_on(*layers: str, shape: str = "[1, 12, 12]") -> list[tuple[str, str]]:
    """Return rule and field of each warning and advice on a network of these layers."""
    analysis = network(*layers, shape=shape)
    entries = warn(analysis) + advise(analysis, Evidence())
    return [(advice.rule, advice.problem.field) for advice in entries]


def conv(kernel: int, channels: int = 4, more: str = "") -> str:
    """A convolution without bias."""
    return f"Conv2d: {{out_channels: {channels}, kernel_size: {kernel}, bias: false{more}}}"


@pytest.mark.parametrize(
    ("rule", "place", "layers"),
    [
        ("bias-before-norm", "layers[0].Conv2d.bias", ("Conv2d: [4, 1]", "BatchNorm2d", *CLOSE)),
        ("bias-before-norm", "layers[0].Conv2d.bias",
         ("Conv2d: [4, 1]", "MaxPool2d: 2", "BatchNorm2d", *CLOSE)),
        ("bias-before-norm", "layers[1].Residual.body[0].Conv2d.bias",
         (conv(1), "Residual: {body: [{Conv2d: [4, 1]}, BatchNorm2d]}", *CLOSE)),
        ("bias-before-norm", "layers[0].Sequential.layers[0].Conv2d.bias",
         ("Sequential: [{Conv2d: [4, 1]}]", "BatchNorm2d", *CLOSE)),
        ("bias-before-norm", "layers[1].Linear.bias", ("Flatten", "Linear: 3", "BatchNorm1d")),
        ("most-parameters", "layers[1].Linear", ("Flatten", "Linear: 9", "Linear: 5", "Linear: 2")),
        ("kernel-on-one-position", "layers[1].Conv2d.kernel_size",
         ("AdaptiveAvgPool2d: 1", CONV, "Flatten")),
        ("torch-order", "layers[0].Conv2d", ("Conv2d: [1, 10, 3]", *CLOSE)),
        ("border-dropped", "layers[1].MaxPool2d", (conv(2), "MaxPool2d: 2", *CLOSE)),
        ("border-dropped", "layers[0].Conv2d", (conv(3, more=", stride: 2"), *CLOSE)),
        ("border-dropped", "layers[0].Conv2d",
         (conv(3, more=", stride: 2, padding: valid"), *CLOSE)),
        ("never-sees-all", "layers[1].MaxPool2d",
         (conv(2), "MaxPool2d: 2", "Flatten", "Tanh")),
        ("never-sees-all", "layers[1].Conv2d", (conv(3), conv(3), "ReLU", "Conv2d: [2, 1]")),
        ("sees-all-before", "layers[2].Conv2d",
         ("MaxPool2d: 4", CONV.replace("kernel_size: 3, padding: 1", "kernel_size: 3, padding: 2"),
          CONV, CONV, *CLOSE)),
        ("sees-all-before", "layers[2].Conv2d", ("MaxPool2d: 4", CONV, CONV, CONV, *CLOSE)),
    ],
)  # fmt: skip
def test_a_rule_gives_advice(rule: str, place: str, layers: tuple[str, ...]) -> None:
    """The advice has the field of the layer that causes it."""
    assert (rule, place) in advice_on(*layers)


@pytest.mark.parametrize(
    ("rule", "layers"),
    [
        ("bias-before-norm", (conv(1), "BatchNorm2d", *CLOSE)),
        ("bias-before-norm", ("Conv2d: [4, 1]", "ReLU", "BatchNorm2d", *CLOSE)),
        ("bias-before-norm", ("Conv2d: [4, 1]", "GroupNorm: 2", *CLOSE)),
        ("bias-before-norm", ("Conv2d: [4, 1]", "Residual: {body: [BatchNorm2d]}")),
        ("bias-before-norm", ("Residual: {body: [{Conv2d: [1, 1]}]}", "BatchNorm2d", *CLOSE)),
        ("bias-before-norm",
         ("Residual: {body: [{Conv2d: [4, 1]}], shortcut: [BatchNorm2d, {Conv2d: [4, 1]}]}",)),
        ("bias-before-norm", ("Flatten: [2, 3]", "Linear: 3", "BatchNorm1d")),
        ("most-parameters", ("Flatten", "Linear: 9", "Linear: 5")),
        ("most-parameters", ("Flatten", "Linear: 2", "Linear: 90", "Linear: 3")),
        ("kernel-on-one-position", ("AdaptiveAvgPool2d: 1", conv(1), "Flatten")),
        ("kernel-on-one-position", ("AdaptiveAvgPool2d: 2", CONV, "Flatten")),
        ("kernel-on-one-position", ("AdaptiveAvgPool2d: 1", "Conv2d: [4, 3, 1, 2]", "Flatten")),
        ("kernel-on-one-position",
         ("AdaptiveAvgPool2d: 1", conv(3, more=", padding: 1, padding_mode: circular"), "Flatten")),
        ("torch-order", ("Conv2d: [1, 3, 2]", *CLOSE)),
        ("torch-order", ("Conv2d: [1, 9, 9]", *CLOSE)),
        ("torch-order", ("Conv2d: {out_channels: 1, kernel_size: 10, stride: 3}", *CLOSE)),
        ("border-dropped", ("MaxPool2d: 2", *CLOSE)),
        ("border-dropped", (conv(2), "MaxPool2d: {kernel_size: 2, ceil_mode: true}", *CLOSE)),
        ("border-dropped", (conv(2), "MaxPool2d: [2, 2, 1]", *CLOSE)),
        ("border-dropped", (conv(1, more=", stride: 2"), *CLOSE)),
        ("border-dropped", (conv(3, more=", stride: 2, padding: 1"), *CLOSE)),
        ("never-sees-all", (conv(3), *CLOSE)),
        ("never-sees-all", ("Flatten", "Linear: 2")),
        ("never-sees-all", (conv(3, more=", stride: 2"), *CLOSE)),  # border-dropped covers it
        ("never-sees-all", ("Residual: {body: []}",)),
        ("sees-all-before", (CONV, "MaxPool2d: 2", CONV, CONV, *CLOSE)),
        ("sees-all-before", ("AdaptiveAvgPool2d: 1", conv(1), conv(1))),
        ("sees-all-before", ("MaxPool2d: 4", CONV, CONV, conv(3), "Flatten")),
        ("sees-all-before",
         (RESIDUAL.replace("4, 1", "1, 1"), "MaxPool2d: 4", *[CONV] * 6, *CLOSE)),
    ],
)  # fmt: skip
def test_a_rule_gives_no_advice(rule: str, layers: tuple[str, ...]) -> None:
    """The network lacks the cause of the advice, or has a reason that excludes it."""
    assert rule not in [name for name, _ in advice_on(*layers)]


def test_advice_on_repeated_layers_is_given_once() -> None:
    """The field is that of the document, where the layer occurs once."""
    block = "Repeat: {times: 3, layers: [{Conv2d: [4, 1]}, BatchNorm2d]}"
    places = [place for rule, place in advice_on(block, *CLOSE) if rule == "bias-before-norm"]
    assert places == ["layers[0].Repeat.layers[0].Conv2d.bias"]


BLOCK = (
    'blocks: {unit: {parameters: {c: null}, layers: [{Conv2d: ["${c}", 1]}]}}\n'
    "name: test\ninput: [1, 12, 12]\nlayers:\n"
)
USE = "  - unit: %d\n  - BatchNorm2d\n"


def test_advice_on_a_block_covers_all_its_uses() -> None:
    """It states what all uses save, and is omitted if one of them needs the bias."""
    end = "  - AdaptiveAvgPool2d: 1\n"
    [advice] = advise(analysis_of(BLOCK + USE % 4 + USE % 8 + end), Evidence())
    assert advice.rule == "bias-before-norm"
    assert (advice.problem.line, advice.problem.field) == (1, "blocks.unit.layers[0].Conv2d.bias")
    assert "saves 12 parameters in the 2 layers" in advice.remedy
    assert advise(analysis_of(BLOCK + USE % 4 + "  - unit: 8\n" + end), Evidence()) == []


def test_an_unseen_border_is_one_advice() -> None:
    """Of two rules about the border one applies, without advising an existing average."""
    [advice] = advise(network("MaxPool2d: 2", *CLOSE, shape="[1, 61, 61]"), Evidence())
    assert (advice.rule, advice.problem.field) == ("never-sees-all", "layers[0].MaxPool2d")
    assert "sees 60x60 of the 61x61 input" in advice.problem.message
    assert "average" not in advice.remedy


def test_kinds_of_plugins_get_no_advice(
    plugin_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kind with a name similar to a known one need not have its arguments."""
    kinds = "".join(map(PLUGIN.format, ("OwnDropout", "MaxPoolOwn", "ConvOwn", "BatchNormOwn")))
    (plugin_folder / "sounding.py").write_text("from netbuilder.plugin import Layer\n" + kinds)
    monkeypatch.syspath_prepend(plugin_folder)
    layers = "[ConvOwn, BatchNormOwn, MaxPoolOwn, Flatten, {Linear: 2}, OwnDropout]"
    Path("net.yaml").write_text(f"name: net\ninput: [1, 2, 2]\nlayers: {layers}\n")
    result = run("check", "net.yaml", "--advice", "--plugin", "sounding")
    assert (result.code, result.out, result.err) == (0, "net.yaml: ok\n", "")


PLUGIN = """
class {}(Layer):
    "Nothing."
    def output_shape(self, x): return x
    def parameter_shapes(self, x): return {{}}
    def macs(self, x): return 0
    def receptive_field(self, x, field): return field
    def build(self, x): raise NotImplementedError
"""


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_gets_no_advice(template: str) -> None:
    """Every template of `new` is free of advice."""
    path = ROOT / f"netbuilder/config/templates/{template}.yaml"
    analysis = analyse(load(path))
    assert warn(analysis) + advise(analysis, Evidence()) == []


def test_a_dropped_border_matters_from_two_percent() -> None:
    """Losing one of 61 positions gives no advice, and losing one of 49 does."""
    assert "border-dropped" not in dict(advice_on("MaxPool2d: 2", *CLOSE, shape="[1, 61, 61]"))
    assert "border-dropped" in dict(advice_on("MaxPool2d: 2", *CLOSE, shape="[1, 49, 49]"))


def test_a_network_with_a_fault_gets_no_advice() -> None:
    """Advice is omitted until the fault is fixed."""
    assert advice_on("Conv2d: [4, 1]", "BatchNorm2d", "MaxPool2d: 99") == []


def epochs(*pairs: tuple[float, float]) -> list[EpochRecord]:
    """Return the records of epochs with these training and test accuracies."""
    return [epoch_record(number, *pair) for number, pair in enumerate(pairs, 1)]


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        (epochs((99.85, 99.06)), True),  # the published numbers of iterations 1, 2, 4, 3, 6 and 8
        (epochs((99.27, 98.86)), True),
        (epochs((99.75, 98.28)), True),
        (epochs((98.88, 98.82)), False),
        (epochs((98.81, 98.72)), False),
        (epochs((99.34, 99.36)), False),
        (epochs((90.0, 89.0)), False),
        (epochs(*[(99.9, 98.0)] * 3, *[(99.0, 99.0)] * 3), False),
        ([], False),
    ],
)
def test_an_overfitting_run_gets_the_advice_to_augment(
    metrics: list[EpochRecord], expected: bool
) -> None:
    """The advice depends on the gap in the last epochs, and on missing augmentation."""
    bare, augmented = small("train.augment=[]"), small()
    rules = [advice.rule for advice in advise(analyse(bare), Evidence(metrics))]
    assert ("overfits" in rules) == expected
    assert "overfits" not in [a.rule for a in advise(analyse(augmented), Evidence(metrics))]


@pytest.mark.parametrize(("limit", "expected"), [(0.19, True), (0.2, False), (None, False)])
def test_a_peak_above_the_rate_of_divergence_gets_advice(
    limit: float | None, expected: bool
) -> None:
    """The peak of 0.2 gets advice if the range test diverged below it."""
    entries = advise(analyse(small()), Evidence(diverged_at=limit))
    assert ("peak-diverges" in [advice.rule for advice in entries]) == expected


@pytest.mark.parametrize(
    ("scheduler", "place"),
    [
        ("{OneCycleLR: 0.2}", "16:15"),
        ("[{OneCycleLR: {max_lr: 0.2}}]", "16:29"),
    ],
)
def test_advice_on_a_peak_has_its_place_and_a_rate(scheduler: str, place: str) -> None:
    """Each form of the scheduler has its place, and the remedy is the suggested rate."""
    text = DOCUMENT.replace("{OneCycleLR: {max_lr: 0.2}}", scheduler)
    entries = advise(analysis_of(text), Evidence(diverged_at=0.1, suggestion=0.012))
    [advice] = [advice for advice in entries if advice.rule == "peak-diverges"]
    assert advice.problem.place == f"test.yaml:{place}"
    assert advice.remedy == "stay well below, such as at 0.012"


def test_only_the_first_iteration_gets_advice() -> None:
    """Without a run, only the first iteration gets advice, on its number of parameters."""
    rules = {
        n: [a.rule for a in advise(analyse(load(ROOT / f"archs/iter{n}.yaml")), Evidence())]
        for n in range(1, 11)
    }
    assert rules == {1: ["most-parameters"], **{n: [] for n in range(2, 11)}}


@pytest.fixture
def run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a run that overfits, with its document in the current folder."""
    monkeypatch.chdir(tmp_path)
    text = DOCUMENT.replace(
        "  augment: [{RandomAffine: {degrees: 7, translate: [0.04, 0.04]}}]\n", ""
    )
    (tmp_path / "small.yaml").write_text(text)
    folder = tmp_path / "runs/small/2026-01-01T00-00-00-seed0"
    folder.mkdir(parents=True)
    architecture = analysis_of(text).architecture
    environment: dict[str, Any] = {
        "data": {"kind": "mnist5k", "sha256": "", "fell_back": ""},
        "device": "cpu",
        "precision": "fp32",
        "seed": 0,
        "started": "2026-01-01T00:00:00+00:00",
    }
    config = {"architecture": architecture.model_dump(mode="json"), "seed": 0, "device": "cpu",
              "precision": "fp32"}  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "environment.json").write_text(json.dumps(environment))
    (folder / "metrics.jsonl").write_bytes(epoch_record(1, 99.9, 98.0).as_json(indent=None))
    return folder


def test_check_gives_advice_on_the_newest_run(run_folder: Path) -> None:
    """Text and JSON contain the advice on its epochs, and the exit code is that of `check`."""
    result = run("check", "small.yaml", "--advice")
    assert (result.code, result.err) == (0, "")
    assert "advice: small.yaml:11:1: train.augment: the last run overfits: 99.90" in result.out
    assert result.out.endswith("small.yaml: ok\n")
    [report] = json.loads(run("check", "small.yaml", "--advice", "--format", "json").out)
    assert "overfits" in [advice["rule"] for advice in report["advice"]]
    assert "overfits" not in run("check", "small.yaml").out


def test_the_newest_run_is_the_last_to_start(run_folder: Path) -> None:
    """The start time with its time zone decides, not the name of the folder."""
    other = run_folder.with_name("2026-01-01T09-00-00-seed0")
    shutil.copytree(run_folder, other)
    environment = (run_folder / "environment.json").read_text()
    (other / "environment.json").write_text(environment.replace("00:00+00:00", "00:00+12:00"))
    metrics = (run_folder / "metrics.jsonl").read_text()
    (other / "metrics.jsonl").write_text(metrics.replace("98.0", "97.0"))
    assert "98.00 on the test images" in run("check", "small.yaml", "--advice").out


@pytest.mark.parametrize("change", ["layers", "fell_back", "no metrics"])
def test_runs_without_evidence_are_ignored(run_folder: Path, change: str) -> None:
    """A run of another network, on fallback data or without epochs gives no advice."""
    if change == "layers":
        text = Path("small.yaml").read_text()
        Path("small.yaml").write_text(text.replace("out_channels: 4", "out_channels: 5"))
    elif change == "fell_back":
        file = run_folder / "environment.json"
        file.write_text(file.read_text().replace('"fell_back": ""', '"fell_back": "no network"'))
    else:
        (run_folder / "metrics.jsonl").unlink()
    result = run("check", "small.yaml", "--advice")
    assert (result.code, result.err) == (0, "")
    assert "overfits" not in result.out


def test_a_damaged_record_is_reported(run_folder: Path) -> None:
    """The error output is one line, and `check` continues."""
    (run_folder / "metrics.jsonl").write_text('{"epoch"')
    result = run("check", "small.yaml", "--advice")
    assert result.code == 0
    assert result.err.startswith("note: runs/small/2026-01-01T00-00-00-seed0/metrics.jsonl: line 1")
    assert result.err.count("\n") == 1


RANGE_TEST = Path("runs/small/lr-find.json")


@pytest.fixture
def range_test(run_folder: Path) -> RangeTest:
    """A range test of the document with another scheduler, which diverged at 0.1."""
    architecture = json.loads((run_folder / "config.json").read_text())["architecture"]
    architecture["train"]["scheduler"] = []
    return RangeTest(
        architecture=architecture, dataset="mnist5k", seed=0, device="cpu", precision="fp32",
        learning_rates=(0.01, 0.1), losses=(2.0, 9.0), smoothed=(2.0, 9.0),
        field="train.optimizer.SGD.lr", suggestion=0.01, diverged_at=0.1, steps=2,
    )  # fmt: skip


def test_check_gives_advice_on_the_range_test(range_test: RangeTest) -> None:
    """The advice states the rate of divergence, although the scheduler differs."""
    range_test.save(RANGE_TEST)
    output = run("check", "small.yaml", "--advice").out
    assert "it rises to 0.2, and the range test diverged at 0.1" in output


def test_a_range_test_on_another_dataset_is_reported(range_test: RangeTest) -> None:
    """The note names the field in which the range test differs."""
    range_test.model_copy(update={"dataset": "mnist"}).save(RANGE_TEST)
    assert "run with another train.dataset; run" in run("check", "small.yaml", "--advice").err


def test_a_range_test_of_another_network_is_reported(range_test: RangeTest) -> None:
    """The note names the fields in which it differs, and there is no advice from it."""
    architecture = dict(range_test.architecture)
    architecture["train"] = architecture["train"] | {"batch_size": 7, "augment": []}
    architecture["layers"] = architecture["layers"][1:]
    range_test.model_copy(update={"architecture": architecture}).save(RANGE_TEST)
    result = run("check", "small.yaml", "--advice")
    assert "range test" not in result.out
    assert "lr-find.json: it was run with another layers, train.batch_size; run" in result.err


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (r"(?s).+", "{", "cannot be read: not JSON"),
        (r"(?s).+", '{"diverged_at": 0.1}', "architecture: this field is required"),
        (r": 0\.1,", ': "high",', "diverged_at: found the text 'high'; allowed: a"),
    ],
    ids=["not JSON", "missing field", "wrong type"],
)
def test_a_damaged_range_test_is_reported(
    range_test: RangeTest, old: str, new: str, message: str
) -> None:
    """The note names the file, the field and the mistake."""
    range_test.save(RANGE_TEST)
    RANGE_TEST.write_text(re.sub(old, new, RANGE_TEST.read_text()))
    assert f"lr-find.json: {message}" in run("check", "small.yaml", "--advice").err
