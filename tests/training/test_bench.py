"""The command that measures: peers take turns, and what is missing is left out by name."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
import torch
from archives import COUNTS, PLACE, fashion
from command import run
from small import DOCUMENT
from torchvision import datasets
from torchvision.transforms import ToTensor

from netbuilder.components.datasets import FashionMnist
from netbuilder.data.open import open_dataset
from netbuilder.errors import missing_extra
from netbuilder.training.bench.handover import iterate_steps
from netbuilder.training.bench.peers import BY_NAME, Pictures
from netbuilder.training.bench.rounds import PEERS

__all__ = ["fashion"]  # a fixture


def test_peers_take_turns_and_are_compared(tmp_path: Path) -> None:
    """Each round has every peer once, all of them on the fallback where MNIST cannot be had."""
    text = DOCUMENT.replace("dataset: mnist5k", "dataset: {mnist: {fallback: mnist5k}}")
    (tmp_path / "small.yaml").write_text(text)
    ran = run(
        "bench", str(tmp_path / "small.yaml"), "--peers", "netbuilder,device", "--rounds", "2",
        "--steps", "3", "--format", "json", "--data-dir", str(tmp_path),
    )  # fmt: skip
    assert ran.code == 0, ran.err
    note, *lines = ran.err.splitlines()
    assert note.startswith("note: mnist cannot be downloaded (")
    assert json.loads(ran.out)["dataset"] == "mnist5k"
    turns = [line.rsplit(" ", 2)[0] for line in lines]
    assert turns == [f"round {n}: {peer}" for n in (1, 2) for peer in ("netbuilder", "device")]
    own, other = json.loads(ran.out)["peers"]
    assert (own["peer"], own["netbuilder_over_it"]) == ("netbuilder", 1.0)
    assert other["slowest"] <= other["images_per_second"] <= other["fastest"]
    assert 0 < other["first_step_seconds"] < other["total_seconds"]
    assert other["peak_memory_bytes"] > 2**20


def test_every_peer_that_is_named_is_there() -> None:
    """What the help names can be measured."""
    assert set(BY_NAME) == set(PEERS)


@pytest.mark.long
@pytest.mark.parametrize("peer", ["ordinary", "ordinary-0", "bound"])
def test_a_peer_trains_on_the_data_in_the_package(peer: str, tmp_path: Path) -> None:
    """The last line names the data; batches larger than the data set are batches of all of it."""
    text = DOCUMENT.replace("batch_size: 96", "batch_size: 5000").replace("epochs: 3", "epochs: 9")
    (tmp_path / "small.yaml").write_text(text)
    ran = run(
        "bench", str(tmp_path / "small.yaml"), "--peers", peer, "--rounds", "1", "--steps", "2"
    )
    assert ran.code == 0, ran.err
    assert f" {peer} " in ran.out
    assert "2 steps of 5000 images of mnist5k on " in ran.out


def test_a_picture_is_what_torchvision_gives(fashion: Path) -> None:
    """The ordinary loop reads the picture and label that torchvision's data set reads."""
    ours = Pictures(open_dataset(FashionMnist(), fashion), ToTensor())
    for archive in (fashion / PLACE).iterdir():
        archive.with_suffix("").write_bytes(gzip.decompress(archive.read_bytes()))
    theirs = datasets.FashionMNIST(str(fashion), transform=ToTensor())
    assert len(ours) == len(theirs) == COUNTS["train"]
    for index in range(len(ours)):
        (image, label), (expected, answer) = ours[index], theirs[index]
        assert torch.equal(image, expected)
        assert label == answer


def test_a_document_with_too_few_epochs_is_refused(tmp_path: Path) -> None:
    """Before any peer begins, with the number of steps that it has."""
    (tmp_path / "small.yaml").write_text(DOCUMENT)
    ran = run("bench", str(tmp_path / "small.yaml"), "--peers", "ordinary", "--steps", "115")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        "--steps: found 115; ordinary then takes 127 steps, but the document has 126 on mnist5k; "
        "use fewer --steps, or a document with more epochs\n"
    )


def test_a_package_that_is_missing_is_left_out_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are measured, and one line names the command that installs it."""
    (tmp_path / "small.yaml").write_text(DOCUMENT)
    (tmp_path / "lightning.py").write_text("raise ModuleNotFoundError(name='lightning')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    ran = run(
        "bench", str(tmp_path / "small.yaml"), "--peers", "lightning,device", "--rounds", "2",
        "--steps", "1",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    said = f"lightning: left out, {missing_extra('lightning', 'bench')}"
    assert ran.err.splitlines().count(said) == 1
    assert "\ndevice " in ran.out


def test_an_unknown_peer_is_refused(tmp_path: Path) -> None:
    """The message names those that there are."""
    (tmp_path / "small.yaml").write_text(DOCUMENT)
    ran = run("bench", str(tmp_path / "small.yaml"), "--peers", "tensorflow")
    assert ran.code == 2
    assert ran.err.startswith("--peers: found 'tensorflow'; allowed: netbuilder, bound, ordinary")


def test_a_loop_of_others_is_taken_step_by_step() -> None:
    """What it reports comes in order, and what it raises comes through."""

    def fit(report: object) -> None:
        assert callable(report)
        for count in (3, 4):
            report(count)
        raise ZeroDivisionError("in their loop")

    steps = iterate_steps(fit)
    assert [next(steps), next(steps)] == [3, 4]
    with pytest.raises(ZeroDivisionError, match="in their loop"):
        next(steps)
