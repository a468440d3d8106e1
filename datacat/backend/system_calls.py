"""System calls that Python lacks, or that are missing on some systems.

Each either does what it says or raises `OSError`; nothing here knows what a store is.
"""

from __future__ import annotations

import errno
import functools
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ctypes

WRITE_BYTES_MAX = 8 << 20
"""Most bytes handed to one `write`: a signal can be answered in between."""

OPEN_BINARY: int = getattr(os, "O_BINARY", 0)
"""Windows would otherwise translate line ends."""

UNSUPPORTED = frozenset(
    {
        errno.EPERM,  # exFAT, some SMB mounts: "no hard links here"
        errno.ENOTSUP,
        errno.EOPNOTSUPP,
        errno.ENOSYS,
        errno.EINVAL,
        errno.EMLINK,  # a file system whose files may have one name only
    }
)
"""How file systems say that they have no such operation."""

_AT_FDCWD = -100
_RENAME_NOREPLACE = 1
_RENAME_EXCHANGE = 2
_SYNC_FILE_RANGE_WRITE = 2


def rename_no_replace(source: str, target: str) -> None:
    """Rename, or raise `FileExistsError`: never overwrites, and exactly one of many wins.

    Raises `OSError` with an errno of `UNSUPPORTED` where the system or file system cannot.
    """
    if os.name == "nt":
        os.rename(source, target)  # Windows never replaces
        return
    call = _c_function("renameat2")
    if call is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), target)
    import ctypes

    ctypes.set_errno(0)
    old, new = os.fsencode(source), os.fsencode(target)
    if call(_AT_FDCWD, old, _AT_FDCWD, new, ctypes.c_uint(_RENAME_NOREPLACE)):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), target)


def exchange_names(folder: int, a: bytes, b: bytes) -> bool:
    """Give the file `a` in an open folder the name of `b`, and `b` that of `a`, in one step.

    False where the system or the file system cannot.
    """
    call = _c_function("renameat2")
    if call is None:
        return False
    import ctypes

    ctypes.set_errno(0)
    if call(folder, a, folder, b, ctypes.c_uint(_RENAME_EXCHANGE)):
        code = ctypes.get_errno()
        if code in UNSUPPORTED:
            return False
        raise OSError(code, os.strerror(code), os.fsdecode(b))
    return True


def start_writeback(fd: int, offset: int, length: int) -> None:
    """Ask the kernel to begin writing these bytes to the drive, and return at once.

    A hint: it makes the `fsync` of `Staged.publish` short, and promises nothing. Does nothing
    where the system has no such call.
    """
    call = _c_function("sync_file_range")
    if call is None:
        return
    import ctypes

    # The result is dropped: an error of the drive is reported by the fsync that follows.
    call(fd, ctypes.c_int64(offset), ctypes.c_int64(length), ctypes.c_uint(_SYNC_FILE_RANGE_WRITE))


@functools.cache
def _c_function(name: str) -> ctypes._NamedFuncPointer | None:
    """A function of the C library, or None. Linux only: elsewhere the name may mean another."""
    if not sys.platform.startswith("linux"):
        return None
    import ctypes

    try:
        function = getattr(ctypes.CDLL(None, use_errno=True), name)
    except (OSError, AttributeError):
        return None
    function.restype = ctypes.c_int
    return function  # type: ignore[no-any-return]


def fsync_file(fd: int) -> None:
    """Return once the file's bytes survive a power cut."""
    if sys.platform == "darwin":
        import fcntl

        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)  # fsync alone leaves them in the drive's cache
        return
    os.fsync(fd)


def fsync_folder(path: str) -> None:
    """Make the names in a folder durable. Windows has no such call and does it by itself."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def open_folder(path: str) -> None:
    """Open a folder and close it: NFS then asks its server anew which names are in there."""
    if hasattr(os, "O_DIRECTORY"):
        os.close(os.open(path, os.O_RDONLY | os.O_DIRECTORY))


def write_all(fd: int, data: bytes | bytearray | memoryview) -> None:
    """Write every byte of `data` at the file's position."""
    with memoryview(data) as view, view.cast("B") as octets:
        written = 0
        while written < len(octets):
            written += os.write(fd, octets[written : written + WRITE_BYTES_MAX])


def read_at(fd: int, offset: int, length: int) -> bytes:
    """`length` bytes from `offset`, fewer only where the file ends."""
    parts: list[bytes] = []
    while length > 0:
        part = _pread(fd, min(length, 1 << 30), offset)
        if not part:
            break
        parts.append(part)
        offset += len(part)
        length -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def read_into(fd: int, offset: int, buffer: memoryview) -> int:
    """Fill `buffer` from `offset`, and say how far: less only where the file ends."""
    done = 0
    while done < len(buffer):
        if hasattr(os, "preadv"):
            count = os.preadv(fd, [buffer[done : done + (1 << 30)]], offset + done)
        else:
            data = _pread(fd, min(len(buffer) - done, 1 << 30), offset + done)
            count = len(data)
            buffer[done : done + count] = data
        if count == 0:
            break
        done += count
    return done


def _pread(fd: int, length: int, offset: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(fd, length, offset)
    os.lseek(fd, offset, os.SEEK_SET)
    return os.read(fd, length)


def temporary_name() -> str:
    """32 random hex digits: a name that nobody has."""
    return os.urandom(16).hex()
