"""Where a pull goes, and what must not be overwritten there."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from datacat.catalog.query import CatalogQuery
from datacat.errors import Failed, Refused
from datacat.manifest import diff
from datacat.model import Change, ChangeKind, Version
from datacat.opened import OpenedStore
from datacat.sql import Workspace
from datacat.text import count_of, printable
from datacat.working_copy import marker
from datacat.working_copy.marker import Marker
from datacat.working_copy.walk import inside_store
from datacat.working_copy.walk_report import refuse_not_utf8

NAMED_MAX = 6
_SIGN = {
    ChangeKind.ADDED: "+",
    ChangeKind.MODIFIED: "~",
    ChangeKind.REMOVED: "-",
    ChangeKind.RENAMED: "+",
}


@dataclass(frozen=True, slots=True)
class Place:
    """The folder of a pull. `marked` is its marker when it is a working copy of this dataset;
    `patterns` are what it shall hold from now on, empty for everything."""

    root: Path
    exists: bool
    marked: Marker | None
    patterns: tuple[str, ...]
    previous: str | None

    @property
    def shown(self) -> str:
        """The folder as a person would type it."""
        relative = os.path.relpath(self.root)
        path = str(self.root) if relative.startswith("..") else os.path.join(".", relative)
        return printable("." if path == "./." else path)

    @property
    def typed(self) -> str:
        """The folder as an argument of a command."""
        return shlex.quote(self.shown)


def choose_place(
    store: OpenedStore,
    query: CatalogQuery,
    version: Version,
    dest: Path | None,
    patterns: tuple[str, ...],
) -> Place:
    """The folder given, else the working copy of this dataset that we are in, else `./NAME`.

    Raises `Failed` when a file is in the way and `Refused` when the folder is a working copy of
    something else.
    """
    root = Path(os.path.abspath(dest)) if dest is not None else _default(store, query, version)
    refuse_not_utf8(root)
    if store.local_path is not None and inside_store(root, store.local_path):
        raise Refused(
            f"{printable(str(root))} is inside the store {printable(str(store.local_path))}",
            kind="inside_store",
            commands=[f"datacat pull {version.ref} -d another-folder"],
        )
    if os.path.lexists(root) and not os.path.isdir(root):
        raise Failed(
            f"{printable(str(root))} is in the way: it is not a folder", kind="not_a_folder"
        )
    marked = marker.read(root) if marker.has_marker(root) else None
    if marked is None:
        return Place(root, os.path.isdir(root), None, patterns, None)
    if not _is_of(store, query, marked, version.name):
        raise Refused(
            f"{printable(str(root))} is a working copy of {marked.ref}; nothing was touched",
            kind="other_copy",
            commands=[f"datacat pull {version.ref} -d another-folder"],
        )
    previous = marked.ref if marked.number != version.number else None
    if not patterns:
        return Place(root, True, marked, (), previous)
    if not marked.partial:
        if previous is not None:
            raise Refused(
                f"{printable(str(root))} holds all of {marked.ref}; a part of {version.ref} would"
                " mix two versions",
                kind="would_mix_versions",
                commands=[
                    f"datacat pull {version.ref}",
                    f"datacat pull {version.ref} {shlex.join(patterns)} -d another-folder",
                ],
            )
        return Place(root, True, marked, (), previous)
    together = tuple(dict.fromkeys((*marked.patterns, *patterns)))
    return Place(root, True, marked, together, previous)


def _default(store: OpenedStore, query: CatalogQuery, version: Version) -> Path:
    here = Path.cwd()
    for folder in (here, *here.parents):
        if marker.has_marker(folder):
            if _is_of(store, query, marker.read(folder), version.name):
                return folder
            break
    return here / version.name


def _is_of(store: OpenedStore, query: CatalogQuery, marked: Marker, name: str) -> bool:
    return marked.store_id == store.info.id and query.current_name(marked.name) == name


def find_local_edits(workspace: Workspace, place: Place, version: Version, *, force: bool) -> None:
    """Make `mine(path)`: what would be overwritten although it is not what was pulled.

    Needs `tree`, `selected`, `to_write`, `to_remove` and, for a working copy, `edits`. Raises
    `Refused` when there is any, unless `force`: then the caller moves them to the backup.
    """
    workspace.execute(
        f"""
        create table mine as
        with changed as ({_CHANGED if place.marked else _ANYTHING}),
        above as (
            select distinct array_to_string(parts[1:depth], '/') as path
            from (select string_split(path, '/') as parts from to_write),
                 unnest(range(1, len(parts))) d(depth)
        )
        select t.path from tree t semi join changed using (path)
        where t.kind <> 'dir' and (
            t.path in (select path from to_write)
            or t.path in (select path from to_remove)
            or t.path in (select path from above)
            or exists (
                select 1 from to_write w
                where w.kind <> 'dir' and starts_with(t.path, w.path || '/')
            )
        )
        """
    )
    (overwritten,) = workspace.row("select count(*) from mine")
    if place.marked is not None:
        if overwritten and not force:
            raise _edited(workspace, place, place.marked, version)
        return
    (others,) = workspace.row(
        "select count(*) from tree t where kind <> 'dir' and not exists"
        " (select 1 from selected s where s.path = t.path)"
    )
    if (overwritten or others) and not force:
        raise _not_empty(workspace, place, version, others, overwritten)


_CHANGED = "select path from edits where change <> 'removed'"
_ANYTHING = "select path from tree"


def _edited(workspace: Workspace, place: Place, marked: Marker, version: Version) -> Refused:
    changes = diff.changes(workspace, "edits", limit=NAMED_MAX)
    (total,) = workspace.row("select count(*) from edits")
    more = f"   … {total - NAMED_MAX:,} more" if total > NAMED_MAX else ""
    return Refused(
        f"{place.shown} has {count_of(total, 'file')} you changed since {marked.ref}; nothing was"
        " touched.",
        kind="local_edits",
        hint="   ".join(map(_line, changes)) + more,
        commands=[
            f"datacat pull {version.ref} -d {version.name}-v{version.number}   (keep both)",
            f"datacat add {place.typed}   (save mine)",
            f"datacat pull {version.ref} -d {place.typed} --force   (discard mine, kept in"
            f" {place.shown}/{marker.DIRECTORY}/{marker.BACKUP})",
        ],
    )


def _line(change: Change) -> str:
    return f"{_SIGN[change.change]} {printable(change.path)}"


def _not_empty(
    workspace: Workspace, place: Place, version: Version, others: int, overwritten: int
) -> Refused:
    which = "mine" if overwritten else "tree anti join selected using (path) where kind <> 'dir'"
    rows = workspace.all(f"select path from {which} order by path limit 3")
    named = ", ".join(printable(row[0]) for row in rows)
    what = (
        f"{count_of(overwritten, 'file')} would be replaced"
        if overwritten
        else f"it holds {count_of(others, 'other file')}"
    )
    return Refused(
        f"{place.shown} is not a working copy of {version.name}: {what} ({named}); nothing was"
        " touched.",
        kind="folder_not_empty",
        commands=[
            f"datacat pull {version.ref} -d another-folder   (keep both)",
            f"datacat pull {version.ref} -d {place.typed} --force   (pull anyway, what is replaced"
            f" is kept in {place.shown}/{marker.DIRECTORY}/{marker.BACKUP})",
        ],
    )
