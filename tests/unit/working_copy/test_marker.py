from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datacat.errors import Corrupt, Failed, FormatTooNew, Refused
from datacat.model import LinkMode
from datacat.working_copy import marker
from datacat.working_copy.marker import Marker

MARKER = Marker(
    store_id="0" * 32,
    store_url="/shared/data cat",
    name="cmr",
    number=3,
    hash="9f" * 32,
    link=LinkMode.AUTO,
    pulled_at=datetime(2026, 11, 22, 9, 14, 3, 250_000, tzinfo=UTC),
    user="bob",
    id="1" * 32,
    listing="2" * 16,
)


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    url=st.text(st.characters(exclude_categories=("Cs",))),
    number=st.integers(1, 2**53),
    link=st.sampled_from(LinkMode),
    patterns=st.lists(st.text(st.characters(exclude_categories=("Cs",)), max_size=9)).map(tuple),
)
def test_a_marker_comes_back_as_it_was_written(
    tmp_path: Path, url: str, number: int, link: LinkMode, patterns: tuple[str, ...]
) -> None:
    written = replace(MARKER, store_url=url, number=number, link=link, patterns=patterns)
    marker.write(tmp_path, written)
    assert marker.read(tmp_path) == written
    assert written.partial is bool(patterns)
    assert sorted(p.name for p in (tmp_path / ".datacat").iterdir()) == [".gitignore", "copy.json"]
    assert (tmp_path / ".datacat" / ".gitignore").read_text() == "*\n"


@pytest.mark.parametrize(
    "change",
    [
        {"number": "3"}, {"number": 0}, {"number": 1.5}, {"link": "maybe"}, {"pulled_at": "now"},
        {"pulled_at": "2026-11-22T09:14:03"}, {"patterns": "labels/"}, {"name": None},
        {"format": "1"}, {"format": 0}, {"store_id": None}, {"hash": 7},
    ],
)  # fmt: skip
def test_a_marker_with_a_wrong_value_is_damaged(tmp_path: Path, change: dict[str, object]) -> None:
    marker.write(tmp_path, MARKER)
    file = tmp_path / ".datacat" / "copy.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(Corrupt) as caught:
        marker.read(tmp_path)
    assert caught.value.kind == "damaged_marker"
    assert str(file) in caught.value.commands[0]


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_cut_or_garbled_marker_is_damaged_not_a_crash(
    tmp_path: Path, data: st.DataObject
) -> None:
    marker.write(tmp_path, MARKER)
    file = tmp_path / ".datacat" / "copy.json"
    raw = file.read_bytes()
    cut = data.draw(st.integers(0, len(raw) - 3))
    file.write_bytes(raw[:cut] + data.draw(st.binary(max_size=5)))
    with pytest.raises(Corrupt):
        marker.read(tmp_path)


@pytest.mark.parametrize("content", [b"", b"[]", b"1", b'{"format": NaN}', b"[" * 100_000])
def test_something_else_is_damaged(tmp_path: Path, content: bytes) -> None:
    marker.prepare(tmp_path)
    (tmp_path / ".datacat" / "copy.json").write_bytes(content)
    with pytest.raises(Corrupt):
        marker.read(tmp_path)


def test_a_newer_format_is_told_before_anything_else_is_read(tmp_path: Path) -> None:
    marker.prepare(tmp_path)
    (tmp_path / ".datacat" / "copy.json").write_text('{"format": 2, "name": {"all": "new"}}')
    with pytest.raises(FormatTooNew) as caught:
        marker.read(tmp_path)
    assert "upgrade" in caught.value.commands[0]


def test_unknown_fields_are_ignored(tmp_path: Path) -> None:
    marker.write(tmp_path, MARKER)
    file = tmp_path / ".datacat" / "copy.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "later": [1]}))
    assert marker.read(tmp_path) == MARKER


def test_a_folder_without_a_marker_is_not_a_copy(tmp_path: Path) -> None:
    with pytest.raises(Failed) as caught:
        marker.read(tmp_path)
    assert caught.value.kind == "not_a_copy"
    assert not marker.has_marker(tmp_path)


def test_copies_are_found_in_above_and_one_level_below(tmp_path: Path) -> None:
    copy = tmp_path / "proj" / "cmr"
    for folder in (copy / "deep" / "er", tmp_path / "proj" / "labels", tmp_path / "proj" / "x"):
        folder.mkdir(parents=True)
    marker.write(copy, MARKER)
    marker.write(tmp_path / "proj" / "labels", MARKER)
    (tmp_path / "proj" / "alias").symlink_to(copy)
    assert marker.find(copy) == (copy,)
    assert marker.find(copy / "deep" / "er") == (copy,)
    assert marker.find(copy / "no" / "such") == (copy,)
    assert marker.find(tmp_path / "proj") == (copy, tmp_path / "proj" / "labels")
    assert marker.find(tmp_path) == ()
    marker.write(tmp_path / "proj", MARKER)
    assert marker.find(tmp_path / "proj")[0] == tmp_path / "proj"
    assert marker.find(tmp_path / "proj" / "x") == (tmp_path / "proj",)


def test_writing_never_follows_a_link_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / ".datacat").symlink_to(tmp_path / "outside")
    with pytest.raises(Refused):
        marker.write(tmp_path / "copy", MARKER)
    marker.remove(tmp_path / "copy")
    assert list((tmp_path / "outside").iterdir()) == []


def test_removing_a_marker_keeps_backups(tmp_path: Path) -> None:
    marker.write(tmp_path, MARKER)
    marker.remove(tmp_path)
    assert list(tmp_path.iterdir()) == []
    marker.write(tmp_path, MARKER)
    (tmp_path / ".datacat" / "backup").mkdir()
    (tmp_path / ".datacat" / "backup" / "mine").touch()
    marker.remove(tmp_path)
    assert not marker.has_marker(tmp_path)
    assert (tmp_path / ".datacat" / "backup" / "mine").exists()
