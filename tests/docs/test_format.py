"""`docs/format.md` says of names, columns, fields and algorithms what the code does."""

from __future__ import annotations

import hashlib
import struct
import typing
from dataclasses import fields
from datetime import datetime

import msgspec
import pytest
import xxhash

from datacat import layout
from datacat.catalog import record, strict_json
from datacat.copies.registration import REGISTRATION_BYTES_MAX, Registration
from datacat.digest import BLOCK_BYTES, digest_of
from datacat.manifest.entry import DDL, tree_digest
from datacat.model import Parameters
from datacat.objects.index import CHUNKS_DDL, RECIPES_DDL
from datacat.sql import Workspace
from tests.docs.pages import ROOT, blocks, code, prose, tables

PAGE = ROOT / "docs" / "format.md"


def columns(first: str, *, needs: str) -> list[tuple[str, str]]:
    """Name and type of the rows of the table under `first` that has the row `needs`."""
    for head, rows in tables(PAGE):
        names = [name for row in rows for name in code(row[0])]
        if head[0] == first and needs in names:
            return [(name, row[1]) for row in rows for name in code(row[0])]
    raise LookupError(needs)


def ddl(text: str) -> list[tuple[str, str]]:
    pairs = [column.replace('"', "").split() for column in text.split(",")]
    return [(name, kind.upper()) for name, kind in pairs]


@pytest.mark.parametrize(
    ("needs", "declared"), [("path", DDL), ("container", CHUNKS_DDL), ("ordinal", RECIPES_DDL)]
)
def test_parquet_columns(needs: str, declared: str) -> None:
    assert columns("Column", needs=needs) == ddl(declared)


def test_the_tree_shows_names_as_they_are_made() -> None:
    shown = blocks(PAGE)[0].text
    session = "5d0c9a41e2b74f6c8a3d1e0f9b7c6a52"
    for key in [
        layout.STORE,
        layout.log_record(1),
        layout.bundle(1, min(layout.BUNDLE_SIZES)),
        layout.chunks_segment(session),
        layout.recipes_segment(session),
        layout.pack(session, 0),
        layout.copy("3ad10e46251eda519436bab4cc6e389a"),
    ]:
        *folders, name = key.split("/")
        assert name in shown.split(), key
        assert all(f"{folder}/" in shown.split() for folder in folders), key
    assert layout.manifest("9f3c…e1", session).endswith(shown.split("9f/\n")[1].split()[0])
    assert layout.whole("c41b…07", session).endswith(shown.split("c4/\n")[1].split()[0])


def test_parameters_and_their_defaults() -> None:
    listed: dict[str, str] = {}
    for head, rows in tables(PAGE):
        if head[:2] == ["Field", "Default"]:
            for row in rows:
                values = [value.strip(" `") for value in row[1].split(",")]
                listed |= dict(zip(code(row[0]), values, strict=True))
    defaults = Parameters()
    assert listed == {f.name: str(getattr(defaults, f.name)) for f in fields(Parameters)}


def documented_fields(needs: str) -> set[str]:
    return {name for name, _ in columns("Field", needs=needs)}


def test_fields_of_records() -> None:
    common = {f.encode_name for f in msgspec.structs.fields(record.Record)}
    assert documented_fields("txid") == common | {"op"}
    added = {f.encode_name for f in msgspec.structs.fields(record.VersionAdd)} - common
    assert documented_fields("base_version") == added
    others = {
        code(row[0])[0]: set(code(row[1]))
        for head, rows in tables(PAGE)
        if head[:2] == ["`op`", "Fields"]
        for row in rows
    }
    for known in typing.get_args(record.AnyRecord):
        tag = str(known.__struct_config__.tag)
        if tag in others:
            own = {f.encode_name for f in msgspec.structs.fields(known)} - common
            assert others.pop(tag) == own, tag
        else:
            assert f"### `{tag}`" in prose(PAGE)
    assert not others


def test_fields_of_registrations() -> None:
    known = {f.encode_name for f in msgspec.structs.fields(Registration)}
    assert documented_fields("last_seen") == known


def test_the_example_of_a_canonical_listing() -> None:
    page = PAGE.read_text()
    listing = next(b.text.strip() for b in blocks(PAGE) if "␀" in b.text)
    content = digest_of("blake3", b"hi")
    assert listing.split("␀")[3].rstrip("…") == content.hex()[:4]
    canonical = listing.replace("␀", "\0").replace(f"{content.hex()[:4]}…", content.hex()).encode()
    with Workspace() as workspace:
        workspace.execute(f"create table t ({DDL})")
        workspace.load("t", [("a.txt", "file", 2, False, 17, content, None)])
        tree = tree_digest(workspace, "t", algorithm="blake3")
    assert tree == digest_of("blake3", canonical)
    assert tree.hex()[:12] in page, tree.hex()


def test_the_check_of_a_record_is_as_described() -> None:
    made = record.encode(
        record.StoreCreate(
            seq=1,
            txid="0" * 32,
            prev=hashlib.sha256(b"{}").hexdigest(),
            base=0,
            by="alice",
            at=datetime.fromisoformat("2026-11-22T09:14:03+00:00"),
            store_id="1" * 32,
        )
    )
    assert made[:10] + made[26:28] == b'{"check":"",'
    assert made.endswith(b"}\n")
    assert made[10:26] == struct.pack(">Q", xxhash.xxh3_64_intdigest(made[28:])).hex().encode()


def test_numbers_that_the_page_states() -> None:
    text = prose(PAGE)
    limits = [BLOCK_BYTES, record.RECORD_BYTES_MAX, REGISTRATION_BYTES_MAX]
    for number in [*limits, *layout.BUNDLE_SIZES[1:]]:
        assert f"{number:,}" in text
    assert f"than {strict_json.DEPTH_MAX} levels" in text
    assert f"seq div {layout.RECORDS_PER_BUCKET}" in text
