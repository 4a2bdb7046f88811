"""`bench`: peers alternate, and missing ones are left out by name."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import time
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


def test_peers_alternate_and_are_compared(tmp_path: Path) -> None:
    """Each round measures every peer once, on the fallback if MNIST cannot be downloaded."""
    text = DOCUMENT.replace("dataset: mnist5k", "dataset: {mnist: {fallback: mnist5k}}")
    (tmp_path / "small.yaml").write_text(text)
    result = run(
        "bench", str(tmp_path / "small.yaml"), "--peers", "netbuilder,device", "--rounds", "2",
        "--steps", "3", "--format", "json", "--data-dir", str(tmp_path),
    )  # fmt: skip
    assert result.code == 0, result.err
    note, *lines = result.err.splitlines()
    assert note.startswith("note: mnist cannot be downloaded (")
    assert json.loads(result.out)["dataset"] == "mnist5k"
    turns = [line.rsplit(" ", 2)[0] for line in lines]
    assert turns == [f"round {n}: {peer}" for n in (1, 2) for peer in ("netbuilder", "device")]
    netbuilder, device = json.loads(result.out)["peers"]
    assert (netbuilder["peer"], netbuilder["netbuilder_over_it"]) == ("netbuilder", 1.0)
    assert device["slowest"] <= device["images_per_second"] <= device["fastest"]
    assert 0 < device["first_step_seconds"] < device["total_seconds"]
    assert device["peak_memory_bytes"] > 2**20


def test_every_peer_of_the_help_exists() -> None:
    """The peers of the help are those that can be measured."""
    assert set(BY_NAME) == set(PEERS)


@pytest.mark.long
@pytest.mark.parametrize("peer", ["ordinary", "ordinary-0", "bound"])
def test_a_peer_trains_on_the_bundled_data(peer: str, tmp_path: Path) -> None:
    """The last line names the data; a batch larger than the data set has all of its images."""
    text = DOCUMENT.replace("batch_size: 96", "batch_size: 5000").replace("epochs: 3", "epochs: 9")
    (tmp_path / "small.yaml").write_text(text)
    result = run(
        "bench", str(tmp_path / "small.yaml"), "--peers", peer, "--rounds", "1", "--steps", "2"
    )
    assert result.code == 0, result.err
    assert f"\n{peer} " in result.out
    assert "2 steps of 5000 images of mnist5k on " in result.out


def test_a_picture_equals_torchvisions(fashion: Path) -> None:
    """The ordinary loop reads the same picture and label as torchvision's data set."""
    pictures = Pictures(open_dataset(FashionMnist(), fashion), ToTensor())
    for archive in (fashion / PLACE).iterdir():
        archive.with_suffix("").write_bytes(gzip.decompress(archive.read_bytes()))
    reference = datasets.FashionMNIST(str(fashion), transform=ToTensor())
    assert len(pictures) == len(reference) == COUNTS["train"]
    for index in range(len(pictures)):
        (image, label), (expected, answer) = pictures[index], reference[index]
        assert torch.equal(image, expected)
        assert label == answer


def test_a_document_with_too_few_epochs_is_refused(tmp_path: Path) -> None:
    """The message names the number of steps, and no peer is measured."""
    (tmp_path / "small.yaml").write_text(DOCUMENT)
    result = run("bench", str(tmp_path / "small.yaml"), "--peers", "ordinary", "--steps", "115")
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        "--steps: found 115; ordinary then takes 127 steps, but the document has 126 on mnist5k; "
        "use fewer --steps, or a document with more epochs\n"
    )


def test_a_peer_without_its_package_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other peers are measured, and one line names the command that installs the package."""
    (tmp_path / "small.yaml").write_text(DOCUMENT)
    (tmp_path / "lightning.py").write_text("raise ModuleNotFoundError(name='lightning')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    result = run(
        "bench", str(tmp_path / "small.yaml"), "--peers", "lightning,device", "--rounds", "2",
        "--steps", "1",
    )  # fmt: skip
    assert result.code == 0, result.err
    message = f"lightning: left out, {missing_extra('lightning', 'bench')}"
    assert result.err.splitlines().count(message) == 1
    assert "\ndevice " in result.out


def test_an_unknown_peer_is_refused(tmp_path: Path) -> None:
    """The message lists the known peers."""
    (tmp_path / "small.yaml").write_text(DOCUMENT)
    result = run("bench", str(tmp_path / "small.yaml"), "--peers", "tensorflow")
    assert result.code == 2
    assert result.err.startswith(
        "--peers: found 'tensorflow'; allowed: netbuilder, bound, ordinary"
    )


def test_a_foreign_loop_is_iterated_step_by_step() -> None:
    """Its reports are yielded in order, and its exception is raised."""

    def fit(report: object) -> None:
        assert callable(report)
        for count in (3, 4):
            report(count)
        raise ZeroDivisionError("in the loop")

    steps = iterate_steps(fit)
    assert [next(steps), next(steps)] == [3, 4]
    with pytest.raises(ZeroDivisionError, match="in the loop"):
        next(steps)


@pytest.mark.long
def test_a_worker_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    """Whatever ended that process, the worker removes its files and ends."""
    (tmp_path / "small.yaml").write_text(DOCUMENT.replace("epochs: 3", "epochs: 100000"))
    work = tmp_path / "work"
    work.mkdir()
    words = ["netbuilder", str(tmp_path / "small.yaml"), "1000000", "0", "mnist5k", "4000", ""]
    reader, writer = os.pipe()
    worker = subprocess.Popen(
        [sys.executable, "-m", "netbuilder.training.bench.worker", *words],
        stdin=reader, env={**os.environ, "TMPDIR": str(work)},
    )  # fmt: skip
    while not any(work.glob("*/small")):
        assert worker.poll() is None
        time.sleep(0.05)
    os.close(writer)
    assert worker.wait(timeout=60) == 1
    os.close(reader)
    assert list(work.iterdir()) == []
