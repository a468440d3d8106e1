"""What is derived, made again: the index from packs and containers, packs' own lists from the
index, and lists of files from copies of the same tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from datacat import layout, sql
from datacat.backend import Backend
from datacat.backend.download import StoredFile
from datacat.catalog.query import CatalogQuery
from datacat.copies import working_copies
from datacat.digest import DIGEST_BYTES, checksums, new_hasher
from datacat.errors import Corrupt, DatacatError, StorageMissing
from datacat.manifest import parquet
from datacat.manifest.entry import tree_digest
from datacat.model import Version
from datacat.objects.index import (
    CHUNK_COLUMNS,
    CHUNKS_DDL,
    RECIPE_COLUMNS,
    RECIPES_DDL,
)
from datacat.objects.pack import HEADER_BYTES, PackEntry, assembled, footer_entries
from datacat.opened import OpenedStore, Watch
from datacat.sql import Workspace
from datacat.transfer.executor import run_bounded, threads
from datacat.transfer.journal import ChunkRow, whole_row
from datacat.working_copy import marker
from datacat.working_copy.mark import attach_listing

_READ_BYTES = 4 * 1024 * 1024  # a multiple of the block that a checksum is of


def index_orphans(store: OpenedStore, workspace: Workspace, watch: Watch) -> None:
    """Make `orphaned(…)`, the chunks of all containers that no readable segment speaks of.

    Packs say what they hold; a whole container is read, and is taken if it is what its name says.
    """
    backend = store.backend
    workspace.execute(f"create table orphaned ({CHUNKS_DDL})")
    workspace.execute("create table there (key varchar)")
    workspace.load(
        "there",
        ((one.key,) for place in (layout.PACKS, layout.WHOLE) for one in backend.keys(place)),
    )
    keys = [
        str(row[0])
        for row in workspace.all(
            "select key from there where key not in (select container from chunks)"
            " and key not in (select container from barred) order by key"
        )
    ]

    def look(key: str) -> list[ChunkRow]:
        watch.stop.check()
        try:
            return list(_rows(backend, key, store.algorithm))
        except (Corrupt, StorageMissing, ValueError):
            return []

    jobs = store.client.jobs
    with threads(jobs) as executor:
        for rows in run_bounded(executor, look, keys, jobs=jobs, stop=watch.stop):
            workspace.load("orphaned", rows)


def _rows(backend: Backend, key: str, algorithm: str) -> Iterator[ChunkRow]:
    found = backend.stat(key)
    if found is None:
        return
    if not layout.is_whole(key):
        for batch in footer_entries(backend.read_range, key, size_bytes=found.size_bytes):
            for e in batch:
                yield (
                    e.digest,
                    e.size,
                    key,
                    e.offset,
                    e.stored_size,
                    e.codec,
                    e.reference,
                    e.checksum,
                )
        return
    digest = bytes.fromhex(key.rpartition("/")[2].partition("-")[0])
    hasher, sums, offset = new_hasher(algorithm), [], 0
    while data := backend.read_range(key, offset, _READ_BYTES):
        hasher.update(data)
        sums.append(checksums(data))
        offset += len(data)
    if offset and hasher.digest() == digest:
        yield whole_row(key, digest, offset, b"".join(sums))


def write_orphans(workspace: Workspace, target: Path, *, empty: bool) -> None:
    """Write `orphaned` as a segment, each chunk once; or one that holds nothing."""
    workspace.write_parquet(
        f"""
        select {CHUNK_COLUMNS} from orphaned where not {empty}
        qualify row_number() over (
            partition by digest, reference is null order by container, "offset"
        ) = 1
        order by digest
        """,
        target,
    )


def write_no_recipes(workspace: Workspace, target: Path) -> None:
    """A segment in the place of lost recipes: what was made of several chunks is not known."""
    workspace.execute(f"create or replace temp table no_recipes ({RECIPES_DDL})")
    workspace.write_parquet(f"select {RECIPE_COLUMNS} from no_recipes", target)


def list_again(store: OpenedStore, workspace: Workspace, key: str) -> bytes | None:
    """The bytes of a pack with its list as the index has it, None when the index has not all."""
    rows = workspace.all(
        'select distinct digest, "offset", stored_size, size, codec, checksums, reference'
        ' from usable where container = $1 order by "offset"',
        [key],
    )
    entries = [PackEntry(*row) for row in rows]
    end = HEADER_BYTES
    for entry in entries:
        if entry.offset != end:
            return None
        end += entry.stored_size
    digest_bytes = DIGEST_BYTES[store.algorithm]
    frames = store.backend.read_range(key, HEADER_BYTES, end - HEADER_BYTES)
    if len(frames) != end - HEADER_BYTES:
        return None
    return assembled(frames, entries, digest_bytes=digest_bytes)


def same_tree(
    store: OpenedStore, query: CatalogQuery, version: Version, folder: Path
) -> tuple[Path, str] | None:
    """A list of files that names the tree of `version`, and where it was found.

    Another version with the same content, or a working copy of it.
    """
    target = folder / f"{version.hash}-again.parquet"
    for twin in query.every_version():
        if twin.hash != version.hash or twin.ref == version.ref:
            continue
        file = query.manifest_of(twin)
        with Workspace() as workspace:
            try:
                found = parquet.fetch(
                    store.backend,
                    workspace,
                    StoredFile(file.key, file.size, file.digest),
                    folder,
                    tree=version.hash,
                    algorithm=store.algorithm,
                )
            except DatacatError:
                continue
            return found, f"the list of {twin.ref}"
    for copy in working_copies(store, query):
        if copy.ref != version.ref or copy.partial or copy.host != store.client.host:
            continue
        root = Path(copy.path or "/")
        try:
            marked = marker.read(root)
            with Workspace() as workspace:
                attach_listing(workspace, root, marked, "listed")
                if (
                    tree_digest(workspace, "listed", algorithm=store.algorithm).hex()
                    == version.hash
                ):
                    parquet.write(workspace, "listed", target)
                    parquet.check_manifest(workspace, target, target.name)
                    return target, f"{copy.user}'s working copy {copy.place}"
        except (DatacatError, OSError, sql.Error):
            continue
    return None
