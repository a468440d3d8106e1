"""A drive that loses its power: ext4 or XFS in a file, which is shut down without a last word."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from tests.faults.system_calls.watched import cut_power

MIB = 1 << 20
SIZES = {"ext4": 64 * MIB, "xfs": 320 * MIB}
"""The smallest XFS that is made has 300 MiB; none of it takes space before it is written."""


class Drive:
    """A file system in a file, mounted at `folder`."""

    def __init__(self, image: Path, folder: Path) -> None:
        self._image = image
        self.folder = folder

    def cut(self) -> None:
        """Lose what is not durable. The drive is there again afterwards."""
        cut_power(self.folder)
        self.restart()

    def restart(self) -> None:
        """Mount it again, which replays its journal."""
        subprocess.run(["umount", self.folder], check=True)
        self.mount()

    def mount(self) -> None:
        subprocess.run(["mount", "-o", "loop", self._image, self.folder], check=True)


@contextmanager
def drive(kind: str, folder: Path) -> Iterator[Drive]:
    """A new file system of this kind, for as long as the block runs."""
    image, mounted = folder / f"{kind}.img", folder / kind
    with image.open("wb") as file:
        file.truncate(SIZES[kind])
    subprocess.run([f"mkfs.{kind}", "-q", image], check=True)
    mounted.mkdir()
    made = Drive(image, mounted)
    made.mount()
    try:
        yield made
    finally:
        subprocess.run(["umount", "--lazy", mounted], check=True)
        image.unlink()


@cache
def unavailable(kind: str) -> str:
    """Why no such drive can be had here, or an empty text."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "needs root, to mount a file system"
    if shutil.which(f"mkfs.{kind}") is None:
        return f"mkfs.{kind} is not installed"
    with open("/proc/filesystems") as file:
        if kind not in file.read().split():
            return f"this kernel has no {kind}"
    if not Path("/dev/loop-control").exists():
        return "there are no loop devices"
    return ""
