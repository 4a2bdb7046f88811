"""Run a command that SIGKILL ends at a chosen call on a file below a folder.

python tests/helpers/killed.py FOLDER PART KIND NTH ARGUMENTS...

Only calls on paths below FOLDER that contain PART count.
"""

from __future__ import annotations

import sys
from pathlib import Path

from faults import DeadlyDisk

from netbuilder.cli import _app as cli

if __name__ == "__main__":
    folder, part, kind, nth = sys.argv[1:5]
    del sys.argv[1:5]
    with DeadlyDisk(Path(folder), part, kind, int(nth)).attached():
        cli.main()
