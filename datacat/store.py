"""Store: the catalog and the objects on one backend, with every verb a user has.

Each verb brings the local catalog up to date, makes its plan in SQL, and only then acts. The
library prints nothing and reads no environment: who asks, and where the cache is, comes in a
`Client`; progress goes to a listener.

Long, since this one class is what a program sees, and each method says how it is called. The
examples run in the tests: `store` is a store with the dataset `cmr`, saved from the folder `./cmr`
with the files `labels.csv` and `sub-1/sax.bin`.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import overload

from datacat import refs
from datacat.backend import Backend
from datacat.backend.open import open_backend
from datacat.catalog.query import CatalogQuery
from datacat.create import create_store
from datacat.errors import InvalidInput
from datacat.maintenance.du import disk_use
from datacat.maintenance.verify import verify_folder, verify_log, verify_versions
from datacat.model import (
    AddResult,
    Code,
    Diff,
    DiskUse,
    FileInfo,
    Kind,
    Layout,
    LinkMode,
    Listing,
    LogEntry,
    Parameters,
    PullResult,
    Scalar,
    Shown,
    StatusEntry,
    StoreInfo,
    VerifyResult,
    Version,
)
from datacat.opened import Client, OpenedStore, Watch, assemble
from datacat.progress import Listener, StopSignal, ignore
from datacat.sql import Workspace
from datacat.text import printable
from datacat.working_copy import marker
from datacat.working_copy.checkout import PullRequest, pull
from datacat.working_copy.difference import Comparison, sides
from datacat.working_copy.lookup import attach_manifest
from datacat.working_copy.naming import Word, find_meaning
from datacat.working_copy.request import SaveRequest
from datacat.working_copy.save import save
from datacat.working_copy.shown import describe
from datacat.working_copy.status import status

PathLike = str | os.PathLike[str]


class Store:
    """A team's shared place for datasets, as `datacat.open_store` or `Store.create` gives it.

    A `Store` may be used from one thread at a time, and with `with`.
    """

    def __init__(
        self, opened: OpenedStore, *, ignore: Sequence[str] = (), link: LinkMode | None = None
    ) -> None:
        self._opened = opened
        self._ignore = tuple(ignore)
        self._link = link

    @classmethod
    def open(
        cls,
        url: str,
        *,
        client: Client,
        ignore: Sequence[str] = (),
        link: LinkMode | None = None,
    ) -> Store:
        """Open an existing store. Raises `NoStore` when there is none at `url`.

        `ignore` are patterns of names that are never saved, besides the default ones; `link` is
        how `pull` puts files in place, by default as the store says.
        """
        return cls(assemble(open_backend(url), client=client), ignore=ignore, link=link)

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
        name: str | None = None,
        description: str = "",
        group: str | None = None,
        parameters: Parameters | None = None,
        link: LinkMode = LinkMode.AUTO,
        shared: bool = True,
    ) -> Store:
        """Create a store at `url`, an empty or missing folder, or open the one that is there.

        `shared` makes it writable for `group` (by default the group of the folder above). Raises
        `Failed` when the folder holds something else, `NotFound` when its parent does not exist.
        """
        backend = open_backend(url)
        create_store(
            backend,
            client=client,
            name=name,
            description=description,
            group=group,
            parameters=parameters or Parameters(),
            link=link,
            shared=shared,
        )
        return cls(assemble(backend, client=client))

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the local catalog."""
        self._opened.catalog.close()

    @property
    def info(self) -> StoreInfo:
        """What the store is: name, id, parameters."""
        return self._opened.info

    @property
    def url(self) -> str:
        """Where the store is, without any credential."""
        return self._opened.backend.url

    @property
    def user(self) -> str:
        """Who we are in this store's records."""
        return self._opened.client.user

    def people(self) -> list[str]:
        """Everybody who saved something, by name."""
        return self._query().people()

    # Saving and getting

    def add(
        self,
        path: PathLike,
        *,
        name: str | None = None,
        message: str = "",
        tags: Sequence[str] = (),
        description: str | None = None,
        alias: str | None = None,
        sources: Sequence[Word] = (),
        params: Mapping[str, Scalar] | None = None,
        metrics: Mapping[str, Scalar] | None = None,
        code: Code | None = None,
        new: bool = False,
        new_version: bool = False,
        only_here: bool = False,
        force: bool = False,
        dry_run: bool = False,
        layout: Layout | None = None,
        listener: Listener = ignore,
        stop: StopSignal | None = None,
    ) -> AddResult:
        """Save a folder or file as the next version of a dataset.

        The name is, in this order: `name`, that of the working copy, that of the folder. Content
        that the team has already is not saved again (`created` is False) unless `new` (under a
        name of its own) or `new_version` says so. `sources` are references or pulled folders;
        `only_here` lets a partial copy remove what was not pulled, `force` saves although someone
        saved a newer version, `dry_run` only looks. `layout` says how the files are kept that are
        not small, if not as the store does it.

        Raises `Failed` (unreadable or changing files), `InvalidInput` (names), `NotFound`
        (sources), `Conflict` (someone saved meanwhile), `StorageError`, `OutcomeUnknown`.

        >>> result = store.add("cmr")
        >>> result.created, result.version.ref
        (False, 'cmr@v1')
        >>> _ = Path("cmr/labels.csv").write_text("id,v\\n1,3\\n")
        >>> result = store.add("cmr", message="fix a label", metrics={"dice": 0.91})
        >>> result.created, result.version.ref, result.version.changes
        (True, 'cmr@v2', Changes(added=0, modified=1, removed=0))
        """
        request = SaveRequest(
            path=Path(path),
            name=name,
            message=message,
            tags=tuple(refs.check_name(tag.lower()) for tag in tags),
            description=description,
            alias=refs.check_alias(alias) if alias else None,
            sources=tuple(sources),
            params=dict(params or {}),
            metrics=dict(metrics or {}),
            code=code,
            new=new,
            new_version=new_version,
            only_here=only_here,
            force=force,
            dry_run=dry_run,
            layout=layout,
            ignore=self._ignore,
        )
        return save(self._opened, request, _watch(listener, stop))

    def pull(
        self,
        ref: str,
        *,
        patterns: Sequence[str] = (),
        dest: PathLike | None = None,
        link: LinkMode | None = None,
        verify: bool = False,
        force: bool = False,
        dry_run: bool = False,
        listener: Listener = ignore,
        stop: StopSignal | None = None,
    ) -> PullResult:
        """Bring a version to a folder, by default one named like the dataset.

        `patterns` (gitignore style) take a part of it. `link` is by default what the store was
        opened with, else the store's own setting. Local edits are never overwritten without
        `force`, which keeps them in `.datacat/backup`.

        Raises `NotFound`, `Refused`, `Corrupt` (damaged files are named, the others arrive),
        `StorageFull`.

        >>> result = store.pull("cmr@v1", patterns=["*.csv"], dest="labels")
        >>> result.ref, result.files, result.total_files, result.checked
        ('cmr@v1', 1, 2, True)
        >>> Path(result.path, "labels.csv").read_text()
        'id,v\\n1,2\\n'
        """
        request = PullRequest(
            ref=ref,
            patterns=tuple(patterns),
            dest=None if dest is None else Path(dest),
            link=link or self._link or self.info.link,
            verify=verify,
            force=force,
            dry_run=dry_run,
            ignore=self._ignore,
        )
        return pull(self._opened, request, _watch(listener, stop))

    # Looking

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
    ) -> Listing:
        """The datasets, newest change first. `query` is looked for, without case, in names,
        descriptions, tags, owners, aliases and last messages. `sort` is updated, name or size.

        >>> [(d.name, d.latest, d.owner) for d in store.ls("first").datasets]
        [('cmr', 'cmr@v1', 'alice')]
        """
        refs.check_texts(query, owner, *tags)
        return self._query().datasets(
            query,
            owner=owner,
            tags=tags,
            since=since,
            sort=sort,
            descending=descending,
            limit=limit,
        )

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
        return self._query().versions(refs.parse(name).name)

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

        >>> _ = Path("cmr/notes.txt").write_text("to do")
        >>> [(entry.ref, entry.state, len(entry.changes)) for entry in store.status(["cmr"])]
        [('cmr@v1', 'changed', 1)]
        """
        return status(
            self._opened,
            [Path(path) for path in paths],
            hash_all=hash_all,
            ignore=self._ignore,
            watch=_watch(listener, stop),
        )

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
        query = self._query()
        first, second = sides(self._opened, query, a, b)
        comparison = Comparison(
            self._opened, query, ignore=self._ignore, watch=_watch(listener, stop)
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
        """The versions of a dataset, newest first; without a name, what the team did lately.

        >>> [(version.ref, version.message) for version in store.log("cmr")]
        [('cmr@v1', 'first import')]
        >>> [(entry.user, entry.action, entry.ref) for entry in store.log(limit=1)]
        [('alice', 'saved', 'cmr@v1')]
        """
        refs.check_texts(user)
        query = self._query()
        if name is None:
            return query.feed(user=user, since=since, limit=limit)
        found = [
            version
            for version in query.log(refs.parse(name).name)
            if (user is None or version.author == user)
            and (since is None or version.created_at >= since)
        ]
        return found if limit is None else found[:limit]

    def du(
        self,
        names: Sequence[str] = (),
        *,
        listener: Listener = ignore,
        stop: StopSignal | None = None,
    ) -> DiskUse:
        """What the store takes on disk and what was saved; `names` are the datasets to list.

        Reads the lists of files of all versions, each of which is downloaded once: some minutes
        for 100,000 versions. Raises `NotFound` (names), `Corrupt` when one of them is damaged.

        >>> use = store.du()
        >>> [(d.name, d.versions, d.logical_bytes) for d in use.datasets], use.trash_bytes
        ([('cmr', 1, 13)], 0)
        """
        return disk_use(self._opened, self._query(), names=names, watch=_watch(listener, stop))

    def verify(
        self,
        targets: Sequence[Word] = (),
        *,
        sample: float | None = None,
        everything: bool = False,
        listener: Listener = ignore,
        stop: StopSignal | None = None,
    ) -> list[VerifyResult]:
        """Read back versions or working copies and compare them with what was saved.

        Without a target: the working copy we are in, else everything. `sample` is a percentage of
        the content to read. A bare word is a version if there is such a dataset; with a `/`, or
        as a `Path`, it is a folder. Raises `Corrupt` when the log or the index is damaged.

        >>> [(result.target, result.ok, result.checked) for result in store.verify(["cmr@v1"])]
        [('cmr@v1', True, 2)]
        """
        if sample is not None and not 0 < sample <= 100:
            raise InvalidInput(f"{sample} is not a percentage", kind="bad_sample")
        watch = _watch(listener, stop)
        if not targets and not everything:
            here = Path.cwd()
            around = next((one for one in (here, *here.parents) if marker.has_marker(one)), None)
            targets, everything = ([around], False) if around else ((), True)
        query = self._query()
        results = [self._verify_one(query, text, sample, watch) for text in targets]
        if everything:
            verify_log(self._opened, watch)
            results.append(
                verify_versions(
                    self._opened,
                    query.every_version(),
                    target=self.url,
                    sample=sample,
                    watch=watch,
                )
            )
        return results

    def _verify_one(
        self, query: CatalogQuery, word: Word, sample: float | None, watch: Watch
    ) -> VerifyResult:
        meant = find_meaning(query, word)
        if isinstance(meant, Version):
            return verify_versions(
                self._opened, [meant], target=meant.ref, sample=sample, watch=watch
            )
        if not marker.has_marker(meant):
            typed = os.fspath(word)
            raise InvalidInput(
                f"{printable(typed)} is not a working copy, so there is nothing to compare it with",
                kind="nothing_to_compare",
                commands=[f"datacat status {shlex.quote(typed)}"],
            )
        return verify_folder(self._opened, meant, ignore=self._ignore, watch=watch)

    def _query(self) -> CatalogQuery:
        return CatalogQuery(self._opened.catalog.sync(), store=self.url)


def _watch(listener: Listener, stop: StopSignal | None) -> Watch:
    return Watch(listener, stop or StopSignal())
