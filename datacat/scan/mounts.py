"""Which file systems hold no data, and which cannot share blocks between files.

Read from `/proc/self/mountinfo`; elsewhere than on Linux nothing is known, and nothing is left out.
"""

from __future__ import annotations

import functools
import os
from contextlib import suppress

# fmt: off
_PSEUDO = frozenset({
    "autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts",
    "devtmpfs", "efivarfs", "fusectl", "hugetlbfs", "mqueue", "nsfs", "proc", "pstore",
    "rpc_pipefs", "securityfs", "selinuxfs", "sysfs", "tracefs",
})
_NEVER_SHARED = frozenset({
    "ext2", "ext3", "ext4", "tmpfs", "ramfs", "nfs", "nfs4", "cifs", "smb3", "vfat", "exfat",
    "msdos", "iso9660", "squashfs", "lustre", "ceph", "fuse.sshfs", "9p", "virtiofs",
})
# fmt: on


def is_pseudo(device: int) -> bool:
    """True for the kernel's own file systems: proc, sysfs and the like."""
    return _types().get(device) in _PSEUDO


def may_share_blocks(device: int) -> bool:
    """False where two files surely have no block in common (ext4, NFS).

    A Btrfs subvolume has a device of its own that is in no list: it may.
    """
    return _types().get(device) not in _NEVER_SHARED


@functools.cache
def _types() -> dict[int, str]:
    """The type of each mounted file system, by device."""
    found: dict[int, str] = {}
    with suppress(OSError, ValueError), open("/proc/self/mountinfo", encoding="utf-8") as file:
        for line in file:
            fields, _, rest = line.partition(" - ")
            major, _, minor = fields.split()[2].partition(":")
            found[os.makedev(int(major), int(minor))] = rest.split()[0]
    return found
