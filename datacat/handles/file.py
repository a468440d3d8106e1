"""One file of an open version."""

from __future__ import annotations

import builtins
import html
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from datacat import refs
from datacat.inside import used
from datacat.text import human_bytes, printable

if TYPE_CHECKING:
    from datacat.handles.version import OpenVersion
    from datacat.manifest.listing import ListedFile


class OpenFile:
    """A file of a version, as `datacat.open("cmr@v3")["labels.csv"]` gives it.

    Nothing is read before it is asked for; then only what is needed of it. Errors name the file
    and the version: `Corrupt` when what is stored is damaged, `NotFound` (a `FileNotFoundError`)
    when there is no such file.
    """

    def __init__(self, version: OpenVersion, listed: ListedFile) -> None:
        self._version = version
        self._listed = listed

    @property
    def name(self) -> str:
        """The path within the version: `labels/a.csv`."""
        return self._listed.path

    @property
    def ref(self) -> str:
        """The file as a reference: `cmr@v3/labels/a.csv`."""
        return f"{self._version.ref}/{self.name}"

    @property
    def url(self) -> str:
        """For every library that reads through fsspec: `datacat://cmr@v3/labels/a.csv`."""
        return f"{refs.URL_SCHEME}{self.ref}"

    @property
    def bytes(self) -> int:
        """The size of the content in bytes."""
        return self._listed.size

    @property
    def hash(self) -> str:
        """The digest of the content in hex."""
        return self._listed.digest.hex()

    @property
    def path(self) -> Path:
        """A read-only path with this content and this name, for libraries that need one.

        In a store on a local drive the content is linked where that is possible, and its bytes
        are not compared; else it is fetched into the cache once.
        """
        used.tell(self._version.ref)
        return self._version._local_path(self._listed)

    def open(self, mode: str = "rb", **options: Any) -> IO[Any]:
        """Open it for reading: `rb`, or `r` with `encoding` and the like as for `open`.

        Raises `PermissionError` for modes that write.
        """
        file: IO[Any] = self._version._file_system.open(self.ref, mode, **options)
        return file

    def read_bytes(self) -> builtins.bytes:
        """All of it."""
        return self._version._files.read(self._listed)

    def read_text(self, encoding: str = "utf-8") -> str:
        """All of it as text. Raises `UnicodeDecodeError`."""
        return self.read_bytes().decode(encoding)

    def __repr__(self) -> str:
        return f"<{printable(self.ref)}: {human_bytes(self.bytes)}>"

    def _repr_html_(self) -> str:
        return f"<code>{html.escape(printable(self.ref))}</code> {human_bytes(self.bytes)}"
