"""Which file system a path is on, as Linux tells; nothing is known elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "9p", "fuse.sshfs", "davfs"})
"""File systems whose every call may be a question to a server. Lustre and the like are built for
many small questions."""

_MOUNTS = "/proc/self/mountinfo"


def file_system_of(path: Path) -> str | None:
    """`ext4`, `nfs4`, `fuse.sshfs`, …; None when that is not known."""
    try:
        lines = Path(_MOUNTS).read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        device = os.stat(path).st_dev
    except OSError:
        return None
    where = os.path.realpath(path)
    # The device tells a path that something is mounted over; of several points the longest counts,
    # then the one that was mounted last.
    found: list[tuple[bool, int, int, str]] = []
    for number, line in enumerate(lines):
        fields = line.split(" ")
        try:
            kind = fields[fields.index("-") + 1]
            major, minor = (int(part) for part in fields[2].split(":"))
        except (ValueError, IndexError):
            continue
        point = _unescaped(fields[4]).rstrip("/")
        if where == point or where.startswith(point + "/"):
            found.append((os.makedev(major, minor) == device, len(point), number, kind))
    return max(found)[-1] if found else None


def _unescaped(text: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text
