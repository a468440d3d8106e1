"""Copy a file with one thread while another looks at the bytes where they arrived.

The kernel moves the bytes (`copy_file_range`) while the digest and the checksums are computed
from the destination, so that what was hashed is what was stored (INV stored = hashed), at nearly
the speed of a plain copy.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable

from datacat.progress import StopSignal

COPY_BYTES = 16 * 1024 * 1024
"""One step of the copy: progress and Ctrl-C are noticed this often."""

LOOK_BYTES = 4 * 1024 * 1024
"""One step of the look: a multiple of the checksum block that fits a processor's cache."""

_NO_KERNEL_COPY = {
    errno.EXDEV,
    errno.EINVAL,
    errno.ENOSYS,
    errno.EOPNOTSUPP,
    errno.EPERM,
    errno.EBADF,
}


def copy_and_look(
    source_fd: int,
    target_fd: int,
    *,
    look: Callable[[memoryview], None],
    copied: Callable[[int, int], None],
    limit: int,
    stop: StopSignal,
) -> int:
    """Copy `source_fd` from its start to its end into the empty `target_fd`.

    Ends soon after `limit` bytes too: a file to which somebody appends all the time has no end.

    `look` sees every byte of the target once, in order, in views of `LOOK_BYTES` (the last one
    may be shorter), on another thread; a view is valid during the call only. `copied(offset,
    length)` is called after each step on this thread. Returns the number of bytes copied. Raises
    `OSError` of either side, whatever `look` raised, and `Cancelled`.
    """
    follower = _Follower(target_fd, look)
    follower.start()
    done = 0
    try:
        step = _kernel_step if hasattr(os, "copy_file_range") else _buffered_step
        while done <= limit:
            stop.check()
            try:
                moved = step(source_fd, target_fd, done)
            except OSError as error:
                if step is _kernel_step and error.errno in _NO_KERNEL_COPY:
                    step = _buffered_step
                    continue
                raise
            if moved == 0:
                # Some file systems answer 0 for files they cannot copy (procfs, old NFS).
                if step is _kernel_step and done < os.fstat(source_fd).st_size:
                    step = _buffered_step
                    continue
                break
            copied(done, moved)
            done += moved
            follower.advance(done)
    except BaseException:
        follower.abandon()
        raise
    follower.finish(done)
    return done


def look_through(
    fd: int,
    *,
    look: Callable[[memoryview], object],
    stop: StopSignal,
    limit: int | None = None,
) -> int:
    """Show every byte of `fd` to `look`, in views of `LOOK_BYTES`. Returns how many there were.

    Ends soon after `limit` bytes too: a file to which somebody appends all the time has no end.
    """
    buffer = memoryview(bytearray(LOOK_BYTES))
    done = 0
    while (limit is None or done <= limit) and (length := read_full(fd, buffer, done)):
        stop.check()
        look(buffer[:length])
        done += length
    return done


def read_full(fd: int, buffer: memoryview, offset: int) -> int:
    """Fill `buffer` from `offset`; fewer bytes only at the end of the file."""
    filled = 0
    while filled < len(buffer):
        got = _read_into(fd, buffer[filled:], offset + filled)
        if got == 0:
            break
        filled += got
    return filled


def write_full(fd: int, data: memoryview | bytes, offset: int) -> None:
    """Write all of `data` at `offset`."""
    view = memoryview(data)
    while view:
        if hasattr(os, "pwrite"):
            written = os.pwrite(fd, view, offset)
        else:
            os.lseek(fd, offset, os.SEEK_SET)
            written = os.write(fd, view)
        view = view[written:]
        offset += written


def _read_into(fd: int, buffer: memoryview, offset: int) -> int:
    if hasattr(os, "preadv"):
        return os.preadv(fd, [buffer], offset)
    os.lseek(fd, offset, os.SEEK_SET)
    data = os.read(fd, len(buffer))
    buffer[: len(data)] = data
    return len(data)


def _kernel_step(source_fd: int, target_fd: int, offset: int) -> int:
    return os.copy_file_range(source_fd, target_fd, COPY_BYTES, offset, offset)


def _buffered_step(source_fd: int, target_fd: int, offset: int) -> int:
    buffer = memoryview(bytearray(LOOK_BYTES))
    length = read_full(source_fd, buffer, offset)
    write_full(target_fd, buffer[:length], offset)
    return length


class _Follower(threading.Thread):
    """Reads the target behind the copy. Without `preadv` it waits for the end of the copy,
    because the two would share one file position."""

    def __init__(self, fd: int, look: Callable[[memoryview], None]) -> None:
        super().__init__(name="datacat-look", daemon=True)
        self._fd = fd
        self._look = look
        self._condition = threading.Condition()
        self._available = 0
        self._total: int | None = None
        self._abandoned = False
        self._error: BaseException | None = None

    def advance(self, available: int) -> None:
        if self._error is not None:
            raise self._error
        if hasattr(os, "preadv"):
            with self._condition:
                self._available = available
                self._condition.notify()

    def finish(self, total: int) -> None:
        with self._condition:
            self._available = self._total = total
            self._condition.notify()
        self.join()
        if self._error is not None:
            raise self._error

    def abandon(self) -> None:
        with self._condition:
            self._abandoned = True
            self._condition.notify()
        self.join()

    def run(self) -> None:
        try:
            self._follow()
        except BaseException as error:  # noqa: BLE001 - carried to the copying thread
            self._error = error

    def _follow(self) -> None:
        buffer = memoryview(bytearray(LOOK_BYTES))
        position = 0
        while True:
            with self._condition:
                while not self._is_ready(position):
                    self._condition.wait()
                if self._abandoned or self._total == position:
                    return
            length = read_full(self._fd, buffer, position)
            if self._total is not None:
                length = min(length, self._total - position)
            if length == 0:
                raise OSError(errno.EIO, "written bytes cannot be read back")
            self._look(buffer[:length])
            position += length

    def _is_ready(self, position: int) -> bool:
        return (
            self._abandoned or self._total is not None or self._available - position >= LOOK_BYTES
        )
