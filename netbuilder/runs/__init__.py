"""What training leaves on disk: records, statistics, selection."""

from pathlib import Path

RUNS = Path("runs")
"""The default folder of runs; it need not exist."""
