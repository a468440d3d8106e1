"""What a version will hold: the folder's entries, and those that a partial copy leaves alone."""

from __future__ import annotations

from datacat.catalog.query import CatalogQuery
from datacat.errors import Failed
from datacat.manifest.entry import COLUMNS, DDL, tree_digest
from datacat.opened import OpenedStore
from datacat.sql import Workspace
from datacat.text import printable
from datacat.working_copy.lookup import attach_manifest
from datacat.working_copy.mark import attach_listing
from datacat.working_copy.safe_path import check_entries
from datacat.working_copy.scan import Scanned
from datacat.working_copy.target import Target


def keep_unpulled(
    store: OpenedStore,
    workspace: Workspace,
    query: CatalogQuery,
    scanned: Scanned,
    *,
    target: Target,
    path: str,
    only_here: bool,
) -> int:
    """Make `kept`: entries of the base that a partial copy does not hold and leaves alone.

    Returns how many of them are files. Raises `Failed` when the base is gone, or the version would
    hold nothing. `path` is how the folder was spelled.
    """
    workspace.execute(f"create table kept ({DDL})")
    marked, base = scanned.marker, target.base
    root = scanned.root
    if (
        root is not None
        and marked is not None
        and marked.partial
        and not only_here
        and base is not None
    ):
        if target.gone:
            raise Failed(
                f"{printable(path)} is a part of {base.ref}, which is gone for good with the"
                " files that you did not pull",
                kind="base_gone",
                hint="Add what is here to a copy of the newest version, or save it alone:"
                " --only-here.",
            )
        attach_manifest(store, workspace, query, base, "base_files")
        attach_listing(workspace, root, marked, "pulled_files")
        workspace.execute(
            f"""
            insert into kept select {COLUMNS} from base_files
            where path not in (select path from pulled_files)
              and path not in (select path from tree)
            """
        )
    kept, files, found = workspace.row(
        """
        select (select count(*) from kept), (select count(*) from kept where kind = 'file'),
               (select count(*) from tree)
        """
    )
    if not kept + found:
        raise Failed(f"{printable(scanned.place)} holds nothing to save", kind="nothing_to_save")
    return int(files)


def make_entries(workspace: Workspace, *, algorithm: str) -> bytes:
    """Make `entries` of `tree` and `kept`: all that the version will hold.

    Returns its tree digest. Raises `Failed` for paths that no folder could hold together.
    """
    workspace.execute(
        f"create table entries as select {COLUMNS} from tree union all select {COLUMNS} from kept"
    )
    # A folder that is empty here may hold files that were not pulled, and the other way round.
    workspace.execute(
        """
        delete from entries where kind = 'dir' and path in (
            select array_to_string(parts[1:depth], '/')
            from (
                select string_split(path, '/') as parts from entries
                where exists (from kept)
            ), unnest(range(1, len(parts))) d(depth)
        )
        """
    )
    check_entries(workspace, "entries", listing="the folder", error=Failed)
    return tree_digest(workspace, "entries", algorithm=algorithm)


def repeated_bytes(workspace: Workspace) -> int:
    """What files of `entries` take whose content another one has too."""
    (repeated,) = workspace.row(
        """
        select (sum(size) - (select sum(size) from (select distinct digest, size from entries
                where kind = 'file')))::bigint
        from entries where kind = 'file'
        """
    )
    return int(repeated or 0)
