"""The verbs that look into versions without pulling them."""

from __future__ import annotations

from datacat.inside.reach import Reach
from datacat.store.handle import Handle
from datacat.transfer.chunk_cache import CACHE_BYTES


class Inside(Handle):
    """What is in the files of versions."""

    def reach(self, *, cache_bytes: int = CACHE_BYTES) -> Reach:
        """Random reads of any file of any version, for file systems. It stays usable when the
        store is closed. `cache_bytes` bounds what it keeps of what was read.

        >>> from datacat import refs
        >>> files = store.reach().version(refs.parse("cmr@v1"))
        >>> files.content(files.find("labels.csv")).read(5, 4)
        b'1,2\\n'
        """
        return Reach(self._opened, cache_bytes=cache_bytes)
