"""A temporary of this machine on its way to storage that has no files to fill in place."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable

from datacat.backend.base import Staged


class LocalStaged(Staged):
    """An unnamed temporary file; `upload(key, fd, size)` brings its bytes to where they belong."""

    def __init__(self, upload: Callable[[str, int, int], None]) -> None:
        self._upload = upload
        self._published: str | None = None
        try:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 (closed by discard)
        except OSError as error:
            raise self.failed(error) from error
        self.fd = self._file.fileno()

    def publish(self, key: str) -> None:
        if self._published != key:
            self._upload(key, self.fd, os.fstat(self.fd).st_size)
            self._published = key
        self.discard()

    def discard(self) -> None:
        self.fd = -1
        self._file.close()
