"""How the columns of tables stand, on a terminal and in markdown alike."""

from __future__ import annotations

TEXT_COLUMNS = (
    "", "layer", "window", "name", "targets", "arguments", "field", "run", "started",
    "data set", "device", "verdict", "seeds", "front", "network", "target", "asked", "met", "label",
    "guess", "peer",
)  # fmt: skip
"""Those that stand at the left; all others are numbers."""
