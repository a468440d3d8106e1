"""Opening a store the way its user set it up: what the command line and Python programs share.

The library below takes plain values; this is where settings become a `Client` and a `Store`.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from datacat import layout
from datacat.address import is_url
from datacat.config import DEFAULT_IGNORE, Settings, gather, surroundings

if TYPE_CHECKING:
    from datacat.model import Diagnosis
    from datacat.opened import Client
    from datacat.store import Store


def open_store(
    url: str | os.PathLike[str] | None = None,
    *,
    user: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
    store_options: Mapping[str, str] | None = None,
) -> Store:
    """The store at `url`, without one that of the settings, else the personal one.

    What is not given comes from the environment and the files of settings, as for the `datacat`
    command: who you are, where disposable files go, how many threads move data. What is odd about
    those files is a `UserWarning`. Raises `NoStore` when there is no store, `InvalidInput` for a
    bad setting.

    >>> import datacat
    >>> with datacat.open_store(url) as store:
    ...     print(store.info.name, store.user)
    lab alice
    """
    import warnings

    given = {
        "store": None if url is None else os.fspath(url),
        "user": user,
        "cache_dir": None if cache_dir is None else os.fspath(cache_dir),
        "jobs": jobs,
        "store_options": store_options,
    }
    settings = gather(surroundings(), flags=given, caller="open_store()")
    for warning in settings.warnings:
        warnings.warn(warning, stacklevel=2)
    return open_with(settings)


def open_with(settings: Settings) -> Store:
    """The store that `settings` name; the personal one is made when it is first used.

    Raises `NoStore` when it cannot be reached or is not a store.
    """
    from datacat.errors import DatacatError
    from datacat.model import LinkMode
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
    return Store.open(
        settings.store,
        client=client,
        options=settings.store_options,
        ignore=[pattern for pattern in settings.ignore if pattern not in DEFAULT_IGNORE],
        link=LinkMode(settings.link) if settings.link else None,
        similar=settings.similar,
    )


def doctor(url: str | os.PathLike[str] | None = None, *, fix: bool = False) -> Diagnosis:
    """Look at this machine and at the store of `url`, or of the settings, and say what is wrong.

    For when a store cannot be opened. Never raises but for a bad setting (`InvalidInput`); `fix`
    removes your own leftovers.

    >>> import datacat
    >>> found = datacat.doctor(url)
    >>> found.ok, found.checks[1].id
    (True, 'store')
    """
    given = {"store": None if url is None else os.fspath(url)}
    return doctor_with(gather(surroundings(), flags=given, caller="doctor()"), fix=fix)


def doctor_with(settings: Settings, *, fix: bool) -> Diagnosis:
    """As `doctor`, of the store that `settings` name."""
    from datacat.config.gather import DEFAULT
    from datacat.maintenance.doctor import Subject, examine

    subject = Subject(
        url=settings.store,
        client=make_client(settings),
        folder=Path.cwd(),
        user_given=settings.sources.get("user") != DEFAULT,
        personal=settings.personal,
        warnings=settings.warnings,
        options=settings.store_options,
    )
    return examine(subject, fix=fix)


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
        activity=settings.activity,
        executor=settings.executor,
    )


def is_store(place: str, options: Mapping[str, str] | None = None) -> bool:
    """True when the folder or the URL `place` holds a store. A URL is asked, with `options`."""
    if not is_url(place):
        return os.path.isfile(os.path.join(place, layout.STORE))
    from datacat.backend import open_backend

    return open_backend(place, options or {}).stat(layout.STORE) is not None
