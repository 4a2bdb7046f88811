"""A run that is killed and started again ends with the same files and contents."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from storm import Tally, alone, begin, differences, document_of, end, kill_at, storm

KILLS = {"mkdir": 1, "write": 2, "rename": 2, "unlink": 2}
"""A call on the folder of checkpoints per process; the first precedes the run."""
TORN = "write", "rename"
"""The calls that leave a temporary file."""


def test_a_run_killed_in_its_writes_ends_in_the_same_bits(tmp_path: Path) -> None:
    """Each process but the last is killed at a call that it always reaches."""
    document, out = tmp_path / "small.yaml", tmp_path / "killed"
    document.write_text(document_of(8))
    uninterrupted = alone(document, tmp_path / "alone")
    for kind, nth in KILLS.items():
        assert kill_at(document, out, kind, nth, "checkpoints"), f"it ends before {kind} {nth}"
        leftovers = [path for path in out.rglob("*.tmp") if path.is_file()]
        assert len(leftovers) == (kind in TORN), f"{kind} {nth}: {leftovers}"
    end(begin(document, out))
    assert list(differences(out, uninterrupted)) == []


@pytest.mark.long
def test_a_run_killed_at_random_ends_in_the_same_bits(tmp_path: Path) -> None:
    """It is killed eight times; `python tests/helpers/storm.py --kills 200` is the long version."""
    document = tmp_path / "small.yaml"
    document.write_text(document_of(60))
    uninterrupted = alone(document, tmp_path / "alone")
    tally, draw = Tally(), random.Random(0)
    while tally.kills < 8:
        out = tmp_path / f"storm{tally.runs}"
        storm(document, out, tally, kills=8, draw=draw)
        assert list(differences(out, uninterrupted)) == []
