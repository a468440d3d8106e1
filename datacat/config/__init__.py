"""Settings: what they are, where each value comes from, and how files of settings are changed.

A front end calls `surroundings()` once, the only function here that looks at the process, and
passes the result to `gather`, which is a pure function of it: flag over environment over project
file over user config over site config over default. The library below receives plain values.
"""

from datacat.config.edit import set_value, unset_value
from datacat.config.gather import PERSONAL_NOTICE, Settings, Surroundings, gather, surroundings
from datacat.config.keys import DEFAULT_IGNORE, KEYS, Key

__all__ = [
    "DEFAULT_IGNORE",
    "KEYS",
    "PERSONAL_NOTICE",
    "Key",
    "Settings",
    "Surroundings",
    "gather",
    "set_value",
    "surroundings",
    "unset_value",
]
