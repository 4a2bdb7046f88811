"""Arguments of augmentations in documents: which are accepted, and the errors for others."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from typing import Any

import jsonschema
import pytest
from pydantic import TypeAdapter, ValidationError
from torchvision import transforms

from netbuilder.components.augmentations.base import Augmentation
from netbuilder.components.registries import AUGMENTATIONS, AnyAugmentation

READER: TypeAdapter[Augmentation] = TypeAdapter(AnyAugmentation)
SCHEMA = READER.json_schema()
MNIST, COLOR = (1, 28, 28), (3, 32, 32)

GOOD: list[tuple[Any, dict[str, Any]]] = [
    ({"RandomRotation": 7}, {"degrees": (-7, 7)}),
    ({"RandomRotation": 0}, {"degrees": (0, 0)}),
    ({"RandomRotation": {"degrees": [-3, 10.5]}}, {"degrees": (-3, 10.5)}),
    ({"RandomRotation": [[-3, 10], "bilinear"]}, {"interpolation": "bilinear"}),
    ({"RandomRotation": {"degrees": 7, "expand": False, "fill": 1}}, {"fill": (1,)}),
    ({"RandomRotation": {"degrees": 7, "center": [3, 4.5]}}, {"center": (3, 4.5)}),
    ({"RandomAffine": [0, [0.1, 0.2]]}, {"translate": (0.1, 0.2)}),
    ({"RandomAffine": {"degrees": 5, "shear": 10}}, {"shear": (-10, 10)}),
    ({"RandomAffine": {"degrees": 5, "shear": [0, 1, 2, 3]}}, {"shear": (0, 1, 2, 3)}),
    ({"RandomAffine": {"degrees": 5, "scale": [0.9, 1.1]}}, {"scale": (0.9, 1.1)}),
    ({"RandomCrop": 28}, {"size": (28, 28), "padding": None}),
    ({"RandomCrop": [28, 2]}, {"padding": (2, 2, 2, 2)}),
    ({"RandomCrop": {"size": [28, 28], "padding": [1, 2]}}, {"padding": (1, 2, 1, 2)}),
    ({"RandomCrop": {"size": 28, "padding": [1, 2, 3, 4]}}, {"padding": (1, 2, 3, 4)}),
    ("RandomHorizontalFlip", {"p": 0.5}),
    ({"RandomHorizontalFlip": 1}, {"p": 1}),
    ("RandomErasing", {"value": (0,)}),
    ({"RandomErasing": {"value": "random"}}, {"value": "random"}),
    ({"RandomErasing": {"value": [0, 0.5, 1]}}, {"value": (0, 0.5, 1)}),
]

BAD: list[tuple[Any, str]] = [
    ("RandomRotation", "(?s)degrees.*required"),
    ({"RandomRotation": -7}, "found the number -7; allowed: a number n from 0 to 360"),
    ({"RandomRotation": True}, "found true; allowed: a number n"),
    ({"RandomRotation": "7"}, "found the text '7'; allowed: a number n"),
    ({"RandomRotation": float("inf")}, "found the number inf"),
    ({"RandomRotation": float("nan")}, "found the number nan"),
    ({"RandomRotation": {"degrees": [7, -7]}}, r"found the list \[7, -7\].*the lower first"),
    ({"RandomRotation": {"degrees": [1, 2, 3]}}, "found a list of 3"),
    ({"RandomRotation": {"degrees": [1, "2"]}}, "found the text '2'"),
    ({"RandomRotation": [7, "bicubic"]}, "found the text 'bicubic'.*nearest.*bilinear"),
    ({"RandomRotation": {"degrees": 7, "expand": True}}, "found true; allowed: false; a larger"),
    ({"RandomRotation": {"degrees": 7, "expand": 0}}, "found the number 0; allowed: false"),
    (
        {"RandomRotation": {"degrees": 7, "fill": 255}},
        "found the number 255.*1 stands for a byte of 255",
    ),
    ({"RandomRotation": {"degrees": 7, "fill": []}}, "found an empty list"),
    ({"RandomAffine": {"degrees": 7, "translate": 0.1}}, "found the number 0.1.*a list of 2"),
    ({"RandomAffine": {"degrees": 7, "translate": [0.1, 2]}}, "found the number 2; allowed"),
    ({"RandomAffine": {"degrees": 7, "scale": [0, 1]}}, "found the number 0; .* from 0.01"),
    ({"RandomAffine": {"degrees": 7, "scale": [2, 1]}}, "the lower first"),
    ({"RandomAffine": {"degrees": 7, "shear": 90}}, "found the number 90.*0 to 89"),
    ({"RandomAffine": {"degrees": 7, "shear": [1, 2, 3]}}, "found a list of 3"),
    ({"RandomCrop": {"size": 28, "padding": -1}}, "found the number -1; .*at least 0"),
    ({"RandomCrop": {"size": 28, "padding": [1, 2, 3]}}, "found a list of 3"),
    ({"RandomCrop": {"size": 28, "padding_mode": "wrap"}}, "'wrap'.*symmetric"),
    ({"RandomHorizontalFlip": 1.5}, "at most 1"),
    ({"RandomErasing": {"value": "white"}}, "found the text 'white'; allowed: random"),
    ({"RandomErasing": {"value": -1}}, "found the number -1; allowed: random"),
    ({"RandomErasing": {"scale": [0.5, 0.1]}}, "the lower first"),
    ({"RandomErasing": {"ratio": [0, 1]}}, "found the number 0"),
    ({"RandomErasing": {"inplace": True}}, "allowed: false; .*remove it"),
    ({"RandomErasing": {"probability": 1}}, "unknown field"),
]

NOT_IN_JSON = ("the lower first", "inf", "nan")
"""Messages about values that JSON Schema or JSON cannot express."""


@pytest.mark.parametrize(("value", "expected"), GOOD, ids=str)
def test_a_valid_augmentation_is_accepted(value: Any, expected: dict[str, Any]) -> None:
    """The loader and the schema accept the value, and its dump reads back as equal."""
    augmentation = READER.validate_python(value)
    assert {name: augmentation.arguments()[name] for name in expected} == expected
    jsonschema.validate(value, SCHEMA)
    dumped = READER.dump_python(augmentation, mode="json")
    assert READER.validate_python(dumped) == augmentation
    jsonschema.validate(dumped, SCHEMA)


@pytest.mark.parametrize(("value", "message"), BAD, ids=str)
def test_an_invalid_augmentation_is_refused(value: Any, message: str) -> None:
    """The error lists the allowed values, and the schema for editors refuses the value too."""
    with pytest.raises(ValidationError, match=message):
        READER.validate_python(value)
    if not any(words in message for words in NOT_IN_JSON):
        assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(value)


@pytest.mark.parametrize("kind", AUGMENTATIONS.kinds.values(), ids=lambda kind: kind.kind)
def test_arguments_match_torchvision(kind: type[Augmentation]) -> None:
    """Names, order and defaults of arguments match torchvision's class."""
    signature = inspect.signature(getattr(transforms, kind.kind))
    assert list(kind.positional()) == list(signature.parameters)
    for name, parameter in signature.parameters.items():
        field = kind.model_fields[name]
        if parameter.default is inspect.Parameter.empty:
            assert field.is_required()
            continue
        expected = getattr(parameter.default, "value", parameter.default)
        if name in ("fill", "value"):
            expected = (expected,)
        assert field.default == expected
        # The default has the same meaning when a document contains it.
        arguments = dict.fromkeys(kind.required(), 7) | {name: field.default}
        assert kind.model_validate(arguments).arguments()[name] == field.default


@pytest.mark.parametrize(
    ("value", "shape", "message"),
    [
        (
            {"RandomCrop": 24},
            MNIST,
            "found size 24x24 for images of 28x28.*test images are not cropped",
        ),
        ({"RandomCrop": {"size": 32, "pad_if_needed": True}}, MNIST, "allowed: size [28, 28]"),
        (
            {"RandomCrop": {"size": 28, "padding": 28, "padding_mode": "reflect"}},
            MNIST,
            "found padding 28 in mode reflect; allowed: at most 27",
        ),
        (
            {"RandomCrop": {"size": 28, "padding": [0, 29], "padding_mode": "symmetric"}},
            MNIST,
            "at most 28",
        ),
        ({"RandomRotation": {"degrees": 7, "fill": [0, 1, 0]}}, MNIST, "found 3 values for fill"),
        ({"RandomAffine": {"degrees": 7, "fill": [0, 1]}}, COLOR, "each of the 3 channels"),
        ({"RandomErasing": {"value": [0, 1]}}, COLOR, "found 2 values for value"),
        ("RandomHorizontalFlip", (784,), "found samples of 784"),
    ],
    ids=str,
)
def test_an_augmentation_that_does_not_fit_the_images_has_a_problem(
    value: Any, shape: tuple[int, ...], message: str
) -> None:
    """The problem names what does not fit and what is allowed."""
    problem = READER.validate_python(value).problem(shape)
    assert problem is not None
    assert re.search(message.replace("[", r"\["), problem)


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        ({"RandomCrop": [28, 2]}, MNIST),
        ({"RandomCrop": {"size": 28, "padding": 27, "padding_mode": "reflect"}}, MNIST),
        ({"RandomCrop": {"size": 28, "padding": 28, "padding_mode": "symmetric"}}, MNIST),
        ({"RandomCrop": {"size": 28, "padding": 99, "padding_mode": "edge"}}, MNIST),
        ({"RandomRotation": {"degrees": 7, "fill": [0, 1, 0]}}, COLOR),
        ({"RandomErasing": {"value": [0.5]}}, COLOR),
    ],
    ids=str,
)
def test_an_augmentation_that_fits_the_images_has_no_problem(
    value: Any, shape: tuple[int, ...]
) -> None:
    """`problem` returns None for arguments at the limits of what fits."""
    assert READER.validate_python(value).problem(shape) is None


def test_augmentations_are_read_without_torch() -> None:
    """Reading an augmentation imports neither torch, torchvision nor numpy."""
    script = (
        "import sys; from netbuilder.components.registries import AUGMENTATIONS; "
        "AUGMENTATIONS.kinds['RandomCrop'](size=28).problem((1, 28, 28)); "
        "print(sorted({'torch', 'torchvision', 'numpy'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
