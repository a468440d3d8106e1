"""Deterministic files to measure with: the same bytes on every machine."""

from __future__ import annotations

import random
from pathlib import Path

BLOCK = 1 << 22


def incompressible_file(path: Path, size: int, *, seed: int = 1) -> None:
    """One file of `size` random bytes."""
    source = random.Random(seed)
    with path.open("wb") as file:
        for start in range(0, size, BLOCK):
            file.write(source.randbytes(min(BLOCK, size - start)))


def many_files(root: Path, count: int, size: int, *, seed: int = 2, per_folder: int = 500) -> None:
    """`count` files of `size` random bytes, `per_folder` to a folder."""
    source = random.Random(seed)
    for number in range(0, count, per_folder):
        folder = root / f"d{number // per_folder:05d}"
        folder.mkdir(parents=True)
        block = source.randbytes(size * min(per_folder, count - number))
        for index in range(min(per_folder, count - number)):
            (folder / f"f{index:04d}.bin").write_bytes(block[index * size : (index + 1) * size])


def compressible_files(root: Path, count: int, size: int, *, seed: int = 3) -> None:
    """`count` files of hexadecimal digits: half of their size says nothing."""
    source = random.Random(seed)
    root.mkdir(parents=True)
    for number in range(count):
        (root / f"{number:03}.txt").write_text(source.randbytes(size // 2).hex())
