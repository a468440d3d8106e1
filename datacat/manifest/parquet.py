"""Manifests as Parquet files: written sorted by path, read back only after they were checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from datacat import sql
from datacat.backend import Backend
from datacat.backend.download import StoredFile, fetched
from datacat.errors import Corrupt, Failed
from datacat.manifest.entry import COLUMNS, DDL, tree_digest
from datacat.sql import Workspace


def write(workspace: Workspace, relation: str, target: Path) -> None:
    """Write the entries of `relation` to `target`, sorted by path."""
    workspace.write_parquet(
        f"select {COLUMNS} from {sql.identifier(relation)} order by path", target
    )


def fetch(
    backend: Backend,
    workspace: Workspace,
    stored: StoredFile,
    folder: Path,
    *,
    tree: str,
    algorithm: str,
) -> Path:
    """The local copy of a manifest, in the cache folder `folder`.

    `tree` is its tree digest in hex. Raises `Corrupt` naming it when it is missing, damaged, holds
    impossible entries or lists another tree.
    """

    def check(path: Path) -> None:
        check_manifest(workspace, path, stored.key)
        attach(workspace, path, "arriving")
        check_tree(workspace, "arriving", key=stored.key, tree=tree, algorithm=algorithm)
        workspace.execute("drop view arriving")

    name = stored.key.rpartition("/")[2]
    return fetched(backend, stored, folder / name, check=check)


def attach(workspace: Workspace, path: Path, view: str) -> None:
    """Make `view` in `workspace` show the entries of the manifest at `path`."""
    workspace.execute(
        f"create or replace view {sql.identifier(view)} as"
        f" select {COLUMNS} from {sql.parquet(path)}"
    )


def check_tree(workspace: Workspace, relation: str, *, key: str, tree: str, algorithm: str) -> None:
    """Raise `Corrupt` naming the manifest `key` unless its entries in `relation` have the tree
    digest `tree`."""
    if tree_digest(workspace, relation, algorithm=algorithm).hex() != tree:
        raise _damaged(key, f"it lists other files than its hash {tree[:12]} names")


def check_manifest(workspace: Workspace, path: Path, key: str) -> None:
    """Raise `Corrupt` naming `key` unless the file is a manifest that could have been saved."""
    expected = [tuple(column.split()) for column in DDL.split(",")]
    source = sql.parquet(path)
    try:
        described = workspace.all(f"describe select * from {source}")
        fits = [(str(row[0]), str(row[1]).lower()) for row in described] == expected
        # Every column is read, so that a page which cannot be is noticed here, with the name.
        looked = f"""
            select count(*) filter (coalesce(not ({_RULE}), true)),
                   count(*) - count(distinct path),
                   coalesce(sum(size), 0) > {BYTES_MAX},
                   max(hash(s))
            from {source} s
        """
        bad, twice, too_large, _ = workspace.row(looked) if fits else (0, 0, False, None)
    except (sql.Error, Corrupt) as error:
        raise _damaged(key, "it cannot be read") from error
    if not fits:
        raise _damaged(key, "it does not have the columns of a manifest")
    if bad or twice or too_large:
        raise _damaged(key, f"it holds {bad + twice or 'too many'} impossible entries")


def check_manifests(workspace: Workspace, keys: Mapping[Path, str]) -> None:
    """As `check_manifest` for many files, each with its key: together it costs a tenth of that."""
    try:
        intact = _are_intact(workspace, list(keys))
    except (sql.Error, Corrupt, Failed):
        intact = False
    if not intact:
        # One of them is damaged: look at each, to name it.
        for path, key in keys.items():
            check_manifest(workspace, path, key)


def _are_intact(workspace: Workspace, paths: list[Path]) -> bool:
    names = ", ".join(sql.literal(sql.path_pattern(path)) for path in paths)
    expected = [list(column.split()) for column in DDL.split(",")]
    described = workspace.all(
        f"""
        select list([name, lower(duckdb_type)] order by column_id)
        from parquet_schema([{names}]) where duckdb_type is not null
        group by file_name
        """
    )
    if len(described) != len(paths) or any(row[0] != expected for row in described):
        return False
    (bad,) = workspace.row(
        f"""
        select count(*) from (
            select count(*) filter (coalesce(not ({_RULE}), true)) as bad,
                   count(*) - count(distinct path) as twice,
                   coalesce(sum(size), 0) > {BYTES_MAX} as too_large,
                   max(hash(s)) as looked
            from {sql.parquet(paths)} s group by filename
        )
        where bad > 0 or twice > 0 or too_large or looked is null
        """
    )
    return int(bad) == 0


def _damaged(key: str, why: str) -> Corrupt:
    return Corrupt(f"{key} is damaged: {why}", kind="manifest_damaged")


BYTES_MAX = 1 << 62
"""More than this is no version: sums of sizes stay in 64 bits."""

_RULE = """
    path <> '' and octet_length(encode(path)) <= 65536
    and size >= 0 and mtime_ns is not null and executable is not null
    and case kind
        when 'file' then octet_length(digest) in (16, 32) and target is null
        when 'symlink'
        then digest is null and octet_length(encode(target)) <= 65536
            and not executable
        when 'dir' then digest is null and target is null and size = 0 and not executable
        else false
    end
"""
