"""What more epochs change in a run's learning rates, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netbuilder.config.schema import TrainConfig
from netbuilder.training.lr_schedule import epoch_rates, moves_after_steps

RISE = 1 + 1e-9
"""A ratio of rates above which the second is higher, and not just rounded up."""


def extension_notes(
    document: TrainConfig,
    extended: TrainConfig,
    before: int,
    spanned: int,
    epoch: int,
    last: float,
    rate: float,
) -> list[str]:
    """Return what an extension of a run changes, and what its learning rates do from here on.

    Args:
        document: The settings of the document, with the new number of epochs.
        extended: The settings with the extended schedule.
        before: The number of epochs before the extension.
        spanned: The number of epochs that the extended schedule spans; fewer than those of the run
            if the schedule is held at its end.
        epoch: The current epoch, from 0.
        last: The rate of the last update; 0 if there was none.
        rate: The rate of the next update.
    """
    now = f"the learning rate is {rate:g}"
    if rate == 0:
        now += ", so that this epoch trains nothing"
    elif last and rate > last * RISE:
        now = f"the learning rate rises from {last:g} to {rate:g}"
    parts = [*_changes(document, extended)]
    if spanned < extended.epochs:
        parts.append(f"the schedule held at its end after epoch {spanned}")
        lead = f"{extended.epochs} epochs"
    else:
        lead = f"{extended.epochs} epochs instead of {before}"
        if not parts:
            spans = moves_after_steps(document)
            parts = ["the schedule spans them all" if spans else "the schedule goes on as before"]
    notes = [f"{lead}, {', '.join(parts)}; {now}"]
    notes += _ahead(epoch_rates(extended, spanned), epoch)
    return notes


def _changes(document: TrainConfig, extended: TrainConfig) -> Iterator[str]:
    """Yield each field of the schedule that an extension changes, with its values."""
    for old, new in zip(document.scheduler, extended.scheduler, strict=True):
        for name, value in old.arguments().items():
            other = new.arguments()[name]
            if value != other:
                yield f"{new.kind}.{name} {_text(other)} instead of {_text(value)}"


def _text(value: object) -> str:
    """Return the value of a field, without the decorations of a tuple."""
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _ahead(rates: Sequence[float], epoch: int) -> Iterator[str]:
    """Yield what the rates after those of ``epoch``, from 0, do that a reader may not expect."""
    later = range(epoch + 1, len(rates))
    zeros = [number + 1 for number in later if rates[number] == 0]
    if zeros:
        epochs = (
            f"epoch {zeros[0]}" if len(zeros) == 1 else f"{len(zeros)} epochs from {zeros[0]} on"
        )
        yield f"the learning rate is 0 in {epochs}, where nothing is trained"
    has_fallen = False
    for number in later:
        has_fallen |= rates[number] * RISE < rates[number - 1]
        if has_fallen and rates[number] > rates[number - 1] * RISE:
            yield f"the learning rate rises again from epoch {number + 1} on, to {rates[number]:g}"
            return
