"""Head shows the beginning of a file, reads little of it, and is not harmed by any."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from datacat import sql
from datacat.errors import Failed, InvalidInput, NotFound
from datacat.inside import preview
from datacat.inside.magic import is_text, kind_of
from datacat.model import Layout
from datacat.store import Store
from tests.chunked import added
from tests.conftest import BACKENDS

MIB = 1 << 20
NIFTI = (348).to_bytes(4, "little") + bytes(340) + b"n+1\0" + bytes(100)
NOISE = random.Random(1).randbytes(900)
ROWS = "".join(f"{n},{n * n}\n" for n in range(300_000))


def packed(data: bytes, level: int = 1) -> bytes:
    """gzip without the time in it: two processes must collect the same tests."""
    return gzip.compress(data, level, mtime=0)


def parquet(tmp_path: Path, query: str) -> bytes:
    with sql.Workspace() as workspace:
        workspace.write_parquet(query, tmp_path / "made.parquet", row_group_rows=2_048)
    return (tmp_path / "made.parquet").read_bytes()


@pytest.fixture
def look(store: Callable[..., Store], tmp_path: Path) -> Callable[..., preview.Preview]:
    """Look at a content under a name."""
    opened = store()
    versions: dict[tuple[str, bytes], str] = {}

    def head(name: str, data: bytes, **more: object) -> preview.Preview:
        if (name, data) not in versions:
            added(opened, tmp_path / "cmr", {name: data}, layout=Layout.CHUNKED, name="cmr")
            versions[name, data] = "cmr"
        return opened.head(f"cmr/{name}", **more)  # type: ignore[arg-type]

    head.store = opened  # type: ignore[attr-defined]
    return head


@pytest.mark.parametrize(
    ("name", "data", "total"),
    [
        ("a.csv", b"x,y\n1,2\n3,4\n5,6\n", 3),
        ("a.tsv", b"x\ty\n1\t2\n3\t4\n5\t6\n", 3),
        ("a.CSV.gz", packed(b"x,y\n1,2\n3,4\n5,6\n"), 3),
        ("two members.csv.gz", packed(b"x,y\n1,2\n") + packed(b"3,4\n5,6\n"), 3),
        ("a.jsonl", b'{"x":1,"y":2}\n{"x":3,"y":4}\n{"x":5,"y":6}\n', 3),
        ("a[b]*.json", json.dumps([{"x": x, "y": x + 1} for x in (1, 3, 5)]).encode(), 3),
        ("large.csv", f"x,y\n1,2\n3,4\n5,6\n{ROWS}".encode(), None),
        ("large.csv.gz", packed(f"x,y\n1,2\n3,4\n5,6\n{ROWS}".encode(), 1), None),
        ("cut in a cell.csv", b"x,y\n1,2\n3,4\n" + b'7,"' + b"a\nb" * MIB + b'"\n', None),
    ],
)
def test_the_first_rows_of_a_table(
    look: Callable[..., preview.Preview], name: str, data: bytes, total: int | None
) -> None:
    seen = look(name, data, rows=2)
    assert [column.name for column in seen.columns] == ["x", "y"]
    assert [tuple(map(int, row)) for row in seen.rows] == [(1, 2), (3, 4)]
    assert (seen.rows_total, seen.more) == (total, total is None)
    schema = look(name, data, schema=True)
    assert [row[0] for row in schema.rows] == ["x", "y"]
    if "cut" not in name:
        summary = look(name, data, summary=True)
        assert [row[0] for row in summary.rows] == ["x", "y"]


@pytest.mark.parametrize("store_kind", BACKENDS)
def test_of_parquet_only_what_is_shown_is_read(
    look: Callable[..., preview.Preview], tmp_path: Path
) -> None:
    query = "select i, md5(i::varchar) as t, timestamptz '2020-01-01' as z from range(200000) r(i)"
    data = parquet(tmp_path, query)
    look("t.parquet", data, schema=True)
    backend = look.store._opened.backend
    read = 0
    read_range = backend.read_range

    def counting(key: str, offset: int, length: int) -> bytes:
        nonlocal read
        found = read_range(key, offset, length)
        read += len(found) if key.startswith("packs/") else 0
        return found

    backend.read_range = counting
    seen = look("t.parquet", data, rows=3)
    assert [row[0] for row in seen.rows] == [0, 1, 2]
    assert seen.rows_total == 200_000
    assert 0 < read < len(data) / 4


@pytest.mark.parametrize("store_kind", BACKENDS)
def test_of_a_text_only_the_beginning_is_read(look: Callable[..., preview.Preview]) -> None:
    data = b"".join(b"line %d\n" % n for n in range(2_000_000))
    look("log.txt", data)
    backend = look.store._opened.backend
    asked: list[int] = []
    read_range = backend.read_range
    backend.read_range = lambda key, at, n: (
        asked.append(n if key.startswith("packs/") else 0) or read_range(key, at, n)
    )
    seen = look("log.txt", data, rows=3)
    assert seen.lines == ("line 0", "line 1", "line 2")
    assert seen.more
    assert sum(asked) < 2 * MIB


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("bomb.csv.gz", packed(bytes(100 * MIB), 9), "gzip"),
        ("lines of nothing.csv.gz", packed(b"") * 100_000, "gzip"),
        ("broken.csv.gz", packed(ROWS[:200_000].encode())[:-700], "gzip"),
        (
            "broken.parquet",
            b"PAR1" + random.Random(1).randbytes(900) + b"\x10\0\0\0PAR1",
            "Parquet",
        ),
        ("endless.parquet", b"PAR1" + bytes(90) + b"\xff\xff\xff\x7fPAR1", "Parquet"),
        ("cut.parquet", b"PAR1" + bytes(90), "Parquet"),
        ("line.csv", b"x" * 3 * MIB, "text"),
        ("deep.json", b"[" * 200_000 + b"]" * 200_000, "text"),
        ("latin.csv", "a,b\nö,1\n".encode("latin1"), "binary data"),
    ],
)
def test_what_is_no_table_is_shown_as_what_it_is(
    look: Callable[..., preview.Preview],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    data: bytes,
    kind: str,
) -> None:
    monkeypatch.setattr(preview, "BEGINNING_BYTES_MAX", 2 * MIB)
    seen = look(name, data, rows=3)
    assert (seen.kind, seen.columns) == (kind, ())
    assert seen.problem
    assert all(len(line) <= preview.LINE_CHARACTERS_MAX + 1 for line in seen.lines or ())
    with pytest.raises(Failed, match="cannot be read as a table") as caught:
        look(name, data, schema=True)
    assert caught.value.kind == "unreadable_table"


def test_a_table_that_is_too_wide_is_said_to_be(
    look: Callable[..., preview.Preview], tmp_path: Path
) -> None:
    wide = (",".join(f"c{n}" for n in range(100_000)) + "\n").encode()
    columns = ", ".join(f"{n} as c{n}" for n in range(9_000))
    for name, data in (
        ("wide.csv", wide),
        ("wide.csv.gz", packed(wide)),
        ("wide.parquet", parquet(tmp_path, f"select {columns}")),
    ):
        for more in ({}, {"schema": True}, {"summary": True}):
            with pytest.raises(Failed) as caught:
                look(name, data, **more)
            assert caught.value.kind == "too_many_columns"


def test_a_dataset_without_a_path_is_its_one_table_or_the_list(
    store: Callable[..., Store], tmp_path: Path
) -> None:
    opened = store()
    added(opened, tmp_path / "cmr", {"d/t.csv": b"a\n1\n", "x.nii": NIFTI}, name="cmr")
    assert opened.head("cmr").rows == ((1,),)
    assert opened.head("cmr@v1/d/").path == "d/t.csv"
    added(opened, tmp_path / "cmr", {"d/t.csv": b"a\n1\n", "u.tsv": b"a\n1\n"}, name="cmr")
    assert [one.path for one in opened.head("cmr").tables] == ["d/t.csv", "u.tsv"]
    added(opened, tmp_path / "none", {"x.nii": NIFTI, "conf.json": b"{}"}, name="none")
    with pytest.raises(NotFound) as caught:
        opened.head("none")
    assert caught.value.kind == "no_table"
    with pytest.raises(InvalidInput):
        opened.head("cmr", rows=0)
    seen = opened.head("none/x.nii")
    assert (seen.kind, seen.pull) == ("NIfTI", "datacat pull none@v1 x.nii")


def test_kinds_by_their_first_bytes() -> None:
    assert kind_of(NIFTI) == "NIfTI"
    assert kind_of(packed(NIFTI)) == "NIfTI, gzip"
    assert kind_of(packed(packed(NIFTI))) == "gzip"
    assert kind_of(b"\x1f\x8bnot really") == "gzip"
    assert kind_of(bytes(128) + b"DICM") == "DICOM"
    assert kind_of(b"RIFF1234WAVEfmt ") == "WAV audio"
    assert kind_of(b"hello") is None is kind_of(b"")
    assert is_text("ü".encode(), whole=True)
    assert is_text("aü".encode()[:-1], whole=False)
    assert not is_text("aü".encode()[:-1], whole=True)
    assert not is_text(b"a\x00b", whole=True)
    assert not is_text(b"\xff\xfea", whole=False)
