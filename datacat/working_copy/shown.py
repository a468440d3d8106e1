"""What `show` tells about a dataset or version, and `ls` about who uses them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from datacat.catalog.best import best_metrics, best_runs
from datacat.catalog.query import CatalogQuery
from datacat.copies import working_copies
from datacat.model import Contents, Copy, Dataset, Shown, Version
from datacat.opened import OpenedStore
from datacat.progress import StopSignal
from datacat.refs import Ref
from datacat.sql import Workspace
from datacat.transfer.executor import threads
from datacat.transfer.fetch import Fetch
from datacat.transfer.sink import Sink, Wanted, want
from datacat.working_copy.copying import check
from datacat.working_copy.lookup import attach_index, attach_manifest
from datacat.working_copy.registering import found_here

CONTENTS_KINDS_MAX = 8
README_BYTES_MAX = 256 * 1024
"""A longer README is a document of its own: it is not shown."""

_README = "regexp_full_match(lower(path), 'readme(\\.md|\\.txt|\\.rst)?')"


def describe(
    store: OpenedStore, query: CatalogQuery, ref: Ref, *, versions: int | None, readme: bool
) -> Shown:
    """`Shown` for what `ref` means. Raises `NotFound`, `Corrupt`."""
    version = query.resolve(ref)
    history = query.versions(version.name)
    number = None if ref.is_latest else version.number
    with Workspace() as workspace:
        attach_manifest(store, workspace, query, version, "version_files")
        contents = workspace.all(
            f"""
            select coalesce(nullif(regexp_extract(lower(path),
                       '[^/]((\\.[a-z0-9]{{1,8}})?\\.(gz|bz2|xz|zst)|\\.[a-z0-9]{{1,8}})$', 1), ''),
                       'other') as suffix,
                   count(*), sum(size)::bigint,
                   if(count(*) = 1, regexp_extract(any_value(path), '[^/]+$'), null)
            from version_files where kind = 'file' group by 1
            order by 3 desc, 1 limit {CONTENTS_KINDS_MAX}
            """
        )
        text = _readme(store, workspace, query, version) if readme else None
    copies = [copy for copy in _copies(store, query) if copy.name == version.name]
    return Shown(
        dataset=replace(query.dataset(version.name), in_use_by=_users(copies)),
        version=version,
        one_version=not ref.is_latest,
        version_list=tuple(history if versions is None else history[:versions]),
        contents=tuple(Contents(*row) for row in contents),
        used_by=tuple(query.used_by(version.name, number=number)),
        readme=text,
        in_use=tuple(copy for copy in copies if number in (None, copy.version)),
        best=tuple(best_metrics(version, best_runs(history))),
    )


def with_users(
    store: OpenedStore, query: CatalogQuery, datasets: Iterable[Dataset]
) -> tuple[Dataset, ...]:
    """`datasets` with who has working copies of each, by name."""
    copies: dict[str, list[Copy]] = {}
    for copy in _copies(store, query):
        copies.setdefault(copy.name, []).append(copy)
    return tuple(replace(one, in_use_by=_users(copies.get(one.name, ()))) for one in datasets)


def by_use(
    store: OpenedStore, query: CatalogQuery, datasets: Iterable[Dataset], *, descending: bool
) -> tuple[Dataset, ...]:
    """`datasets` by when somebody's working copy was seen last; those of nobody are the oldest."""
    last: dict[str, datetime] = {}
    for copy in working_copies(store, query):  # those seen last come first
        last.setdefault(copy.name, copy.last_seen)
    never = datetime.min.replace(tzinfo=UTC)
    return tuple(sorted(datasets, key=lambda one: last.get(one.name, never), reverse=descending))


def _copies(store: OpenedStore, query: CatalogQuery) -> list[Copy]:
    """Those seen last first, and behind them those of which we know that they are gone."""
    found = found_here(store, working_copies(store, query))
    return sorted(found, key=lambda copy: copy.gone)


def _users(copies: Iterable[Copy]) -> tuple[str, ...]:
    return tuple(sorted({copy.user for copy in copies if copy.user and not copy.gone}))


def _readme(
    store: OpenedStore, workspace: Workspace, query: CatalogQuery, version: Version
) -> str | None:
    """The text of the README at the top of a version, if there is one of a sensible size."""
    want(
        workspace,
        f"""
        select * from version_files
        where kind = 'file' and {_README} and size between 1 and {README_BYTES_MAX}
        order by path limit 1
        """,
    )
    attach_index(store, workspace, query, needed=version)
    sink, stop = _Text(), StopSignal()
    fetch = Fetch(
        store.backend, workspace=workspace, algorithm=store.algorithm, sink=sink, stop=stop
    )
    fetch.plan()
    with threads(1) as executor:
        fetch.run(executor, jobs=1, done=lambda _files, _size: None)
    return sink.text


class _Text(Sink):
    """A sink for one small text."""

    def __init__(self) -> None:
        self.text: str | None = None

    def write(self, wanted: Wanted, parts: Iterator[bytes | memoryview]) -> None:  # noqa: ARG002
        """Keep the content as text."""
        self.text = b"".join(parts).decode("utf-8", "replace")

    def place(self, wanted: Wanted, source: Path, sums: bytes) -> None:
        """Read a whole container, compared with its checksums."""
        with source.open("rb") as file:
            check(file.fileno(), size=wanted.size, checksums=sums)
            self.text = file.read().decode("utf-8", "replace")
