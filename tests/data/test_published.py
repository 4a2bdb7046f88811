"""The data sets, compared one by one with torchvision's classes."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from torchvision import datasets

from netbuilder.components.datasets import Dataset
from netbuilder.components.registries import DATASETS
from netbuilder.data.archives import archives
from netbuilder.data.published import MEAN_TOLERANCE, SIZES, decoded_bytes, shapes

SERVED = {kind: cls for kind, cls in DATASETS.kinds.items() if cls.torchvision_class}

DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]

COARSE = [
    "aquatic_mammals",
    "fish",
    "flowers",
    "food_containers",
    "fruit_and_vegetables",
    "household_electrical_devices",
    "household_furniture",
    "insects",
    "large_carnivores",
    "large_man-made_outdoor_things",
    "large_natural_outdoor_scenes",
    "large_omnivores_and_herbivores",
    "medium_mammals",
    "non-insect_invertebrates",
    "people",
    "reptiles",
    "small_mammals",
    "trees",
    "vehicles_1",
    "vehicles_2",
]
"""The twenty groups of CIFAR-100's classes, which its file of names has, too."""


def source_of(kind: str) -> Any:
    """Return torchvision's class for a data set."""
    return getattr(datasets, SERVED[kind].torchvision_class)


def pickled(content: dict[str, int | list[str]]) -> bytes:
    """Pickle names as Python 2 did in 2009, so that the bytes are those of the published file."""
    parts, memo = [b"\x80\x02"], 0

    def remember() -> None:
        nonlocal memo
        memo += 1
        parts.append(b"q" + bytes([memo]))

    def text(word: str) -> None:
        parts.append(b"U" + bytes([len(word)]) + word.encode())
        remember()

    parts.append(b"}")
    remember()
    parts.append(b"(")
    for key, value in content.items():
        text(key)
        if isinstance(value, int):
            parts.append(b"M" + value.to_bytes(2, "little"))
            continue
        parts.append(b"]")
        remember()
        parts.append(b"(")
        for word in value:
            text(word)
        parts.append(b"e")
    return b"".join((*parts, b"u."))


def names_file(kind: str, classes: tuple[str, ...]) -> bytes:
    """Return the file of class names in CIFAR's archive, with these names."""
    if kind == "cifar100":
        return pickled({"fine_label_names": list(classes), "coarse_label_names": COARSE})
    return pickled({"num_cases_per_batch": 10_000, "label_names": list(classes), "num_vis": 3072})


def test_every_data_set_outside_the_package_is_torchvisions() -> None:
    """Only mnist5k, which is part of the package, has no class in torchvision."""
    assert set(DATASETS.kinds) - set(SERVED) == {"mnist5k"}
    assert set(SIZES) == set(SERVED)
    assert all(issubclass(source_of(kind), datasets.VisionDataset) for kind in SERVED)


@pytest.mark.parametrize("kind", ["cifar10", "cifar100"])
def test_class_names_have_the_published_checksum(kind: str) -> None:
    """The names in their order make the file of names whose MD5 torchvision knows."""
    classes = SERVED[kind].classes
    expected = source_of(kind).meta["md5"]
    assert hashlib.md5(names_file(kind, classes)).hexdigest() == expected
    swapped = (classes[1], classes[0], *classes[2:])
    assert hashlib.md5(names_file(kind, swapped)).hexdigest() != expected


@pytest.mark.parametrize("kind", ["fashion_mnist", "kmnist"])
def test_class_names_are_torchvisions(kind: str) -> None:
    """They are the list of torchvision's class, in its order."""
    assert list(SERVED[kind].classes) == source_of(kind).classes


def test_the_names_of_digits_are_the_digits() -> None:
    """torchvision adds the word to each digit; runs since the first version have the digit."""
    pairs = zip(SERVED["mnist"].classes, DIGITS, strict=True)
    assert [f"{digit} - {word}" for digit, word in pairs] == source_of("mnist").classes


@pytest.mark.parametrize("kind", SERVED)
def test_archives_are_torchvisions(kind: str) -> None:
    """Folder, name, MD5 and mirrors of each archive are those that torchvision reads."""
    source = source_of(kind)
    if hasattr(source, "resources"):
        folder = Path(_at(source, Path("root")).raw_folder).relative_to("root")
        expected = [
            (folder / name, md5, tuple(f"{mirror}{name}" for mirror in source.mirrors))
            for name, md5 in source.resources
        ]
    else:
        expected = [(Path(source.filename), source.tgz_md5, (source.url,))]
    assert [(file.path, file.md5, file.urls) for file in archives(kind)] == expected


def _at(source: Any, root: Path) -> Any:
    """Return torchvision's data set in a folder, without reading it."""
    dataset = source.__new__(source)
    dataset.root = str(root)
    return dataset


@pytest.mark.parametrize("kind", SERVED)
def test_unpacked_files_are_those_that_torchvision_reads(kind: str, tmp_path: Path) -> None:
    """With all of them and without an archive, torchvision finds the data set."""
    files = [file for archive in archives(kind) for file in archive.unpacked]
    dataset = _at(source_of(kind), tmp_path)
    if not hasattr(dataset, "resources"):
        folder = dataset.base_folder
        known = [*dataset.train_list, *dataset.test_list, list(dataset.meta.values())[::2]]
        assert {(str(f.path), f.md5) for f in files} == {(f"{folder}/{n}", m) for n, m in known}
        return
    for file in files:
        assert not dataset._check_exists()
        (tmp_path / file.path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file.path).touch()
    assert dataset._check_exists()


@pytest.mark.parametrize("cls", DATASETS.kinds.values(), ids=lambda cls: cls.kind)
def test_facts_agree_with_each_other(cls: type[Dataset]) -> None:
    """Names are distinct and short, and there is one mean and deviation per channel."""
    assert len(set(cls.classes)) == len(cls.classes) > 1
    assert all(name.isprintable() and len(name) <= 20 for name in cls.classes)
    assert not cls.former_classes or len(cls.former_classes) == len(cls.classes)
    assert len(cls.mean) == len(cls.std) == cls.shape[0]
    if cls.kind in SIZES:
        assert shapes(cls())["train_images"] == (cls.train_size, *cls.shape)
        assert len(SIZES[cls.kind]) == len(archives(cls.kind))
        assert sum(SIZES[cls.kind]) < decoded_bytes(cls())


def test_means_tell_data_sets_of_one_shape_apart() -> None:
    """A cache under the name of another data set fails the check of its mean."""
    for shape in {cls.shape for cls in SERVED.values()}:
        means = sorted(cls.mean for cls in SERVED.values() if cls.shape == shape)
        for low, high in pairwise(means):
            assert max(abs(a - b) for a, b in zip(low, high, strict=True)) > 2 * MEAN_TOLERANCE
