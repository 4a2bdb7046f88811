"""What a training yields prints as one short line."""

from __future__ import annotations

from pathlib import Path

import pytest
from small import small

from netbuilder.network.analysis import analyse
from netbuilder.training.events import EpochEnded, Event, Finished, Started, Stepped
from netbuilder.training.loop import train


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> dict[type, Event]:
    """One event of each kind of a whole training."""
    out = tmp_path_factory.mktemp("events")
    return {type(event): event for event in train(small("train.epochs=1"), out=out, compile="off")}


def test_each_event_prints_as_one_line(events: dict[type, Event]) -> None:
    """No line holds a tensor or a document."""
    assert set(events) == {Started, Stepped, EpochEnded, Finished}
    for event in events.values():
        assert len(str(event)) < 200
        assert "\n" not in str(event)


def test_a_list_of_events_is_readable(events: dict[type, Event]) -> None:
    """Even the representation of an event has no tensors, layers or epochs."""
    for event in events.values():
        assert "tensor" not in repr(event)
        assert len(repr(event)) < 2000


def test_an_epoch_prints_its_accuracies(events: dict[type, Event]) -> None:
    """The line has the numbers of the table, and says that the epoch is the best so far."""
    event = events[EpochEnded]
    assert isinstance(event, EpochEnded)
    assert str(event).startswith("epoch 1: train loss ")
    assert f"accuracy {event.metrics.test_accuracy:.2f}, best so far" in str(event)


def test_the_end_prints_the_run_and_its_verdict(events: dict[type, Event], tmp_path: Path) -> None:
    """The line names the folder, the best epoch and whether all targets are met."""
    event = events[Finished]
    assert isinstance(event, Finished)
    assert str(event).startswith(f"{event.run.path}: best test accuracy ")
    assert str(event).endswith("targets met" if event.result.met else "targets not met")


def test_networks_print_as_one_line() -> None:
    """An architecture prints its size and training, an analysis its totals."""
    architecture = small()
    analysis = analyse(architecture)
    assert str(architecture).startswith("small: input 1x28x28, ")
    assert "mnist5k" in str(architecture)
    assert f"{analysis.parameters:,} parameters" in str(analysis)
    assert "\n" not in str(architecture) + str(analysis)
