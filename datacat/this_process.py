"""Which process this is, without asking the system: a fork is noticed when it happens.

`number` changes in a forked process, which has none of its parent's threads and must not trust its
locks. Compare it with what it was; to ask the system for every read costs more than some reads.
"""

from __future__ import annotations

import os

number: int = os.getpid()


def _note() -> None:
    global number  # noqa: PLW0603 - it changes at a fork, and only there
    number = os.getpid()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note)
