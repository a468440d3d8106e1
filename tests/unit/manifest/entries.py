"""Entries of a manifest in plain Python: how to make any, and what must be true of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import xxhash
from blake3 import blake3
from hypothesis import strategies as st

from datacat.manifest.entry import DDL
from datacat.sql import Workspace

HASHES: dict[str, Callable[[bytes], bytes]] = {
    "blake3": lambda data: blake3(data).digest(),
    "sha256": lambda data: hashlib.sha256(data).digest(),
    "xxh3-128": xxhash.xxh3_128_digest,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One row, in the columns' order."""

    path: str
    kind: str
    size: int
    executable: bool
    mtime_ns: int
    digest: bytes | None
    target: str | None

    @property
    def row(self) -> tuple[object, ...]:
        return (
            self.path,
            self.kind,
            self.size,
            self.executable,
            self.mtime_ns,
            self.digest,
            self.target,
        )


def canonical_listing(entries: Iterable[Entry]) -> bytes:
    """Written anew from `docs/format.md`, section 4."""
    lines = []
    for entry in sorted(entries, key=lambda one: one.path.encode()):
        digest = "" if entry.digest is None else entry.digest.hex()
        fields = [
            entry.kind,
            "1" if entry.executable else "0",
            str(entry.size),
            digest,
            entry.path,
            entry.target or "",
        ]
        lines.append("".join(field + "\0" for field in fields))
    return "".join(lines).encode()


ODD = ["a", "B", "é", "e\u0301", "\n", "\t", "'", '"', "\\", "%", "{}", "$1", "*?[", "😀", "\uffff"]
ODD += ["\U0010ffff", "\x7f", "\u202e", " ", ".", "-", "--", ";", "~", "/x/", "\ue000", "ß", "İ"]

names = st.one_of(
    st.lists(st.sampled_from(ODD), min_size=1, max_size=6).map("".join),
    st.text(
        st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20
    ),
)
digests = st.integers(0, 9).map(lambda n: blake3(bytes([n])).digest())
times = st.integers(-(2**62), 2**62)


@st.composite
def entries(draw: st.DrawFn, *, path: st.SearchStrategy[str] = names) -> Entry:
    kind = draw(st.sampled_from(["file", "file", "file", "symlink", "dir"]))
    if kind == "file":
        size = draw(st.one_of(st.integers(0, 3), st.integers(0, 2**50)))
        return Entry(draw(path), kind, size, draw(st.booleans()), draw(times), draw(digests), None)
    target = draw(names) if kind == "symlink" else None
    return Entry(draw(path), kind, 0, False, draw(times), None, target)


trees = st.lists(entries(), max_size=15, unique_by=lambda entry: entry.path)


def load(workspace: Workspace, table: str, rows: Sequence[Entry]) -> None:
    """Make `table` of these entries."""
    workspace.execute(f"create or replace table {table} ({DDL})")
    workspace.load(table, (entry.row for entry in rows))
