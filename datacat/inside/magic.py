"""What kind of file it is, by its first bytes: for a person who would otherwise have to pull it."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

LOOKED_AT_BYTES = 4096

_MARKS: Sequence[tuple[int, bytes, str]] = (
    (0, b"\x89PNG\r\n\x1a\n", "PNG image"),
    (0, b"\xff\xd8\xff", "JPEG image"),
    (0, b"GIF8", "GIF image"),
    (0, b"II*\x00", "TIFF image"),
    (0, b"MM\x00*", "TIFF image"),
    (128, b"DICM", "DICOM"),
    (344, b"n+1\x00", "NIfTI"),
    (344, b"ni1\x00", "NIfTI header"),
    (4, b"n+2\x00\r\n\x1a\n", "NIfTI-2"),
    (0, b"\x89HDF\r\n\x1a\n", "HDF5"),
    (512, b"\x89HDF\r\n\x1a\n", "HDF5"),
    (0, b"CDF\x01", "NetCDF"),
    (0, b"CDF\x02", "NetCDF"),
    (0, b"\x93NUMPY", "NumPy array"),
    (0, b"MATLAB 5.0 MAT-file", "MATLAB data"),
    (0, b"PAR1", "Parquet"),
    (0, b"ARROW1", "Arrow"),
    (0, b"ORC", "ORC"),
    (0, b"SQLite format 3\x00", "SQLite database"),
    (8, b"DUCK", "DuckDB database"),
    (0, b"GGUF", "GGUF model"),
    (0, b"%PDF-", "PDF"),
    (0, b"PK\x03\x04", "ZIP archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "7z archive"),
    (0, b"BZh", "bzip2"),
    (0, b"\xfd7zXZ\x00", "XZ"),
    (0, b"\x28\xb5\x2f\xfd", "zstd"),
    (257, b"ustar", "tar archive"),
    (4, b"ftyp", "MP4 video"),
    (0, b"\x1aE\xdf\xa3", "Matroska video"),
    (0, b"OggS", "Ogg audio"),
    (0, b"fLaC", "FLAC audio"),
    (0, b"\x7fELF", "ELF program"),
    (0, b"\x80\x02", "Python pickle"),
    (0, b"\x80\x04", "Python pickle"),
    (0, b"\x80\x05", "Python pickle"),
)
_GZIP = b"\x1f\x8b"


def kind_of(data: bytes) -> str | None:
    """`NIfTI, gzip`, `PNG image` or None, from the first `LOOKED_AT_BYTES` of a file."""
    if data.startswith(_GZIP):
        try:
            inside = zlib.decompressobj(31).decompress(data, LOOKED_AT_BYTES)
        except zlib.error:
            return "gzip"
        kind = kind_of(inside) if not inside.startswith(_GZIP) else None
        return f"{kind}, gzip" if kind else "gzip"
    if data.startswith(b"RIFF"):
        return {b"WAVE": "WAV audio", b"WEBP": "WebP image", b"AVI ": "AVI video"}.get(
            data[8:12], "RIFF"
        )
    return next((kind for at, mark, kind in _MARKS if data.startswith(mark, at)), None)


def is_text(data: bytes, *, whole: bool) -> bool:
    """Whether these first bytes of a file are UTF-8 text; `whole` if they are all of it."""
    if b"\x00" in data:
        return False
    try:
        data.decode()
    except UnicodeDecodeError as error:
        # The last character may be cut in two.
        return not whole and error.start >= len(data) - 3 and error.reason.startswith("unexpected")
    return True
