"""The undo file of an adoption: what every file was before it was replaced, and the way back.

Written and made durable before the first file is replaced. A line of JSON for the adoption, then
one for each file; bytes of names that are no UTF-8 are surrogate escapes. It is data, not cache:
without it, owners, modes and times of replaced files are not known any more.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from datacat.backend.system_calls import fsync_file, fsync_folder, write_all
from datacat.copies import withdraw
from datacat.digest import new_hasher
from datacat.errors import DatacatError, Failed, InvalidInput, NotFound
from datacat.model import Kept, Undone
from datacat.opened import OpenedStore, Watch
from datacat.progress import Advanced, Finished, Started
from datacat.scan.exchange import KeptError, Target, held
from datacat.text import printable
from datacat.transfer.following import look_through

FORMAT = 1
KEPT_MAX = 1_000
"""Files that were left alone and are named; the rest are counted."""

_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The first line. `token` names the temporaries and the registration of the adoption."""

    datacat_undo: int = FORMAT
    store: str
    store_id: str
    group: str
    ref: str
    token: str


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One file as it was. `digest` is in hex, of the store's algorithm: that of its container."""

    path: str
    size: int
    mode: int
    uid: int
    gid: int
    atime_ns: int
    mtime_ns: int
    inode: int
    device: int
    container: str | None
    digest: str | None


def temporary_name(token: str) -> bytes:
    """A name for a temporary of the adoption `token` that nobody has."""
    return f".datacat-{token[:12]}-{secrets.token_hex(8)}".encode()


def write_undo(path: Path, head: Head, lines: Iterable[Line]) -> None:
    """Write a new undo file, durable when this returns. Raises `Failed`."""
    try:
        fd = os.open(path, _CREATE, 0o600)
        try:
            write_all(fd, msgspec.json.encode(head) + b"\n")
            for line in lines:
                write_all(fd, _encoded(line))
            fsync_file(fd)
        finally:
            os.close(fd)
        fsync_folder(os.path.dirname(os.path.abspath(path)))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise Failed(
            f"cannot write the undo file {printable(str(path))}: {reason}",
            kind="write_failed",
            hint="Nothing was replaced.",
        ) from error


def _encoded(line: Line) -> bytes:
    import json

    # Not msgspec: it has no way to write a byte of a name that is no text.
    return json.dumps(msgspec.structs.asdict(line)).encode() + b"\n"


def read_undo(path: Path) -> tuple[Head, list[Line]]:
    """What an undo file says. Raises `NotFound` and `InvalidInput` (`bad_undo_file`)."""
    import json

    try:
        with path.open("rb") as file:
            head = msgspec.json.decode(file.readline(), type=Head)
            lines = [msgspec.convert(json.loads(line), Line) for line in file]
    except FileNotFoundError as error:
        raise NotFound(f"no file {printable(str(path))}", kind="path_not_found") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise Failed(f"cannot read {printable(str(path))}: {reason}", kind="unreadable") from error
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise InvalidInput(
            f"{printable(str(path))} is not an undo file of scan --adopt", kind="bad_undo_file"
        ) from error
    return head, lines


def undo(store: OpenedStore, path: Path, watch: Watch) -> Undone:
    """Bring back the files of an undo file: each link becomes a file of its own again.

    Run again, it goes on where it was. Files that were not replaced, or that are something else by
    now, stay as they are. Raises what `read_undo` raises, and `InvalidInput` for another store.
    """
    head, lines = read_undo(path)
    if head.store_id != store.info.id:
        raise InvalidInput(
            f"{printable(str(path))} is of another store, {printable(head.store)}",
            kind="bad_undo_file",
            commands=[f"datacat scan --undo FILE --store {printable(head.store)}"],
        )
    restored = size = own = 0
    kept: list[Kept] = []
    watch.listener(Started("Restoring", files_total=len(lines)))
    for line in lines:
        watch.stop.check()
        try:
            if _restore(store, line, head.token, watch):
                restored += 1
                size += line.size
            else:
                own += 1
        except (KeptError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            kept.append(Kept(line.path, (reason or str(error)).lower()))
        watch.listener(Advanced(1, line.size))
    _sweep(lines, head.token)
    if not kept:
        with suppress(DatacatError, OSError):
            withdraw(store, head.token)
    watch.listener(Finished("Restoring"))
    return Undone(
        restored=restored, bytes=size, own=own, kept=tuple(kept[:KEPT_MAX]), kept_total=len(kept)
    )


def _restore(store: OpenedStore, line: Line, token: str, watch: Watch) -> bool:
    """Make the link at one path a file again. False if it is one."""
    container = _container(store, line)
    with held(os.fsencode(line.path)) as (folder, name):
        now = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if container is None or not _is_link_to(container, now, folder, name):
            if not stat.S_ISREG(now.st_mode):
                raise KeptError("is something else now")
            return False
        temporary = temporary_name(token)
        made = os.open(temporary, _CREATE, 0o600, dir_fd=folder)
        try:
            _copy(store, container, made, line, watch)
            again = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if (again.st_ino, again.st_ctime_ns) != (now.st_ino, now.st_ctime_ns):
                raise KeptError("changed meanwhile")
            os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=folder)
            raise
        finally:
            os.close(made)
    return True


def _container(store: OpenedStore, line: Line) -> str | None:
    """The path of the container of a file, in this store."""
    if line.container is None or line.digest is None:
        return None
    path = store.backend.path_of(line.container)
    return None if path is None else os.path.abspath(path)


def _is_link_to(container: str, now: os.stat_result, folder: int, name: bytes) -> bool:
    if stat.S_ISLNK(now.st_mode):
        return os.readlink(name, dir_fd=folder) == os.fsencode(container)
    with suppress(FileNotFoundError):
        return os.path.samestat(os.stat(container), now)
    return False


def _copy(store: OpenedStore, container: str, made: int, line: Line, watch: Watch) -> None:
    """The container's bytes, compared with their digest, and what the file was otherwise."""
    hasher = new_hasher(store.algorithm)

    def look(view: memoryview) -> None:
        hasher.update(view)
        write_all(made, view)

    source = os.open(container, os.O_RDONLY)
    try:
        look_through(source, look=look, stop=watch.stop)
    finally:
        os.close(source)
    if hasher.hexdigest() != line.digest:
        raise KeptError("is damaged in the store")
    with suppress(OSError):
        os.fchown(made, line.uid, line.gid)
    os.fchmod(made, line.mode)
    os.utime(made, ns=(line.atime_ns, line.mtime_ns))
    fsync_file(made)


def _sweep(lines: Iterable[Line], token: str) -> None:
    """Remove what an adoption that was killed has left beside the files."""
    for folder in {os.path.dirname(line.path) for line in lines}:
        with suppress(OSError):
            for entry in list(os.scandir(folder)):
                if entry.name.startswith(f".datacat-{token[:12]}-"):
                    os.unlink(entry.path)


def line_of(target: Target, *, container: str | None, digest: str | None) -> Iterator[Line]:
    """The line for a file that is about to be replaced; none if it is gone."""
    with suppress(OSError):
        now = os.lstat(target.path)
        yield Line(
            path=os.fsdecode(target.path),
            size=now.st_size,
            mode=stat.S_IMODE(now.st_mode),
            uid=now.st_uid,
            gid=now.st_gid,
            atime_ns=now.st_atime_ns,
            mtime_ns=now.st_mtime_ns,
            inode=now.st_ino,
            device=now.st_dev,
            container=container,
            digest=digest,
        )
