"""Inputs that are nearly right: what a parser accepts, with some bytes that are others."""

from __future__ import annotations

import random

WORDS = (
    b"\0", b"\xff", b"\xed\xa0\x80", b"\\ud800", b"\\u0000", b"NaN", b"-Infinity", b"1e999",
    b"null", b"-1", b"18446744073709551616", b"9" * 400, b'""', b"[" * 2000, b'{"a":' * 2000, b"{}",
    b"../", b"\n", b"\r\n", b" ", b"'", b'"', b"\\", b"*", b"**/", b"[!", b"[[:", b"%", b"#", b"@",
    b":", b"//", b"?", b"\x1b[2J", "\u202e".encode(), "\u0130".encode(), b"0x1", b"1_0", b"inf",
    b"true", b"9999-99-99", b"0001-01-01T00:00:00+23:59", b"[a]\n", b"a=1\na=2",
    b"\x28\xb5\x2f\xfd",
)  # fmt: skip


def mutant(seeds: tuple[bytes, ...], chance: random.Random) -> bytes:
    """One of the seeds, changed in one to four places."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.choice((1, 1, 2, 4))):
        at = chance.randrange(len(data) + 1)
        end = min(len(data), at + chance.choice((1, 2, 8, 64)))
        match chance.randrange(6):
            case 0 if at < len(data):
                data[at] ^= 1 << chance.randrange(8)
            case 1:
                del data[at:end]
            case 2:
                data[at:at] = data[at:end] * chance.choice((1, 2, 100))
            case 3:
                data[at:at] = chance.choice(WORDS)
            case 4:
                data[at:end] = chance.choice(WORDS)
            case _:
                data[at:end] = chance.randbytes(end - at)
    return bytes(data)
