"""`.datacat/copy.json`: what a folder is. It travels with the folder when it is moved or copied.

The marker is knowledge, not data: without it the folder is an ordinary one again.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import shlex
import shutil
import stat
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from datacat.errors import Corrupt, Failed, FormatTooNew, Refused, StorageDenied, StorageFull
from datacat.model import LinkMode
from datacat.text import printable

DIRECTORY = ".datacat"
FILE = "copy.json"
BACKUP = "backup"
TEMPORARY = "tmp"

FORMAT = 1
"""The format of the marker that this datacat reads and writes."""

MARKER_BYTES_MAX = 4 << 20
"""A marker is a few hundred bytes, plus the patterns of a partial pull."""


_ID = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """The last pull into a folder: of which version, and when."""

    name: str
    number: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """What a working copy knows about itself.

    `hash` is the tree digest in hex of the *whole* version; `patterns` are those of a partial
    pull, empty for a whole copy. `saved` says that the version was saved from this folder; what
    was pulled into it before that is `last_pull`. `store_url` holds no credential.

    `id` is random and names the copy in the store's `copies/`. It is the id of the folder whose
    `.datacat` has the inode number `inode`, or that is at `path` on `host`: see `copy_id`.
    """

    store_id: str
    store_url: str
    name: str
    number: int
    hash: str
    link: LinkMode
    pulled_at: datetime
    user: str
    id: str
    listing: str
    patterns: tuple[str, ...] = ()
    saved: bool = False
    last_pull: Pulled | None = None
    host: str = ""
    path: str = ""
    inode: int = 0
    format: int = FORMAT

    @property
    def ref(self) -> str:
        return f"{self.name}@v{self.number}"

    @property
    def partial(self) -> bool:
        return bool(self.patterns)


@dataclass(frozen=True, slots=True)
class _Head:
    """All that a marker of any format has."""

    format: int


def copy_id(root: Path, marked: Marker, *, host: str) -> str:
    """The id of the working copy at `root`, whose marker is `marked`, as seen from `host`.

    A folder that was moved, or that another machine shows under another path, keeps its id. One
    that was copied has the marker of the original: its id is another one, always the same.
    """
    path = os.path.abspath(root)
    if _ID.fullmatch(marked.id) is not None and (
        (marked.host, marked.path) == (host, path) or marked.inode == inode_of(root) != 0
    ):
        return marked.id
    said = "\0".join((marked.id, host, path)).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(said, digest_size=16).hexdigest()


def inode_of(root: Path) -> int:
    """The inode number of `root/.datacat`, which every machine sees alike; 0 if there is none."""
    try:
        return (root / DIRECTORY).lstat().st_ino
    except OSError:
        return 0


def has_marker(root: Path) -> bool:
    """True if `root` is a working copy. Does not read the marker; a folder into which we may not
    look is none, and whoever goes on to read it says so."""
    return os.path.isfile(root / DIRECTORY / FILE)


def find(path: Path) -> tuple[Path, ...]:
    """The working copies that `path` is in, is, or holds one level below, in this order.

    Their markers are not read: `read` each of them.
    """
    start = Path(os.path.abspath(path))
    around = next((folder for folder in (start, *start.parents) if has_marker(folder)), None)
    below: list[Path] = []
    try:
        with os.scandir(start) as entries:
            below = sorted(
                start / entry.name
                for entry in entries
                if entry.is_dir(follow_symlinks=False) and has_marker(start / entry.name)
            )
    except OSError:
        below = []
    return (around, *below) if around is not None else tuple(below)


def read(root: Path) -> Marker:
    """The marker of the working copy `root`.

    Raises `Failed` (`not_a_copy`) when there is none, `FormatTooNew`, and `Corrupt`
    (`damaged_marker`) when it is not a marker.
    """
    import msgspec

    file = root / DIRECTORY / FILE
    try:
        with file.open("rb") as opened:
            data = opened.read(MARKER_BYTES_MAX + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise Failed(f"{printable(str(root))} is not a working copy", kind="not_a_copy") from None
    except OSError as error:
        raise _failed(file, error) from error
    try:
        head = msgspec.json.decode(data, type=_Head)
        if head.format > FORMAT:
            raise FormatTooNew(
                f"{printable(str(root))} was made by a newer datacat (copy format "
                f"{head.format}; this one reads {FORMAT})",
                commands=["pip install --upgrade datacat"],
            )
        marker = msgspec.json.decode(data, type=Marker, strict=True)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise damaged(root, str(error)) from error
    if len(data) > MARKER_BYTES_MAX:
        raise damaged(root, "it is too large")
    if not re.fullmatch("[0-9a-f]{16}", marker.listing):
        raise damaged(root, "a value is no checksum")
    if marker.number < 1 or marker.format < 1 or marker.pulled_at.tzinfo is None:
        raise damaged(root, "a value is out of range")
    return marker


def write(root: Path, marker: Marker) -> None:
    """Make `root` a working copy, or replace its marker: durable, and never half.

    Also writes `.datacat/.gitignore`, so that Git leaves the folder alone. Raises `Refused`
    (`unsafe_folder`) when `.datacat` is a symlink, `StorageDenied` and `StorageFull`.
    """
    import msgspec

    data = msgspec.json.format(msgspec.json.encode(marker), indent=2) + b"\n"
    folder = prepare(root)
    replace_file(folder / FILE, data)


def listing(root: Path, checksum: str) -> Path:
    """The local list of a copy's entries, a manifest. Its name says what bytes it has."""
    return root / DIRECTORY / f"manifest-{checksum}.parquet"


def listings(root: Path) -> list[Path]:
    """All such lists of `root`: one, unless a command was killed."""
    return list((root / DIRECTORY).glob("manifest-*.parquet"))


def prepare(root: Path) -> Path:
    """`root/.datacat`, made if need be; it never leads elsewhere."""
    folder = root / DIRECTORY
    try:
        folder.mkdir(exist_ok=True)
        if not stat.S_ISDIR(folder.lstat().st_mode):
            raise FileExistsError(folder)
        if not (folder / ".gitignore").exists():
            replace_file(folder / ".gitignore", b"*\n")
    except FileExistsError:
        raise Refused(
            f"{printable(str(folder))} is not a folder of datacat's",
            kind="unsafe_folder",
            hint="Move it away first: datacat keeps what it knows about a folder there.",
        ) from None
    except OSError as error:
        raise _failed(folder, error) from error
    return folder


def remove(root: Path) -> None:
    """Make `root` an ordinary folder again. Backups of local edits are kept."""
    folder = root / DIRECTORY
    if folder.is_symlink():
        return
    (folder / FILE).unlink(missing_ok=True)
    for file in (folder / "stat_cache.parquet", *listings(root)):
        file.unlink(missing_ok=True)
    shutil.rmtree(folder / TEMPORARY, ignore_errors=True)
    if not (folder / BACKUP).is_dir():
        shutil.rmtree(folder, ignore_errors=True)


def replace_file(file: Path, data: bytes) -> None:
    """Replace a small file atomically and durably. Raises `StorageDenied` and `StorageFull`."""
    temporary = file.with_name(f".{file.name}-{secrets.token_hex(8)}")
    try:
        with temporary.open("xb") as opened:
            opened.write(data)
            opened.flush()
            os.fsync(opened.fileno())
        os.replace(temporary, file)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise _failed(file, error) from error


def _failed(path: Path, error: OSError) -> Failed | StorageDenied | StorageFull:
    shown = printable(str(path))
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(f"no space left for {shown}")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StorageDenied(f"cannot use {shown}: {(error.strerror or '').lower()}")
    return Failed(f"cannot use {shown}: {error.strerror or error}")


def damaged(root: Path, reason: str) -> Corrupt:
    """What to raise, or to say, when a marker or its list is not what was written."""
    return Corrupt(
        f"what datacat knows about {printable(str(root))} is damaged ({printable(reason)[:200]})",
        kind="damaged_marker",
        hint="Your files are not touched. Forget the marker, then pull into the folder again:",
        commands=[
            f"rm {shlex.quote(str(root / DIRECTORY / FILE))}",
            f"datacat pull REF --dest {shlex.quote(str(root))}",
        ],
    )
