"""Reading the log of a store with the standard library, for `recover.py`: which versions there are.

Python 3.9 or newer.
"""

from __future__ import annotations

import hashlib
import json
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from recover_tables import decompress_all

BUNDLE_SIZES = (256, 4096, 65536)
RECORDS_PER_FOLDER = 1000
DAMAGED = (OSError, ValueError, IndexError, KeyError, TypeError, struct.error)

lost: list[str] = []


def lose(text: str) -> None:
    """Say what could not be had, in characters that no terminal acts on."""
    lost.append(text)
    sys.stderr.write("".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text) + "\n")


@dataclass
class Version:
    """One version: the record that added it, and whether it is in the trash."""

    name: str
    number: int
    record: dict[str, Any]
    trashed: bool = False

    @property
    def ref(self) -> str:
        return f"{self.name}@v{self.number}"


def records(store: Path) -> Iterator[dict[str, Any]]:
    """The records of the log in order. What is damaged comes out of a bundle, or is left out."""
    before: Optional[str] = hashlib.sha256((store / "store.json").read_bytes()).hexdigest()
    numbers = [int(path.stem) for path in store.glob("catalog/log/*/*.json")]
    numbers += [int(path.name[21:41]) for path in store.glob("catalog/bundles/*-*.jsonl.zst")]
    for seq in range(1, max(numbers, default=0) + 1):
        found: Optional[bytes] = None
        for line in lines(store, seq):
            record = parsed(line)
            if record.get("seq") != seq:
                continue
            found = found or line
            if record.get("prev") == before:
                found = line
                break
        if found is None:
            lose(f"record {seq} of the log is lost")
        else:
            record = parsed(found)
            if before is not None and record.get("prev") != before:
                lose(f"record {seq} of the log does not continue the one before it")
            yield record
        before = hashlib.sha256(found).hexdigest() if found is not None else None


def parsed(line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def lines(store: Path, seq: int) -> Iterator[bytes]:
    """The bytes of a record, from every place that has them."""
    path = store / f"catalog/log/{seq // RECORDS_PER_FOLDER:07d}/{seq:020d}.json"
    if path.exists():
        yield path.read_bytes()
    for size in BUNDLE_SIZES:
        first = (seq - 1) // size * size + 1
        path = store / f"catalog/bundles/{first:020d}-{first + size - 1:020d}.jsonl.zst"
        if path.exists():
            try:
                yield decompress_all(path.read_bytes()).splitlines(keepends=True)[seq - first]
            except DAMAGED:
                lose(f"{path.name} is damaged")


@dataclass
class Repairs:
    """What was found damaged, and where its content was put instead."""

    relocated: list[dict[str, Any]]
    damaged: set[tuple[str, Optional[str]]]

    def is_damaged(self, name: str, chunk: bytes) -> bool:
        """Whether this place is known to be damaged."""
        return (name, None) in self.damaged or (name, chunk.hex()) in self.damaged

    def note(self, record: dict[str, Any]) -> Iterator[tuple[str, int, dict[str, Any]]]:
        """Take a record in; gives the versions that have another list of files now."""
        for bad in record.get("places") or ():
            chunks = [label.partition(":")[2] for label in bad.get("chunks") or ()]
            self.damaged.update((bad["name"], chunk) for chunk in chunks or [None])
        if record["op"] == "object.relocate":
            self.relocated.append(record)
            for moved in record.get("manifests") or ():
                yield moved["dataset"], moved["number"], moved["manifest"]


def versions(store: Path) -> tuple[list[Version], Repairs]:
    """Every version, oldest first, and what was mended since."""
    repairs = Repairs([], set())
    known: dict[str, str] = {}  # from every name that a dataset had to its first one
    called: dict[str, str] = {}
    found: dict[tuple[str, int], Version] = {}
    done: set[str] = set()
    for record in records(store):
        if record.get("txid") in done:
            continue
        op, name = record.get("op"), record.get("dataset", "")
        first = known.get(name, name)
        if op == "version.add" and (first, record["number"]) not in found:
            known[name] = first
            called.setdefault(first, name)
            found[first, record["number"]] = Version(first, record["number"], record)
        elif op == "dataset.rename" and record["new_name"] not in known:
            known[record["new_name"]] = first
            called[first] = record["new_name"]
        elif op in ("version.remove", "version.restore"):
            for number in record["numbers"]:
                if (first, number) in found:
                    found[first, number].trashed = op == "version.remove"
        elif op in ("object.relocate", "object.quarantine"):
            for dataset, number, manifest in repairs.note(record):
                key = (known.get(dataset, dataset), number)
                if key in found:
                    found[key].record["manifest"] = manifest
        done.add(record.get("txid", ""))
    for (first, _), version in found.items():
        version.name = called[first]
    return list(found.values()), repairs
