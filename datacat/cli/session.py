"""Opening the store that the settings name. Free of click: the Python front end may use it."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from datacat import layout
from datacat.config import Settings

if TYPE_CHECKING:
    from datacat.opened import Client
    from datacat.store import Store


def make_client(settings: Settings) -> Client:
    """Who is asking, from where, and with what, as the library wants to know it."""
    from datacat import __version__
    from datacat.opened import Client

    return Client(
        user=settings.user,
        host=socket.gethostname(),
        cache_dir=Path(settings.cache_dir),
        jobs=settings.jobs,
        program=f"datacat {__version__}",
    )


def open_store(settings: Settings) -> Store:
    """The store that `settings` name; the personal one is made when it is first used.

    Raises `NoStore` when it cannot be reached or is not a store.
    """
    from datacat.errors import DatacatError
    from datacat.store import Store

    client = make_client(settings)
    if settings.personal and not is_store(settings.store):
        os.makedirs(os.path.dirname(settings.store), exist_ok=True)
        try:
            Store.create(settings.store, name="personal", shared=False, client=client).close()
        except DatacatError:
            # Another process of this person may have made it in between.
            if not is_store(settings.store):
                raise
    return Store.open(settings.store, client=client)


def is_store(place: str) -> bool:
    """True when the local folder `place` holds a store."""
    return os.path.isfile(os.path.join(place, layout.STORE))
