"""The learning-rate range test: its rule, its record and its command."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from command import run
from hypothesis import given
from hypothesis import strategies as st
from small import DOCUMENT, small

from netbuilder.config.loader import load
from netbuilder.errors import ConfigError, Diverged
from netbuilder.render.plots.curves import draw_range_test
from netbuilder.runs.lr_curve import MARGIN, Curve, RangeTest, suggest
from netbuilder.training.lr_finder import range_test


@given(turn=st.integers(10, 80), floor=st.floats(0.01, 1.0), scale=st.floats(0.1, 10))
def test_the_suggestion_is_a_fraction_of_the_rate_of_the_lowest_loss(
    turn: int, floor: float, scale: float
) -> None:
    """It holds for every position of the minimum and every scale of the loss."""
    rates = [1e-5 * 1.15**step for step in range(100)]
    losses = [scale * (floor + 2.0 * abs(step - turn) / turn) for step in range(100)]
    assert suggest(rates, losses) == pytest.approx(rates[turn] / MARGIN)


def test_a_loss_that_does_not_fall_suggests_nothing() -> None:
    """Neither does a curve without steps."""
    assert suggest([], []) is None
    assert suggest([0.1, 0.2, 0.3], [2.0, 2.0, 2.1]) is None


def curve_of(*losses: float, steps: int = 60) -> Curve:
    """Create a curve at the rates 1, 2, 3 and so on, up to its divergence."""
    curve = Curve(steps)
    for rate, loss in enumerate(losses, start=1):
        if curve.diverged_at is None:
            curve.add(rate, loss)
    return curve


def test_a_curve_ends_where_its_loss_diverges_or_is_not_finite() -> None:
    """The rate of the divergence is recorded; a loss that is not finite is left out."""
    assert curve_of(*[1.0] * 40).diverged_at is None
    assert curve_of(*[1.0] * 40, *[100.0] * 5).diverged_at == 41
    diverged = curve_of(1.0, float("nan"))
    assert (diverged.diverged_at, diverged.losses) == (2, [1.0])


def test_a_loss_that_rises_by_half_of_its_fall_has_diverged() -> None:
    """Batch normalization keeps it below a multiple of the lowest loss; noise is not a fall."""
    fall = [2.3 - 0.05 * step for step in range(30)]
    curve = curve_of(*fall, *[2.3] * 30)
    assert curve.diverged_at is not None
    assert 31 < curve.diverged_at < 40
    assert max(curve.smoothed) < 4 * min(curve.smoothed)
    assert curve_of(*fall, *[1.2] * 30).diverged_at is None
    assert curve_of(*[2.3, 2.2] * 30).diverged_at is None


@pytest.mark.parametrize("steps", [30, 60, 300])
def test_the_average_follows_the_loss_in_a_short_test(steps: int) -> None:
    """Its minimum is at most a tenth of the range after that of the losses."""
    turn = steps // 2
    losses = [1 + abs(step - turn) / turn for step in range(steps)]
    smoothed = curve_of(*losses, steps=steps).smoothed
    assert 0 <= smoothed.index(min(smoothed)) - turn <= steps / 10


def test_the_same_seed_produces_the_same_curve() -> None:
    """The test ends early when the loss diverges."""
    first, _ = range_test(small(), highest=1e4, device="cpu", precision="fp32", steps=40)
    second, _ = range_test(small(), highest=1e4, device="cpu", precision="fp32", steps=40)
    assert first == second
    assert first.diverged_at is not None
    assert len(first.losses) < 40
    assert first.suggestion is not None
    assert first.suggestion < first.diverged_at


def test_the_command_saves_curve_and_picture(tmp_path: Path) -> None:
    """They are saved beside the document's runs, and the advice of `check` reads them."""
    (tmp_path / "small.yaml").write_text(DOCUMENT)
    arguments = ("lr-find", str(tmp_path / "small.yaml"), "--out", str(tmp_path / "runs"))
    result = run(*arguments, "--steps", "40", "--to", "1e4")
    assert result.code == 0, result.err
    assert "diverged at rate" in result.out
    folder = tmp_path / "runs" / "small"
    test = RangeTest.read(folder / "lr-find.json")
    assert test is not None
    assert test.steps == 40
    assert f"max_lr={test.suggestion:.2g}\n" in result.out
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
        ({"lowest": 1.0, "highest": 0.1}, "not a range; allowed: rates above 0"),
        ({"lowest": -1.0}, "not a range"),
        ({"highest": 1e300}, r"the second above the first, at most 1e\+38"),
        (
            {"lowest": 1e-300},
            r"the second above the first, at most 1e\+38 and at most 1e\+38 times",
        ),
        ({"steps": 1000}, "--steps 1000: allowed: 2 to 42"),
    ],
)
def test_an_invalid_range_is_refused(changes: dict[str, float], message: str) -> None:
    """The message names the allowed values."""
    with pytest.raises(ConfigError, match=message):
        range_test(small(), **changes)  # type: ignore[arg-type]


def test_an_epoch_of_one_batch_is_refused() -> None:
    """The message proposes a smaller batch, because no number of steps is allowed."""
    message = "at least 2 steps, but an epoch of mnist5k is one batch of 5000; lower train.batch"
    with pytest.raises(ConfigError, match=message):
        range_test(small("train.batch_size=5000"), steps=2)


def test_an_invalid_record_of_a_test_is_reported(tmp_path: Path) -> None:
    """The message names the command that writes it again."""
    path = tmp_path / "lr-find.json"
    path.write_text("{}")
    with pytest.raises(ConfigError, match="run `netbuilder lr-find` again"):
        RangeTest.read(path)


def test_too_few_steps_are_reported(tmp_path: Path) -> None:
    """The message names the steps to use and their cost; a long enough test has no such message."""
    document = tmp_path / "small.yaml"
    document.write_text(DOCUMENT)
    few, enough, none = (
        run("lr-find", str(document), "--out", str(tmp_path), *more).out
        for more in (("--steps", "6"), ("--steps", "40"), ("--set", "train.batch_size=400"))
    )
    assert "6 steps are too few for a reliable result; use --steps 30 (71% of an epoch) or" in few
    assert "suggested" not in few
    assert "guess" not in few
    assert "too few" not in enough
    assert "2 steps are too few for a reliable result; use a lower train.batch_size" in none


def test_a_picture_marks_an_unreliable_suggestion(tmp_path: Path) -> None:
    """The picture of the same curve differs if its steps are too few."""
    test, _ = range_test(small(), highest=1e4, device="cpu", precision="fp32", steps=40)
    assert test.suggestion is not None
    pictures = []
    for each in (test, test.model_copy(update={"steps": 41}), test.model_copy(update={"steps": 6})):
        draw_range_test(tmp_path / "test.png", "small", each)
        pictures.append((tmp_path / "test.png").read_bytes())
    assert pictures[0] == pictures[1] != pictures[2]


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("", "", "train.scheduler.OneCycleLR.max_lr"),
        ("{OneCycleLR: {max_lr: 0.2}}", "{OneCycleLR: 0.2}", "train.scheduler.OneCycleLR.max_lr"),
        ("{OneCycleLR: {max_lr: 0.2}}", "[{OneCycleLR: [0.2]}]",
         "train.scheduler[0].OneCycleLR.max_lr"),
        ("  scheduler: {OneCycleLR: {max_lr: 0.2}}\n", "", "train.optimizer.SGD.lr"),
        ("{OneCycleLR: {max_lr: 0.2}}", "[{LinearLR: {total_iters: 1}}, {CosineAnnealingLR: 2}]",
         "train.optimizer.SGD.lr"),
        ("optimizer: {SGD: {lr: 0.05, momentum: 0.9, nesterov: true}}\n"
         "  scheduler: {OneCycleLR: {max_lr: 0.2}}", "optimizer: Adam", "train.optimizer.Adam.lr"),
    ],
)  # fmt: skip
def test_the_suggested_option_sets_the_rate(tmp_path: Path, old: str, new: str, field: str) -> None:
    """``--set`` changes the rate that the document trains with, in each of its forms."""
    assert not old or old in DOCUMENT
    document = tmp_path / "small.yaml"
    document.write_text(DOCUMENT.replace(old, new) if old else DOCUMENT)
    result = run("lr-find", str(document), "--out", str(tmp_path), "--steps", "40", "--to", "100")
    assert document.read_text() == (DOCUMENT.replace(old, new) if old else DOCUMENT)
    suggested = re.search(r"--set (\S+)=(\S+)\n", result.out.replace("'", ""))
    assert suggested is not None
    assert suggested[1] == field
    train = load(document, [f"{suggested[1]}={suggested[2]}"]).trained
    component = train.scheduler[0] if "OneCycleLR" in field else train.optimizer
    assert component.arguments()[field.rpartition(".")[2]] == float(suggested[2])


def test_the_range_depends_on_the_optimizer() -> None:
    """Each end has an option; the document's own rate does not matter."""
    adam = ("train.optimizer={Adam: {lr: 3}}", "train.scheduler=")
    ends = [
        [test.learning_rates[0], test.learning_rates[-1]]
        for test, _ in (
            range_test(small(), steps=2),
            range_test(small(*adam), steps=2),
            range_test(small(*adam), steps=2, lowest=0.5),
            range_test(small(*adam), steps=2, highest=0.5),
        )
    ]
    assert ends == [pytest.approx(pair) for pair in ([1e-4, 10], [1e-5, 1], [0.5, 1], [1e-5, 0.5])]


@pytest.mark.parametrize(("batch", "steps"), [(16, 17), (4, 50)])
def test_a_range_test_takes_less_than_a_tenth_of_an_epoch(batch: int, steps: int) -> None:
    """Its number of steps follows from the steps of an epoch and has an upper limit."""
    test, data = range_test(small(f"train.batch_size={batch}"))
    assert len(test.losses) <= test.steps == steps < len(data.train_labels) / batch / 10


def test_a_loss_that_is_not_finite_at_once_is_reported() -> None:
    """The message names a lower rate as a way out."""
    broken = small("layers[0].Conv2d.init={weight: {constant: 1e38}}", "layers[1]=Identity")
    with pytest.raises(Diverged, match="the lowest learning rate; use a lower --from, or"):
        range_test(broken, precision="fp32")
