"""A registration comes back as it was written, and nothing else is believed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datacat import layout
from datacat.copies.registration import (
    REGISTRATION_BYTES_MAX,
    Registration,
    decode,
    encode,
    is_key,
)
from tests.conftest import searching

ID = "3ad10e46251eda519436bab4cc6e389a"
KEY = layout.copy(ID)
COPY = Registration(
    id=ID,
    name="cmr",
    version=3,
    linked=False,
    partial=True,
    user="bob",
    host="hub",
    path="/home/bob/cmr",
    pulled_at=datetime(2026, 11, 22, 9, 14, 3, tzinfo=UTC),
    last_seen=datetime(2026, 11, 23, 8, 0, 0, tzinfo=UTC),
)

words = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1)
times = st.datetimes(
    datetime(2000, 1, 1), datetime(2199, 12, 31), timezones=st.just(UTC)
).map(lambda time: time.replace(microsecond=0))  # fmt: skip


@searching(60)
@given(
    user=words.filter(lambda text: len(text) <= 256),
    path=words,
    seen=times,
    pulled=st.none() | times,
    version=st.integers(1, 999_999_999),
    flags=st.tuples(st.booleans(), st.booleans()),
)
def test_it_comes_back_as_it_was_written(
    user: str,
    path: str,
    seen: datetime,
    pulled: datetime | None,
    version: int,
    flags: tuple[bool, bool],
) -> None:
    written = Registration(
        id=ID,
        name="cmr",
        version=version,
        linked=flags[0],
        partial=flags[1],
        user=user,
        host="hub",
        path=path,
        pulled_at=pulled,
        last_seen=seen,
    )
    assert decode(encode(written), KEY) == written


def test_one_without_who_and_where_comes_back_too() -> None:
    written = msgspec.structs.replace(COPY, user=None, host=None, path=None, pulled_at=None)
    assert decode(encode(written), KEY) == written


def changed(**values: object) -> bytes:
    return json.dumps({**json.loads(encode(COPY)), **values}).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"", b"null", b"[]", b"{}", b"\xff\xfe", b"[" * 10_000, b'{"id": NaN}',
        changed(id="3ad1"), changed(id="0" * 32), changed(name="../x"), changed(name="CMR"),
        changed(version=0), changed(version="3"), changed(version=True), changed(version=3.5),
        changed(version=10**9), changed(linked=1), changed(partial=None), changed(user=7),
        changed(user=""), changed(user="x" * 257), changed(path=""), changed(path="x" * 8_193),
        changed(path=None), changed(host=None), changed(user="a\0b"),
        changed(last_seen="yesterday"), changed(last_seen="2026-11-22T09:14:03"),
        changed(last_seen="0001-01-01T00:00:00+14:00"), changed(last_seen=None),
        changed(last_seen="1999-12-31T23:59:59Z"), changed(pulled_at="9999-12-31T23:59:59-12:00"),
        changed(format=2), changed(format=0),
        encode(COPY) + b" " * REGISTRATION_BYTES_MAX,
        encode(COPY).replace(b'"bob"', b'"bob","user":"eve"'),
        encode(COPY).replace(b'"bob"', b'"\\ud800"'),
        encode(COPY)[:-20],
    ],
)  # fmt: skip
def test_something_else_is_no_registration(data: bytes) -> None:
    assert decode(data, KEY) is None


def test_it_counts_under_its_own_key_only() -> None:
    assert decode(encode(COPY), KEY) == COPY
    assert decode(encode(COPY), layout.copy("0" * 32)) is None


def test_unknown_fields_are_ignored_and_times_are_utc() -> None:
    found = decode(changed(later=[1], last_seen="2026-11-23T10:00:00+02:00"), KEY)
    assert found == COPY
    assert found is not None
    assert found.last_seen.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("key", "fits"),
    [
        (KEY, True),
        ("copies/x.json", False),
        (f"copies/sub/{ID}.json", False),
        (f"copies/{ID.upper()}.json", False),
        (f"copies/{ID}.json\n", False),
        (f"copies/.{ID}.json-1", False),
    ],
)
def test_keys(key: str, fits: bool) -> None:
    assert is_key(key) is fits
