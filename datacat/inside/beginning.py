"""The beginning of a file, unpacked if it is packed: as much as was asked for, whatever it says."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from datacat.errors import Failed
from datacat.transfer.content import Content

STEP_BYTES = 256 * 1024
_GZIP = 31  # zlib's own number for "a gzip header"


@dataclass(frozen=True, slots=True)
class Beginning:
    """Plain bytes from the start of a file; `whole` if there are no more."""

    data: bytes
    whole: bool

    def lines(self) -> Beginning:
        """Without the last line, if that may go on."""
        if self.whole:
            return self
        return Beginning(self.data[: self.data.rfind(b"\n") + 1], False)


def beginning(content: Content, *, packed: bool, limit: int) -> Beginning:
    """The first `limit` bytes of a content, which is gzip if `packed`.

    Reads no more of it than that takes: a file that unpacks to a terabyte costs what is asked for.
    Raises `Failed` (`unreadable_table`) when it is not gzip, `Corrupt`.
    """
    if not packed:
        return Beginning(content.read(0, limit), content.size <= limit)
    found = bytearray()
    position = 0
    unpacker = zlib.decompressobj(_GZIP)
    pending = b""
    # Also the packed bytes are bounded: a million empty members unpack to nothing.
    while len(found) < limit and position < limit:
        if not pending:
            pending = content.read(position, STEP_BYTES)
            position += len(pending)
        if not pending:
            if not unpacker.eof and position:
                raise Failed("its gzip data ends too early", kind="unreadable_table")
            return Beginning(bytes(found), True)
        try:
            found += unpacker.decompress(pending, limit - len(found))
        except zlib.error as error:
            raise Failed(f"it is not gzip: {error}", kind="unreadable_table") from error
        pending = unpacker.unconsumed_tail
        if unpacker.eof:
            pending = unpacker.unused_data
            if pending or position < content.size:
                unpacker = zlib.decompressobj(_GZIP)
    whole = position >= content.size and not pending and unpacker.eof and len(found) < limit
    return Beginning(bytes(found), whole)
