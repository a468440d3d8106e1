"""The files of one version: listed from memory, read from wherever their chunks lie."""

from __future__ import annotations

import posixpath
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby

from datacat import text
from datacat.catalog.query import CatalogQuery
from datacat.digest import digest_function
from datacat.errors import Corrupt, NotFound
from datacat.inside import used
from datacat.inside.named_content import Named, damaged
from datacat.inside.small_files import Place, SmallFiles
from datacat.manifest.listing import FileListing, ListedFile
from datacat.model import Kind, Version
from datacat.objects.parts import choose_parts, drop_endless
from datacat.opened import OpenedStore
from datacat.sql import Row, Workspace
from datacat.text import printable
from datacat.transfer.chunk_cache import ChunkCache
from datacat.transfer.content import Content, Nothing
from datacat.transfer.located import Located
from datacat.transfer.pieces import make_pieces, piece_columns, piece_of
from datacat.transfer.random_read import content_at
from datacat.working_copy.lookup import attach_index, attach_manifest

TOGETHER_FILES = 1_024
"""Neighbours of a file that are looked up with it: who opens one file opens the next, and a
look-up takes milliseconds however few it is for."""

TOGETHER_BYTES = 256 * 1024 * 1024
"""Of large files fewer at a time: each has many chunks."""

REMEMBERED_WEIGHT = 500_000
"""Chunks whose place is remembered, about 100 bytes each; a file counts as ten of them."""

FILE_WEIGHT = 10
LINKS_MAX = 40
"""More links than this in a row go in a circle: what the operating system says as well."""


class VersionFiles:
    """Everything in one version. Thread-safe, within one process."""

    def __init__(
        self, store: OpenedStore, query: CatalogQuery, version: Version, *, cache: ChunkCache
    ) -> None:
        """Fetch the list of files. Raises `Corrupt` when it is damaged."""
        self.version = version
        self._store = store
        self._cache = cache
        self._lock = threading.Lock()
        self._contents: OrderedDict[bytes, tuple[Content | None, int]] = OrderedDict()
        self._weight = 0
        self.ref = version.ref
        with Workspace() as workspace:
            attach_manifest(store, workspace, query, version, "version_files")
            self.listing = FileListing(workspace, "version_files")
        self._small: SmallFiles | None = None
        if store.backend.capabilities.local:
            self._small = SmallFiles(
                self.listing,
                store.backend,
                self._look_up_small,
                cache=cache,
                digest=digest_function(store.algorithm),
            )

    # Names

    def find(self, path: str) -> ListedFile:
        """What is at `path`, links in it followed. Raises `NotFound` saying what was meant."""
        found = self._followed(path)
        if found is None:
            raise self._absent(path)
        return found

    def look(self, path: str) -> ListedFile:
        """What is at `path` itself, also a link that leads nowhere. Raises `NotFound`."""
        found = self.listing.find(path) or self._followed(path)
        if found is None:
            raise self._absent(path)
        return found

    def _followed(self, path: str) -> ListedFile | None:
        for _ in range(LINKS_MAX):
            found = self.listing.find(path)
            if found is not None and found.kind is not Kind.SYMLINK:
                return found
            link, rest = (found, "") if found is not None else self._link_above(path)
            if link is None:
                return None
            folder = posixpath.dirname(link.path)
            path = posixpath.normpath(posixpath.join(folder, link.target, rest))
            if path.startswith(("/", "../")) or path == "..":
                return None  # it leads out of the version
            path = "" if path == "." else path
        return None

    def _link_above(self, path: str) -> tuple[ListedFile | None, str]:
        """The link among the folders of `path`, if there is one, and what follows it."""
        above = posixpath.dirname(path)
        while above:
            found = self.listing.find(above)
            if found is not None:
                is_link = found.kind is Kind.SYMLINK
                return (found, path[len(above) + 1 :]) if is_link else (None, "")
            above = posixpath.dirname(above)
        return None, ""

    def _absent(self, path: str) -> NotFound:
        folder = posixpath.dirname(path)
        near = self.listing.children(folder) if self.listing.find(folder) else ()
        meant = text.closest(path, (entry.path for entry in near))
        return NotFound(
            f"no file {printable(path)} in {self.ref}",
            kind="file_not_in_version",
            hint=f"Did you mean {printable(meant)}?" if meant else None,
            commands=[f"datacat ls --files {self.ref}"],
        )

    def children(self, folder: str) -> Iterator[ListedFile]:
        """What lies directly in a folder."""
        return self.listing.children(folder)

    # Content

    def content(self, file: ListedFile) -> Content:
        """The content of a file. Raises `Corrupt` naming the file when the store has lost it."""
        content = self._content(file)
        return Named(content, self.ref, file.path) if file.size else content

    def read(self, file: ListedFile) -> bytes:
        """All of a file, with less ado than to open it. Raises as `content` and its `read` do.

        Small files of a store on a drive are brought together, see `small_files`.
        """
        try:
            data = self._small.read(file) if self._small is not None else None
            if data is not None:
                used.tell(self.ref)
                return data
            return self._content(file).read()
        except Corrupt as error:
            raise damaged(self.ref, file.path, error) from error

    def _content(self, file: ListedFile) -> Content:
        used.tell(self.ref)
        if file.kind is not Kind.FILE:
            raise IsADirectoryError(f"{printable(file.path)} in {self.ref} is a folder")
        if file.size == 0:
            return Nothing()
        with self._lock:
            if file.digest not in self._contents:
                self._locate(self._together(file))
            content, _ = self._contents[file.digest]
            self._contents.move_to_end(file.digest)
        if content is None or content.size != file.size:
            lost = Corrupt("its content is not in the store any more", kind="container_missing")
            raise damaged(self.ref, file.path, lost)
        return content

    def _together(self, file: ListedFile) -> Sequence[ListedFile]:
        """The file, and those of its neighbours that are worth looking up with it."""
        chosen, size = [file], file.size
        begin = file.number // TOGETHER_FILES * TOGETHER_FILES
        end = min(begin + TOGETHER_FILES, len(self.listing))
        for number in (*range(file.number + 1, end), *range(begin, file.number)):
            near = self.listing.at(number)
            if near.kind is not Kind.FILE or near.size == 0 or near.digest in self._contents:
                continue
            if size + near.size > TOGETHER_BYTES:
                break
            chosen.append(near)
            size += near.size
        return chosen

    def _locate(self, files: Sequence[ListedFile]) -> None:
        """Look up where the content of `files` lies, with one query for all of them."""
        with self._pieces({(file.digest, file.size) for file in files}) as workspace:
            rows = workspace.rows(
                f"select object, {piece_columns('p')} from pieces p order by object, ordinal"
            )
            for digest, parts in groupby(rows, key=lambda row: row[0]):
                self._remember(digest, parts)
        for file in files:
            if file.digest not in self._contents:
                self._contents[file.digest] = (None, FILE_WEIGHT)
                self._weight += FILE_WEIGHT
        asked = files[0].digest
        self._contents.move_to_end(asked)
        while self._weight > REMEMBERED_WEIGHT and next(iter(self._contents)) != asked:
            _, (_, weight) = self._contents.popitem(last=False)
            self._weight -= weight

    def _look_up_small(self, files: Sequence[ListedFile]) -> Iterator[Place]:
        """Where those of `files` lie that are one chunk, made against nothing."""
        with self._pieces({(file.digest, file.size) for file in files}) as workspace:
            yield from workspace.rows(
                """
                select object, container, "offset", stored_size, codec from pieces
                where parts = 1 and chunk = object and container is not null and r_chunk is null
                """
            )

    @contextmanager
    def _pieces(self, needed: set[tuple[bytes, int]]) -> Iterator[Workspace]:
        """A workspace whose table `pieces` says where content of these digests and sizes lies."""
        query = CatalogQuery(self._store.catalog.sync(), store=self._store.backend.url)
        try:
            with Workspace() as workspace:
                workspace.execute("create table needed (digest blob, size bigint)")
                workspace.load("needed", needed)
                attach_index(self._store, workspace, query, needed=self.version)
                choose_parts(workspace, "needed", into="parts")
                drop_endless(workspace, "needed", parts="parts")
                make_pieces(workspace, "parts", into="pieces")
                yield workspace
        finally:
            # A process that is forked must not find a connection of its parent's.
            self._store.catalog.close()

    def _remember(self, digest: bytes, parts: Iterator[Row]) -> None:
        rows = list(parts)
        if any(row[3] is None for row in rows):
            return  # a chunk of it is nowhere
        located = Located(piece_of(row[1:]) for row in rows)
        content = content_at(
            located,
            backend=self._store.backend,
            cache=self._cache,
            digest=digest_function(self._store.algorithm),
            jobs=self._store.client.jobs,
        )
        self._contents[digest] = (content, len(located) + FILE_WEIGHT)
        self._weight += len(located) + FILE_WEIGHT
