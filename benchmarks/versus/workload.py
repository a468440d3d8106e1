"""What is saved: each workload is a tree in three versions, the same bytes on every machine.

`WORKLOADS["csv"].write(root, 0.1)` writes `root/v1`, `root/v2` and `root/v3`, a tenth of the size.

Files that a version leaves alone are hard links to the version before, so a version costs its
changes, and a moved file is known by its inode.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from workloads import incompressible_file, many_files

from versus import scans, tabular
from versus.trees import clone, files_of

MIB = 1 << 20


@dataclass(frozen=True)
class Step:
    """One version: the folder of the tree that is saved, and which version of it that is."""

    folder: str
    version: int


@dataclass(frozen=True)
class Workload:
    """A tree that changes. `about` says what v1 holds and what each later version changes."""

    name: str
    title: str
    about: str
    write: Callable[[Path, float], None]
    steps: tuple[Step, ...] = (Step("data", 1), Step("data", 2), Step("data", 3))


def _large(root: Path, scale: float) -> None:
    size = int(1024 * MIB * scale)
    place = root / "v1" / "data"
    place.mkdir(parents=True)
    incompressible_file(place / "file.bin", size)
    content = (place / "file.bin").read_bytes()
    source = random.Random(11)
    cut = size // 3
    content = content[:cut] + source.randbytes(MIB) + content[cut:]
    _replace(root, 2, {"data/file.bin": content})
    edited = bytearray(content)
    for _ in range(10):
        start = source.randrange(len(edited) - 65536)
        edited[start : start + 65536] = source.randbytes(65536)
    _replace(root, 3, {"data/file.bin": bytes(edited)})


def _small(root: Path, scale: float) -> None:
    many_files(root / "v1" / "data", max(500, int(100_000 * scale)), 10 * 1024)
    source = random.Random(12)
    names = files_of(root / "v1")
    picked = source.sample(names, len(names) // 50)
    half = len(picked) // 2
    _replace(root, 2, {name: source.randbytes(10 * 1024) for name in picked[:half]})
    added = {f"data/new/f{n:04d}.bin": source.randbytes(10 * 1024) for n in range(half)}
    _replace(root, 3, added, gone=picked[half:])


def _names(root: Path, scale: float) -> None:
    many_files(root / "v1" / "first", max(100, int(1_000 * scale)), MIB, per_folder=100)
    source = random.Random(13)
    copied = "first"
    for version, folder in ((2, "second"), (3, "third")):
        clone(root / f"v{version - 1}", root / f"v{version}")
        place = root / f"v{version}"
        clone(place / copied, place / folder)
        names = files_of(place / folder)
        for name in source.sample(names, len(names) // 100):
            path = place / folder / name
            path.unlink()
            path.write_bytes(source.randbytes(MIB))
        copied = folder


def _moved(root: Path, scale: float) -> None:
    many_files(root / "v1" / "data", max(100, int(2_000 * scale)), MIB // 2, per_folder=50)
    clone(root / "v1", root / "v2")
    for number, folder in enumerate(sorted((root / "v2" / "data").iterdir())):
        folder.rename(folder.with_name(f"subject-{number:04d}"))
    clone(root / "v2", root / "v3")
    source = random.Random(14)
    names = files_of(root / "v3")
    for number, name in enumerate(source.sample(names, len(names) // 2)):
        path = root / "v3" / name
        place = root / "v3" / "data" / f"part-{number % 10}"
        place.mkdir(exist_ok=True)
        path.rename(place / f"moved-{number:05d}.bin")


def _replace(
    root: Path, version: int, written: dict[str, bytes], *, gone: list[str] | None = None
) -> None:
    """Make a version from the one before: some files written, some gone, the rest linked."""
    clone(root / f"v{version - 1}", root / f"v{version}")
    for name in [*written, *(gone or ())]:
        (root / f"v{version}" / name).unlink(missing_ok=True)
    for name, content in written.items():
        path = root / f"v{version}" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload(
            "large",
            "One large file",
            "1 GiB of random bytes; v2: 1 MiB inserted at a third; v3: ten places of 64 KiB"
            " written over.",
            _large,
        ),
        Workload(
            "small",
            "Many small files",
            "100,000 files of 10 KiB of random bytes; v2: 1 % of them rewritten; v3: 1 % new, 1 %"
            " gone.",
            _small,
        ),
        Workload(
            "csv",
            "CSV, edited",
            "1 GiB of CSV; v2: 1,000 rows inserted and 500 edited, at random places; v3: the value"
            " of one column changed in 1 % of the rows.",
            tabular.write_csv,
        ),
        Workload(
            "parquet",
            "Parquet, appended to",
            "1 GiB of Parquet (snappy) in one file; v2 and v3: each 5 % more rows, the file"
            " written again.",
            tabular.write_parquet,
        ),
        Workload(
            "dicom",
            "DICOM-like slices",
            "3,000 slices of 512 KiB, 12 bits of noise in 16; v2: the header of each changed, with"
            " a patient name of another length; v3: the pixels of 1 % of them.",
            scans.write_slices,
        ),
        Workload(
            "names",
            "The same data under three names",
            "1,000 files of 1 MiB of random bytes, saved under three names, each time with 1 % of"
            " the files changed.",
            _names,
            (Step("first", 1), Step("second", 1), Step("third", 1)),
        ),
        Workload(
            "moved",
            "A tree that is moved",
            "2,000 files of 512 KiB of random bytes; v2: all folders renamed; v3: half of the"
            " files moved to other folders under other names.",
            _moved,
        ),
    )
}
