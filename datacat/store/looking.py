"""The verbs that only look at versions and folders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import overload

from datacat import refs
from datacat.catalog.query import USED
from datacat.copies import feed
from datacat.model import Diff, FileInfo, Kind, Listing, LogEntry, Shown, StatusEntry, Version
from datacat.model.display import Rows
from datacat.progress import Listener, StopSignal, ignore
from datacat.sql import Workspace
from datacat.store.handle import Handle, PathLike, watching
from datacat.working_copy.lookup import attach_manifest
from datacat.working_copy.naming import Word
from datacat.working_copy.shown import by_use, describe, with_users


class Looking(Handle):
    """What the team has, what changed in it, and what a local folder is."""

    def ls(
        self,
        query: str | None = None,
        *,
        owner: str | None = None,
        tags: Sequence[str] = (),
        since: datetime | None = None,
        sort: str = "updated",
        descending: bool | None = None,
        limit: int | None = None,
        trash: bool = False,
        in_use: bool = False,
    ) -> Listing:
        """The datasets, newest change first. `query` is looked for, without case, in names,
        descriptions, tags, owners, aliases and last messages. `sort` is updated, name, size or
        used: then those come first whose working copies were seen last. With `trash` those that
        have versions in the trash, and what is counted are those; `in_use` also asks who has
        working copies.

        >>> [(d.name, d.latest, d.owner) for d in store.ls("first").datasets]
        [('cmr', 'cmr@v1', 'alice')]
        """
        refs.check_texts(query, owner, *tags)
        asked, used = self._query(), sort == USED
        listing = asked.datasets(
            query,
            owner=owner,
            tags=tags,
            since=since,
            sort="name" if used else sort,
            descending=None if used else descending,
            limit=None if used else limit,
            trash=trash,
        )
        if used:
            found = by_use(
                self._opened, asked, listing.datasets, descending=descending is not False
            )
            listing = replace(listing, datasets=found[:limit])
        if not in_use:
            return listing
        return replace(listing, datasets=with_users(self._opened, asked, listing.datasets))

    def files(self, ref: str) -> Iterator[FileInfo]:
        """The files of a version, sorted by path.

        >>> [(file.path, file.bytes) for file in store.files("cmr")]
        [('labels.csv', 9), ('sub-1/sax.bin', 4)]
        """
        query = self._query()
        version = query.resolve(refs.parse(ref))
        with Workspace() as workspace:
            attach_manifest(self._opened, workspace, query, version, "version_files")
            rows = workspace.rows(
                "select path, size, coalesce(lower(hex(digest)), ''), kind from version_files"
                " order by path"
            )
            for path, size, digest, kind in rows:
                yield FileInfo(path, size, digest, Kind(kind))

    def versions(self, name: str) -> list[Version]:
        """The versions of a dataset, newest first."""
        return Rows(self._query().versions(refs.parse(name).name))

    def show(self, ref: str, *, versions: int | None = None, readme: bool = False) -> Shown:
        """Everything about a dataset or one of its versions. `versions` limits the history;
        `readme` fetches the text of the README, if there is one.

        >>> shown = store.show("cmr")
        >>> shown.dataset.owner, shown.version.files, shown.contents[0].suffix
        ('alice', 2, '.csv')
        """
        parsed = refs.parse(ref)
        return describe(self._opened, self._query(), parsed, versions=versions, readme=readme)

    def status(
        self,
        paths: Sequence[PathLike] = (".",),
        *,
        hash_all: bool = False,
        listener: Listener = ignore,
        stop: StopSignal | None = None,
    ) -> list[StatusEntry]:
        """What local folders are, and what changed in them. `hash_all` reads every file.

        A folder that is no working copy is compared by content with every version: `identical_to`
        and `similar` of its entry say what it is.

        >>> _ = Path("cmr/notes.txt").write_text("to do")
        >>> [(entry.ref, entry.state, len(entry.changes)) for entry in store.status(["cmr"])]
        [('cmr@v1', 'changed', 1)]
        """
        from datacat.working_copy.status import status  # with folders, which others do not need

        found = status(
            self._opened,
            [Path(path) for path in paths],
            hash_all=hash_all,
            ignore=self._ignore,
            similar=self._similar,
            watch=watching(listener, stop),
        )
        return Rows(found)

    def diff(
        self,
        a: Word | None = None,
        b: Word | None = None,
        *,
        details: bool = True,
        listener: Listener = ignore,
        stop: StopSignal | None = None,
    ) -> Diff:
        """What differs between two versions, two folders, or one of each.

        Without `b`: a folder's version with the folder, or a version with the newest one. A bare
        word is a version if there is such a dataset; with a `/`, or as a `Path`, it is a folder.
        `details` counts the rows and columns of changed tables.

        >>> _ = Path("cmr/labels.csv").write_text("id,v\\n1,2\\n2,5\\n")
        >>> [(change.path, change.detail) for change in store.diff("./cmr").changes]
        [('labels.csv', 'rows 1 → 2, columns same')]
        """
        from datacat.working_copy.difference import Comparison, sides

        query = self._query()
        first, second = sides(self._opened, query, a, b)
        comparison = Comparison(
            self._opened, query, ignore=self._ignore, watch=watching(listener, stop)
        )
        return comparison.run(first, second, details=details)

    @overload
    def log(
        self,
        name: None = None,
        *,
        user: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
    ) -> list[LogEntry]: ...

    @overload
    def log(
        self,
        name: str,
        *,
        user: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
    ) -> list[Version]: ...

    def log(
        self,
        name: str | None = None,
        *,
        user: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
    ) -> list[Version] | list[LogEntry]:
        """The versions of a dataset, newest first; without a name, what the team did lately:
        what the log says, and the last pull into each working copy.

        >>> [(version.ref, version.message) for version in store.log("cmr")]
        [('cmr@v1', 'first import')]
        >>> [(entry.user, entry.action, entry.ref) for entry in store.log(limit=1)]
        [('alice', 'saved', 'cmr@v1')]
        """
        refs.check_texts(user)
        query = self._query()
        if name is None:
            return Rows(feed(self._opened, query, user=user, since=since, limit=limit))
        found = [
            version
            for version in query.log(refs.parse(name).name)
            if (user is None or version.author == user)
            and (since is None or version.created_at >= since)
        ]
        return Rows(found if limit is None else found[:limit])
