"""Where files are added from when it is no folder of this machine: a bucket, a web or SSH server.

A *provider* is only read. What must always hold: its bytes stream through memory and never lie on
this machine as a whole; what is read of one file is of one state of it, or `ProviderChangedError`;
and neither its credentials nor what of its URL may be one is recorded, printed or put into an
error.
"""

from datacat.providers.base import Content, Found, Provider, ProviderChangedError, Reading
from datacat.providers.open import is_provider, open_provider

__all__ = [
    "Content",
    "Found",
    "Provider",
    "ProviderChangedError",
    "Reading",
    "is_provider",
    "open_provider",
]
