"""What holds for every test."""

from __future__ import annotations

import os

# The networks of the tests are small: one thread is as fast as several, and two test processes do
# not wait for each other's threads. Processes that a test starts inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
