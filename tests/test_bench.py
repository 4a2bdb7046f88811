"""The command that measures: peers take turns, and what is missing is left out by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import run
from small import DOCUMENT

from netbuilder.errors import missing_extra
from netbuilder.training.bench.handover import iterate_steps
from netbuilder.training.bench.peers import BY_NAME
from netbuilder.training.bench.rounds import PEERS


def test_peers_take_turns_and_are_compared(tmp_path: Path) -> None:
    """Each round has every peer once; the figures of a peer are from its own processes."""
    (tmp_path / "small.yaml").write_text(DOCUMENT)
    ran = run(
        "bench", str(tmp_path / "small.yaml"), "--peers", "netbuilder,device", "--rounds", "2",
        "--steps", "3", "--format", "json",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    turns = [line.rsplit(" ", 2)[0] for line in ran.err.splitlines()]
    assert turns == [f"round {n}: {peer}" for n in (1, 2) for peer in ("netbuilder", "device")]
    own, other = json.loads(ran.out)["peers"]
    assert (own["peer"], own["netbuilder_over_it"]) == ("netbuilder", 1.0)
    assert other["slowest"] <= other["images_per_second"] <= other["fastest"]
    assert 0 < other["first_step_seconds"] < other["total_seconds"]
    assert other["peak_memory_bytes"] > 2**20


def test_every_peer_that_is_named_is_there() -> None:
    """What the help names can be measured."""
    assert set(BY_NAME) == set(PEERS)


def test_a_package_that_is_missing_is_left_out_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are measured, and one line names the command that installs it."""
    (tmp_path / "small.yaml").write_text(DOCUMENT)
    (tmp_path / "lightning.py").write_text("raise ModuleNotFoundError(name='lightning')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    ran = run(
        "bench", str(tmp_path / "small.yaml"), "--peers", "lightning,device", "--rounds", "2",
        "--steps", "2",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    said = f"lightning: left out, {missing_extra('lightning', 'bench')}"
    assert ran.err.splitlines().count(said) == 1
    assert " device " in ran.out


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
