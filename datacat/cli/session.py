"""Opening the store that the settings name. Free of click: the Python front end may use it."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from datacat import layout
from datacat.config import Settings

if TYPE_CHECKING:
    from datacat.store import Session, Store


def make_session(settings: Settings) -> Session:
    """Who is asking, from where, and with what, as the library wants to know it."""
    from datacat.store import Session

    return Session(
        user=settings.user,
        host=socket.gethostname(),
        cache_dir=Path(settings.cache_dir),
        jobs=settings.jobs,
    )


def open_store(settings: Settings) -> Store:
    """The store that `settings` name; the personal one is made when it is first used.

    Raises `NoStore` when it cannot be reached or is not a store.
    """
    from datacat.errors import DatacatError
    from datacat.store import Store

    session = make_session(settings)
    if settings.personal and not is_store(settings.store):
        try:
            Store.create(settings.store, name="personal", shared=False, session=session).close()
        except DatacatError:
            # Another process of this person may have made it in between.
            if not is_store(settings.store):
                raise
    return Store.open(settings.store, session=session)


def is_store(place: str) -> bool:
    """True when the local folder `place` holds a store."""
    return os.path.isfile(os.path.join(place, layout.STORE))
