"""Reading digests, packs, zstd and Parquet with the standard library, for `recover.py`.

As much of Parquet as the tables of a store use. Python 3.9 or newer.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Optional, Union

Data = Union[bytes, memoryview]
Decoder = Callable[[bytes, int, Optional[bytes]], bytes]


def hasher_of(algorithm: str) -> Optional[Callable[..., Any]]:
    """What makes the digests of this store, or None when its package is not installed."""
    try:
        if algorithm == "sha256":
            return hashlib.sha256
        if algorithm == "blake3":
            import blake3

            return blake3.blake3
        import xxhash

        return xxhash.xxh3_128
    except ImportError:
        return None


def pack_entries(
    path: Path,
) -> Iterator[tuple[bytes, int, int, int, str, Optional[bytes]]]:
    """What a pack says that it holds: of each chunk its digest, offset, stored size, size, codec,
    and the digest of the one that it was made against."""
    with open(path, "rb") as file:
        length = struct.unpack("<8sHHI", file.read(16))[2]
        entry = struct.Struct(f"<{length}sQIIBBH8s{length}s")
        file.seek(-32, os.SEEK_END)
        start, count, _, _, magic = struct.unpack("<QII8s8s", file.read(32))
        if magic != b"DCATPEND" or start + count * entry.size + 32 != path.stat().st_size:
            raise ValueError("not a pack")
        file.seek(start)
        for _ in range(count):
            found = entry.unpack(file.read(entry.size))
            digest, offset, stored, size, codec, refers, _, _, source = found
            name = "zstd" if codec else "raw"
            yield digest, offset, stored, size, name, source if refers else None


# zstd, from wherever it can be had


def decompress(data: Data, size: int, reference: bytes | None = None) -> bytes:
    """The `size` bytes in a zstd frame; `reference` is the prefix that it was made against."""
    done = decoder()(bytes(data), size, reference)
    if len(done) != size:
        raise ValueError("a frame that holds other bytes than expected")
    return done


def decompress_all(data: bytes) -> bytes:
    """All that is in a zstd frame."""
    return decoder()(data, -2, None)


def decoder() -> Decoder:
    """What decodes zstd here. Ends the program when there is nothing."""
    for found in (_of_python(), _of_package(), _by_program if shutil.which("zstd") else None):
        if found is not None:
            return found
    raise SystemExit("zstd is needed: install the program zstd, or run: pip install zstandard")


def _of_python() -> Decoder | None:
    try:
        from compression import zstd
    except ImportError:
        try:
            from backports import zstd
        except ImportError:
            return None

    def decode(data: bytes, size: int, reference: bytes | None) -> bytes:
        prefix = zstd.ZstdDict(reference, is_raw=True).as_prefix if reference else None
        done: bytes = zstd.ZstdDecompressor(zstd_dict=prefix).decompress(data, size + 1)
        return done

    return decode


def _of_package() -> Decoder | None:
    try:
        import zstandard
    except ImportError:
        return None

    def decode(data: bytes, size: int, reference: bytes | None) -> bytes:
        raw = zstandard.DICT_TYPE_RAWCONTENT
        prefix = zstandard.ZstdCompressionDict(reference, dict_type=raw) if reference else None
        reader = zstandard.ZstdDecompressor(dict_data=prefix).stream_reader(data)
        return reader.read(size + 1)

    return decode


def _by_program(data: bytes, size: int, reference: bytes | None) -> bytes:
    with tempfile.NamedTemporaryFile() as prefix:
        prefix.write(reference or b"")
        prefix.flush()
        options = ["-D", prefix.name] if reference else []
        with tempfile.TemporaryFile() as source:
            source.write(data)
            source.seek(0)
            run = subprocess.Popen(["zstd", "-dcq", *options], stdin=source, stdout=subprocess.PIPE)
            out = run.stdout
            done = out.read(size + 1) if out is not None else b""
            if out is not None:
                out.close()
            if run.wait() and len(done) <= size:
                raise ValueError("a damaged zstd frame")
    return done


# Parquet


def table(path: Path, *names: str) -> Iterator[tuple[Any, ...]]:
    """The rows of a Parquet file: tuples of these columns. Texts come as bytes."""
    with open(path, "rb") as file:
        file.seek(-8, os.SEEK_END)
        length, magic = struct.unpack("<I4s", file.read(8))
        if magic != b"PAR1":
            raise ValueError("not a Parquet file")
        file.seek(-8 - length, os.SEEK_END)
        about = Reader(memoryview(file.read(length))).thrift()
        optional = {one[4].decode(): one.get(3) == 1 for one in about[2][1:]}
        for group in about.get(4, []):
            metas = {one[3][3][0].decode(): one[3] for one in group[1]}
            yield from zip(*(_column(file, metas[name], optional[name]) for name in names))


class Reader:
    """Bytes that are read from front to back."""

    def __init__(self, data: memoryview) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> memoryview:
        part = self.data[self.at : self.at + count]
        if count < 0 or len(part) != count:
            raise ValueError("a table that ends too early")
        self.at += count
        return part

    def varint(self) -> int:
        value = shift = 0
        while shift <= 63:
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
        raise ValueError("a number without an end")

    def zigzag(self) -> int:
        value = self.varint()
        return value >> 1 ^ -(value & 1)

    def thrift(self) -> dict[int, Any]:
        """A struct of Thrift's compact protocol: from the number of each field to its value."""
        fields: dict[int, Any] = {}
        number = 0
        while True:
            head = self.take(1)[0]
            if not head:
                return fields
            number = number + (head >> 4) if head >> 4 else self.zigzag()
            fields[number] = (head & 15) == 1 if head & 15 in (1, 2) else self._value(head & 15)

    def _value(self, kind: int) -> Any:
        if kind in (1, 2, 3):  # a boolean in a list takes a byte
            return self.take(1)[0]
        if kind in (4, 5, 6):
            return self.zigzag()
        if kind == 7:
            return self.take(8)
        if kind == 8:
            return bytes(self.take(self.varint()))
        if kind in (9, 10):
            head = self.take(1)[0]
            count = head >> 4 if head >> 4 < 15 else self.varint()
            return [self._value(head & 15) for _ in range(count)]
        if kind == 12:
            return self.thrift()
        raise ValueError("a table in an unknown form")


def _column(file: BinaryIO, meta: dict[int, Any], optional: bool) -> list[Any]:
    """The values of one column of one group of rows."""
    file.seek(min(meta[9], meta.get(11) or meta[9]))
    reader = Reader(memoryview(file.read(meta[7])))
    found: list[Any] = []
    dictionary: list[Any] = []
    while len(found) < meta[5]:
        page = reader.thrift()
        body: Data = reader.take(page[3])
        second = page.get(8)
        levels: Data = b""
        if second:
            levels, body = body[: second[5]], body[second[5] :]
        if meta[4] == 6 and len(body) and (not second or second.get(7, True)):
            body = decompress(body, page[2] - len(levels))
        elif meta[4] not in (0, 6):
            raise ValueError("a column in an unknown compression")
        data = Reader(memoryview(body))
        if 7 in page:
            dictionary = _plain(data, meta[1], page[7][1])
            continue
        about = second or page[5]
        there = [1] * about[1]
        if optional:
            if not second:
                levels = data.take(struct.unpack("<I", data.take(4))[0])
            there = _hybrid(Reader(memoryview(levels)), 1, about[1])
        encoding = about[4] if second else about[2]
        some = iter(_values(data, encoding, meta[1], sum(there), dictionary))
        found += [next(some) if one else None for one in there]
    return found


def _values(
    reader: Reader, encoding: int, kind: int, count: int, dictionary: Sequence[Any]
) -> Sequence[Any]:
    """The values of one page."""
    if encoding == 0:
        return _plain(reader, kind, count)
    if encoding in (2, 8):
        width = reader.take(1)[0]
        return [dictionary[n] for n in _hybrid(reader, width, count)]
    if encoding == 3:
        reader.take(4)
        return [bit == 1 for bit in _hybrid(reader, 1, count)]
    if encoding == 5:
        return _deltas(reader)
    if encoding == 6:
        return [bytes(reader.take(length)) for length in _deltas(reader)]
    if encoding == 7:
        shared, lengths, found = _deltas(reader), _deltas(reader), [b""]
        for same, length in zip(shared, lengths):
            found.append(found[-1][:same] + bytes(reader.take(length)))
        return found[1:]
    raise ValueError("a column in an unknown encoding")


def _plain(reader: Reader, kind: int, count: int) -> list[Any]:
    """Values as they are: booleans (0), numbers of 4 or 8 bytes (1, 2), texts and bytes (6)."""
    if kind == 0:
        return [bit == 1 for bit in _unpack(reader.take((count + 7) // 8), 1, count)]
    if kind in (1, 2):
        return list(struct.unpack(f"<{count}{'iq'[kind - 1]}", reader.take(4 * kind * count)))
    if kind != 6:
        raise ValueError("a column of an unknown type")
    return [bytes(reader.take(struct.unpack("<I", reader.take(4))[0])) for _ in range(count)]


def _unpack(data: Data, width: int, count: int) -> list[int]:
    """`count` numbers of `width` bits, the lowest bits first."""
    packed, mask = int.from_bytes(data, "little"), (1 << width) - 1
    return [packed >> n * width & mask for n in range(count)]


def _hybrid(reader: Reader, width: int, count: int) -> list[int]:
    """Numbers in runs, and in groups of eight that are packed bit by bit."""
    found: list[int] = []
    while len(found) < count:
        head = reader.varint()
        if head & 1:
            for _ in range(head >> 1):
                found += _unpack(reader.take(width), width, 8)
        else:
            value = int.from_bytes(reader.take((width + 7) // 8), "little")
            found += [value] * min(head >> 1, count - len(found))
    return found[:count]


def _deltas(reader: Reader) -> list[int]:
    """Numbers of 64 bits as differences to the ones before them."""
    block, parts = reader.varint(), reader.varint()
    count, value = reader.varint(), reader.zigzag()
    found = [value] if count else []
    while len(found) < count:
        least = reader.zigzag()
        for width in bytes(reader.take(parts)):
            if len(found) >= count:
                break
            many = block // parts
            for delta in _unpack(reader.take(many * width // 8), width, many):
                value = (value + least + delta + 2**63) % 2**64 - 2**63
                found.append(value)
    return found[:count]
