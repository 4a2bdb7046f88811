"""A short storm of kills; `python tests/storm.py --kills 200` is the long one."""

from __future__ import annotations

import random
from pathlib import Path

from storm import Told, alone, differences, document_of, storm


def test_a_run_killed_eight_times_ends_in_the_bits_of_the_one_left_alone(tmp_path: Path) -> None:
    """Killed at any moment and started again, it leaves the same files with the same contents."""
    document = tmp_path / "small.yaml"
    document.write_text(document_of(60))
    whole = alone(document, tmp_path / "alone")
    told, draw = Told(), random.Random(0)
    while told.kills < 8:
        out = tmp_path / f"storm{told.runs}"
        storm(document, out, told, kills=8, draw=draw)
        assert list(differences(out, whole)) == []
    assert told.inside >= 2
