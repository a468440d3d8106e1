"""SHARED STORAGE: the one contract through which datacat touches it.

What must always hold: a key appears atomically and is immutable; exactly one client wins a
`create`; absence is never guessed from an error.
"""

from datacat.backend.base import Backend, Capabilities, Created, Staged, Stat
from datacat.backend.open import open_backend
from datacat.backend.system_calls import start_writeback

__all__ = [
    "Backend",
    "Capabilities",
    "Created",
    "Staged",
    "Stat",
    "open_backend",
    "start_writeback",
]
