"""Trees of files: link one, turn one into the next version as a person would, compare two."""

from __future__ import annotations

import filecmp
import os
import shutil
from pathlib import Path


def files_of(root: Path) -> list[str]:
    """The path of every file below, relative to `root`, sorted."""
    return sorted(
        os.path.relpath(os.path.join(folder, name), root)
        for folder, _, names in os.walk(root)
        for name in names
    )


def clone(source: Path, target: Path) -> None:
    """A second tree of the same files, as hard links."""
    shutil.copytree(source, target, copy_function=os.link)


def advance(work: Path, *, before: Path | None, after: Path) -> None:
    """Turn `work` from a copy of the version `before` into a copy of `after`.

    Only what differs is touched, and a file that only moved is moved, so that tools which look at
    times and inodes see what they would see after a person's work. What a tool keeps in `work`
    for itself stays.
    """
    old = _inodes(before) if before is not None else {}
    new = _inodes(after)
    parked = work / ".moving"
    parked.mkdir()
    was_at = {inode: path for path, inode in old.items() if path not in new}
    for path, inode in old.items():
        if new.get(path) == inode:
            continue
        if was_at.get(inode) == path:
            os.rename(work / path, parked / str(inode))
        else:
            os.unlink(work / path)
    for path, inode in new.items():
        if old.get(path) == inode:
            continue
        target = work / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(parked / str(inode)):  # a tool may have put a link there
            os.rename(parked / str(inode), target)
        else:
            shutil.copyfile(after / path, target)
    shutil.rmtree(parked)
    for folder in sorted({os.path.dirname(path) for path in old}, reverse=True):
        if folder and not any((work / folder).iterdir()):
            (work / folder).rmdir()


def differs(expected: Path, found: Path) -> str:
    """What is wrong with a copy, or nothing. Links to files count as the files; what a tool keeps
    for itself in hidden names at the top does not count."""
    missing = sorted(set(files_of(expected)) ^ set(_visible(found)))
    if missing:
        return f"{len(missing)} files missing or too many, such as {missing[0]}"
    filecmp.clear_cache()
    for path in files_of(expected):
        if not filecmp.cmp(expected / path, found / path, shallow=False):
            return f"{path} has other content"
    return ""


def _visible(root: Path) -> list[str]:
    return [path for path in files_of(root) if not path.startswith(".")]


def _inodes(root: Path) -> dict[str, int]:
    return {path: (root / path).lstat().st_ino for path in files_of(root)}
