"""The versions of a store as an fsspec file system: read-only, `NAME@VERSION/PATH`.

The folders at the top are datasets, by name or by any reference: `cmr`, `cmr@v3`, `cmr@gold`.
Errors are those of the commands; what is not found is a `FileNotFoundError`, and whatever would
write is a `PermissionError`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, ClassVar

from fsspec.spec import AbstractFileSystem

from datacat import refs
from datacat.digest import label
from datacat.errors import DatacatError, InvalidInput, NotFound, ReadOnly
from datacat.inside.file import VersionFile
from datacat.inside.reach import Reach
from datacat.inside.version_files import VersionFiles
from datacat.manifest.listing import ListedFile
from datacat.model import Kind
from datacat.text import printable

Info = dict[str, Any]

RANGES_MIN = 4
"""Fewer ranges than this are read one after the other: threads would cost more."""


class ReachFileSystem(AbstractFileSystem):  # type: ignore[misc]
    """What `reach` gives, as a file system. `reach()` is asked for at every use."""

    protocol: ClassVar[str] = "datacat"
    root_marker = ""
    cachable = False

    def __init__(self, reach: Callable[[], Reach], **options: Any) -> None:
        super().__init__(**options)
        self._reach = reach

    def reach(self) -> Reach:
        """Random reads of the versions, below the names of files."""
        return self._reach()

    # Names. `urlsplit` would take `cmr` for a user name, so the URL is read here.

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(one) for one in path]
        text = str(path)
        text = text.removeprefix(refs.URL_SCHEME).removeprefix("datacat::")
        return text.strip("/")

    def unstrip_protocol(self, name: str) -> str:
        return f"{refs.URL_SCHEME}{self._strip_protocol(name)}"

    @staticmethod
    def _get_kwargs_from_urls(path: str) -> Info:  # noqa: ARG004 - a URL names no store
        return {}

    def _split(self, path: str) -> tuple[VersionFiles, str, str]:
        """The version, the path in it, and the reference as it was written."""
        head, _, inside = self._strip_protocol(path).partition("/")
        return self._reach().version(refs.parse(head)), inside.strip("/"), head

    def version_of(self, path: str) -> str:
        """The canonical reference of the version that a path lies in: `cmr@v4` for `cmr/a.csv`."""
        return self._split(path)[0].ref

    # What is there

    def info(self, path: str, **_options: Any) -> Info:
        if not self._strip_protocol(path):
            return {"name": "", "size": 0, "type": "directory"}
        files, inside, head = self._split(path)
        file = files.look(inside)
        found = self._info(files, file, head)
        if found["type"] == "link" and self._followed(files, file) is not None:
            found["type"] = "directory"
        return found

    def _info(self, files: VersionFiles, file: ListedFile, head: str) -> Info:
        """An entry as it is listed: a link to a file is that file, any other link is a link.

        So nobody who walks through folders goes in circles.
        """
        name = f"{head}/{file.path}" if file.path else head
        if file.kind is Kind.DIR:
            return {"name": name, "size": 0, "type": "directory"}
        extra: Info = {}
        if file.kind is Kind.SYMLINK:
            extra = {"islink": True, "destination": file.target}
            target = self._followed(files, file)
            if target is None or target.kind is Kind.DIR:
                return {"name": name, "size": 0, "type": "link", **extra}
            file = target
        return {
            "name": name,
            "size": file.size,
            "type": "file",
            "mtime": file.mtime_ns / 1e9,
            "digest": label(self._reach().store.algorithm, file.digest),
            **extra,
        }

    def _followed(self, files: VersionFiles, file: ListedFile) -> ListedFile | None:
        try:
            return files.find(file.path)
        except NotFound:
            return None

    def ls(self, path: str, detail: bool = True, **_options: Any) -> list[Any]:
        if not self._strip_protocol(path):
            datasets = self._reach().datasets()
            found: list[Info] = [
                {"name": dataset.name, "size": 0, "type": "directory"} for dataset in datasets
            ]
        else:
            files, inside, head = self._split(path)
            entry = files.find(inside)
            listed = files.listing.children(entry.path) if entry.kind is Kind.DIR else [entry]
            found = [
                self._renamed(self._info(files, one, head), head, entry.path, inside)
                for one in listed
            ]
        return found if detail else [one["name"] for one in found]

    def _renamed(self, info: Info, head: str, there: str, asked: str) -> Info:
        """Through a link the names are those that were asked for."""
        if there != asked:
            info["name"] = f"{head}/{asked}" + info["name"][len(f"{head}/{there}") :]
        return info

    def find(
        self,
        path: str,
        maxdepth: int | None = None,
        withdirs: bool = False,
        detail: bool = False,
        **options: Any,
    ) -> Any:
        """The files below `path`, in the order of names. Links to folders are not followed."""
        plain = self._strip_protocol(path)
        if not plain:
            return super().find(
                path, maxdepth=maxdepth, withdirs=withdirs, detail=detail, **options
            )
        if maxdepth is not None and maxdepth < 1:
            raise ValueError("maxdepth must be at least 1")
        found = {
            info["name"]: info
            for info in self._below(plain, maxdepth or 0)
            if info["type"] == "file" or (withdirs and info["type"] == "directory")
        }
        return found if detail else list(found)

    def _below(self, path: str, depth_max: int) -> Iterator[Info]:
        try:
            files, inside, head = self._split(path)
            entry = files.find(inside)
        except NotFound:
            return
        yield self._renamed(self._info(files, entry, head), head, entry.path, inside)
        if entry.kind is not Kind.DIR:
            return
        above: tuple[str, ...] = ()
        begin = len(entry.path) + 1 if entry.path else 0
        for file in files.listing.below(entry.path):
            *folders, _ = parts = file.path[begin:].split("/")
            for depth in range(1, len(folders) + 1):
                if above[:depth] != tuple(folders[:depth]) and depth <= (depth_max or depth):
                    folder = ListedFile(file.path[:begin] + "/".join(folders[:depth]), Kind.DIR)
                    yield self._renamed(self._info(files, folder, head), head, entry.path, inside)
            above = tuple(folders)
            if len(parts) <= (depth_max or len(parts)):
                yield self._renamed(self._info(files, file, head), head, entry.path, inside)

    def exists(self, path: str, **_options: Any) -> bool:
        """Whether there is such a path. Other failures are raised, and are not "no"."""
        try:
            self.info(path)
        except (NotFound, InvalidInput):
            return False
        return True

    def isfile(self, path: str) -> bool:
        return self.exists(path) and self.info(path)["type"] == "file"

    def isdir(self, path: str) -> bool:
        return self.exists(path) and self.info(path)["type"] == "directory"

    def modified(self, path: str) -> datetime:
        """When the file was changed before it was saved; for folders, when the version was."""
        files, inside, _ = self._split(path)
        file = files.find(inside)
        if file.kind is Kind.DIR:
            return files.version.created_at
        return datetime.fromtimestamp(file.mtime_ns / 1e9, tz=UTC)

    def created(self, path: str) -> datetime:
        """When the version was saved."""
        return self._split(path)[0].version.created_at

    def ukey(self, path: str) -> str:
        """The digest of a file in hex: the same content has the same key, wherever it is."""
        files, inside, _ = self._split(path)
        file = files.find(inside)
        return file.digest.hex() or files.version.hash

    def checksum(self, path: str) -> int:
        """A number that stands for the content: the beginning of its digest."""
        return int(self.ukey(path)[:16], 16)

    def invalidate_cache(self, path: str | None = None) -> None:
        """Ask anew what `cmr` and `cmr@gold` mean."""
        self._reach().forget()
        super().invalidate_cache(path)

    # Content

    def _open(self, path: str, mode: str = "rb", **_options: Any) -> VersionFile:
        if mode not in ("rb", "r"):
            raise self._read_only(path)
        files, inside, _ = self._split(path)
        return VersionFile(
            files.content(files.find(inside)),
            name=self._strip_protocol(path),
            again=functools.partial(self._open, path, mode),
        )

    def cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **_options: Any
    ) -> bytes:
        """The bytes from `start` to `end` (not included) of a file; negative ones count from its
        end. Only the chunks that they touch are read."""
        files, inside, _ = self._split(path)
        content = files.content(files.find(inside))
        begin, stop, _ = slice(start, end).indices(content.size)
        return content.read(begin, max(0, stop - begin))

    def cat_ranges(
        self,
        paths: list[str],
        starts: Any,
        ends: Any,
        max_gap: int | None = None,  # noqa: ARG002 - what lies close together is read at once anyhow
        on_error: str = "return",
        **_options: Any,
    ) -> list[Any]:
        if not isinstance(paths, list):
            raise TypeError("paths must be a list")
        starts = starts if isinstance(starts, list) else [starts] * len(paths)
        ends = ends if isinstance(ends, list) else [ends] * len(paths)
        if len(starts) != len(paths) or len(ends) != len(paths):
            raise ValueError("paths, starts and ends must be of one length")

        def one(asked: tuple[str, int | None, int | None]) -> Any:
            try:
                return self.cat_file(*asked)
            except (DatacatError, OSError, ValueError) as error:
                if on_error == "return":
                    return error
                raise

        asked = list(zip(paths, starts, ends, strict=True))
        if len(asked) < RANGES_MIN:
            return [one(range_) for range_ in asked]
        with ThreadPoolExecutor(self._reach().store.client.jobs) as executor:
            return list(executor.map(one, asked))

    # Whatever would write

    def _read_only(self, path: Any) -> ReadOnly:
        return ReadOnly(
            f"{printable(str(path))[:200]}: versions are read-only",
            hint="Change a pulled copy, and save that as the next version.",
            commands=["datacat pull NAME", "datacat add ./NAME"],
        )

    def open(self, path: str, mode: str = "rb", *args: Any, **options: Any) -> Any:
        if set(mode) & set("wax+"):
            raise self._read_only(path)
        return super().open(path, mode, *args, **options)

    def mkdir(self, path: str, create_parents: bool = True, **_options: Any) -> None:  # noqa: ARG002
        raise self._read_only(path)

    def makedirs(self, path: str, exist_ok: bool = False) -> None:  # noqa: ARG002
        raise self._read_only(path)

    def rmdir(self, path: str) -> None:
        raise self._read_only(path)

    def rm(self, path: Any, recursive: bool = False, maxdepth: int | None = None) -> None:  # noqa: ARG002
        raise self._read_only(path)

    def _rm(self, path: str) -> None:
        raise self._read_only(path)

    def rm_file(self, path: str) -> None:
        raise self._read_only(path)

    def cp_file(self, path1: str, path2: str, **_options: Any) -> None:  # noqa: ARG002
        raise self._read_only(path2)

    def mv(self, path1: Any, path2: Any, *_args: Any, **_options: Any) -> None:  # noqa: ARG002
        raise self._read_only(path1)

    def put_file(self, lpath: str, rpath: str, *_args: Any, **_options: Any) -> None:  # noqa: ARG002
        raise self._read_only(rpath)

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **_options: Any) -> None:  # noqa: ARG002
        raise self._read_only(path)

    def touch(self, path: str, truncate: bool = True, **_options: Any) -> None:  # noqa: ARG002
        raise self._read_only(path)
