"""Copy a container's bytes into a new file, compared with their checksums before anyone sees it.

What is compared is what was written, by a second thread that follows the copy while its pages are
in memory: the check costs next to nothing on top of the copy.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from queue import SimpleQueue

from datacat.digest import BLOCK_BYTES, CHECKSUM_BYTES, checksum
from datacat.errors import Corrupt
from datacat.progress import StopSignal

STEP_BYTES = 64 << 20
"""One call of `copy_file_range`: long enough to be few, short enough to stop soon."""

BUFFER_BYTES = 4 << 20
FOLLOWED_BYTES_MIN = 16 << 20
"""Below this a second thread costs more than it saves."""

_FICLONE = 0x40049409
_UNSUPPORTED = {
    getattr(errno, name)
    for name in ("EXDEV", "EOPNOTSUPP", "ENOTSUP", "EINVAL", "ENOSYS", "ENOTTY", "EPERM", "EBADF")
    if hasattr(errno, name)
}
_local = threading.local()


def clone(source: int, target: int) -> bool:
    """Make `target` share the bytes of `source` (a reflink). False where that cannot be."""
    try:
        import fcntl
    except ImportError:
        return False
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            return False
        raise
    return True


def copy_checked(
    source: int, target: int, *, size: int, checksums: bytes, stop: StopSignal | None = None
) -> None:
    """Copy all `size` bytes of `source` to the empty `target` and compare what was written.

    `checksums` are those of `digest.checksums`. Raises `Corrupt` (`damaged_content`) when the
    bytes are others, fewer or more; `target` is then worthless.
    """
    check_size(source, size=size, checksums=checksums)
    if size < FOLLOWED_BYTES_MIN:
        _copy_and_check(source, target, size=size, checksums=checksums)
    else:
        follower = _Follower(target, checksums=checksums)
        try:
            _copy(source, target, size=size, follower=follower, stop=stop)
        finally:
            follower.finish()
        follower.check()
    # Read to the end, the size again: what grew meanwhile is not what was stored either.
    check_size(source, size=size, checksums=checksums)


def check(descriptor: int, *, size: int, checksums: bytes, stop: StopSignal | None = None) -> None:
    """Compare all bytes of a file with their checksums. Raises `Corrupt` (`damaged_content`)."""
    check_size(descriptor, size=size, checksums=checksums)
    for start in range(0, size, STEP_BYTES):
        if stop is not None:
            stop.check()
        _check_range(descriptor, start, min(start + STEP_BYTES, size), checksums)


class _Follower:
    """A thread that compares what was written so far."""

    def __init__(self, target: int, *, checksums: bytes) -> None:
        self._target = target
        self._checksums = checksums
        self._ends: SimpleQueue[int | None] = SimpleQueue()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="datacat-check", daemon=True)
        self._thread.start()

    def written(self, end: int) -> None:
        """All bytes before `end` are written. Raises what the thread has found."""
        self._ends.put(end)
        self.check()

    def finish(self) -> None:
        self._ends.put(None)
        self._thread.join()

    def check(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        done = 0
        while (end := self._ends.get()) is not None:
            try:
                if self._error is None:
                    _check_range(self._target, done, end, self._checksums)
            except (OSError, Corrupt) as error:
                self._error = error
            done = end


def _copy(
    source: int, target: int, *, size: int, follower: _Follower, stop: StopSignal | None
) -> None:
    position = 0
    in_kernel = hasattr(os, "copy_file_range")
    while position < size:
        if stop is not None:
            stop.check()
        step = min(STEP_BYTES, size - position)
        copied = 0
        if in_kernel:
            try:
                copied = os.copy_file_range(source, target, step, position, position)
            except OSError as error:
                if error.errno not in _UNSUPPORTED:
                    raise
            in_kernel = copied > 0
        if not copied:
            copied = _copy_by_hand(source, target, position, step)
        position += copied
        # Whole blocks only: the rest of a short step is compared with the next.
        follower.written(position if position == size else position - position % BLOCK_BYTES)


def _copy_by_hand(source: int, target: int, position: int, step: int) -> int:
    buffer = _buffer()
    end = position + step
    start = position
    while start < end:
        count = _read_at(source, buffer[: min(len(buffer), end - start)], start)
        if not count:
            raise _damaged(f"ends at {start:,}")
        _write_at(target, buffer[:count], start)
        start += count
    return step


def _copy_and_check(source: int, target: int, *, size: int, checksums: bytes) -> None:
    buffer = _buffer()
    for start in range(0, size, len(buffer)):
        piece = buffer[: min(len(buffer), size - start)]
        _fill(source, piece, start)
        _compare(piece, start, checksums)
        _write_at(target, piece, start)


def _check_range(descriptor: int, start: int, end: int, checksums: bytes) -> None:
    """Compare `start` (a multiple of the block size) to `end` (so too, or the end of the file)."""
    buffer = _buffer()
    for position in range(start, end, len(buffer)):
        piece = buffer[: min(len(buffer), end - position)]
        _fill(descriptor, piece, position)
        _compare(piece, position, checksums)


def _compare(piece: memoryview, position: int, checksums: bytes) -> None:
    for start in range(0, len(piece), BLOCK_BYTES):
        block = (position + start) // BLOCK_BYTES * CHECKSUM_BYTES
        if checksum(piece[start : start + BLOCK_BYTES]) != checksums[block : block + 8]:
            raise _damaged(f"wrong bytes at {position + start:,}")


def check_size(descriptor: int, *, size: int, checksums: bytes) -> None:
    """Raise `Corrupt` unless the file has `size` bytes, and `checksums` are those of as many."""
    actual = os.fstat(descriptor).st_size
    if actual != size:
        raise _damaged(f"{actual:,} bytes instead of {size:,}")
    if len(checksums) != -(-size // BLOCK_BYTES) * CHECKSUM_BYTES:
        raise _damaged("its checksums do not fit its size")


def _damaged(reason: str) -> Corrupt:
    return Corrupt(f"the stored bytes are damaged: {reason}", kind="damaged_content")


def _buffer() -> memoryview:
    """One buffer per thread, used again and again: fresh memory costs more than the copy."""
    found: memoryview | None = getattr(_local, "buffer", None)
    if found is None:
        found = _local.buffer = memoryview(bytearray(BUFFER_BYTES))
    return found


def _fill(descriptor: int, piece: memoryview, position: int) -> None:
    filled = 0
    while filled < len(piece):
        count = _read_at(descriptor, piece[filled:], position + filled)
        if not count:
            raise _damaged(f"ends at {position + filled:,}")
        filled += count


def _read_at(descriptor: int, piece: memoryview, position: int) -> int:
    if hasattr(os, "preadv"):
        return os.preadv(descriptor, [piece], position)
    os.lseek(descriptor, position, os.SEEK_SET)
    data = os.read(descriptor, len(piece))
    piece[: len(data)] = data
    return len(data)


def _write_at(descriptor: int, piece: memoryview, position: int) -> None:
    while piece:
        if hasattr(os, "pwrite"):
            count = os.pwrite(descriptor, piece, position)
        else:
            with contextlib.suppress(OSError):
                os.lseek(descriptor, position, os.SEEK_SET)
            count = os.write(descriptor, piece)
        position += count
        piece = piece[count:]
