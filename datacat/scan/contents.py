"""Which files hold the same: by size, then by their first and last block, then by every byte.

Reads as little as decides the question. A file whose size no other has is never opened, nor is one
that an earlier scan read (`known`). Hard links are one file from the beginning on.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from datacat.opened import Watch
from datacat.progress import Advanced, Finished, Started
from datacat.scan.known import Known
from datacat.scan.mounts import may_share_blocks
from datacat.scan.reading import BLOCK_BYTES, SMALL_BYTES, Reader, tasks
from datacat.scan.sharing import place_of
from datacat.sql import Workspace
from datacat.transfer.executor import run_bounded, threads
from datacat.working_copy.walk_report import Collected

KEEP_SECONDS = 20
"""An interrupted scan reads again what it read in this time, at most."""

_PATH_OF = """
    select i.id, d.path || '/'::blob || f.name as path,
        i.size, i.mtime_ns, i.ctime_ns, i.inode, i.device
    from inodes i join files f on f.id = i.id join folders d on d.id = f.folder
"""
_FINGERPRINTS = """
    select inode_id, max(ends) as ends, max(digest) as digest from hashes group by inode_id
"""


@dataclass
class Contents:
    """What reading found out besides the tables: how much was read, and what could not be."""

    read_bytes: int = 0
    changed: Collected = field(default_factory=Collected)
    unreadable: Collected = field(default_factory=Collected)


def number_files(workspace: Workspace) -> None:
    """Make `files` and `inodes` of what was listed.

    `files(id, folder, name, size, inode_id)`: ids go by folder and name, so the first of several
    is the one that comes first in the tree. `inodes(id, device, inode, size, mtime_ns, ctime_ns)`:
    every file that has bytes once, however many names it has; its id is that of its first name.
    """
    workspace.execute(
        """
        create table numbered as
        select row_number() over (order by folder, name) as id, * from listed
        """
    )
    workspace.execute("drop table listed")
    # Where a listing tells no inodes, every name is a file.
    workspace.execute(
        """
        create table inodes as
        select min(id) as id, device, inode, arg_min(size, id) as size,
            arg_min(mtime_ns, id) as mtime_ns, arg_min(ctime_ns, id) as ctime_ns
        from numbered where size > 0
        group by device, inode, case when inode = 0 then id else 0 end
        """
    )
    workspace.execute(
        """
        create table files as
        select n.id, n.folder, n.name, n.size, i.id as inode_id
        from numbered n
        left join inodes i
          on n.size > 0 and n.device = i.device and n.inode = i.inode
         and (n.inode <> 0 or n.id = i.id)
        """
    )
    workspace.execute("drop table numbered")


def to_read_bytes(workspace: Workspace, cache_dir: Path) -> int:
    """How much `find_contents` may have to read, at most."""
    known = Known(workspace, cache_dir)
    known.load()
    (size,) = workspace.row(
        f"""
        select coalesce(sum(i.size), 0)
        from inodes i left join ({_FINGERPRINTS}) h on h.inode_id = i.id
        where h.digest is null
          and i.size in (select size from inodes group by size having count(*) > 1)
        """
    )
    return int(size)


def find_contents(workspace: Workspace, *, cache_dir: Path, jobs: int, watch: Watch) -> Contents:
    """Make `contents(inode_id, size, content, physical)`: what each file of `inodes` holds.

    Files of one `content` hold the same bytes; those of one `physical` hold them in the same place
    on disk. Both are ids of the first such file. A file that changed or could not be read has a
    content of its own.
    """
    known = Known(workspace, cache_dir)
    known.load()
    found = Contents()
    work = _Work(workspace, known, found, jobs=jobs, watch=watch)
    try:
        workspace.execute(
            "create table alike as select size from inodes group by size having count(*) > 1"
        )
        small = f"size <= {SMALL_BYTES}"
        work.read(
            "Comparing ends",
            f"""
            select i.id from inodes i semi join alike using (size)
            left join ({_FINGERPRINTS}) h on h.inode_id = i.id
            where case when {small} then h.digest is null else h.ends is null end
            """,
            whole=False,
        )
        work.read(
            "Reading",
            f"""
            with known as (
                select i.id, i.size, h.ends, h.digest
                from inodes i semi join alike using (size)
                join ({_FINGERPRINTS}) h on h.inode_id = i.id
                where not {small} and h.ends is not null
            )
            select id from known
            semi join (
                select size, ends from known group by size, ends having count(*) > 1
            ) using (size, ends)
            where digest is null
            """,
            whole=True,
        )
    finally:
        known.keep()
    known.finish()
    _decide(workspace)
    _find_shared(workspace, watch)
    return found


class _Work:
    """Reads files on threads, and keeps what it finds out."""

    def __init__(
        self, workspace: Workspace, known: Known, found: Contents, *, jobs: int, watch: Watch
    ) -> None:
        self._workspace = workspace
        self._known = known
        self._found = found
        self._jobs = jobs
        self._watch = watch

    def read(self, phase: str, which: str, *, whole: bool) -> None:
        """Read the inodes that the query `which` names; large files as a whole if `whole`."""
        self._workspace.execute(f"create or replace table to_read as {which}")
        cost = (
            "size"
            if whole
            else f"case when size <= {SMALL_BYTES} then size else {2 * BLOCK_BYTES} end"
        )
        files, size = self._workspace.row(
            f"select count(*), coalesce(sum({cost}), 0) from inodes semi join to_read using (id)"
        )
        if not files:
            return
        self._watch.listener(Started(phase, files_total=files, bytes_total=int(size)))
        rows = self._workspace.rows(
            f"{_PATH_OF} where i.id in (from to_read) order by i.device, i.inode"
        )
        kept = time.monotonic()
        reader = Reader(whole=whole, stop=self._watch.stop)
        with threads(self._jobs) as executor:
            for done in run_bounded(
                executor,
                reader,
                tasks(rows, whole=whole),
                jobs=self._jobs,
                stop=self._watch.stop,
            ):
                self._known.note(done.fingerprints)
                self._found.read_bytes += done.bytes
                self._name(done.changed, self._found.changed)
                self._name(done.unreadable, self._found.unreadable)
                self._watch.listener(Advanced(len(done.fingerprints), done.bytes))
                if time.monotonic() - kept > KEEP_SECONDS:
                    self._known.keep()
                    kept = time.monotonic()
        self._known.keep()
        self._watch.listener(Finished(phase))

    def _name(self, inode_ids: list[int], collected: Collected) -> None:
        if not inode_ids:
            return
        for (path,) in self._workspace.all(
            "select d.path || '/'::blob || f.name from files f join folders d on d.id = f.folder"
            " where f.id in (select unnest($1::bigint[]))",
            [inode_ids],
        ):
            collected.add(os.fsdecode(path))


def _decide(workspace: Workspace) -> None:
    workspace.execute(
        f"""
        create table fingerprints as
        select i.id as inode_id, i.size, h.digest
        from inodes i join ({_FINGERPRINTS}) h on h.inode_id = i.id
        where h.digest is not null
        """
    )
    workspace.execute(
        """
        create table contents as
        with same as (
            select size, digest, min(inode_id) as content
            from fingerprints group by size, digest having count(*) > 1
        ),
        decided as (
            select f.inode_id, s.content from fingerprints f join same s using (size, digest)
        )
        select i.id as inode_id, i.size, coalesce(d.content, i.id) as content, i.id as physical
        from inodes i left join decided d on d.inode_id = i.id
        """
    )
    for table in ("hashes", "fresh", "fingerprints", "alike", "to_read"):
        workspace.execute(f"drop table if exists {table}")


def _find_shared(workspace: Workspace, watch: Watch) -> None:
    """Set `physical` of files that are reflinks of one another."""
    devices = [row[0] for row in workspace.all("select distinct device from inodes")]
    sharing = [device for device in devices if may_share_blocks(device)]
    if not sharing:
        return
    workspace.execute("create table places (inode_id bigint, place blob)")
    rows = workspace.rows(
        f"""
        {_PATH_OF}
        join contents c on c.inode_id = i.id
        where list_contains($1::ubigint[], i.device)
          and c.content in (select content from contents group by content having count(*) > 1)
        order by i.device, i.inode
        """,
        [sharing],
    )
    found: list[tuple[int, bytes]] = []
    for inode_id, path, *_ in rows:
        watch.stop.check()
        try:
            place = place_of(path)
        except OSError:
            continue
        if place is not None:
            found.append((inode_id, place))
    workspace.load("places", found)
    workspace.execute(
        """
        update contents set physical = s.physical
        from (
            select inode_id, min(inode_id) over (partition by content, device, place) as physical
            from places join contents using (inode_id)
            join (select id as inode_id, device from inodes) using (inode_id)
        ) s
        where s.inode_id = contents.inode_id
        """
    )
    workspace.execute("drop table places")
