#!/usr/bin/env python3
"""Get data out of a datacat store without datacat.

    python3 recover.py                     list the versions of this store
    python3 recover.py cmr@v3 OUT          write one version into the new folder OUT
    python3 recover.py --all OUT           write every version into OUT/<name>/v<number>
    python3 recover.py --store /path ...   of a store elsewhere, not beside this file

Needs Python 3.9 or newer, and for what is compressed any one of: Python 3.14, the package
backports.zstd, the package zstandard, or the program zstd. With the package blake3 (or xxhash: see
"digest" in store.json) each file is compared with its digest as well; without it only sizes are.

Nothing in the store is written or changed. What is damaged is named and left out, and everything
else is written. The exit code is 1 when anything was left out.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

sys.dont_write_bytecode = True  # the store stays as it is

from recover_log import DAMAGED, Repairs, Version, lose, lost, versions  # noqa: E402
from recover_tables import decompress, hasher_of, pack_entries, table  # noqa: E402

READ_BYTES = 4 << 20


# The content: where it lies


@dataclass
class Place:
    """Where one chunk can be read."""

    container: str
    offset: int
    stored: int
    size: int
    codec: str
    reference: Optional[bytes] = None


class Content:
    """What one version is read from. Whole containers and packs are looked through only when the
    tables that list them do not help."""

    def __init__(
        self, store: Path, needed: set[bytes], segments: Iterable[Path], repairs: Repairs
    ) -> None:
        self.store = store
        self.repairs = repairs
        self.algorithm = json.loads((store / "store.json").read_bytes())["parameters"]["digest"]
        self.digest = hasher_of(self.algorithm)
        self.recipes: dict[bytes, dict[str, dict[int, bytes]]] = {}
        self.places: dict[bytes, list[Place]] = {}
        self.searched = False
        there = [path for path in segments if path.exists()]
        for path in there:
            if path.name.endswith(".recipes.parquet"):
                self._read_recipes(path, needed)
        chunks = needed | {
            chunk
            for each in self.recipes.values()
            for one in each.values()
            for chunk in one.values()
        }
        while chunks:
            for path in there:
                if path.name.endswith(".chunks.parquet"):
                    self._read_chunks(path, chunks)
            made_against = {p.reference for each in self.places.values() for p in each}
            chunks = {one for one in made_against if one and one not in self.places} - chunks

    def _read_recipes(self, path: Path, needed: set[bytes]) -> None:
        try:
            for content, ordinal, chunk in table(path, "object", "ordinal", "chunk"):
                if content in needed:
                    self.recipes.setdefault(content, {}).setdefault(path.name, {})[ordinal] = chunk
        except DAMAGED as error:
            lose(f"{path.name} is damaged: {error}")

    def _read_chunks(self, path: Path, wanted: set[bytes]) -> None:
        columns = ("digest", "container", "offset", "stored_size", "size", "codec", "reference")
        try:
            for digest, container, offset, stored, size, codec, reference in table(path, *columns):
                name = container.decode()
                if digest in wanted and not self.repairs.is_damaged(name, digest):
                    place = Place(name, offset, stored, size, codec.decode(), reference)
                    self.places.setdefault(digest, []).append(place)
        except DAMAGED as error:
            lose(f"{path.name} is damaged: {error}")

    def parts(self, digest: bytes, size: int) -> Iterator[bytes]:
        """The content with this digest, from the first place that has all of it."""
        ways: list[list[bytes]] = [[digest]]
        for recipe in self.recipes.get(digest, {}).values():
            if sorted(recipe) == list(range(len(recipe))):
                ways.append([recipe[n] for n in range(len(recipe))])
        for chunks in ways:
            if sum(self._size(chunk) for chunk in chunks) == size:
                for chunk in chunks:
                    yield from self._chunk(chunk)
                return
        if self.searched:
            raise ValueError("its content is nowhere in the store")
        self._search()
        yield from self.parts(digest, size)

    def _size(self, chunk: bytes) -> int:
        return self.places[chunk][0].size if chunk in self.places else -1

    def _chunk(self, digest: bytes) -> Iterator[bytes]:
        why: BaseException = ValueError("a chunk is nowhere in the store")
        for place in self.places.get(digest, []):
            try:
                if place.codec == "raw" and place.size > READ_BYTES:
                    yield from self._large(place)
                    return
                data = self._read(place.container, place.offset, place.stored)
                if place.codec != "raw":
                    source = b"".join(self._chunk(place.reference)) if place.reference else None
                    data = decompress(data, place.size, source)
                if self.digest and self.digest(data).digest() != digest:
                    raise ValueError(f"{place.container} is damaged")
            except DAMAGED as error:
                why = error
            else:
                yield data
                return
        raise why

    def _large(self, place: Place) -> Iterator[bytes]:
        for start in range(0, place.size, READ_BYTES):
            count = min(READ_BYTES, place.size - start)
            yield self._read(place.container, place.offset + start, count)

    def _read(self, container: str, offset: int, count: int) -> bytes:
        if not container.startswith(("whole/", "packs/")) or ".." in container:
            raise ValueError("a container that lies outside of the store")
        with open(self.store / container, "rb") as file:
            file.seek(offset)
            data = file.read(count)
        if len(data) != count:
            raise ValueError(f"{container} is too short")
        return data

    def _search(self) -> None:
        """Look at every container: their names, and the lists in packs, say what they hold."""
        self.searched = True
        for path in self.store.glob("whole/*/*"):
            digest = bytes.fromhex(path.name.partition("-")[0])
            place = Place(f"whole/{path.parent.name}/{path.name}", 0, 0, path.stat().st_size, "raw")
            place.stored = place.size
            self.places.setdefault(digest, []).append(place)
        for path in self.store.glob("packs/*/*.pack"):
            try:
                container = f"packs/{path.parent.name}/{path.name}"
                for digest, *where in pack_entries(path):
                    self.places.setdefault(digest, []).append(Place(container, *where))
            except DAMAGED:
                lose(f"{path.name} is damaged: its list cannot be read")


# Writing a version


def recover(
    store: Path, version: Version, every: list[Version], repairs: Repairs, out: Path
) -> int:
    """Write a version into a new folder; returns how many files it has now."""
    out.mkdir(parents=True)
    record = version.record
    columns = ("path", "kind", "size", "executable", "mtime_ns", "digest", "target")
    try:
        listed = list(table(store / record["manifest"]["key"], *columns))
    except DAMAGED as error:
        lose(f"{version.ref}: its list of files cannot be read: {error}")
        return 0
    used = record.get("segments")
    segments = [
        store / other.record[kind]["key"]
        for other in every
        for kind in ("chunks", "recipes")
        if other.record.get(kind)
        and (used is None or other.record["seq"] in (*used, record["seq"]))
    ]
    segments += [
        store / other[kind]["key"]
        for other in repairs.relocated
        for kind in ("chunks", "recipes")
        if other.get(kind)
    ]
    content = Content(store, {row[5] for row in listed if row[5]}, segments, repairs)
    written = 0
    links: list[tuple[Path, str]] = []
    for name, kind, size, executable, mtime_ns, digest, target in listed:
        path = name.decode()
        try:
            place = inside(out, path)
            place.parent.mkdir(parents=True, exist_ok=True)
            if kind == b"dir":
                place.mkdir(exist_ok=True)
            elif kind == b"symlink":
                links.append((place, target.decode()))
            else:
                write(content, place, size, digest)
                place.chmod(0o755 if executable else 0o644)
                os.utime(place, ns=(mtime_ns, mtime_ns))
                written += 1
        except DAMAGED as error:
            lose(f"{version.ref}/{path}: {error}")
    for place, goal in links:  # last: nothing is ever written through one
        os.symlink(goal, place)
    return written


def inside(out: Path, path: str) -> Path:
    """Where a path of a version lies below `out`."""
    parts = path.split("/")
    if not path or any(part in ("", ".", "..") for part in parts) or "\0" in path or "\\" in path:
        raise ValueError("a path that leads elsewhere")
    return out.joinpath(*parts)


def write(content: Content, place: Path, size: int, digest: bytes) -> None:
    hasher = content.digest() if content.digest else None
    total = 0
    try:
        with open(place, "xb") as file:
            for data in content.parts(digest, size) if size else ():
                file.write(data)
                total += len(data)
                if hasher:
                    hasher.update(data)
        if total != size or (hasher and size and hasher.digest() != digest):
            raise ValueError("its content is not what was saved")
    except DAMAGED:
        if place.exists():
            place.rename(place.with_name(place.name + ".damaged"))
        raise


def main() -> int:
    about, _, usage = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=about, epilog=usage, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("ref", nargs="?", help="a version: cmr@v3")
    parser.add_argument("out", nargs="?", type=Path, help="a folder that does not exist yet")
    parser.add_argument("--all", type=Path, metavar="OUT", help="every version, into this folder")
    parser.add_argument("--store", type=Path, default=Path(__file__).resolve().parent)
    given = parser.parse_args()
    if not (given.store / "store.json").exists():
        parser.error(f"{given.store} is not a store")
    every, repairs = versions(given.store)
    wanted = [(one, given.all / one.name / f"v{one.number}") for one in every] if given.all else []
    if given.ref and given.out:
        wanted = [(one, given.out) for one in every if one.ref == given.ref]
        if not wanted:
            parser.error(f"there is no {given.ref}")
    elif given.ref:
        parser.error("say where to: recover.py cmr@v3 OUT")
    for version in () if wanted else every:
        record = version.record
        state = "  (in the trash)" if version.trashed else ""
        counted = f"{record['files']} file{'s' if record['files'] != 1 else ''}"
        facts = f"{counted}  {record['bytes']} bytes  {record['by']}  {record['at']}"
        sys.stdout.write(f"{version.ref}  {facts}{state}\n")
    for version, out in wanted:
        written = recover(given.store, version, every, repairs, out)
        sys.stdout.write(f"{version.ref}: {written} files are in {out}\n")
    algorithm = json.loads((given.store / "store.json").read_bytes())["parameters"]["digest"]
    if wanted and hasher_of(algorithm) is None:
        package = "blake3" if algorithm == "blake3" else "xxhash"
        sys.stderr.write(
            f"Only sizes were compared. To compare content too: pip install {package}\n"
        )
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
