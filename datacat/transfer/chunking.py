"""Store content as chunks: cut it, claim what is new, compress that, put it into packs.

A new chunk that lies where the old content of the file had a similar one is compressed against it.
"""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass

from datacat.digest import digest_function, new_hasher
from datacat.errors import Corrupt
from datacat.model import Parameters
from datacat.objects.chunker import Chunker
from datacat.objects.codec import ZSTD, Encoder
from datacat.progress import StopSignal
from datacat.sql import Workspace
from datacat.transfer.alignment import Span, align
from datacat.transfer.claims import Claims
from datacat.transfer.files import OpenFile
from datacat.transfer.old_content import OldChunk, OldContents
from datacat.transfer.packing import Packing
from datacat.transfer.pieces import Piece, PieceReader

SECTION_BYTES = 16 * 1024 * 1024
"""So much of a large file is cut at a time, and stored by one thread."""

AHEAD = 3
"""Sections of one file that wait for their digests while the next is being cut."""

IN_FLIGHT = 8
"""Sections that all files together hold in memory."""


@dataclass(frozen=True, slots=True)
class NewContent:
    """Content in memory that the caller has claimed, and the old content of the same file."""

    digest: bytes
    data: bytes
    kind: str
    old: bytes | None


@dataclass(frozen=True, slots=True)
class _Chunk:
    """A chunk to store, and the old chunk that it may resemble."""

    digest: bytes
    data: bytes | memoryview
    kind: str
    like: Piece | None


@dataclass(frozen=True, slots=True)
class _Section:
    """Chunks that follow each other, the old ones around their place, and what each resembles."""

    data: memoryview
    spans: Sequence[Span]
    kind: str
    old: Sequence[OldChunk]
    like: Sequence[Piece | None]


class Chunking:
    """Stores content as chunks. Thread-safe.

    `helpers` runs the parts of a large file side by side; it must not be the executor whose tasks
    call `store_file`, which wait for it.
    """

    def __init__(
        self,
        workspace: Workspace,
        reader: PieceReader,
        *,
        parameters: Parameters,
        claims: Claims,
        packing: Packing,
        stop: StopSignal,
        helpers: Executor,
    ) -> None:
        self._workspace = workspace
        self._reader = reader
        self._parameters = parameters
        self._digest = digest_function(parameters.digest)
        self._chunker = Chunker(parameters)
        self._claims = claims
        self._packing = packing
        self._stop = stop
        self._helpers = helpers
        self._slots = threading.BoundedSemaphore(IN_FLIGHT)
        self._local = threading.local()
        self._drafts = itertools.count()
        self._old = OldContents(
            workspace,
            reader,
            chunker=self._chunker,
            claims=claims,
            algorithm=parameters.digest,
            stop=stop,
        )
        workspace.execute("create table drafts (draft bigint, ordinal bigint, chunk blob)")

    # Content in memory

    def store_small(self, contents: Sequence[NewContent]) -> None:
        """Store each as one chunk."""
        olds = self._old_chunks(contents)
        self._put(
            [_Chunk(new.digest, new.data, new.kind, _first(olds.get(new.old))) for new in contents]
        )

    def store(self, contents: Sequence[NewContent]) -> None:
        """Cut each, and store the chunks that are new."""
        olds = self._old_chunks(contents)
        cut: list[tuple[bytes, _Section]] = []
        whole: list[_Chunk] = []
        for new in contents:
            self._stop.check()
            old = olds.get(new.old, ())
            spans = self._spans(memoryview(new.data), start=0, final=True)
            like, _ = _like(spans, old, shift=0)
            if len(spans) == 1:
                whole.append(_Chunk(new.digest, new.data, new.kind, like[0]))
            else:
                section = _Section(memoryview(new.data), spans, new.kind, old, like)
                cut.append((new.digest, section))
        self._put([*whole, *self._claimed([section for _, section in cut])])
        self._workspace.load(
            "new_recipes",
            (
                (digest, n, span.digest)
                for digest, section in cut
                for n, span in enumerate(section.spans)
            ),
        )

    def _old_chunks(self, contents: Sequence[NewContent]) -> dict[bytes | None, list[OldChunk]]:
        objects = {new.old for new in contents if new.old is not None}
        return dict(self._old.chunks_of(objects).items()) if objects else {}

    # Large files

    def store_file(
        self,
        file: OpenFile,
        *,
        kind: str,
        old: bytes | None,
        limit: int,
        read: Callable[[int], None],
    ) -> tuple[bytes, int, int]:
        """Store the open file; its digest, its size, and the draft of its recipe for `keep`.

        Ends soon after `limit` bytes: a file to which somebody appends has no end. `read(length)`
        is told of progress. Raises `OSError` of reading.
        """
        if old is not None:
            self._old.cut(old)
        draft = next(self._drafts)
        hasher = new_hasher(self._parameters.digest)
        queue = _Queue(self, draft=draft, kind=kind, old=old)
        try:
            pending = memoryview(b"")
            position = start = 0
            final = False
            while not final:
                self._stop.check()
                queue.make_room()
                buffer = memoryview(bytearray(len(pending) + SECTION_BYTES))
                buffer[: len(pending)] = pending
                got = file.read_into(buffer[len(pending) :], position)
                position += got
                final = got < SECTION_BYTES or position > limit
                read(got)
                data = buffer[: len(pending) + got]
                hasher.update(data[len(pending) :])
                ends = self._chunker.cut(data, final=final)
                done = ends[-1] if ends else 0
                queue.add(data[:done], ends, start)
                pending = data[done:]
                start += done
            queue.finish()
        except BaseException:
            queue.abandon()
            raise
        return hasher.digest(), position, draft

    def keep(self, draft: int, digest: bytes) -> None:
        """The recipe of `draft` is that of the content `digest`, which the caller has claimed."""
        self._workspace.execute(
            "insert into new_recipes select $1::blob, ordinal, chunk from drafts where draft = $2",
            [digest, draft],
        )

    # Sections: chunks that follow each other

    def _spans(self, data: memoryview, *, start: int, final: bool) -> list[Span]:
        return self._named(data, self._chunker.cut(data, final=final), start)

    def _named(self, data: memoryview, ends: Sequence[int], start: int) -> list[Span]:
        begins = itertools.chain((0,), ends)
        return [
            Span(start + begin, end - begin, self._digest(data[begin:end]))  # type: ignore[arg-type]
            for begin, end in zip(begins, ends, strict=False)
        ]

    def _claimed(self, sections: Sequence[_Section]) -> list[_Chunk]:
        """Those chunks of sections that have to be stored."""
        held = {chunk.span.digest for section in sections for chunk in section.old}
        asked = {span.digest for section in sections for span in section.spans} - held
        new = self._claims.take_chunks(list(asked)) if asked else set()
        chunks: list[_Chunk] = []
        for section in sections:
            first = section.spans[0].start
            for span, piece in zip(section.spans, section.like, strict=True):
                if span.digest in new:
                    new.remove(span.digest)  # it may be there twice
                    begin = span.start - first
                    view = section.data[begin : begin + span.size]
                    chunks.append(_Chunk(span.digest, view, section.kind, piece))
        return chunks

    def _put(self, chunks: Sequence[_Chunk]) -> None:
        """Compress chunks and append them to a pack."""
        if not chunks:
            return
        likes = list({chunk.like.digest: chunk.like for chunk in chunks if chunk.like}.values())
        read = self._reader.read(likes) if likes else []
        plain = {
            piece.digest: data
            for piece, data in zip(likes, read, strict=True)
            if not isinstance(data, Corrupt)
        }
        encoder = self._encoder()
        frames: list[tuple[_Chunk, str, bytes | memoryview, bytes | None]] = []
        alone: list[_Chunk] = []
        for chunk in chunks:
            like = chunk.like.digest if chunk.like else b""
            frame = encoder.encode_against(chunk.data, plain[like]) if like in plain else None
            if frame is None:
                alone.append(chunk)
            else:
                frames.append((chunk, ZSTD, frame, like))
        encoded = encoder.encode_many([(chunk.data, chunk.kind) for chunk in alone])
        frames += [(chunk, *stored, None) for chunk, stored in zip(alone, encoded, strict=True)]
        with self._packing.borrow() as pack:
            for chunk, codec, stored, reference in frames:
                pack.append(
                    chunk.digest, stored, size=len(chunk.data), codec=codec, reference=reference
                )

    def _encoder(self) -> Encoder:
        """One for each thread: it learns which kinds of content do not compress."""
        encoder = self._local.__dict__.get("encoder")
        if encoder is None:
            encoder = self._local.encoder = Encoder(self._parameters.zstd_level)
        return encoder


class _Queue:
    """The sections of one large file on their way: digests, then claims in order, then storing."""

    def __init__(self, chunking: Chunking, *, draft: int, kind: str, old: bytes | None) -> None:
        self._chunking = chunking
        self._draft = draft
        self._kind = kind
        self._old = old
        self._ordinal = 0
        self._shift = 0
        self._held = 0
        self._naming: deque[tuple[memoryview, Future[list[Span]]]] = deque()
        self._storing: deque[Future[None]] = deque()

    def make_room(self) -> None:
        """Wait until one more section may be held in memory."""
        while not self._chunking._slots.acquire(blocking=not self._held):
            self._advance()
        self._held += 1

    def add(self, data: memoryview, ends: Sequence[int], start: int) -> None:
        chunking = self._chunking
        named = chunking._helpers.submit(chunking._named, data, ends, start)
        self._naming.append((data, named))
        if len(self._naming) > AHEAD:
            self._claim()

    def finish(self) -> None:
        while self._naming or self._storing:
            self._advance()

    def abandon(self) -> None:
        """Let what is under way come to its end, and give back the room."""
        for _, named in self._naming:
            named.cancel()
        wait([named for _, named in self._naming])
        wait(self._storing)
        for _ in range(self._held):
            self._chunking._slots.release()
        self._held = 0
        self._naming.clear()
        self._storing.clear()

    def _advance(self) -> None:
        if self._naming:
            self._claim()
        else:
            self._storing[0].result()
            self._storing.popleft()
            self._held -= 1
            self._chunking._slots.release()

    def _claim(self) -> None:
        chunking = self._chunking
        data, named = self._naming[0]
        spans = named.result()
        old: Sequence[OldChunk] = ()
        if self._old is not None and spans:
            begin, end = spans[0].start + self._shift, spans[-1].end + self._shift
            old = chunking._old.window(self._old, begin, end)
        like, self._shift = _like(spans, old, shift=self._shift)
        section = _Section(data, spans, self._kind, old, like)
        chunks = chunking._claimed([section]) if spans else []
        rows = [(self._draft, self._ordinal + n, span.digest) for n, span in enumerate(spans)]
        chunking._workspace.load("drafts", rows)
        self._ordinal += len(spans)
        self._naming.popleft()
        self._storing.append(chunking._helpers.submit(chunking._put, chunks))


def _like(
    spans: Sequence[Span], old: Sequence[OldChunk], *, shift: int
) -> tuple[list[Piece | None], int]:
    """For each chunk the piece that it may resemble; how far the old content lies behind then."""
    if not old:
        return [None] * len(spans), shift
    places, shift = align(spans, [chunk.span for chunk in old], shift=shift)
    return [old[n].plain if n is not None else None for n in places], shift


def _first(old: Sequence[OldChunk] | None) -> Piece | None:
    """What a file of one chunk may resemble: the whole of what lay there, if that is one too."""
    return old[0].plain if old and len(old) == 1 else None
