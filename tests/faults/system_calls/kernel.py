"""Linux lets one process decide what becomes of another one's system calls: seccomp's notices.

`give_up_control` is called in a process that is about to run a command; `Listener` in its parent.
Every call that changes files, in any thread, then waits until the parent said what becomes of it:
it is done, it fails with an error of the parent's choice, or the process is killed before it.
Nothing of the program is changed for that, and a call costs some ten microseconds.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import select
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property

_NUMBERS = {
    "write": 1, "pwrite64": 18, "writev": 20, "pwritev": 296, "sendfile": 40,
    "copy_file_range": 326, "open": 2, "creat": 85, "openat": 257, "close": 3, "fsync": 74,
    "fdatasync": 75, "sync_file_range": 277, "truncate": 76, "ftruncate": 77, "fallocate": 285,
    "link": 86, "linkat": 265, "symlink": 88, "symlinkat": 266, "rename": 82, "renameat": 264,
    "renameat2": 316, "mkdir": 83, "mkdirat": 258, "rmdir": 84, "unlink": 87, "unlinkat": 263,
    "chmod": 90, "fchmod": 91, "fchmodat": 268, "chown": 92, "fchown": 93, "fchownat": 260,
    "utimensat": 280,
}  # fmt: skip
"""Of x86-64."""

_NAMES = {number: name for name, number in _NUMBERS.items()}
_ARCHITECTURE = 0xC000003E
_SECCOMP = 317

_OPENING = {"open", "creat", "openat"}
_WRITING = {"write", "pwrite64", "writev", "pwritev", "sendfile", "copy_file_range"}
_FD_FIRST = {"close", "fsync", "fdatasync", "sync_file_range", "ftruncate", "fallocate", "fchmod",
             "fchown", *_WRITING}  # fmt: skip
_PATH_AT = {
    "open": (None, 0), "creat": (None, 0), "truncate": (None, 0), "mkdir": (None, 0),
    "rmdir": (None, 0), "unlink": (None, 0), "chmod": (None, 0), "chown": (None, 0),
    "link": (None, 1), "symlink": (None, 1), "rename": (None, 1),
    "openat": (0, 1), "mkdirat": (0, 1), "unlinkat": (0, 1), "fchmodat": (0, 1),
    "fchownat": (0, 1), "utimensat": (0, 1),
    "linkat": (2, 3), "renameat": (2, 3), "renameat2": (2, 3), "symlinkat": (1, 2),
}  # fmt: skip
"""Which arguments name the file that comes to be or changes: its folder, its path."""

KINDS = {
    "open": _OPENING,
    "write": _WRITING,
    "fsync": {"fsync", "fdatasync", "sync_file_range"},
    "link": {"link", "linkat", "symlink", "symlinkat"},
    "rename": {"rename", "renameat", "renameat2"},
    "close": {"close"},
    "remove": {"unlink", "unlinkat", "rmdir"},
    "mkdir": {"mkdir", "mkdirat"},
    "resize": {"truncate", "ftruncate", "fallocate"},
    "mode": {"chmod", "fchmod", "fchmodat", "chown", "fchown", "fchownat", "utimensat"},
}
_KIND = {name: kind for kind, names in KINDS.items() for name in names}

_RECEIVE, _SEND, _SET_FLAGS = 0xC0502100, 0xC0182101, 0x40082104
_SYNC_WAKE_UP = 1
_NOTICE = struct.Struct("QIIiIQ6Q")
_ANSWER = struct.Struct("QqiI")
_CONTINUE = 1


@cache
def unavailable() -> str:
    """Why calls cannot be intercepted on this machine, or an empty text."""
    if not sys.platform.startswith("linux") or platform.machine() != "x86_64":
        return "only Linux on x86-64 is known"
    try:
        with open("/proc/sys/kernel/seccomp/actions_avail") as file:
            known = file.read().split()
    except OSError:
        return "this kernel has no seccomp"
    return "" if "user_notif" in known else "this kernel's seccomp tells nobody"


def give_up_control() -> int:
    """From now on this process, its threads and its children wait for whoever reads the file
    descriptor that is returned."""
    names = sorted(_NUMBERS.values())
    program = [(0x20, 0, 0, 4), (0x15, 0, len(names) + 1, _ARCHITECTURE), (0x20, 0, 0, 0)]
    for left, number in zip(range(len(names), 0, -1), names, strict=True):
        program.append((0x15, left, 0, number))
    program += [(0x06, 0, 0, 0x7FFF0000), (0x06, 0, 0, 0x7FC00000)]
    code = b"".join(struct.pack("HBBI", *one) for one in program)
    buffer = ctypes.create_string_buffer(code)
    described = struct.pack("HxxxxxxQ", len(program), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS, without which only root may
    # A new listener; a signal does not take back a notice that was read.
    listener = libc.syscall(_SECCOMP, 1, 0x08 | 0x20, ctypes.create_string_buffer(described))
    if listener < 0:
        raise OSError(ctypes.get_errno(), "no listener")
    return int(listener)


@dataclass(frozen=True)
class Call:
    """One call that waits: which, and of which process or thread."""

    id: int
    thread: int
    name: str
    arguments: tuple[int, ...]

    @property
    def kind(self) -> str:
        return _KIND[self.name]

    @property
    def reads_only(self) -> bool:
        """Whether it opens a file without making or cutting one, or closes such a file."""
        if self.name == "close":
            return not self._open_flags() & (os.O_WRONLY | os.O_RDWR)
        if self.kind != "open" or self.name == "creat":
            return False
        flags = self.arguments[1 if self.name == "open" else 2]
        return not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)

    @cached_property
    def path(self) -> str:
        """The file that would change; a pipe or a terminal says so in its own words."""
        try:
            if self.name in _FD_FIRST:
                return self._open_file(self.arguments[2 if self.name == "copy_file_range" else 0])
            folder, at = _PATH_AT[self.name]
            name = self._text(self.arguments[at])
            if name.startswith("/") or folder is None:
                return os.path.join(os.readlink(f"/proc/{self.thread}/cwd"), name)
            number = ctypes.c_int(self.arguments[folder]).value
            above = "cwd" if number == -100 else f"fd/{number}"
            return os.path.join(os.readlink(f"/proc/{self.thread}/{above}"), name).rstrip("/")
        except OSError:
            return ""

    def _open_file(self, number: int) -> str:
        return os.readlink(f"/proc/{self.thread}/fd/{ctypes.c_int(number).value}")

    def _text(self, address: int) -> str:
        if not address:
            return ""
        data = b""
        with open(f"/proc/{self.thread}/mem", "rb", buffering=0) as memory:
            while b"\0" not in data:
                memory.seek(address + len(data))
                data += memory.read(256 - (address + len(data)) % 256)
        return os.fsdecode(data.partition(b"\0")[0])

    def do_half(self) -> None:
        """Write the first half of what it would write, as a crash in the middle would."""
        if self.name not in {"write", "pwrite64"}:
            return
        descriptor, address, size = self.arguments[:3]
        with open(f"/proc/{self.thread}/mem", "rb", buffering=0) as memory:
            memory.seek(address)
            data = memory.read(size // 2)
        place = f"/proc/{self.thread}/fd/{descriptor}"
        at = self.arguments[3] if self.name == "pwrite64" else self._position(descriptor)
        # What only its owner may open a second time cannot be cut short by others.
        with suppress(PermissionError):
            if os.path.isfile(place):
                with open(place, "r+b", buffering=0) as file:
                    file.seek(at)
                    file.write(data)

    def _position(self, descriptor: int) -> int:
        return int(self._told(descriptor, "pos:"))

    def _open_flags(self) -> int:
        try:
            return int(self._told(ctypes.c_int(self.arguments[0]).value, "flags:"), 8)
        except OSError:
            return 0

    def _told(self, descriptor: int, what: str) -> str:
        with open(f"/proc/{self.thread}/fdinfo/{descriptor}") as file:
            return next(line.split()[1] for line in file if line.startswith(what))


class Listener:
    """The parent's end."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        with suppress(OSError):  # since Linux 6.6: who waits and who decides share a processor
            fcntl.ioctl(fd, _SET_FLAGS, _SYNC_WAKE_UP)

    def calls(self) -> Iterator[Call]:
        """Each call that waits, until the process and all of its children are gone."""
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        while True:
            ((_, event),) = poll.poll()
            if not event & select.POLLIN:
                return
            buffer = bytearray(_NOTICE.size)
            try:
                fcntl.ioctl(self._fd, _RECEIVE, buffer)
            except OSError as error:
                if error.errno in {errno.ENOENT, errno.EINTR}:
                    continue  # killed meanwhile
                raise
            notice = _NOTICE.unpack(buffer)
            yield Call(notice[0], notice[1], _NAMES[notice[3]], notice[6:12])

    def let(self, call: Call) -> None:
        """Do it."""
        self._answer(_ANSWER.pack(call.id, 0, 0, _CONTINUE))

    def fail(self, call: Call, code: int) -> None:
        """Do not do it, and say that it failed."""
        self._answer(_ANSWER.pack(call.id, 0, -code, 0))

    def _answer(self, answer: bytes) -> None:
        try:
            fcntl.ioctl(self._fd, _SEND, answer)
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise

    def close(self) -> None:
        os.close(self._fd)
