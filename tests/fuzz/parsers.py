"""Every parser of bytes or text that somebody else wrote: how it is called, what it may raise, and
inputs that it accepts, from which others are made."""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from datacat import recovery, refs
from datacat.address import parse_address
from datacat.backend.memory import MemoryBackend
from datacat.catalog import bundle, record, store_file, strict_json
from datacat.cli.arguments import (
    parse_pairs,
    parse_period,
    parse_since,
    parse_size,
    parse_sort,
    read_pairs,
)
from datacat.config.gather import read_toml
from datacat.copies import registration
from datacat.digest import parse_label
from datacat.errors import DatacatError
from datacat.inside.magic import is_text, kind_of
from datacat.objects import codec
from datacat.objects.pack import PackWriter, read_footer
from datacat.scan.undo import Head, Line, read_undo
from datacat.text import printable
from datacat.transfer.journal import _proven, checksum
from datacat.working_copy import marker, patterns

NOW = datetime(2026, 11, 22, tzinfo=UTC)
KEY = "packs/00/00000000000000000000000000000000-0.pack"
SIZE_MAX = 1 << 20
"""A chunk is never longer: the index that names it was checked."""


@dataclass(frozen=True)
class Parser:
    """`parse` is given any bytes: it returns, or raises one of `errors`. Anything else is a bug."""

    name: str
    parse: Callable[[bytes], object]
    seeds: tuple[bytes, ...]
    errors: tuple[type[Exception], ...] = (DatacatError,)

    def try_on(self, data: bytes) -> None:
        """Raises whatever the parser must not raise."""
        try:
            self.parse(data)
        except self.errors:
            return


def text(parse: Callable[[str], object]) -> Callable[[bytes], object]:
    """A parser of what a person types: the system hands any bytes over as text."""
    return lambda data: parse(data.decode("utf-8", "surrogateescape"))


def in_file(name: str, parse: Callable[[Path], object]) -> Callable[[bytes], object]:
    """A parser of a file that is called `name`, in a folder of its own."""

    def parsed(data: bytes) -> object:
        with tempfile.TemporaryDirectory(dir=_memory()) as folder:
            path = Path(folder, name)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
            return parse(path)

    return parsed


def _memory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def _sealed(data: bytes) -> object:
    """A record whose check is right: a mistake, or a malicious writer."""
    return record.decode(record.sealed(b"{" + data), "log/1.json")


def _footer(data: bytes) -> object:
    backend = MemoryBackend()
    backend.write(KEY, data)
    return read_footer(backend, KEY, size_bytes=len(data))


def _pack() -> bytes:
    backend = MemoryBackend()
    writer = PackWriter(backend, KEY, digest_bytes=32)
    for n in range(3):
        writer.append(bytes([n]) * 32, b"frame %d" % n, size=7, codec="raw")
    writer.finish()
    return backend.read(KEY)


def _frame(data: bytes) -> object:
    """The first bytes say which codec and which size the index states."""
    size = int.from_bytes(data[:3], "little") % SIZE_MAX
    name = ("zstd", "raw", "none")[data[3] % 3] if len(data) > 3 else "zstd"
    reference = b"reference " * 9 if data[4:5] > b"\x7f" else None
    return codec.decode(data[5:], codec=name, size=size, reference=reference)


def _frames() -> tuple[bytes, ...]:
    plain = b"id,label\n" * 200
    size = len(plain).to_bytes(3, "little")
    return (size + b"\0\0" + codec.zstd.compress(plain), size + b"\1\0" + plain)


def _rejoined(data: bytes) -> object:
    return list(bundle.decode([data[n : n + 64] for n in range(0, len(data), 64)], "bundle"))


def _pattern(line: str) -> object:
    found = patterns.parse_lines(line.split("\n"))
    return [one.matches("a/b/c.txt", "c.txt", is_directory=False) for one in found]


def _journal_line(data: bytes) -> object:
    return list(_proven(MemoryBackend(), checksum(data).hex().encode() + b" " + data))


def _recover(data: bytes) -> object:
    """The script that lies in every store: it finds its other parts beside it."""
    folder = str(Path(recovery.__file__).parent)
    if folder not in sys.path:
        sys.path.append(folder)
    return importlib.import_module("recover_log").parsed(data)


RECORD = (
    b'"format":1,"seq":2,"txid":"%s","prev":"blake3:%s","base":1,"crit":[],"op":"alias.set",'
    b'"by":"alice","host":"hub","client":"datacat/1","at":"2026-11-22T00:00:00Z",'
    b'"dataset":"%s","alias":"gold","number":1}' % (b"0" * 32, b"0" * 64, b"1" * 32)
)
STORE = json.dumps(
    {"format": 1, "id": "0" * 32, "name": "imaging", "digest": "blake3", "crit": [],
     "chunker": {"name": "fastcdc", "min": 16384, "mean": 65536, "max": 262144}}
).encode()  # fmt: skip
MARKER = json.dumps(
    {"format": 1, "store": "/s", "store_id": "0" * 32, "dataset": "1" * 32, "name": "cmr",
     "number": 1, "tree": "blake3:" + "0" * 64, "listing": "0" * 16,
     "pulled_at": "2026-11-22T00:00:00Z"}
).encode()  # fmt: skip
COPY = json.dumps(
    {"format": 1, "key": "copies/" + "0" * 32 + ".json", "user": "alice", "host": "hub",
     "path": "/home/alice/cmr", "dataset": "1" * 32, "version": 1, "linked": False,
     "pulled_at": "2026-11-22T00:00:00Z", "last_seen": "2026-11-22T00:00:00Z"}
).encode()  # fmt: skip
UNDO = b"%s\n%s\n" % (
    msgspec.json.encode(dict.fromkeys(Head.__struct_fields__, "0")),
    msgspec.json.encode(dict.fromkeys(Line.__struct_fields__, "0")),
)
COPY_KEY = "copies/" + "0" * 32 + ".json"

PARSERS = tuple(
    Parser(name, parse, tuple(seeds), errors)
    for name, parse, seeds, errors in (
        ("strict_json", strict_json.parse, [b"{" + RECORD, STORE], (ValueError,)),
        ("record", lambda data: record.decode(data, "log/1.json"),
         [record.sealed(b"{" + RECORD)], (DatacatError,)),
        ("record_sealed", _sealed, [RECORD], (DatacatError,)),
        ("store_file", lambda data: store_file.decode(data, "/s"), [STORE], (DatacatError,)),
        ("bundle", _rejoined, [bundle.zstd.compress(b"{" + RECORD + b"\n")], (DatacatError,)),
        ("registration", lambda data: registration.decode(data, COPY_KEY), [COPY], ()),
        ("marker", in_file(f"{marker.DIRECTORY}/{marker.FILE}",
                           lambda path: marker.read(path.parent.parent)),
         [MARKER], (DatacatError,)),
        ("undo_file", in_file("undo.jsonl", read_undo), [UNDO], (DatacatError,)),
        ("settings", in_file("config.toml", read_toml),
         [b'store = "/s"\njobs = 2\n[store_options]\nendpoint = "http://x"\n'], (DatacatError,)),
        ("journal", _journal_line, [b'{"key":"%s","size":1}' % KEY.encode()], ()),
        ("pack_footer", _footer, [_pack()], (DatacatError,)),
        ("frame", _frame, _frames(), (DatacatError,)),
        ("patterns", text(_pattern), [b"*.tmp\n!a/**/b[!x-z].t?t\n\\#x\n[[:alpha:]]/"], ()),
        ("reference", text(refs.parse), [b"cmr@v3", b"cmr@gold", b"cmr/a.csv", b"cmr@3f2a"],
         (DatacatError,)),
        ("address", text(parse_address), [b"s3://bucket/folder", b"sftp://me@host/x"],
         (DatacatError,)),
        ("digest_label", text(parse_label), [b"blake3:" + b"0" * 64], (DatacatError,)),
        ("size", text(parse_size), [b"1.5GiB", b"100MB", b"7"], (DatacatError,)),
        ("since", text(lambda one: parse_since(one, now=NOW)), [b"7d", b"2026-11-01", b"12h"],
         (DatacatError,)),
        ("period", text(lambda one: parse_period("--older-than", one)), [b"30d", b"0d"],
         (DatacatError,)),
        ("sort", text(parse_sort), [b"name", b"size:asc"], (DatacatError,)),
        ("pair", text(lambda one: parse_pairs("--param", [one])), [b"lr=3e-4", b"a=null", b"a=x"],
         (DatacatError,)),
        *(
            (f"pairs_{kind}", in_file(f"p.{kind}", lambda path: read_pairs("--params", str(path))),
             [seed], (DatacatError,))
            for kind, seed in (
                ("json", b'{"lr": 1e-3, "model": {"layers": 3}}'),
                ("toml", b"lr = 1e-3\n[model]\nlayers = 3\n"),
                ("yaml", b"lr: 1e-3\nmodel: {layers: 3}\nmore: [1, &a b, *a]\n"),
            )
        ),
        ("magic", lambda data: (kind_of(data), is_text(data, whole=True)),
         [b"PAR1", b"\x89PNG\r\n\x1a\n", b"text"], ()),
        ("printable", text(printable), ["é\x1b[31m\u202e".encode()], ()),
        ("recover_record", _recover, [record.sealed(b"{" + RECORD)],
         ()),
    )
)  # fmt: skip
BY_NAME = {one.name: one for one in PARSERS}
