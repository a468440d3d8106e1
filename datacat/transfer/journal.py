"""What a session has uploaded so far, so that an interrupted add does not upload it again.

One local file per session, a line for each published container: its XXH3-64 and JSON. A later
session *adopts* the journals of sessions that have ended: it asks shared storage for each container
and reads the footers of packs, so what it takes over is proven, not remembered. This is safe beside
`gc`: the commit checks that nothing it refers to was condemned. Losing a journal costs only time.
"""

from __future__ import annotations

import base64
import contextlib
import json
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

from datacat import layout
from datacat.backend import Backend
from datacat.backend.download import cache_error
from datacat.digest import checksum
from datacat.errors import Corrupt
from datacat.objects.codec import RAW
from datacat.objects.pack import PackEntry, read_footer

if sys.platform != "win32":
    import fcntl

ChunkRow = tuple[bytes, int, str, int, int, str, bytes | None, bytes]
"""A row of the `chunks` relation, in its column order."""


def pack_rows(key: str, entries: list[PackEntry]) -> list[ChunkRow]:
    """The index rows of a pack's frames."""
    return [
        (e.digest, e.size, key, e.offset, e.stored_size, e.codec, e.reference, e.checksum)
        for e in entries
    ]


def whole_row(key: str, digest: bytes, size: int, checksums: bytes) -> ChunkRow:
    """The index row of a whole container."""
    return (digest, size, key, 0, size, RAW, None, checksums)


@dataclass
class Adopted:
    """Containers of ended sessions that are still there: their index rows, and the journals."""

    rows: list[ChunkRow] = field(default_factory=list)
    journals: list[Journal] = field(default_factory=list)


class Journal:
    """The journal of one session. Thread-safe; locked by the process that has it open."""

    def __init__(self, path: Path, file: FileIO) -> None:
        self._path = path
        self._file = file
        self._lock = threading.Lock()

    @classmethod
    def begin(cls, folder: Path, session: str) -> Journal:
        """A fresh journal for `session`. Raises `StorageFull` and `StorageDenied`."""
        path = folder / f"{session}.jsonl"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            journal = cls(path, FileIO(path, "x"))
        except OSError as error:
            raise cache_error(error, folder) from error
        journal._try_lock()
        return journal

    def pack(self, key: str, size: int) -> None:
        """Note a published pack of `size` bytes."""
        self._note({"key": key, "size": size})

    def whole(self, key: str, digest: bytes, size: int, checksums: bytes) -> None:
        """Note a published whole container."""
        text = base64.b64encode(checksums).decode()
        self._note({"key": key, "size": size, "digest": digest.hex(), "checksums": text})

    def close(self) -> None:
        """Leave the journal for a later session to adopt."""
        self._file.close()

    def remove(self) -> None:
        """Forget the session: what it uploaded is committed."""
        self._path.unlink(missing_ok=True)
        self._file.close()

    def _note(self, line: dict[str, object]) -> None:
        text = json.dumps(line).encode()
        # Without room for it the add goes on: a journal only saves time.
        with self._lock, contextlib.suppress(OSError):
            self._file.write(checksum(text).hex().encode() + b" " + text + b"\n")

    def _try_lock(self) -> bool:
        # On Windows nothing proves here that a session has ended: nothing is adopted.
        if sys.platform == "win32":
            return False
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


def adopt(folder: Path, backend: Backend) -> Adopted:
    """Take over what ended sessions uploaded to `backend` and can be proven to be there."""
    adopted = Adopted()
    for path in sorted(folder.glob("*.jsonl")) if folder.is_dir() else ():
        try:
            journal = Journal(path, FileIO(path, "r+"))
        except OSError:
            continue
        # A lock that can be had means that the process that wrote it has ended.
        if not journal._try_lock():
            journal.close()
            continue
        adopted.journals.append(journal)
        for line in journal._file.readall().splitlines():
            adopted.rows.extend(_proven(backend, line))
    return adopted


def _proven(backend: Backend, line: bytes) -> Iterator[ChunkRow]:
    check, _, text = line.partition(b" ")
    if checksum(text).hex().encode() != check:
        return
    try:
        noted = json.loads(text)
        key, size = str(noted["key"]), noted["size"]
        found = backend.assure(key)
        if found is None or found.size_bytes != size:
            return
        if layout.is_whole(key):
            digest = bytes.fromhex(noted["digest"])
            yield whole_row(key, digest, size, base64.b64decode(noted["checksums"]))
        else:
            yield from pack_rows(key, read_footer(backend, key, size_bytes=size))
    except (ValueError, KeyError, TypeError, RecursionError, Corrupt):
        # Not what this datacat notes, or a pack that is not what was noted: it is uploaded again.
        return
