"""What workers in other processes do for an add: look at files, and store what turned out new.

Each call is whole in itself: it is told everything, keeps nothing, and can be made again elsewhere
when its worker died. INV names: each call takes a random session id of its own, so a name that a
dead worker left behind is never used a second time.
"""

from __future__ import annotations

import itertools
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from datacat.backend import Backend
from datacat.backend.open import open_backend
from datacat.digest import digest_function, new_hasher
from datacat.errors import Refused
from datacat.model import Parameters
from datacat.objects.chunker import Chunker
from datacat.objects.codec import Encoder
from datacat.progress import StopSignal, ignore
from datacat.providers import open_provider
from datacat.transfer.arrangement import Arrangement, Arranger
from datacat.transfer.executor import threads
from datacat.transfer.files import ENDLESS, Files, LocalFiles
from datacat.transfer.journal import ChunkRow, Journal
from datacat.transfer.packing import Packing
from datacat.transfer.provider_files import ProviderFiles
from datacat.transfer.reading import ATTEMPTS, ChangedWhileReadingError, SourceFile, changed
from datacat.transfer.tree import IN_MEMORY_BYTES, HashedRow, hashed_row
from datacat.transfer.whole import WholeContainers

SECTION_BYTES = 16 * 1024 * 1024

Span = tuple[int, int, bytes]
"""offset, size, digest."""


def program() -> str:
    """The version of this process's datacat, which is above us in the layers."""
    return str(sys.modules["datacat"].__version__)


@dataclass(frozen=True)
class Assignment:
    """What every call of one add is told. The place to read from is never shown: workers log what
    they are given."""

    program: str
    root: str | None = field(repr=False)
    url: str | None = field(repr=False)
    alone: str = field(repr=False)
    store: str
    options: tuple[tuple[str, str], ...] = field(repr=False)
    parameters: Parameters
    arrangement: Arrangement

    def check(self) -> None:
        """Raise `Refused` when this worker has another datacat: it may cut or store otherwise."""
        here = program()
        if self.program != here:
            raise Refused(
                f"a worker has datacat {here}, and this is {self.program}",
                kind="worker_version",
                hint="Install the same version on all workers, then run the same again.",
            )

    def files(self) -> Files:
        if self.url is None:
            return LocalFiles(self.root or "")
        files = _provided(self.url)
        files.alone = self.alone
        return files


@dataclass
class Looked:
    """What a file holds. `spans` of a file that is to be kept whole are none."""

    source: SourceFile
    row: HashedRow
    spans: list[Span]


@dataclass(frozen=True)
class Wanted:
    """New pieces of one file, in order; without any the file is to be kept whole."""

    source: SourceFile
    digest: bytes
    spans: list[Span]


@lru_cache(maxsize=8)
def _provided(url: str) -> ProviderFiles:
    return ProviderFiles(open_provider(url))


@lru_cache(maxsize=8)
def _backend(url: str, options: tuple[tuple[str, str], ...]) -> Backend:
    return open_backend(url, dict(options))


def look(job: Assignment, sources: Sequence[SourceFile]) -> list[Looked]:
    """Read files, hash them, and find where they are to be cut. Stores nothing."""
    job.check()
    files, stop = job.files(), StopSignal()
    backend = _backend(job.store, job.options)
    arranger = Arranger(backend, job.parameters, job.arrangement)
    found: list[Looked] = []
    small = [source for source in sources if source.size_bytes <= IN_MEMORY_BYTES]
    large = [source for source in sources if source.size_bytes > IN_MEMORY_BYTES]
    digest_of = digest_function(job.parameters.digest)
    chunker = Chunker(job.parameters)
    began_ns = time.time_ns()
    with files.reading(small, limit=IN_MEMORY_BYTES, stop=stop) as read:
        for source, data, seen in read:
            if data is None:
                large.append(source)
                continue
            digest = digest_of(data)
            row = hashed_row(source.path, seen, digest, began_ns)
            spans: list[Span] = [(0, len(data), digest)]
            if len(data) >= job.parameters.small_bytes:
                kind = os.path.splitext(source.path)[1]
                content = data
                if arranger.is_chunked(
                    kind,
                    len(data),
                    edited=False,
                    read=lambda o, n, content=content: content[o : o + n],  # type: ignore[misc]
                ):
                    view = memoryview(data)
                    ends = chunker.cut(view, final=True)
                    begins = itertools.chain((0,), ends)
                    spans = [
                        (begin, end - begin, digest_of(view[begin:end]))  # type: ignore[arg-type]
                        for begin, end in zip(begins, ends, strict=False)
                    ]
                    if len(spans) == 1:
                        spans = [(0, len(data), digest)]
                else:
                    spans = []
            found.append(Looked(source, row, spans))
    found += [_look_large(job, files, source, arranger, chunker) for source in large]
    return found


def _look_large(
    job: Assignment, files: Files, source: SourceFile, arranger: Arranger, chunker: Chunker
) -> Looked:
    digest_of, stop = digest_function(job.parameters.digest), StopSignal()
    for _ in range(ATTEMPTS):
        began_ns = time.time_ns()
        try:
            with files.opened(source, stop=stop) as file:
                size = ENDLESS if file.size_bytes is None else file.size_bytes
                kind = os.path.splitext(source.path)[1]
                chunked = arranger.is_chunked(kind, size, edited=False, read=file.sample)
                hasher = new_hasher(job.parameters.digest)
                spans: list[Span] = []
                pending = memoryview(b"")
                position = start = 0
                final = False
                while not final:
                    buffer = memoryview(bytearray(len(pending) + SECTION_BYTES))
                    buffer[: len(pending)] = pending
                    got = file.read_into(buffer[len(pending) :], position)
                    position += got
                    final = got < SECTION_BYTES or position > size
                    data = buffer[: len(pending) + got]
                    hasher.update(data[len(pending) :])
                    ends = chunker.cut(data, final=final) if chunked else [len(data)]
                    begin = 0
                    for end in ends if chunked else ():
                        piece = digest_of(data[begin:end])  # type: ignore[arg-type]
                        spans.append((start + begin, end - begin, piece))
                        begin = end
                    done = ends[-1] if ends else 0
                    pending = data[done:]
                    start += done
                seen = file.seen(position)
                if seen is None:
                    continue
                row = hashed_row(source.path, seen, hasher.digest(), began_ns)
                return Looked(source, row, spans)
        except ChangedWhileReadingError:
            continue
    raise changed(source.path)


def store(job: Assignment, wanted: Sequence[Wanted]) -> list[ChunkRow]:
    """Read the new pieces again, compare them with their digests (INV stored = hashed), compress
    and upload them. Everything is durable and visible when it returns: the rows of the index."""
    job.check()
    files, stop = job.files(), StopSignal()
    backend = _backend(job.store, job.options)
    session = secrets.token_hex(16)
    digest_of = digest_function(job.parameters.digest)
    encoder = Encoder(job.parameters.zstd_level)
    rows: list[ChunkRow] = []
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal.begin(Path(folder), session)
        packing = Packing(backend, job.parameters, session, journal)
        whole = WholeContainers(
            backend,
            algorithm=job.parameters.digest,
            session=session,
            journal=journal,
            listener=ignore,
            stop=stop,
        )
        try:
            for one in wanted:
                path = one.source.path
                try:
                    with files.opened(one.source, stop=stop) as file:
                        if not one.spans:
                            with backend.stage() as staged:
                                size = one.source.size_bytes
                                copied = whole.copy(file, staged, path, limit=size)
                                if copied.digest != one.digest:
                                    raise changed(path)
                                rows.append(whole.publish(copied))
                            continue
                        for some in _steps(one.spans):
                            pieces: list[bytes | memoryview] = []
                            for offset, size, digest in some:
                                buffer = memoryview(bytearray(size))
                                got = file.read_into(buffer, offset)
                                if got != size or digest_of(buffer) != digest:  # type: ignore[arg-type]
                                    raise changed(path)
                                pieces.append(buffer)
                            kind = os.path.splitext(path)[1]
                            frames = encoder.encode_many([(piece, kind) for piece in pieces])
                            with packing.borrow() as pack:
                                for (_, size, digest), (codec, frame) in zip(
                                    some, frames, strict=True
                                ):
                                    pack.append(digest, frame, size=size, codec=codec)
                except ChangedWhileReadingError:
                    raise changed(path) from None
            with threads(1) as executor:
                packing.finish(executor, jobs=1, stop=stop)
        except BaseException:
            packing.discard()
            raise
        finally:
            journal.close()
        backend.sync()
    return rows + packing.take_rows()


def _steps(spans: Sequence[Span]) -> list[list[Span]]:
    """Pieces in groups that fit in memory."""
    steps: list[list[Span]] = [[]]
    size = 0
    for span in spans:
        if size + span[1] > SECTION_BYTES and steps[-1]:
            steps.append([])
            size = 0
        steps[-1].append(span)
        size += span[1]
    return steps
