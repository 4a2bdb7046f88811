"""Run folders on disk: records, statistics, selection."""

from pathlib import Path

RUNS = Path("runs")
"""The default folder of runs; it may not exist."""
