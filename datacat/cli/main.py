"""The entry of the `datacat` command. Imports nothing before it knows what is needed."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code. Never raises, never prints a traceback
    without `--debug`."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given in (["-V"], ["--version"]):
        from datacat import __version__

        sys.stdout.write(f"datacat {__version__}\n")
        return 0
    if asked := os.environ.get("_DATACAT_COMPLETE"):
        from datacat.cli.complete import answer

        return answer(asked)
    from datacat.cli.run import run

    return run(given)
