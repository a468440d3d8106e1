"""Damage is told from a broken rule; hostile bytes are void, the same on every client."""

from __future__ import annotations

import json
import math
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datacat.backend.memory import MemoryBackend
from datacat.catalog import record as record_module
from datacat.catalog.record import (
    AliasSet,
    DatasetEdit,
    StoreCreate,
    VersionAdd,
    Void,
    decode,
    encode,
)
from datacat.errors import Corrupt, FormatTooNew, InvalidInput
from tests.unit.catalog.records import Chain, seal, seal_unchecked

KEY = "catalog/log/0000000/00000000000000000002.json"


@pytest.fixture
def added() -> VersionAdd:
    made = Chain(MemoryBackend()).make(
        VersionAdd,
        dataset="cmr",
        number=1,
        message='première é 🙂 "quoted" \\ back',
        params={"lr": 3e-4, "epochs": 80, "note": "x", "flag": True, "none": None, "one": 1.0},
        metrics={"dice": 0.912},
        sources=("ukb-raw@v1",),
        tags=("cardiac",),
        aliases=("gold",),
    )
    assert isinstance(made, VersionAdd)
    return made


def fields_of(record: VersionAdd) -> dict[str, Any]:
    body = json.loads(encode(record))
    del body["check"]
    return dict(body)


def sealed(fields: Any) -> bytes:
    return seal(json.dumps(fields).encode() + b"\n")


def test_a_record_comes_back_as_it_was(added: VersionAdd) -> None:
    data = encode(added)
    assert data.startswith(b'{"check":"')
    assert data.endswith(b"}\n")
    assert data.count(b"\n") == 1
    assert decode(data, KEY) == added
    assert json.loads(data)["op"] == "version.add"


def test_every_single_bit_flip_is_damage(added: VersionAdd) -> None:
    data = encode(added)
    for position in range(0, len(data)):
        for bit in (0, 5):
            flipped = bytearray(data)
            flipped[position] ^= 1 << bit
            with pytest.raises(Corrupt, match="00000000000000000002"):
                decode(bytes(flipped), KEY)


@pytest.mark.parametrize("cut", [0, 1, 9, 27, 28, 100, -1])
def test_cut_records_are_damage(added: VersionAdd, cut: int) -> None:
    with pytest.raises(Corrupt):
        decode(encode(added)[:cut], KEY)


def test_the_fast_and_the_strict_parser_agree(added: VersionAdd) -> None:
    data = encode(added)
    assert record_module._parsed(data, KEY) == decode(data, KEY) == added


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_the_parsers_agree_on_mutated_json(data: st.DataObject) -> None:
    made = Chain(MemoryBackend()).make(VersionAdd, dataset="cmr", number=1, params={"a": 1})
    assert isinstance(made, VersionAdd)
    body = fields_of(made)
    scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    values = st.recursive(
        scalars,
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
        ),
        max_leaves=5,
    )
    for field in data.draw(st.lists(st.sampled_from(sorted(body)), max_size=3)):
        body[field] = data.draw(values)
    separators = data.draw(st.sampled_from([(",", ":"), (", ", ": ")]))
    text = json.dumps(body, ensure_ascii=data.draw(st.booleans()), separators=separators)
    line = seal(text.encode("utf-8", "surrogatepass") + b"\n")
    try:
        strict = record_module._parsed(line, KEY)
    except FormatTooNew:
        with pytest.raises(FormatTooNew):
            decode(line, KEY)
        return
    found = decode(line, KEY)
    if isinstance(strict, Void):
        assert isinstance(found, Void)
    else:
        assert found == strict


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seq", "2"),
        ("seq", 2.0),
        ("seq", True),
        ("seq", 0),
        ("seq", 2**63),
        ("seq", int("9" * 400)),
        ("txid", "x" * 32),
        ("txid", "A" * 32),
        ("txid", "a" * 32 + "\n"),
        ("prev", None),
        ("crit", "none"),
        ("by", ""),
        ("by", "x" * 300),
        ("by", "a\x00b"),
        ("by", "\ud800"),
        ("at", "yesterday"),
        ("at", "2026-11-01T00:00:00"),
        ("at", "2026-11-01T00:00:00+01:00"),
        ("at", 1_700_000_000),
        ("dataset", "CMR"),
        ("dataset", "../cmr"),
        ("dataset", ".."),
        ("dataset", "cmr\n"),
        ("dataset", "cmr'; drop table fold.versions; --"),
        ("dataset", "$(reboot)"),
        ("dataset", "x" * 65),
        ("number", 0),
        ("number", -1),
        ("number", 10**9),
        ("tree", "blake3:" + "a" * 63),
        ("tree", "md5:" + "a" * 32),
        ("session", "../../etc"),
        ("manifest", None),
        ("manifest", {"key": "manifests/../store.json", "size": 1, "digest": "x"}),
        ("files", -1),
        ("bytes", 2**64),
        ("message", "x" * 20_000),
        ("message", ["x"]),
        ("params", {"": 1}),
        ("params", {"a": [1]}),
        ("params", {"a": 2**64}),
        ("params", {str(n): n for n in range(1_001)}),
        ("sources", ["cmr"]),
        ("sources", ["cmr@v0"]),
        ("tags", ["Cardiac MRI"]),
        ("aliases", ["v3"]),
        ("aliases", ["latest"]),
        ("aliases", ["abcdef1"]),
        ("segments", [0]),
        ("sketch", "not base64!"),
        ("format", 0),
        ("format", "1"),
        ("op", "version.explode"),
        ("op", None),
    ],
)
def test_a_wrong_field_makes_a_record_void(added: VersionAdd, field: str, value: object) -> None:
    assert isinstance(decode(sealed(fields_of(added) | {field: value}), KEY), Void)


@pytest.mark.parametrize(
    "key",
    [
        "manifests/../store.json",
        "manifests/aa/..",
        "/etc/passwd",
        "manifests//x",
        "catalog/log/0",
        "manifests/aa/x\n",
        "store.json",
        "manifests/",
        "whole/" + "a" * 300,
    ],
)
def test_keys_stay_inside_the_store(added: VersionAdd, key: str) -> None:
    body = fields_of(added)
    body["manifest"]["key"] = key
    assert isinstance(decode(sealed(body), KEY), Void)


@pytest.mark.parametrize(
    "body",
    [
        b"[]\n",
        b"{}\n",
        b'{"a":1}\n',
        b'{"a":\n',
        b'{"a":NaN}\n',
        b'{"format":Infinity}\n',
        b'{"format":1e400}\n',
        b"{" + b'"a":[' * 50_000 + b"]" * 50_000 + b"}\n",
        b'{"a":' + b"[" * 33 + b"]" * 33 + b"}\n",
        b'{"a":"' + b"x" * 10_000_000 + b'"}\n',
        b'{"a":"\xff"}\n',
        b"{" + b"9" * 10_000 + b"\n",
        b'{"seq":' + b"9" * 10_000 + b"}\n",
    ],
    ids=lambda body: repr(body[:12]),
)
def test_hostile_bodies_are_void(body: bytes) -> None:
    assert isinstance(decode(seal(body), KEY), Void)


def test_duplicate_fields_are_void_at_every_depth(added: VersionAdd) -> None:
    body = json.dumps(fields_of(added)).encode()
    twice = body.replace(b'"files":', b'"files": 1, "files":')
    inner = body.replace(b'"size": 100', b'"size": 1, "size": 100', 1)
    assert twice != body != inner
    assert isinstance(decode(seal(twice + b"\n"), KEY), Void)
    assert isinstance(decode(seal(inner + b"\n"), KEY), Void)


def test_depth_is_counted_outside_of_text(added: VersionAdd) -> None:
    body = fields_of(added) | {"message": "[{" * 100 + '\\"' + "[" * 100}
    found = decode(sealed(body), KEY)
    assert isinstance(found, VersionAdd)
    assert isinstance(decode(sealed(body | {"later": [[[[[1]]]]]}), KEY), VersionAdd)


def test_unknown_fields_are_ignored(added: VersionAdd) -> None:
    assert decode(sealed(fields_of(added) | {"colour": {"a": [1, 2.5]}}), KEY) == added


def test_a_newer_format_or_feature_stops_the_reader(added: VersionAdd) -> None:
    for change in ({"format": 2}, {"crit": ["erasure"]}, {"crit": ["x"], "op": "object.relocate"}):
        with pytest.raises(FormatTooNew, match="00000000000000000002"):
            decode(sealed(fields_of(added) | change), KEY)


def test_an_unknown_operation_without_crit_is_void(added: VersionAdd) -> None:
    assert isinstance(decode(sealed(fields_of(added) | {"op": "object.polish"}), KEY), Void)


def test_what_readers_would_void_is_not_written() -> None:
    chain = Chain(MemoryBackend())
    for made in (
        chain.make(VersionAdd, dataset="cmr", number=1, message="x" * 20_000),
        chain.make(VersionAdd, dataset="cmr", number=1, metrics={"dice": math.nan}),
        chain.make(VersionAdd, dataset="cmr", number=1, params={"lr": math.inf}),
        chain.make(VersionAdd, dataset="../x", number=1),
        chain.make(AliasSet, dataset="cmr", alias="Gold", number=1),
        chain.make(StoreCreate, store_id="x"),
        chain.make(VersionAdd, dataset="cmr", number=1, message="half \ud800"),
        chain.make(VersionAdd, dataset="cmr", number=1, message="nul \x00"),
    ):
        with pytest.raises(InvalidInput):
            encode(made)


def test_facts_about_a_version_need_its_number() -> None:
    chain = Chain(MemoryBackend())
    with pytest.raises(ValueError, match="without its number"):
        chain.make(DatasetEdit, dataset="cmr", message="x")


def test_times_must_be_utc() -> None:
    elsewhere = timezone(timedelta(hours=1))
    with pytest.raises(ValueError, match="UTC"):
        Chain(MemoryBackend()).make(
            StoreCreate, store_id="5" * 32, at=datetime(2026, 1, 1, tzinfo=elsewhere)
        )


def test_a_canonical_record_of_a_newer_format_is_not_read_by_the_fast_parser(
    added: VersionAdd,
) -> None:
    newer = seal_unchecked(added).replace(b'"format":1', b'"format":2')
    with pytest.raises(FormatTooNew):
        decode(seal(b"{" + newer[28:]), KEY)


@pytest.mark.parametrize("ending", [b"", b" ", b"x", b"\r"])
def test_a_record_ends_with_a_newline(added: VersionAdd, ending: bytes) -> None:
    body = json.dumps(fields_of(added)).encode()
    assert isinstance(decode(seal(body + b"\n"), KEY), VersionAdd)
    assert isinstance(decode(seal(body + ending), KEY), Void)
