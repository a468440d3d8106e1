"""Files that describe: records, bundles, lists of files and parts of the index, byte for byte.

What their bytes were is known: the chain of the log says it of records, and a record of the other
files. So a copy from anywhere is either exactly right or is not taken.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from datacat import layout
from datacat.backend import Backend
from datacat.backend.download import StoredFile, download, holds
from datacat.catalog import bundle
from datacat.catalog.log import Entry, Log
from datacat.errors import Corrupt, DatacatError, StorageError, StorageMissing
from datacat.maintenance.log_copies import LogState
from datacat.model import Damage, Mend
from datacat.opened import OpenedStore, Watch
from datacat.transfer.executor import run_bounded, threads


@dataclass(slots=True)
class Described:
    """What is damaged of such files, what can be mended and how, and the files without a copy."""

    damaged: list[Damage] = field(default_factory=list)
    mends: list[tuple[Mend, Callable[[], None]]] = field(default_factory=list)
    lost: list[StoredFile] = field(default_factory=list)


def plan_log(state: LogState, store: OpenedStore, *, sources: dict[int, str]) -> Described:
    """Records and bundles that are not as they were. `sources` says where records came from."""
    found = Described()
    backend, log = store.backend, store.catalog.log
    for one in state.copies:
        found.damaged.append(Damage(None, one.key, one.reason))
        data = one.data
        if data is not None:
            source = sources.get(one.seq, "a bundle of the log")
            mend = Mend(f"record {one.seq} of the log", one.key, source, len(data))
            found.mends.append((mend, _put_record(backend, one.seq, data, absent=one.missing)))
    for first, size in state.bundles:
        key = layout.bundle(first, first + size - 1)
        what = f"records {first} to {first + size - 1} in one file"
        found.mends.append(
            (Mend(what, key, "the records of the log", 0), _put_bundle(backend, log, first, size))
        )
    return found


def _put_record(backend: Backend, seq: int, data: bytes, *, absent: bool) -> Callable[[], None]:
    key = layout.log_record(seq)

    def put() -> None:
        # INV slots: the bytes are those that the chain says were written there.
        if absent:
            backend.create(key, data)
        else:
            backend.replace(key, data)

    return put


def _put_bundle(backend: Backend, log: Log, first: int, size: int) -> Callable[[], None]:
    def put() -> None:
        try:
            backend.replace(
                layout.bundle(first, first + size - 1), bundle.encode(log.lines(first, size))
            )
        except bundle.NotBundledError:
            return

    return put


def chained(
    log: Log, others: Sequence[tuple[Log, str]], sources: dict[int, str]
) -> Iterator[Entry]:
    """The log from its first record, with what `others` have where it cannot be read itself.

    Notes in `sources` which records came from where. Raises `Corrupt` for a record that nobody has.
    """
    seq, digest = 0, log.genesis_digest
    while True:
        try:
            for entry in log.read_from(seq, digest, careful=True):
                seq, digest = entry.seq, entry.digest
                yield entry
            return
        except Corrupt as error:
            for other, label in others:
                try:
                    entry = next(other.read_from(seq, digest, careful=False))
                except (DatacatError, StopIteration):
                    continue
                sources[entry.seq] = label
                seq, digest = entry.seq, entry.digest
                yield entry
                break
            else:
                raise error


def find_damaged(
    store: OpenedStore, files: Sequence[StoredFile], folder: Path, watch: Watch
) -> list[tuple[StoredFile, Corrupt]]:
    """Those of `files` that shared storage does not hold as they were. The others are in `folder`
    under the last part of their keys."""

    def bring(stored: StoredFile) -> tuple[StoredFile, Corrupt] | None:
        watch.stop.check()
        target = folder / stored.key.rpartition("/")[2]
        partial = folder / f".{secrets.token_hex(8)}"
        try:
            download(store.backend, stored, partial)
            partial.replace(target)
        except Corrupt as error:
            return stored, error
        finally:
            partial.unlink(missing_ok=True)
        return None

    jobs = store.client.jobs
    with threads(jobs) as executor:
        found = run_bounded(executor, bring, files, jobs=jobs, stop=watch.stop)
        return sorted((one for one in found if one is not None), key=lambda one: one[0].key)


def plan_files(
    store: OpenedStore,
    damaged: Sequence[tuple[StoredFile, Corrupt, str]],
    *,
    other: OpenedStore | None,
    folder: Path,
) -> Described:
    """Copies of such files, byte for byte, in this user's cache or the other store; each with what
    it is. What is found lies in `folder` too."""
    found = Described()
    for stored, error, what in damaged:
        found.damaged.append(Damage(None, stored.key, error.message))
        located = _copy_of(store, stored, other=other, folder=folder)
        if located is None:
            found.lost.append(stored)
            continue
        path, source = located
        mend = Mend(what, stored.key, source, stored.size_bytes)
        found.mends.append((mend, _put_file(store.backend, stored.key, path)))
    return found


def _put_file(backend: Backend, key: str, path: Path) -> Callable[[], None]:
    # INV names: under the name that was used once, the bytes that were there.
    return lambda: backend.replace(key, path.read_bytes())


def _copy_of(
    store: OpenedStore, stored: StoredFile, *, other: OpenedStore | None, folder: Path
) -> tuple[Path, str] | None:
    name = stored.key.rpartition("/")[2]
    target = folder / name
    cached = [store.cache / "manifests" / name]
    if stored.key.startswith(layout.SEGMENTS):
        cached = list((store.cache / "segments").glob("*.parquet"))
    for path in cached:
        if holds(path, stored):
            target.write_bytes(path.read_bytes())
            return target, "your cache"
    if other is not None:
        partial = folder / f".{secrets.token_hex(8)}"
        try:
            download(other.backend, stored, partial)
        except (Corrupt, StorageMissing, StorageError):
            partial.unlink(missing_ok=True)
        else:
            partial.replace(target)
            return target, f"the store {other.backend.url}"
    return None
