"""A file system that shares blocks between files, in a file."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def mounted_xfs(workdir: Path, size: int) -> Iterator[Path | None]:
    """An XFS with reflinks of about `size` bytes, mounted while the block runs. None where that
    cannot be had: it takes root and `mkfs.xfs`."""
    image, place = workdir / "xfs.img", workdir / "xfs"
    made = shutil.which("mkfs.xfs") is not None and os.geteuid() == 0
    if made:
        with image.open("wb") as file:
            file.truncate(max(size, 400 * 2**20))
        place.mkdir(exist_ok=True)
        made = (
            subprocess.run(["mkfs.xfs", "-q", "-m", "reflink=1", str(image)]).returncode == 0
            and subprocess.run(["mount", "-o", "loop", str(image), str(place)]).returncode == 0
        )
    try:
        yield place if made else None
    finally:
        if made:
            subprocess.run(["umount", str(place)], check=True)
        image.unlink(missing_ok=True)
