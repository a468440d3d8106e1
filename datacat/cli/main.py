"""The entry of the `datacat` command. Imports nothing before it knows what is needed."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence

GC_THRESHOLD = 200_000
"""Objects between two searches for cycles: a command makes many rows and hardly any cycle, and
Python's own 700 cost a tenth of the start-up."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code. Never raises, never prints a traceback
    without `--debug`."""
    gc.set_threshold(GC_THRESHOLD)
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given in (["-V"], ["--version"]):
        from datacat import __version__

        sys.stdout.write(f"datacat {__version__}\n")
        return 0
    from datacat.cli.run import run

    return run(given)
