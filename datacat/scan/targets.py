"""The files of a group that can be replaced, each with what holds the same."""

from __future__ import annotations

import os
from collections.abc import Iterator

from datacat import layout
from datacat.catalog.query import CatalogQuery
from datacat.model import CopyGroup, GroupKind, Version
from datacat.opened import OpenedStore
from datacat.scan.exchange import Target
from datacat.sql import Workspace
from datacat.working_copy.lookup import attach_index, attach_manifest


class Targets:
    """The files to replace, in the table `targets`: may be iterated over several times."""

    def __init__(self, workspace: Workspace, store: OpenedStore) -> None:
        self._workspace = workspace
        self._store = store
        files, size = workspace.row("select count(*), coalesce(sum(size), 0) from targets")
        self.total = int(files), int(size)

    def __iter__(self) -> Iterator[Target]:
        rows = self._workspace.rows(
            "select path, size, mtime_ns, ctime_ns, inode, device, source, container from targets"
            " order by path"
        )
        for row in rows:
            yield Target._make((*row[:-1], self._path_of(row[-1])))

    def _path_of(self, key: str | None) -> str | None:
        path = None if key is None else self._store.backend.path_of(key)
        # A symbolic link with a relative path would lead elsewhere.
        return None if path is None else os.path.abspath(path)

    def kept_as(self, target: Target) -> dict[str, str | None]:
        """The key of the container of a target, and the digest that is its name."""
        local = self._store.local_path
        if target.container is None or local is None:
            return {"container": None, "digest": None}
        key = os.path.relpath(target.container, local).replace(os.sep, "/")
        return {"container": key, "digest": key.rpartition("/")[2].partition("-")[0]}


def find_targets(
    workspace: Workspace, store: OpenedStore, group: CopyGroup, version: Version | None
) -> Targets:
    """Make `targets`: the files of the other copies with a content that the first copy has, and
    that take space of their own.

    `container` is where the store keeps a content of `version` whole, else null.
    """
    first = os.fsencode(group.paths[0].path)
    if group.kind is GroupKind.FOLDER:
        low, high = workspace.row("select id, last from folders where path = $1", [first])
        _of_folders(workspace, low, high)
    else:
        _of_files(workspace, first)
    workspace.execute("create table containers (content bigint, container varchar)")
    if version is not None and store.local_path is not None:
        _find_containers(workspace, store, version, first, is_folder=group.kind is GroupKind.FOLDER)
    workspace.execute(
        """
        create table targets as
        select d.path || '/'::blob || f.name as path, i.size, i.mtime_ns, i.ctime_ns,
            i.inode, i.device, s.path as source, k.container
        from chosen t
        join files f on f.id = t.id
        join folders d on d.id = f.folder
        join contents c using (inode_id)
        join inodes i on i.id = c.inode_id
        join sources s on s.content = c.content
        left join containers k on k.content = c.content
        where c.physical <> s.physical
        """
    )
    return Targets(workspace, store)


_SOURCES = """
    create table sources as
    select c.content, arg_min(c.physical, f.id) as physical,
        arg_min(d.path || '/'::blob || f.name, f.id) as path
    from files f
    join contents c using (inode_id)
    join folders d on d.id = f.folder
    where {}
    group by c.content
"""


def _of_folders(workspace: Workspace, low: int, high: int) -> None:
    workspace.execute(_SOURCES.format("f.folder between $1 and $2"), [low, high])
    workspace.execute(
        """
        create table chosen as
        select f.id from members m join files f on f.folder between m.folder and m.last
        where m.original = $1
        """,
        [low],
    )


def _of_files(workspace: Workspace, first: bytes) -> None:
    (identity,) = workspace.row(
        "select f.id from files f join folders d on d.id = f.folder"
        " where d.path || '/'::blob || f.name = $1",
        [first],
    )
    workspace.execute(_SOURCES.format("f.id = $1"), [identity])
    workspace.execute(
        "create table chosen as select id from placed"
        " where content = $1 and id <> $1 and member is null",
        [identity],
    )


def _find_containers(
    workspace: Workspace, store: OpenedStore, version: Version, first: bytes, *, is_folder: bool
) -> None:
    """Fill `containers`: what of the first copy lies in the store as a file of its own."""
    query = CatalogQuery(store.catalog.sync(), store=store.backend.url)
    attach_manifest(store, workspace, query, version, "adopted")
    attach_index(store, workspace, query, needed=version)
    # A single file is listed under its own name.
    above = first if is_folder else os.path.dirname(first)
    workspace.execute(
        f"""
        insert into containers
        with whole as (
            select digest, min(container) as container from usable
            where starts_with(container, '{layout.WHOLE}') and "offset" = 0
              and stored_size = size and codec = 'raw' and reference is null
              and starts_with(split_part(container, '/', 3), lower(hex(digest)) || '-')
            group by digest
        )
        select s.content, any_value(w.container)
        from sources s
        join adopted a on s.path = $1 || encode(a.path)
        join whole w on w.digest = a.digest
        where a.kind = 'file' group by s.content
        """,
        [os.path.join(above, b"")],
    )
