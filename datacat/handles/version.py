"""An open version: its facts, and its files by path."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from datacat import refs
from datacat.errors import NotFound
from datacat.handles import local
from datacat.handles.file import OpenFile
from datacat.inside import used
from datacat.model import Kind, Version
from datacat.opened import Watch
from datacat.text import printable
from datacat.working_copy.selection import PathPatterns, no_match

if TYPE_CHECKING:
    from datacat.filesystem import DatacatFileSystem
    from datacat.inside.reach import Reach
    from datacat.inside.version_files import VersionFiles
    from datacat.manifest.listing import ListedFile

_noted: set[str] = set()


class OpenVersion(Mapping[str, OpenFile]):
    """A version and its files, as `datacat.open` gives it: a mapping from paths to files.

    It can be pickled and used from many threads and after a fork. What it stands for never
    changes, also when it was opened by a name or an alias that moves on.
    """

    def __init__(self, file_system: DatacatFileSystem, ref: str) -> None:
        """Raises `NotFound` saying what was meant, `InvalidInput`, `NoStore`."""
        parsed = refs.parse(ref)
        self._file_system = file_system
        reach = file_system.reach()
        files = reach.version(parsed)
        self._held: tuple[Reach, VersionFiles] | None = (reach, files)
        self.version: Version = files.version
        used.tell(self.ref)
        if parsed.is_latest:
            _note_once(parsed.name, self.ref)

    @property
    def ref(self) -> str:
        """The version with its number: `cmr@v3`."""
        return self.version.ref

    @property
    def url(self) -> str:
        """The version for libraries that read through fsspec: `datacat://cmr@v3`."""
        return f"{refs.URL_SCHEME}{self.ref}"

    @property
    def path(self) -> Path:
        """A read-only folder with all files, made in the cache when it is first asked for.

        In a store on a local drive files that are stored whole are linked, not copied.
        """
        used.tell(self.ref)
        from datacat.render.notebook_progress import notebook_listener

        watch = Watch(notebook_listener())
        return local.folder_of(self._file_system.reach().store, self._files, watch)

    def files(self, *patterns: str) -> list[str]:
        """The paths of the files, in order; with `patterns` (gitignore style) those they take.

        Raises `NotFound` when a pattern takes none.
        """
        if not patterns:
            return list(self)
        chosen = PathPatterns(patterns)
        found = list(chosen.select(self))
        if chosen.unmatched:
            raise no_match(self.ref, chosen.unmatched[0], self)
        return found

    # The mapping

    def __getitem__(self, path: str) -> OpenFile:
        """The file at `path`, links in it followed. Raises `NotFound` saying what was meant."""
        found = self._files.find(path)
        if found.kind is not Kind.FILE:
            raise NotFound(
                f"{printable(path)} in {self.ref} is a folder, not a file",
                kind="file_not_in_version",
                commands=[f"datacat ls --files {self.ref}"],
            )
        return OpenFile(self, found)

    def __contains__(self, path: object) -> bool:
        if not isinstance(path, str):
            return False
        try:
            return self._files.find(path).kind is Kind.FILE
        except NotFound:
            return False

    def __iter__(self) -> Iterator[str]:
        listing = self._files.listing
        entries = (listing.at(number) for number in range(len(listing)))
        return (entry.path for entry in entries if entry.kind is Kind.FILE)

    def __len__(self) -> int:
        return self._files.listing.count(Kind.FILE)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OpenVersion) and self.version == other.version

    def __hash__(self) -> int:
        return hash((self.ref, self.version.hash))

    def __reduce__(self) -> tuple[object, ...]:
        return OpenVersion, (self._file_system, self.ref)

    def __repr__(self) -> str:
        from datacat.render.version_card import card_text

        return card_text(self.version)

    def _repr_html_(self) -> str:
        from datacat.render.version_card import card_html

        return card_html(self.version)

    # For its files

    @property
    def _files(self) -> VersionFiles:
        reach = self._file_system.reach()
        held = self._held
        if held is None or held[0] is not reach:  # another one after a fork
            version = self.version
            found = reach.version(refs.Ref(version.name, version.number))
            self._held = held = (reach, found)
        return held[1]

    def _local_path(self, file: ListedFile) -> Path:
        return local.path_of(self._file_system.reach().store, self._files, file)


def _note_once(name: str, ref: str) -> None:
    """Say which version a bare name meant: a program that is run again may get another one."""
    if name not in _noted:
        _noted.add(name)
        sys.stderr.write(f'using {ref}; to pin it: datacat.open("{ref}")\n')
