"""Carry one file of a store to another place, byte for byte, and check it where it arrived."""

from __future__ import annotations

import os
from dataclasses import dataclass

from datacat import layout
from datacat.backend import Backend, Staged
from datacat.backend.system_calls import read_at
from datacat.digest import checksum, label, new_hasher
from datacat.errors import Corrupt, DatacatError, StorageError, StorageMissing
from datacat.objects.pack import PackEntry, footer_entries
from datacat.progress import StopSignal
from datacat.transfer.following import copy_and_look, look_through, write_full

STEP_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Carried:
    """A file to carry: `digest` is a label, or None of a pack, which says itself what it holds.

    `known` are chunks of that pack of which the log says that they are damaged: nobody reads them.
    """

    key: str
    size_bytes: int
    digest: str | None
    known: frozenset[bytes] = frozenset()


def carry(
    source: Backend, target: Backend, file: Carried, *, algorithm: str, stop: StopSignal
) -> None:
    """Bring `file` under the same key. Raises `StorageMissing` when the source does not have it,
    and `Corrupt` naming it when it is not what was stored: then nothing appears.
    """
    with target.stage() as staged:
        _bring(source, file, staged, stop)
        # INV stored = hashed: looked at where it lies now.
        if file.digest is None:
            _check_pack(staged, file)
        else:
            hasher = new_hasher(algorithm)
            size = look_through(staged.fd, look=hasher.update, stop=stop, limit=file.size_bytes)
            if size != file.size_bytes or label(algorithm, hasher.digest()) != file.digest:
                raise _damaged(file.key)
        try:
            staged.publish(file.key)
        except StorageError as error:
            # Somebody who makes the same clone was faster.
            if error.kind != "key_exists":
                raise


def _bring(source: Backend, file: Carried, staged: Staged, stop: StopSignal) -> None:
    path = source.path_of(file.key)
    if path is None:
        _stream(source, file, staged, stop)
        return
    try:
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise StorageMissing(f"{file.key} is not in the store") from None
    except OSError as error:
        raise StorageError(f"cannot read {file.key}: {error.strerror}") from error
    try:
        copy_and_look(
            fd,
            staged.fd,
            look=lambda _: None,
            copied=staged.start_writeback,
            limit=file.size_bytes,
            stop=stop,
        )
    except OSError as error:
        raise error if isinstance(error, DatacatError) else staged.failed(error) from error
    finally:
        os.close(fd)


def _stream(source: Backend, file: Carried, staged: Staged, stop: StopSignal) -> None:
    done = 0
    # One byte more than there should be: a file that is longer is not what was stored.
    while done <= file.size_bytes:
        stop.check()
        data = source.read_range(file.key, done, STEP_BYTES)
        if not data:
            return
        try:
            write_full(staged.fd, data, done)
        except OSError as error:
            raise staged.failed(error) from error
        done += len(data)


def _check_pack(staged: Staged, file: Carried) -> None:
    """Compare the checksum of each frame with what the pack itself says, and that with its own."""

    def read(_key: str, offset: int, length: int) -> bytes:
        return read_at(staged.fd, offset, length)

    if os.fstat(staged.fd).st_size != file.size_bytes:
        raise _damaged(file.key)
    for entries in footer_entries(read, file.key, size_bytes=file.size_bytes):
        window: list[PackEntry] = []
        for entry in entries:
            if window and entry.offset + entry.stored_size - window[0].offset > STEP_BYTES:
                _check_frames(staged.fd, file, window)
                window = []
            window.append(entry)
        _check_frames(staged.fd, file, window)


def _check_frames(fd: int, file: Carried, entries: list[PackEntry]) -> None:
    """Frames that lie back to back, read at once."""
    if not entries:
        return
    start = entries[0].offset
    data = memoryview(read_at(fd, start, entries[-1].offset + entries[-1].stored_size - start))
    for entry in entries:
        begin = entry.offset - start
        intact = checksum(data[begin : begin + entry.stored_size]) == entry.checksum
        if not intact and entry.digest not in file.known:
            raise _damaged(file.key)


def _damaged(key: str) -> Corrupt:
    kind = "container_damaged" if key.startswith((layout.WHOLE, layout.PACKS)) else None
    return Corrupt(f"{key} is not what was saved", kind=kind or "stored_file_damaged")
