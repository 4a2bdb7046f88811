"""The last layers and the loss: what is refused, what is warned of, and whether that is true."""

from __future__ import annotations

import re
from math import e, exp
from pathlib import Path

import pytest
import torch
from budgets import examples
from command import run
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from run_folders import write_run
from torch import nn

from netbuilder.config.loader import parse_architecture
from netbuilder.config.schema import Architecture
from netbuilder.network.analysis import analyse
from netbuilder.network.build import build
from netbuilder.network.check import check_architecture
from netbuilder.network.lint import advise, warn
from netbuilder.network.lint.base import Evidence
from netbuilder.training.loop import train

HEAD = "name: tail\ninput: [1, 28, 28]\nlayers:\n"
TRAIN = "train: {{dataset: mnist5k, epochs: 1, loss: {}, optimizer: {{SGD: 0.1}}}}\n"
SCORES = ("Flatten", "Linear: 10")
MAP = ("Conv2d: [10, 3, 5]",)  # 10 x 6 x 6


def document(*layers: str, loss: str = "CrossEntropyLoss") -> Architecture:
    """A document that trains these layers with a loss."""
    lines = "".join(f"  - {layer}\n" for layer in layers)
    return parse_architecture(HEAD + lines + TRAIN.format(loss), "tail.yaml")


def problems(*layers: str, loss: str = "CrossEntropyLoss") -> list[str]:
    """Return field and message of each problem."""
    check = check_architecture(document(*layers, loss=loss))
    return [f"{problem.field}: {problem.message}" for problem in check.problems]


def warnings(*layers: str, loss: str = "CrossEntropyLoss") -> list[str]:
    """Return rule, field and text of each warning of a document without problems."""
    check = check_architecture(document(*layers, loss=loss))
    assert check.problems == ()
    return [f"{w.rule} {w.problem.field}: {w.problem.message}; {w.remedy}" for w in check.warnings]


def outputs(*layers: str, scale: float = 1.0, count: int = 20) -> torch.Tensor:
    """Return the flat outputs of the network for random images, in evaluation mode."""
    torch.manual_seed(0)
    model = build(document(*layers)).double().eval()
    with torch.no_grad():
        result: torch.Tensor = model(scale * torch.randn(count, 1, 28, 28, dtype=torch.float64))
    return result.flatten(1)


# --- before-output ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "layers"),
    [
        ("layers[2].ReLU", (*SCORES, "ReLU")),
        ("layers[2].ReLU6", (*SCORES, "ReLU6")),
        ("layers[2].Threshold", (*SCORES, "Threshold: [0.1, 20]")),
        ("layers[2].Dropout", (*SCORES, "Dropout")),
        ("layers[2].StochasticDepth", (*SCORES, "StochasticDepth: [0.1, row]")),
        ("layers[2].ReLU", (*SCORES, "ReLU", "Identity")),
        ("layers[2].ReLU", ("AdaptiveAvgPool2d: 1", "Conv2d: [10, 1]", "ReLU", "Flatten")),
        ("layers[2].ReLU", ("AdaptiveAvgPool2d: 1", "Conv2d: [10, 1]", "ReLU", "MaxPool2d: 1")),
        ("layers[2].ReLU", (*SCORES, "ReLU", "LogSoftmax: 1")),
        ("layers[2].Dropout", (*SCORES, "Dropout", "Softmax: 1")),
        ("layers[2].ReLU", (*SCORES, "ReLU", "Dropout")),
        ("layers[3].Dropout", (*SCORES, "ReLU", "Dropout")),
        ("layers[2].Residual.activation.ReLU",
         (*SCORES, "Residual: {body: [{Linear: 10}], activation: ReLU}")),
        ("layers[1].Sequential.layers[0].Sequential.layers[1].ReLU",
         ("Flatten", "Sequential: [{Sequential: [{Linear: 10}, ReLU]}]")),
        ("layers[1].Parallel.branches.b[1].Dropout",
         ("Flatten", "Parallel: {branches: {a: [{Linear: 5}], b: [{Linear: 5}, Dropout]}}")),
    ],
)  # fmt: skip
def test_a_layer_that_removes_scores_is_reported(place: str, layers: tuple[str, ...]) -> None:
    """It is seen through layers that only move values, a softmax, containers and joins."""
    assert [text for text in warnings(*layers) if text.startswith(f"before-output {place}: ")]


@pytest.mark.parametrize(
    "layers",
    [
        SCORES,
        (*SCORES, "LogSoftmax: 1"),
        ("Conv2d: [10, 3, 5]", "ReLU", "AdaptiveAvgPool2d: 1"),
        ("Conv2d: [10, 3, 5]", "ReLU", "AdaptiveAvgPool2d: 1", "Flatten"),
        ("Flatten", "ReLU", "Dropout", "Linear: 10"),
        (*SCORES, "Dropout: 0"),
        (*SCORES, "Softplus", "ReLU"),
        ("Flatten", "Linear: 10", "Residual: {body: [ReLU]}"),
    ],
)
def test_scores_that_stay_are_not_reported(layers: tuple[str, ...]) -> None:
    """A later layer restores them, or nothing is removed."""
    assert not [text for text in warnings(*layers) if text.startswith("before-output")]


def test_a_document_without_training_has_no_scores() -> None:
    """What a network without a loss ends with is its author's choice."""
    text = HEAD + "  - Flatten\n  - Linear: 10\n  - ReLU\n"
    analysis = analyse(parse_architecture(text, "tail.yaml"))
    rules = [entry.rule for entry in warn(analysis) + advise(analysis, Evidence())]
    assert not {"before-output", "loss-input"} & set(rules)


# --- a limit to every probability --------------------------------------------------------------

LIMITS = {
    "Softmax: 1": e / (e + 9),
    "Softmin: 1": e / (e + 9),
    "Sigmoid": e / (e + 9),
    "Hardsigmoid": e / (e + 9),
    "Tanh": exp(2) / (exp(2) + 9),
    "Softsign": exp(2) / (exp(2) + 9),
    "Hardtanh": exp(2) / (exp(2) + 9),
    "Hardtanh: [0, 2]": exp(2) / (exp(2) + 9),
}


@pytest.mark.parametrize(("layer", "limit"), LIMITS.items())
def test_a_bounded_output_limits_every_probability(layer: str, limit: float) -> None:
    """The limit is what torch's softmax of the most extreme outputs comes near, and no more."""
    [text] = [text for text in warnings(*SCORES, layer) if text.startswith("loss-input")]
    assert f"no class can have a probability above {limit:.1%}; remove it" in text
    scores = torch.full((1, 10), -1e6)
    scores[0, 3] = 1e6
    module = build(document(*SCORES, layer))[-1]
    scores = -scores if layer.startswith("Softmin") else scores
    extreme = float(module(scores).softmax(1).max())
    assert extreme == pytest.approx(limit, abs=1e-4)


SEEN_THROUGH = [
    (*SCORES, "Softmax: 1", "Unflatten: [1, [2, 5]]", "Permute: [[0, 2, 1]]"),
    ("AdaptiveAvgPool2d: 1", "Conv2d: [10, 1]", "Softmax2d"),
    ("AdaptiveAvgPool2d: 1", "Conv2d: [10, 1]", "Softmax: 1", "Flatten"),
    (*MAP, "Softmax2d", "AdaptiveAvgPool2d: 1", "Flatten"),
    (*MAP, "Softmax: 1", "AvgPool2d: 5", "Flatten"),
    (*MAP, "Sigmoid", "AdaptiveMaxPool2d: 1"),
    ("Flatten", "Sequential: [{Linear: 10}, {Sequential: [{Softmax: 1}, Identity]}]"),
    ("Flatten", "Parallel: {join: mean, branches: {a: [{Linear: 10}, {Softmax: 1}], "
     "b: [{Linear: 10}, {Softmax: 1}]}}"),
    ("Flatten", "Parallel: {branches: {a: [{Linear: 4}, Sigmoid], b: [{Linear: 6}, Sigmoid]}}"),
    ("Flatten", "Linear: 10", "Residual: {body: [Sigmoid], shortcut: [Sigmoid], join: multiply}"),
    ("Flatten", "Linear: 10", "Residual: {body: [Tanh], shortcut: [Tanh], activation: Sigmoid}"),
    (*SCORES, "Residual: {body: [{Linear: 10}], activation: {Softmax: 1}}"),
    (*SCORES, "Softmax: 1", "LogSoftmax: 1"),
    ("Flatten", "Parallel: {branches: {a: [{Linear: 5}, {LogSoftmax: 1}], "
     "b: [{Linear: 5}, {LogSoftmax: 1}]}}"),
    ("Conv2d: [2, 24]", "AdaptiveAvgPool2d: [[1, 5]]", "LogSoftmax: -1"),
    ("Conv2d: [2, 24]", "AdaptiveAvgPool2d: [[1, 5]]", "Softmax: 1", "Flatten"),
]  # fmt: skip


@pytest.mark.parametrize("layers", SEEN_THROUGH)
def test_a_limit_is_seen_through_other_layers(layers: tuple[str, ...]) -> None:
    """No random weights and images give a probability above the limit of the warning."""
    [text] = [text for text in warnings(*layers) if text.startswith("loss-input")]
    limit = re.search(r"above ([\d.]+)%", text)
    assert limit is not None
    for scale in (1.0, 1e3):
        largest = float(outputs(*layers, scale=scale).softmax(1).max())
        assert 100 * largest <= float(limit[1]) + 0.06


@pytest.mark.parametrize("loss", ["CrossEntropyLoss: 0.9", "CrossEntropyLoss"])
def test_a_limit_above_that_of_smooth_labels_is_not_reported(loss: str) -> None:
    """The best probability of a label with smoothing 0.9 is 0.19."""
    loss = loss.replace(": 0.9", ": {label_smoothing: 0.9}")
    loss = "{" + loss + "}" if ":" in loss else loss
    expected = "smoothing" not in loss
    assert bool(warnings(*SCORES, "Softmax: 1", loss=loss)) == expected


def test_labels_without_a_class_are_reported() -> None:
    """With a smoothing of 1, torch's loss does not depend on the label; with less it does."""
    scores = torch.randn(1, 10)
    for smoothing, is_reported in ((1.0, True), (0.99, False)):
        module = nn.CrossEntropyLoss(label_smoothing=smoothing)
        losses = torch.stack([module(scores, torch.tensor([label])) for label in range(10)])
        assert bool((losses.max() - losses.min()) < 1e-6) == is_reported
        reports = warnings(*SCORES, loss=f"{{CrossEntropyLoss: {{label_smoothing: {smoothing}}}}}")
        assert [text.split(":")[0] for text in reports] == (
            ["smoothed-labels train.loss.CrossEntropyLoss.label_smoothing"] if is_reported else []
        )


@pytest.mark.parametrize("layers", [(*SCORES, "Softmax: 1"), (*SCORES, "Sigmoid")])
def test_scores_that_cannot_reach_the_margin_are_reported(layers: tuple[str, ...]) -> None:
    """With a margin of 2, the loss of scores between 0 and 1 is never 0; scores do reach it."""
    loss = "{MultiMarginLoss: {margin: 2.0}}"
    [text] = warnings(*layers, loss=loss)
    assert "no two scores are further apart than 1" in text
    labels = torch.randint(10, (20,))
    module = nn.MultiMarginLoss(margin=2.0)
    assert float(module(outputs(*layers, scale=100), labels)) > 0.9 * (2 - 1)
    assert warnings(*SCORES, loss=loss) == []


# --- layers without effect ----------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["CrossEntropyLoss", "MultiMarginLoss"])
@pytest.mark.parametrize(
    "tail", [("LogSoftmax: 1",), ("LogSoftmax: 1", "Unflatten: [1, [5, 2]]", "Flatten")]
)
def test_a_log_softmax_before_another_loss_changes_nothing(
    loss: str, tail: tuple[str, ...]
) -> None:
    """The warning says so, and the losses of torch with and without it are equal."""
    [text] = warnings(*SCORES, *tail, loss=loss)
    assert f"LogSoftmax changes nothing before {loss}" in text
    module, labels = getattr(nn, loss)(), torch.randint(10, (20,))
    with_layer, without = outputs(*SCORES, *tail), outputs(*SCORES)
    torch.testing.assert_close(module(with_layer, labels), module(without, labels))


# --- NLLLoss ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "layers",
    [
        (*SCORES, "LogSoftmax: 1"),
        (*SCORES, "LogSoftmax: -1", "Unflatten: [1, [10, 1, 1]]"),
        ("AdaptiveAvgPool2d: 1", "Conv2d: [10, 1]", "LogSoftmax: 1"),
        (*MAP, "AdaptiveAvgPool2d: 1", "LogSoftmax: 1", "Flatten"),
        ("Flatten", "Sequential: [{Linear: 10}, {LogSoftmax: 1}]"),
        (*SCORES, "Residual: {body: [{Linear: 10}], activation: {LogSoftmax: 1}}"),
        (*SCORES, "LogSoftmax: 1", "Dropout: 0"),
    ],
)
def test_log_probabilities_are_right_for_their_loss(layers: tuple[str, ...]) -> None:
    """Their exponentials add up to 1 over the classes, and nothing is reported."""
    rules = [warning.partition(" ")[0] for warning in warnings(*layers, loss="NLLLoss")]
    assert set(rules) <= {"gridding", "input-unread"}  # which one of these networks gets
    torch.testing.assert_close(outputs(*layers).exp().sum(1), torch.ones(20, dtype=torch.float64))


FREE = [
    SCORES,
    (*MAP, "AdaptiveAvgPool2d: 1"),
    (*MAP, "Flatten", "Linear: 10", "Unflatten: [1, [2, 5]]"),
    *((*SCORES, kind) for kind in (
        "ReLU", "Sigmoid", "LogSigmoid", "Tanh", "GELU", "Softplus", "Hardtanh", "ReLU6", "ELU",
        "Dropout", "PReLU",
    )),
    ("Flatten", "Parallel: {branches: {a: [{Linear: 4}, Sigmoid], b: [{Linear: 6}]}}"),
    (*SCORES, "Residual: {body: [{Linear: 10}]}"),
    ("Flatten", "Sequential: [{Linear: 10}, Tanh]"),
    (*SCORES, "LogSoftmax: 1", "Linear: 10"),
]  # fmt: skip


@pytest.mark.parametrize("layers", FREE)
def test_scores_are_refused_by_nll_loss(layers: tuple[str, ...], tmp_path: Path) -> None:
    """A network that ignores its images comes near the lowest loss, or passes any bound."""
    [problem] = problems(*layers, loss="NLLLoss")
    assert "NLLLoss takes log-probabilities, which these scores are not" in problem
    assert "LogSoftmax: 1" in problem
    with pytest.raises(Exception, match="log-probabilities"):
        next(train(document(*layers, loss="NLLLoss"), out=tmp_path))
    assert list(tmp_path.iterdir()) == []
    torch.manual_seed(0)
    model = build(document(*layers)).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.fill_(0.5)  # no rectifier starts where it has no gradient
    optimizer = torch.optim.Adam(model.parameters(), lr=0.3)
    noise = torch.zeros(10, 1, 28, 28)  # the same image for every label
    for _ in range(60):
        optimizer.zero_grad()
        loss = nn.functional.nll_loss(model(noise).flatten(1), torch.arange(10))
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own
        optimizer.step()
    match = re.search(r"lowest where every class scores ([-\d.]+)", problem)
    if match:
        assert loss.item() == pytest.approx(-float(match[1]), abs=0.05)
    else:
        assert loss.item() < -5


@pytest.mark.parametrize("layer", ["Softmax: 1", "Sigmoid", "Tanh", "Softmin: 1", "LogSigmoid"])
def test_the_remedy_for_a_last_activation_leaves_nothing_to_report(layer: str) -> None:
    """Both ways out are right."""
    check = check_architecture(document(*SCORES, layer, loss="NLLLoss"))
    [text] = [str(entry) for entry in (*check.problems, *check.warnings)]
    assert text.endswith("remove it, and end with LogSoftmax: 1, or write loss: CrossEntropyLoss")
    assert warnings(*SCORES, "LogSoftmax: 1", loss="NLLLoss") == []
    assert warnings(*SCORES) == []


@pytest.mark.parametrize(
    ("layers", "groups"),
    [
        (("Conv2d: [2, 24]", "AdaptiveAvgPool2d: [[1, 5]]", "LogSoftmax: -1"), 2),
        (("Conv2d: [2, 24]", "AdaptiveAvgPool2d: [[1, 5]]", "LogSoftmax: 1", "Flatten"), 5),
        (("Flatten", "Parallel: {branches: {a: [{Linear: 3}, {LogSoftmax: 1}], "
          "b: [{Linear: 7}, {LogSoftmax: 1}]}}"), 2),
        (("Flatten", "Linear: 10", "Unflatten: [1, [5, 2]]", "LogSoftmax: 2"), 5),
    ],
)  # fmt: skip
def test_log_probabilities_of_other_groups_are_refused(
    layers: tuple[str, ...], groups: int
) -> None:
    """The exponentials add up to the number of groups, not to 1."""
    [problem] = problems(*layers, loss="NLLLoss")
    assert f"it normalizes {groups} groups of values, not the 10 classes" in problem
    total = outputs(*layers).exp().sum(1)
    torch.testing.assert_close(total, torch.full((20,), float(groups), dtype=torch.float64))


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ((*SCORES, "Softmax: 1"), "Softmax gives probabilities"),
        ((*SCORES, "Softmin: 1"), "Softmin gives probabilities"),
        ((*MAP, "Softmax2d", "AdaptiveAvgPool2d: 1"), "Softmax2d gives probabilities"),
        ((*SCORES, "Softmax: 1", "LogSoftmax: 1"), "above 23.2%"),
        ((*SCORES, "Sigmoid", "LogSoftmax: 1"), "above 23.2%"),
        ((*SCORES, "BatchNorm1d"), "the output of BatchNorm1d is not known to be"),
        ((*SCORES, "LayerNorm: 10"), "the output of LayerNorm is not known to be"),
        ((*MAP, "LogSoftmax: 1", "AdaptiveAvgPool2d: 1"), "is not known to be"),
        ((*SCORES, "LogSoftmax: 1", "ELU"), "the output of ELU is not known to be"),
        (("Flatten", "Parallel: {join: add, branches: {a: [{Linear: 10}, {LogSoftmax: 1}], "
          "b: [{Linear: 10}, {LogSoftmax: 1}]}}"), "the output of Parallel is not known to be"),
    ],
)  # fmt: skip
def test_doubtful_log_probabilities_are_reported(layers: tuple[str, ...], words: str) -> None:
    """The network can learn with this loss, and the document is accepted."""
    [text] = [text for text in warnings(*layers, loss="NLLLoss") if text.startswith("loss-input")]
    assert words in text


PLUGIN = """
from netbuilder.plugin import Layer
class OwnLast(Layer):
    "Nothing."
    def output_shape(self, x): return x
    def parameter_shapes(self, x): return {}
    def macs(self, x): return 0
    def receptive_field(self, x, field): return field
    def build(self, x): raise NotImplementedError
"""


@pytest.mark.parametrize(("loss", "count"), [("NLLLoss", 1), ("CrossEntropyLoss", 0)])
def test_the_output_of_a_plugin_is_not_known(
    loss: str, count: int, plugin_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be log-probabilities, so that the document is accepted with a warning."""
    (plugin_folder / "ownlast.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(plugin_folder)
    layers = "layers: [Flatten, {Linear: 10}, OwnLast]\n"
    Path("tail.yaml").write_text(HEAD.replace("layers:\n", layers) + TRAIN.format(loss))
    result = run("check", "tail.yaml", "--plugin", "ownlast")
    assert (result.code, result.out.count("the output of OwnLast is not known")) == (0, count)


# --- outputs without information ----------------------------------------------------------------

CONSTANT = [
    ("layers[2].LogSoftmax", ("Conv2d: [10, 3]", "AdaptiveAvgPool2d: 1", "LogSoftmax: -1")),
    ("layers[2].Softmax", ("Conv2d: [10, 3]", "AdaptiveAvgPool2d: 1", "Softmax: 3")),
    ("layers[3].LogSoftmax", ("Flatten", "Linear: 10", "Unflatten: [1, [1, 10]]", "LogSoftmax: 1")),
    ("layers[3].Softmin", ("Flatten", "Linear: 10", "Unflatten: [1, [10, 1]]", "Softmin: -1")),
    ("layers[3].Softmax2d", ("Flatten", "Linear: 10", "Unflatten: [1, [1, 2, 5]]", "Softmax2d")),
    ("layers[2].Softmax", ("AdaptiveAvgPool2d: 1", "Flatten", "Softmax: 1", "Linear: 10")),
    ("layers[3].LayerNorm", ("Flatten", "Linear: 10", "Unflatten: [1, [10, 1]]", "LayerNorm: 1")),
    ("layers[2].AdaptiveAvgPool2d", (*MAP, "Softmax: -1", "AdaptiveAvgPool2d: 1", "Flatten")),
    ("layers[2].AdaptiveAvgPool2d", (*MAP, "Softmin: 2", "AdaptiveAvgPool2d: 1")),
    ("layers[2].AvgPool2d", (*MAP, "Softmax: 2", "AvgPool2d: [[6, 1], 1]", "Flatten",
     "Linear: 10")),
    ("layers[2].Dropout", (*SCORES, "Dropout: 1.0")),
    ("layers[0].Dropout2d", ("Dropout2d: 1.0", *SCORES)),
    ("layers[3].ReLU", (*SCORES, "LogSigmoid", "ReLU")),
    ("layers[1].Sequential.layers[1].Softmax", ("Flatten", "Sequential: [{Linear: 1}, Softmax: 1]",
     "Linear: 10")),
    ("layers[1].Parallel.branches.a[1].Softmax",
     ("Flatten", "Parallel: {join: add, branches: {a: [{Linear: 1}, {Softmax: 1}], "
      "b: [{Linear: 1}, {LogSoftmax: 1}]}}", "Linear: 10")),
]  # fmt: skip


@pytest.mark.parametrize(("place", "layers"), CONSTANT)
@pytest.mark.parametrize("loss", ["CrossEntropyLoss", "NLLLoss"])
def test_scores_that_ignore_the_image_are_refused(
    place: str, layers: tuple[str, ...], loss: str
) -> None:
    """Two images have equal scores in training, whatever the loss."""
    [problem] = problems(*layers, loss=loss)
    assert problem.startswith(f"{place}: ")
    assert "no score depends on the image" in problem
    model = build(document(*layers)).train()
    scores = model(torch.randn(3, 1, 28, 28)).flatten(1)
    torch.testing.assert_close(scores, scores[:1].expand(3, -1))


def test_a_mean_over_a_part_of_a_softmax_depends_on_the_image() -> None:
    """Windows that leave out values of the axis are not constant."""
    layers = (*MAP, "Softmax: 2", "AvgPool2d: 4", "Flatten", "Linear: 10")
    assert problems(*layers) == []
    assert float(outputs(*layers).std(0).max()) > 0


def test_a_softmax_of_one_value_in_a_branch_is_reported() -> None:
    """The branch always gives 1; the network still depends on its image."""
    gate = "Residual: {join: multiply, body: [{Conv2d: [1, 1]}, {Softmax: 1}]}"
    [text] = warnings("Conv2d: [4, 3]", gate, "Flatten", "Linear: 10")
    assert text.startswith("axis-of-one-value layers[1].Residual.body[1].Softmax: dim 1 of its")
    assert "its Softmax is always 1" in text


def test_the_remedy_for_an_axis_of_one_value_names_an_axis_with_more() -> None:
    """With it, the document is accepted."""
    layers = ["Conv2d: [10, 3]", "AdaptiveAvgPool2d: 1", "LogSoftmax: -1"]
    [problem] = problems(*layers, loss="NLLLoss")
    remedy = re.search(r"write (LogSoftmax: \d)", problem)
    assert remedy is not None
    assert warnings(*layers[:2], remedy[1], loss="NLLLoss") == []


# --- random tails -------------------------------------------------------------------------------

MOVES = st.sampled_from(["Identity", "Unflatten: [1, [-1, 1]]", "Flatten", "Flatten: [1, -1]",
                         "Sequential: [Identity]", "Dropout: 0", "Permute: [[0, 1]]"])  # fmt: skip
LAST = st.sampled_from(["LogSoftmax: 1", "Softmax: 1", "Softmin: 1", "Sigmoid", "ReLU", "Identity",
                        "Linear: 10", "BatchNorm1d", "LayerNorm: 10", "LogSoftmax: -1", "Tanh",
                        "Residual: {body: [{LogSoftmax: 1}]}"])  # fmt: skip


@given(st.lists(LAST | MOVES, max_size=4))
@examples(15, 2000, settings(deadline=None, suppress_health_check=list(HealthCheck)))
def test_what_nll_loss_accepts_in_silence_are_log_probabilities(tail: list[str]) -> None:
    """Of random last layers, only those that end in log-probabilities get no word."""
    architecture = document(*SCORES, *tail, loss="NLLLoss")
    assume(analyse(architecture).fault is None)
    check = check_architecture(architecture)
    result = outputs(*SCORES, *tail, scale=20)
    total = result.exp().sum(1).log()
    is_normal = bool((total.abs() < 1e-6).all()) and float(result.std()) > 1e-9
    if is_normal:
        assert check.problems == ()
    if not check.problems and not check.warnings:
        assert is_normal


# --- runs that exist ----------------------------------------------------------------------------


def test_a_run_with_a_loss_that_is_refused_today_stays_readable(tmp_path: Path) -> None:
    """Evaluation and reports of old runs need no loss that makes sense."""
    architecture = document(*SCORES, loss="NLLLoss")
    run = write_run(tmp_path, architecture, [(10.0, 10.0)])
    assert run.analysis.output_shape == (10,)
