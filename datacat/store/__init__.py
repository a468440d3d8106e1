"""Store: the catalog and the objects on one backend, with every verb a user has.

Each verb brings the local catalog up to date, makes its plan in SQL, and only then acts. The
library prints nothing and reads no environment: who asks, and where the cache is, comes in a
`Client`; progress goes to a listener.

The verbs stand in one module for each situation that a person is in. Their examples run in the
tests: `store` is a store with the dataset `cmr`, saved from the folder `./cmr` with the files
`labels.csv` and `sub-1/sax.bin`.
"""

from __future__ import annotations

from collections.abc import Sequence

from datacat.backend import Backend
from datacat.backend.open import NO_OPTIONS, Options, open_backend
from datacat.create import create_store
from datacat.model import TRASH_DAYS, LinkMode, Parameters
from datacat.opened import Client, assemble
from datacat.store.finding import Finding
from datacat.store.inside import Inside
from datacat.store.looking import Looking
from datacat.store.organising import Organising
from datacat.store.removing import Removing
from datacat.store.replicating import Replicating
from datacat.store.saving import Saving
from datacat.store.upkeep import Upkeep
from datacat.working_copy.request import SIMILAR

__all__ = ["Store"]


class Store(Saving, Looking, Inside, Organising, Removing, Finding, Upkeep, Replicating):
    """A team's shared place for datasets, as `datacat.open_store` or `Store.create` gives it.

    A `Store` may be used from one thread at a time, and with `with`.
    """

    @classmethod
    def open(
        cls,
        url: str,
        *,
        client: Client,
        options: Options = NO_OPTIONS,
        ignore: Sequence[str] = (),
        link: LinkMode | None = None,
        similar: float = SIMILAR,
    ) -> Store:
        """Open an existing store. Raises `NoStore` when there is none at `url`.

        `options` are those of the storage behind a URL, without secrets (`store_options`);
        `ignore` are patterns of names that are never saved, besides the default ones; `link` is
        how `pull` puts files in place, by default as the store says; `similar` is the share of
        bytes from which a folder counts as nearly the same as a version.
        """
        backend = open_backend(url, options)
        opened = assemble(backend, client=client, options=options)
        return cls(opened, ignore=ignore, link=link, similar=similar)

    @classmethod
    def on(cls, backend: Backend, *, client: Client, ignore: Sequence[str] = ()) -> Store:
        """Open the store on a backend that is at hand."""
        return cls(assemble(backend, client=client), ignore=ignore)

    @classmethod
    def create(
        cls,
        url: str,
        *,
        client: Client,
        options: Options = NO_OPTIONS,
        name: str | None = None,
        description: str = "",
        group: str | None = None,
        parameters: Parameters | None = None,
        link: LinkMode = LinkMode.AUTO,
        shared: bool = True,
        trash_days: int = TRASH_DAYS,
    ) -> Store:
        """Create a store at `url`, an empty place, or open the one that is there.

        `shared` makes it writable for `group` (by default the group of the folder above);
        `trash_days` is how long what was removed can be restored. Raises `Failed` when the folder
        holds something else, `NotFound` when its parent does not exist.
        """
        backend = open_backend(url, options)
        create_store(
            backend,
            client=client,
            name=name,
            description=description,
            group=group,
            parameters=parameters or Parameters(),
            link=link,
            shared=shared,
            trash_days=trash_days,
        )
        return cls(assemble(backend, client=client, fresh=True, options=options))
