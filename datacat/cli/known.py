"""The words that completion knows: a small file that commands leave behind.

Completion must answer before the person has lifted the key, so it never opens the store, nor the
database. Each command that read the catalog writes the words down, if they are newer.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from datacat.cache_dir import personal
from datacat.model import FileInfo, Words

FILES_MAX = 2_000
"""Paths of one version that are offered; nobody reads through more."""

_HEAD_BYTES = 40
_VERSION = re.compile(r"v\d+")


def file_of(cache_dir: str, store: str) -> Path:
    """Where the words of the store at `store` are, for this user."""
    name = hashlib.sha256(os.fsencode(store)).hexdigest()[:16]
    return personal(Path(cache_dir)) / "completion" / f"{name}.json"


def recall(file: Path) -> Words:
    """The words in `file`; none when there is no such file, or it is damaged."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return Words(
            seq=int(found["seq"]),
            datasets={str(name): tuple(map(str, after)) for name, after in found["datasets"]},
            tags=tuple(map(str, found["tags"])),
            owners=tuple(map(str, found["owners"])),
        )
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return Words()


def seq_in(file: Path) -> int:
    """The record up to which the words in `file` are known, without reading all of it."""
    try:
        with file.open("rb") as opened:
            head = opened.read(_HEAD_BYTES)
        return int(head.removeprefix(b'{"seq":').partition(b",")[0])
    except (OSError, ValueError):
        return -1


def remember(file: Path, words: Words) -> None:
    """Write the words down, if that is possible."""
    document = {
        "seq": words.seq,
        "datasets": [(name, list(after)) for name, after in words.datasets.items()],
        "tags": words.tags,
        "owners": words.owners,
    }
    _replace(file, json.dumps(document, separators=(",", ":")))


def exact(words: Words, typed: str) -> str | None:
    """What was typed as `name@v3`, if it is a version that is known: a bare name is its newest."""
    name, at, version = typed.lower().partition("@")
    known = [word for word in words.datasets.get(name, ()) if _VERSION.fullmatch(word)]
    if not at:
        return f"{name}@{known[0]}" if known else None
    version = version if version.startswith("v") else f"v{version}"
    return f"{name}@{version}" if version in known else None


def files_of(file: Path, ref: str | None) -> list[str]:
    """The paths of a version, if it was listed on this machine."""
    if ref is None:
        return []
    try:
        text = _listing(file, ref).read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return []
    return [path for path in text.split("\0") if path]


def noting(
    file: Path, ref: Callable[[], str | None], files: Iterable[FileInfo]
) -> Iterator[FileInfo]:
    """`files` as they are; the first paths are written down when they have been listed.

    `ref` says then which version it is, None when that is not worth knowing.
    """
    paths: list[str] = []
    listed = iter(files)
    for one in itertools.islice(listed, FILES_MAX):
        paths.append(one.path)
        yield one
    exactly = ref()
    if exactly is not None:
        _replace(_listing(file, exactly), "\0".join(paths))
    yield from listed


def _listing(file: Path, ref: str) -> Path:
    return file.with_suffix("") / ref


def _replace(file: Path, text: str) -> None:
    """Best effort: a full disk or a read-only home costs completions and nothing else."""
    temporary = file.with_name(f"{file.name}.{secrets.token_hex(4)}.tmp")
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_text(text, encoding="utf-8", errors="surrogateescape")
            os.replace(temporary, file)
        finally:
            temporary.unlink(missing_ok=True)
