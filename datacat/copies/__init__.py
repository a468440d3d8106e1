"""Which working copies there are, as far as they registered themselves in the store.

Registrations are advisory. What must always hold:

* a command never fails, and is never noticeably slower, because one cannot be written or read;
* what somebody else wrote is never believed further than it is checked: a registration can be
  wrong, but not harmful, and there is a limit to how many are read;
* a working copy is registered only under an id of its own; whoever registers removes only what is
  their own.
"""

from datacat.copies.feed import feed
from datacat.copies.reading import hidden_copies, linked_copies, pulls, working_copies
from datacat.copies.registration import LastPull, Registration
from datacat.copies.writing import is_remembered, register, withdraw

__all__ = [
    "LastPull",
    "Registration",
    "feed",
    "hidden_copies",
    "is_remembered",
    "linked_copies",
    "pulls",
    "register",
    "withdraw",
    "working_copies",
]
