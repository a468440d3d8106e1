"""Folders as plain values: written to disk, read back, and compared without any datacat code."""

from __future__ import annotations

import functools
import os
import random
import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

CSV_LINE = b"%d,sub-%04d,61.2,54.0,good\n"


@dataclass(frozen=True)
class Entry:
    """A file, a symlink (`content` is its target) or an empty folder. `mtime_ns` of files only."""

    kind: Literal["file", "symlink", "dir"]
    content: bytes = b""
    executable: bool = False
    mtime_ns: int | None = None

    def __repr__(self) -> str:
        shown = self.content if len(self.content) < 40 else f"<{len(self.content)} bytes>"
        return f"{self.kind}({shown!r}, {'x' if self.executable else '-'}, {self.mtime_ns})"


Tree = Mapping[str, Entry]

EMPTY_FOLDER = Entry("dir")


def file(content: bytes, *, executable: bool = False, mtime_ns: int | None = None) -> Entry:
    return Entry("file", content, executable, mtime_ns)


def link(target: str) -> Entry:
    return Entry("symlink", target.encode())


@functools.lru_cache(maxsize=64)
def content(size: int, seed: int) -> bytes:
    """`size` bytes: text that compresses for even seeds, noise for odd ones."""
    if seed % 2:
        return random.Random(seed).randbytes(size)
    line = CSV_LINE % (seed, size)
    return (line * (size // len(line) + 1))[:size]


def write_tree(root: Path, tree: Tree) -> Path:
    """Make `root` hold `tree`, beside whatever it holds."""
    root.mkdir(parents=True, exist_ok=True)
    for name, entry in tree.items():
        write_entry(root, name, entry)
    return root


def write_entry(root: Path, name: str, entry: Entry) -> None:
    path = os.path.join(root, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if entry.kind == "dir":
        os.makedirs(path, exist_ok=True)
    elif entry.kind == "symlink":
        os.symlink(entry.content, os.fsencode(path))
    else:
        # As an editor does it: a new file takes the place of the old one. What lies there may be
        # a link into the store, which is never written through.
        temporary = os.path.join(root, ".datacat-test")
        Path(temporary).write_bytes(entry.content)
        os.chmod(temporary, 0o755 if entry.executable else 0o644)
        if entry.mtime_ns is not None:
            os.utime(temporary, ns=(entry.mtime_ns, entry.mtime_ns))
        os.replace(temporary, path)


def read_tree(root: Path, *, store: Path | None = None) -> dict[str, Entry]:
    """What `root` holds, without `.datacat` at its top.

    Symlinks into the containers of `store` are read as the files that they stand for.
    """
    found: dict[str, Entry] = {}
    pending = [""]
    while pending:
        prefix = pending.pop()
        names = [name for name in os.listdir(root / prefix) if prefix or name != ".datacat"]
        if not names and prefix:
            found[prefix] = EMPTY_FOLDER
        for name in names:
            path = f"{prefix}/{name}" if prefix else name
            status = os.lstat(root / path)
            if stat.S_ISDIR(status.st_mode):
                pending.append(path)
            elif stat.S_ISLNK(status.st_mode):
                target = os.readlink(root / path)
                if store is not None and target.startswith(str(store / "whole")):
                    found[path] = file(Path(target).read_bytes())
                else:
                    found[path] = link(target)
            else:
                found[path] = Entry(
                    "file",
                    (root / path).read_bytes(),
                    bool(status.st_mode & 0o100),
                    status.st_mtime_ns,
                )
    return found


def without_times(tree: Tree) -> dict[str, Entry]:
    return {
        path: replace(entry, mtime_ns=None) if entry.mtime_ns is not None else entry
        for path, entry in tree.items()
    }


def parents(path: str) -> list[str]:
    """The folders above `path`, the nearest first."""
    above = []
    while "/" in path:
        path = path.rpartition("/")[0]
        above.append(path)
    return above


def settled(entries: Tree) -> dict[str, Entry]:
    """The tree without folders that are not empty: those are told by what they hold."""
    holding = {folder for path in entries for folder in parents(path)}
    return {
        path: entry
        for path, entry in entries.items()
        if not (entry.kind == "dir" and path in holding)
    }


def differences(old: Tree, new: Tree) -> dict[str, str]:
    """path → added, modified, removed; times do not count."""
    old, new = without_times(old), without_times(new)
    return {
        path: "added" if path not in old else "removed" if path not in new else "modified"
        for path in {*old, *new}
        if old.get(path) != new.get(path)
    }
