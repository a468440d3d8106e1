"""Between stores: bring versions, or a whole store, to another place.

What must always hold: nothing is written there that was not checked on the way, a version keeps
what it is (its hash, message, author, time, numbers), and what was interrupted goes on when it is
run again.
"""

from datacat.replication.clone import CloneRequest, clone
from datacat.replication.copy import CopyRequest, copy

__all__ = ["CloneRequest", "CopyRequest", "clone", "copy"]
