"""What is known about a folder's files since they were last hashed: one Parquet file per tree.

A digest is trusted only while size, mtime, ctime and inode are the same, and only if mtime and
ctime were more than 2 s old when the file was hashed: a change within one tick of a coarse clock
(FAT counts in 2 s) would leave no trace. The file is disposable: damaged, foreign or of another
digest algorithm, it is as good as empty.

Source of the rule: Git's "racy" index entries (Documentation/technical/racy-git.txt).
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from datacat import sql
from datacat.digest import digest_of
from datacat.errors import Corrupt, Failed, StorageDenied, StorageFull
from datacat.sql import Workspace
from datacat.working_copy.marker import DIRECTORY, has_marker

FILE = "stat_cache.parquet"
RACY_NS = 2_000_000_000
"""The coarsest clock of a file system in use."""

COLUMNS = (
    "path varchar, size bigint, mtime_ns bigint, ctime_ns bigint, inode ubigint,"
    " digest blob, hashed_ns bigint"
)
"""The columns of the table `stat_cache`; `hashed_ns` is when hashing the file began."""

_NAMES = "path, size, mtime_ns, ctime_ns, inode, digest, hashed_ns"
# Guards a row against flipped bits: Parquet as DuckDB writes it has no checksums of its own.
# `hash` may change with DuckDB's version, and then the cache is empty once.
_CHECK = f"hash({_NAMES}, algorithm)"


def location(root: Path, *, cache_dir: Path, store_id: str) -> Path:
    """Where the cache of `root` lies: in its `.datacat/`, else below the user's cache folder."""
    if has_marker(root):
        return root / DIRECTORY / FILE
    real = os.fsencode(os.path.realpath(root))
    return cache_dir / store_id / "trees" / f"{digest_of('xxh3-128', real).hex()}.parquet"


def load_into(workspace: Workspace, file: Path, *, algorithm: str) -> int:
    """Create the table `stat_cache` from `file` and return its number of rows.

    A missing, damaged or foreign file gives an empty table, never an error.
    """
    workspace.execute("drop table if exists stat_cache")
    if file.is_file():
        try:
            workspace.execute(
                f"create table stat_cache as select {_typed()} from {sql.parquet(file)}"
                f" where algorithm = $1 and row_check = {_CHECK}",
                [algorithm],
            )
            return int(workspace.row("select count(*) from stat_cache")[0])
        except (sql.Error, Corrupt, Failed):
            workspace.execute("drop table if exists stat_cache")
    workspace.execute(f"create table stat_cache ({COLUMNS})")
    return 0


def known_digests(tree: str) -> str:
    """A query for `(path, digest)` of the files of table `tree` whose digest can be trusted.

    `tree` has the columns of `walk.COLUMNS`; the table `stat_cache` must be loaded. Join its
    result, or `update tree set digest = known.digest from (...) known where ...`.
    """
    return f"""
        select tree.path as path, stat_cache.digest as digest
        from {sql.identifier(tree)} as tree
        join stat_cache
          on tree.path = stat_cache.path
         and tree.size = stat_cache.size
         and tree.mtime_ns = stat_cache.mtime_ns
         and tree.ctime_ns = stat_cache.ctime_ns
         and tree.inode = stat_cache.inode
        where tree.kind = 'file'
          and stat_cache.mtime_ns < stat_cache.hashed_ns - {RACY_NS}
          and stat_cache.ctime_ns < stat_cache.hashed_ns - {RACY_NS}
    """


def save(workspace: Workspace, query: str, file: Path, *, algorithm: str) -> None:
    """Replace `file` by the rows of `query`, which has the columns of `COLUMNS` by name.

    Raises `StorageFull` and `StorageDenied`. The old file stays until the new one is complete.
    """
    temporary = file.with_name(f".{file.name}-{secrets.token_hex(8)}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        workspace.write_parquet(
            f"select *, {_CHECK} as row_check from (select {_typed()},"
            f" {sql.literal(algorithm)} as algorithm from ({query})) order by path",
            temporary,
        )
        os.replace(temporary, file)
    except PermissionError as error:
        raise StorageDenied(f"cannot write {file}: permission denied") from error
    except (OSError, sql.Error) as error:
        if "No space left" in str(error) or "quota" in str(error).lower():
            raise StorageFull(f"no space left for {file}") from error
        if "Permission denied" in str(error):
            raise StorageDenied(f"cannot write {file}: permission denied") from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _typed() -> str:
    """The columns with their types, so that a file with others is refused, not converted later."""
    return ", ".join(
        f"cast({name} as {kind}) as {name}"
        for name, kind in (column.split() for column in COLUMNS.split(","))
    )
