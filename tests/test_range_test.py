"""The learning-rate range test: its rule, its record, its command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import run
from hypothesis import given
from hypothesis import strategies as st
from small import DOCUMENT, small

from netbuilder.errors import ConfigError
from netbuilder.range_test import MARGIN, Curve, RangeTest, suggest
from netbuilder.training.range_test import range_test


@given(turn=st.integers(10, 80), floor=st.floats(0.01, 1.0), scale=st.floats(0.1, 10))
def test_the_suggestion_is_a_tenth_of_the_rate_of_the_least_loss(
    turn: int, floor: float, scale: float
) -> None:
    """Wherever the loss turns, and whatever its units."""
    rates = [1e-5 * 1.15**step for step in range(100)]
    losses = [scale * (floor + 2.0 * abs(step - turn) / turn) for step in range(100)]
    assert suggest(rates, losses) == pytest.approx(rates[turn] / MARGIN)


def test_a_loss_that_does_not_fall_suggests_nothing() -> None:
    """Nor does one of no steps."""
    assert suggest([], []) is None
    assert suggest([0.1, 0.2, 0.3], [2.0, 2.0, 2.1]) is None


def test_a_curve_ends_where_its_loss_runs_away_or_is_no_number() -> None:
    """At that rate; what is no number is left out of it."""
    curve = Curve()
    for step in range(40):
        curve.add(0.1 * (step + 1), 1.0)
    assert curve.diverged_at is None
    while curve.diverged_at is None:
        curve.add(9.0, 100.0)
    assert curve.diverged_at == 9.0
    other = Curve()
    other.add(0.1, 1.0)
    other.add(0.2, float("nan"))
    assert (other.diverged_at, other.losses) == (0.2, [1.0])


def test_the_same_seed_gives_the_same_curve() -> None:
    """And all of a high range is not needed once the loss has run away."""
    first, _ = range_test(small(), highest=1e4, device="cpu", precision="fp32", steps=40)
    again, _ = range_test(small(), highest=1e4, device="cpu", precision="fp32", steps=40)
    assert first == again
    assert first.diverged_at is not None
    assert len(first.losses) < 40
    assert first.suggestion is not None
    assert first.suggestion < first.diverged_at


def test_the_command_keeps_curve_and_picture(tmp_path: Path) -> None:
    """Where the document's runs are, for the advice to read."""
    (tmp_path / "small.yaml").write_text(DOCUMENT)
    arguments = ("lr-find", str(tmp_path / "small.yaml"), "--out", str(tmp_path / "runs"))
    ran = run(*arguments, "--steps", "40", "--to", "1e4")
    assert ran.code == 0, ran.err
    assert "the loss diverged at" in ran.out
    folder = tmp_path / "runs" / "small"
    test = RangeTest.read(folder / "lr-find.json")
    assert test.steps == 40
    assert f"max_lr: {test.suggestion:.2g}" in ran.out
    assert (folder / "lr-find.png").read_bytes().startswith(b"\x89PNG")
    text = (tmp_path / "small.yaml").read_text().replace("max_lr: 0.2", "max_lr: 9999")
    (tmp_path / "small.yaml").write_text(text)
    checked = run("check", str(tmp_path / "small.yaml"), "--advice", "--runs", str(folder.parent))
    assert "it rises to 9,999" in checked.out.replace("9999", "9,999")
    printed = run(*arguments, "--steps", "3", "--format", "json")
    assert json.loads(printed.out)["steps"] == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lowest": 1.0, "highest": 0.1}, "no range; allowed: above 0"),
        ({"lowest": -1.0}, "no range"),
        ({"steps": 1000}, "--steps 1000: allowed: 2 to 42"),
    ],
)
def test_a_range_that_is_none_is_refused(changes: dict[str, float], message: str) -> None:
    """Before anything is trained."""
    with pytest.raises(ConfigError, match=message):
        range_test(small(), **changes)  # type: ignore[arg-type]


def test_a_record_that_is_none_is_told(tmp_path: Path) -> None:
    """With the command that makes it anew."""
    path = tmp_path / "lr-find.json"
    path.write_text("{}")
    with pytest.raises(ConfigError, match="make it anew with `netbuilder lr-find`"):
        RangeTest.read(path)


def test_too_few_steps_are_told(tmp_path: Path) -> None:
    """With what to do; a test of enough steps says nothing of it."""
    document = tmp_path / "small.yaml"
    document.write_text(DOCUMENT)
    few, enough = (
        run("lr-find", str(document), "--out", str(tmp_path), "--steps", steps).out
        for steps in ("6", "40")
    )
    assert "6 steps are too few to trust: give it --steps 30" in few
    assert "too few" not in enough
