"""Versions and their files as paths, for libraries that want one.

What lies as it is in a store on a local drive is linked, not copied. Everything else is fetched
once, into the cache of this user, single files into that of the team. All are read-only.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import posixpath
import shutil
import tempfile
from pathlib import Path

from datacat.cache_dir import is_own, make_folder
from datacat.digest import new_hasher
from datacat.errors import DatacatError
from datacat.inside.file import VersionFile
from datacat.inside.version_files import VersionFiles
from datacat.manifest.listing import ListedFile
from datacat.model import LinkMode
from datacat.opened import OpenedStore, Watch
from datacat.working_copy import marker
from datacat.working_copy.checkout import pull
from datacat.working_copy.request import PullRequest

READ_ONLY = 0o444
_COPY_BYTES = 4 * 1024 * 1024


def folder_of(store: OpenedStore, files: VersionFiles, watch: Watch) -> Path:
    """A folder with everything in a version, pulled into the cache when it is first asked for.

    Raises what a pull raises.
    """
    version = files.version
    folder = store.cache / "versions" / version.hash / version.name
    if not _is_complete(folder, version.hash):
        folder.parent.mkdir(parents=True, exist_ok=True)
        local = store.backend.capabilities.local
        link = LinkMode.SYMLINK if local else LinkMode.COPY
        pull(store, PullRequest(ref=version.ref, dest=folder, link=link), watch)
        _protect(folder)
    return folder


def _is_complete(folder: Path, tree_hash: str) -> bool:
    try:
        marked = marker.read(folder) if marker.has_marker(folder) else None
    except DatacatError:
        return False
    return marked is not None and marked.hash == tree_hash and not marked.partial


def _protect(folder: Path) -> None:
    """Take away the right to write from the files that are not links into the store."""
    for top, names, found in os.walk(folder):
        names[:] = [name for name in names if name != marker.DIRECTORY]
        for name in found:
            path = os.path.join(top, name)
            if not os.path.islink(path):
                os.chmod(path, os.stat(path).st_mode & ~0o222)


def path_of(store: OpenedStore, files: VersionFiles, file: ListedFile) -> Path:
    """A path with the content and the name of one file. Raises `Corrupt` when it is damaged."""
    digest = file.digest.hex() or "empty"
    local = store.backend.capabilities.local
    cache = store.cache if local else store.shared_cache
    path = cache / "files" / digest[:2] / digest / posixpath.basename(file.path)
    if _has_size(path, file.size) and (local or _is_trusted(path, file.digest, store.algorithm)):
        return path
    content = files.content(file)
    make_folder(path.parent)
    source = content.local_path
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".new-") as folder:
        new = Path(folder, "content")
        if source is None or not _linked(new, source):
            with (
                VersionFile(content, name=f"{files.ref}/{file.path}") as reader,
                new.open("xb") as writer,
            ):
                shutil.copyfileobj(reader, writer, _COPY_BYTES)
            new.chmod(READ_ONLY)
        new.replace(path)
    return path


def _has_size(path: Path, size: int) -> bool:
    """Whether it is there, and not a link to what garbage collection removed."""
    with contextlib.suppress(OSError):
        return path.stat().st_size == size
    return False


_compared: set[tuple[bytes, int, int, int]] = set()
"""Files of others whose content was compared with its digest, as they were then: nobody can set
when a file was changed."""


def _is_trusted(path: Path, digest: bytes, algorithm: str) -> bool:
    """Whether a file of the cache was fetched by this user, or has the content that it should."""
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            identity = (digest, found.st_dev, found.st_ino, found.st_ctime_ns)
            if is_own(found) or identity in _compared:
                return True
            hasher = new_hasher(algorithm)
            content = hashlib.file_digest(file, lambda: hasher).digest()  # type: ignore[arg-type, return-value]
    except OSError:
        return False
    if digest and content != digest:
        return False
    _compared.add(identity)
    return True


def _linked(new: Path, source: Path) -> bool:
    try:
        new.symlink_to(source)
    except (OSError, NotImplementedError):
        return False
    return True
