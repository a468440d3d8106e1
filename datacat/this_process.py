"""Which process this is, without asking the system: a fork is noticed when it happens.

`number` changes in a forked process, which has none of its parent's threads and must not trust its
locks. Compare it with what it was; to ask the system for every read costs more than some reads.
What its parent had is never collected there.
"""

from __future__ import annotations

import gc
import os

number: int = os.getpid()


def _note() -> None:
    global number  # noqa: PLW0603 - it changes at a fork, and only there
    number = os.getpid()
    # What the parent left to be collected may be a connection of DuckDB: to end one waits for its
    # threads, which this process does not have, and crashes.
    gc.freeze()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note)
