"""Names and forms of torch, Keras and Hydra in a document: the message has the right word."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torchvision
from pydantic import BaseModel
from torch import nn, optim
from torchvision.transforms import v2

from netbuilder.cli._app import CommandGroup
from netbuilder.components.foreign_fields import _OPTIONS
from netbuilder.components.foreign_fields import _WORDS as FIELD_WORDS
from netbuilder.components.foreign_names import _WORDS, TORCH, foreign_name, plain
from netbuilder.components.init import INITIALIZERS
from netbuilder.components.layers.base import LAYERS
from netbuilder.components.registries import (
    AUGMENTATIONS,
    DATASETS,
    LOSSES,
    OPTIMIZERS,
    SCHEDULERS,
)
from netbuilder.config import schema
from netbuilder.config.loader import parse_architecture
from netbuilder.config.overrides import OptionOverride
from netbuilder.config.schema import FAMILIES
from netbuilder.errors import ConfigError

HEAD = "name: net\ninput: [1, 28, 28]\n"
TRAIN = "layers: [Flatten, {{Linear: 10}}]\ntrain: {{dataset: mnist5k, epochs: 1, {}}}\n"


def subclasses(namespace: Any, base: type) -> set[str]:
    """The public subclasses of a class that a module of torch offers."""
    return {
        name
        for name, value in vars(namespace).items()
        if isinstance(value, type)
        and issubclass(value, base)
        and value is not base
        and not name.startswith("_")
    }


def problem(text: str, *overrides: str) -> str:
    with pytest.raises(ConfigError, match=r"\Anet\.yaml:|\A--") as caught:
        parse_architecture(HEAD + text, "net.yaml", overrides)
    [first] = caught.value.problems
    return str(first)


def test_the_names_of_torch_are_served_or_known() -> None:
    """Each name of torch and torchvision is a kind or in the table, never both or neither."""
    modules = {name for name in subclasses(nn, nn.Module) if not name.startswith("Lazy")}
    losses = {name for name in modules if name.endswith(("Loss", "Loss2d", "WithLoss"))}
    abstract = {"Transform", "AutoAugmentPolicy", "InterpolationMode"}
    classes = {kind.torchvision_class for kind in DATASETS.kinds.values()}
    offered = {
        "layer": (modules - losses - {"Container"}, set(LAYERS.kinds)),
        "optimizer": (subclasses(optim, optim.Optimizer), set(OPTIMIZERS.kinds)),
        "scheduler": (
            subclasses(optim.lr_scheduler, optim.lr_scheduler.LRScheduler),
            set(SCHEDULERS.kinds),
        ),
        "loss": (losses, set(LOSSES.kinds)),
        "augmentation": (subclasses(v2, object) - abstract, set(AUGMENTATIONS.kinds)),
        "data set": (
            subclasses(torchvision.datasets, torchvision.datasets.VisionDataset), classes
        ),
    }  # fmt: skip
    assert set(offered) == set(TORCH)
    for noun, (names, served) in offered.items():
        assert names - served <= set(TORCH[noun]), noun
        assert set(TORCH[noun]) <= names, noun
        assert served.isdisjoint(TORCH[noun]), noun
    functions = {name.removesuffix("_") for name in dir(nn.init) if re.fullmatch("[a-z_]+_", name)}
    assert {name for name in functions if not name.startswith("_")} == set(INITIALIZERS.kinds)


@pytest.mark.parametrize("noun", list(_WORDS))
def test_a_right_word_is_served(noun: str) -> None:
    """What a message proposes instead of a foreign name begins with kinds that exist."""
    family = {registry.noun: registry for registry in FAMILIES}[noun]
    for name, word in _WORDS[noun].items():
        assert plain(name) == name
        assert name not in {plain(kind) for kind in family.kinds}, name
        first = re.match(r"[A-Za-z0-9_]+", word)
        assert first, word
        assert first[0] in {*family.kinds, "Repeat", "the", "input", "augment"}, name


@pytest.mark.parametrize("noun", list(TORCH))
def test_a_name_of_torch_is_reported_however_it_is_spelled(noun: str) -> None:
    """Lower case, underscores or the module before it are no typing error of another name."""
    family = {registry.noun: registry for registry in FAMILIES}[noun]
    for name in TORCH[noun]:
        for word in (name, name.lower(), name.upper(), f"some.module.{name}"):
            hint = foreign_name(noun, word, family.kinds)
            assert "did you mean" not in hint
            assert f"has {name}" in hint or "write" in hint or "remove it" in hint, word


@pytest.mark.parametrize("section", list(FIELD_WORDS))
def test_a_field_that_is_proposed_exists(section: str) -> None:
    """Each foreign field has a right field in some kind or section, and is none itself there."""
    sections: dict[str, list[type[BaseModel]]] = {
        registry.noun: list(registry.kinds.values()) for registry in FAMILIES
    }
    models = sections.get(section) or [getattr(schema, section)]
    for name, words in FIELD_WORDS[section].items():
        for word in (words,) if isinstance(words, str) else words:
            known = [{*model.model_fields, *getattr(model, "definitions", ())} for model in models]
            assert any(word in fields and name not in fields for fields in known), (name, word)


def test_an_option_that_is_proposed_exists() -> None:
    """`netbuilder train` has each option."""
    options = train_options()
    assert set(_OPTIONS.values()) <= options


def train_options() -> set[str]:
    command = CommandGroup(name="netbuilder").get_command(None, "train")
    assert command is not None
    return {name for parameter in command.params for name in parameter.opts}


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("Dense: 10", "unknown layer 'Dense'; write Linear"),
        ("Conv2D: [8, 3]", "unknown layer 'Conv2D'; write Conv2d"),
        ("GlobalAveragePooling2D", "; write AdaptiveAvgPool2d: 1"),
        ("LSTM: 8", "; torch has LSTM; netbuilder does not serve it: use another layer"),
        ("MSELoss", "; MSELoss is a loss, not a layer; name a loss in the train section"),
        ("LazyConv2d: [8, 3]", "; write Conv2d, whose sizes are inferred"),
        ("nn.ReLU", "unknown layer 'nn.ReLU'; write ReLU"),
        ("{_target_: torch.nn.Conv2d, out_channels: 8}", "found the key _target_; a layer is the "
         "key itself: write Conv2d: {field: value}"),
        ("{_target_: torch.nn.Conv2d, out_channels: 8, kernel_size: 3}", "found the key _target_; "
         "a layer is the key itself: write Conv2d: {out_channels: 8, kernel_size: 3}"),
        ("{class_path: torch.nn.ReLU}", "found the key class_path; a layer is the key itself"),
        ("Conw2d: [8, 3]", "unknown layer 'Conw2d'; did you mean Conv2d?"),
    ],
)  # fmt: skip
def test_a_layer_of_another_library_has_its_word(layer: str, message: str) -> None:
    """At the line and column of the layer."""
    text = problem(f"layers:\n  - {layer}\n")
    assert text.startswith("net.yaml:4:5: layers[0]: ")
    assert message in text


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("optimizer: {RAdam: 0.1}", "unknown optimizer 'RAdam'; torch has RAdam; netbuilder serves "
         "SGD, Adam, AdamW, RMSprop, NAdam"),
        ("optimizer: {SGD: 0.1}, scheduler: LambdaLR", "torch has LambdaLR; netbuilder serves One"),
        ("optimizer: {SGD: 0.1}, loss: HuberLoss", "torch has HuberLoss; netbuilder serves Cross"),
        ("optimizer: {_target_: torch.optim.SGD, lr: 0.1}", "write SGD: {lr: 0.1}"),
        ("optimizer: {Adan: 0.1}", "unknown optimizer 'Adan'; did you mean Adam?"),
    ],
)  # fmt: skip
def test_a_name_of_torch_that_is_not_served_has_its_own_message(section: str, message: str) -> None:
    """The message lists what is served."""
    assert message in problem(TRAIN.format(section))


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("BatchNorm2d: 8", "found the number 8 by position; the size is inferred; write "
         "BatchNorm2d"),
        ("GroupNorm: [4, 8]", "the size 8 is inferred; write GroupNorm: 4"),
        ("Linear: [784, 10]", "the size 784 is inferred; write Linear: 10"),
        ("Permute: [0, 2, 3, 1]", "dims is one list: write Permute: [[0, 2, 3, 1]] or "
         "{dims: [0, 2, 3, 1]}"),
        ("LayerNorm: [8, 26, 26]", "normalized_shape is one list: write LayerNorm: [[8, 26, 26]]"),
        ("AdaptiveAvgPool2d: [1, 1]", "output_size is one list: write AdaptiveAvgPool2d: [[1, 1]]"),
        ("MaxPool2d: [2, a]", "layers[0].MaxPool2d.stride: found the text 'a'"),
    ],
)  # fmt: skip
def test_wrong_positional_values_have_their_form(layer: str, message: str) -> None:
    """The form to write is one that the document accepts."""
    assert message in problem(f"layers:\n  - {layer}\n")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("value: {a: 3}", "did you mean values?"),
        ("block: {}", "did you mean blocks?"),
        ("includes: x.yaml", "did you mean include?"),
    ],
)
def test_the_sections_with_definitions_are_known_names(line: str, message: str) -> None:
    """They are suggested although the expansion removes them."""
    assert message in problem(f"layers: [ReLU]\n{line}\n")


def test_an_override_of_an_option_is_reported_as_the_option() -> None:
    """The user did not write --set."""
    override = OptionOverride("train.dataset=mnist6k", "--dataset mnist6k")
    text = problem(TRAIN.format("optimizer: {SGD: 0.1}"), override)
    assert text.startswith("--dataset mnist6k: train.dataset: unknown data set 'mnist6k'")
