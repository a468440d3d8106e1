"""Ways to hurt a store: what a malicious writer puts into a container.

Each takes the store and a source of chance, and returns the keys that are not what they were.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence

from datacat.backend.posix import PosixBackend
from datacat.digest import checksum, checksums
from datacat.objects.codec import zstd
from datacat.objects.pack import PackEntry, PackWriter, read_footer
from tests.faults.accidents import Keys, put
from tests.faults.forged import Forger
from tests.faults.mutable import MutableStore


def _forged_chunk(store: MutableStore, chance: random.Random) -> tuple[Forger, int, bytes, int]:
    """A chunk of some segment: its record, digest and size."""
    forger = Forger(store.store)
    seq = chance.choice(forger.seqs("chunks"))
    digest, size = chance.choice(
        forger.rows("chunks", seq, "select digest, size from t order by digest, container")
    )
    return forger, seq, digest, size


def frame(store: MutableStore, chance: random.Random) -> Keys:
    """A frame that is a bomb, or not what its entry says, in a pack that is right by itself."""
    forger, seq, digest, size = _forged_chunk(store, chance)
    plain = chance.choice((bytes(size), chance.randbytes(size)))
    data = chance.choice(FRAMES)(plain, chance)[: 1 << 20]
    claimed = chance.choice((size, size, size, 0, 1, 1 << 20))
    codec = chance.choice(("zstd", "zstd", "zstd", "raw"))
    if codec == "raw":
        claimed = len(data)
    reference = None
    if codec == "zstd" and chance.random() < 0.3:
        reference = chance.choice(forger.rows("chunks", seq, "select digest from t"))[0]
    session = chance.randbytes(16).hex()
    key = f"packs/{session[:2]}/{session}-0.pack"
    writer = PackWriter(PosixBackend(store.store), key, digest_bytes=32)
    entry = writer.append(digest, data, size=claimed, codec=codec, reference=reference)
    writer.finish()
    refers = f"from_hex('{reference.hex()}')" if reference else "null"
    segment = forger.alter(
        "chunks",
        seq,
        f"""
        update t set container = '{key}', "offset" = {entry.offset}, stored_size = {len(data)},
            size = {claimed}, codec = '{codec}', checksums = from_hex('{entry.checksum.hex()}'),
            reference = {refers}
        where digest = from_hex('{digest.hex()}')
        """,
    )
    return {key, segment}


def _block(kind: int, size: int, last: bool, data: bytes) -> bytes:
    return ((size << 3) | (kind << 1) | last).to_bytes(3, "little") + data


def _frame(header: bytes, *blocks: bytes) -> bytes:
    return b"\x28\xb5\x2f\xfd" + header + b"".join(blocks)


def _zeros(gigabytes: float) -> bytes:
    """128 kB of zeros take four bytes: blocks of one repeated byte."""
    count = int(gigabytes * 8192)
    one = _block(1, 1 << 17, False, b"\0")
    return _frame(b"\x00\x58", one * (count - 1), _block(1, 1 << 17, True, b"\0"))


def _claims(size: int, data: bytes) -> bytes:
    """A frame that says of itself that it holds `size` bytes, in a window as large."""
    return _frame(b"\xe0" + struct.pack("<Q", size), _block(0, len(data[:99]), True, data[:99]))


def _windowed(descriptor: int, data: bytes) -> bytes:
    return _frame(bytes([0, descriptor]), _block(0, len(data), True, data))


def _compressed(data: bytes) -> bytes:
    return zstd.compress(data, level=1)


FRAMES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    lambda data, _: _claims(1 << 40, data),
    lambda data, _: _claims((1 << 64) - 1, data),
    lambda data, _: _zeros(4),
    lambda data, _: _zeros(0.01),
    lambda data, _: _windowed(0xFF, data),
    lambda data, _: _windowed(0x70, data),
    lambda data, _: _compressed(data),
    lambda data, _: _compressed(data) + b"more",
    lambda data, _: _compressed(data) * 2,
    lambda data, _: _compressed(data)[:-1],
    lambda data, _: _compressed(data + b"\0"),
    lambda data, _: _compressed(data[:-1]),
    lambda data, _: b"\x50\x2a\x4d\x18" + struct.pack("<I", 9) + bytes(9) + _compressed(data),
    lambda data, _: b"\x50\x2a\x4d\x18" + struct.pack("<I", 0xFFFFFFFF) + bytes(9),
    lambda data, _: _frame(b"\x03\x58" + b"\x01\x02\x03\x04", _block(0, 1, True, b"x")),
    lambda data, _: _frame(b"\x04\x58", _block(0, 1, True, b"x"), b"bad!"),
    lambda data, _: _frame(b"\x00\x58", *[_block(0, 0, False, b"")] * 200_000),
    lambda data, _: b"",
    lambda data, _: data,
    lambda data, chance: chance.randbytes(len(data) + 1),
    lambda data, chance: _compressed(bytes(1 << 20)),
)


def whole(store: MutableStore, chance: random.Random) -> Keys:
    """Other bytes in a whole container, and the checksums that go with them."""
    key = chance.choice(store.keys["whole"])
    data = bytearray(store.files[key])
    start = chance.randrange(len(data))
    data[start : start + 9] = chance.randbytes(len(data[start : start + 9]))
    put(store, key, bytes(data))
    return {key, *_right_checksums(store, key, bytes(data))}


def _right_checksums(store: MutableStore, key: str, data: bytes) -> Keys:
    """Every segment says of the pieces of a container what a reader will find there."""
    forger = Forger(store.store)
    changed: Keys = set()
    for seq in forger.seqs("chunks"):
        rows = forger.rows(
            "chunks",
            seq,
            f"""select distinct "offset", stored_size from t where container = '{key}'""",
        )
        statements = [
            f"""
            update t set checksums = from_hex('{checksums(data[at : at + size]).hex()}')
            where container = '{key}' and "offset" = {at} and stored_size = {size}
            """
            for at, size in rows
        ]
        if statements:
            changed.add(forger.alter("chunks", seq, *statements))
    return changed


def pack(store: MutableStore, chance: random.Random) -> Keys:
    """Other bytes in the frames of a pack, and the checksums that go with them."""
    key = chance.choice(store.keys["pack"])
    data = bytearray(store.files[key])
    entries = read_footer(PosixBackend(store.store), key, size_bytes=len(data))
    for entry in chance.sample(entries, min(2, len(entries))):
        at = entry.offset + chance.randrange(entry.stored_size)
        data[at] ^= 1 << chance.randrange(8)
    put(store, key, bytes(data))
    return {key, *_right_checksums(store, key, bytes(data))}


def footer(store: MutableStore, chance: random.Random) -> Keys:
    """A footer that is right by itself, and says something else than the index."""
    key = chance.choice(store.keys["pack"])
    data = store.files[key]
    entries = read_footer(PosixBackend(store.store), key, size_bytes=len(data))
    at = chance.randrange(len(entries))
    one = entries[at]
    how = chance.choice(("digest", "size", "codec", "checksum", "reference", "one more"))
    writer_entries = list(entries)
    if how == "digest":
        writer_entries[at] = one._replace(digest=chance.randbytes(32))
    elif how == "size":
        size = one.size + 1
        writer_entries[at] = one._replace(size=size, codec="zstd")
    elif how == "codec":
        writer_entries[at] = one._replace(
            codec="zstd" if one.codec == "raw" else "raw", size=one.stored_size
        )
    elif how == "checksum":
        writer_entries[at] = one._replace(checksum=chance.randbytes(8))
    elif how == "reference":
        writer_entries[at] = one._replace(reference=None if one.reference else chance.randbytes(32))
    else:
        end = entries[-1].offset + entries[-1].stored_size
        writer_entries.append(one._replace(offset=end, stored_size=0, size=0, codec="raw"))
    frames = data[: entries[-1].offset + entries[-1].stored_size]
    put(store, key, frames + footer_of(frames[:16], writer_entries, start=len(frames)))
    return {key}


def footer_of(header: bytes, entries: Sequence[PackEntry], *, start: int) -> bytes:
    """The footer of a pack with these entries, with the right checksum."""
    packed = b"".join(
        struct.pack(
            "<32sQIIBBH8s32s",
            e.digest,
            e.offset,
            e.stored_size,
            e.size,
            int(e.codec == "zstd"),
            e.reference is not None,
            0,
            e.checksum,
            e.reference or bytes(32),
        )
        for e in entries
    )
    trailer = struct.pack("<QII", start, len(entries), 0)
    return packed + trailer + checksum(header + packed + trailer) + b"DCATPEND"
