"""Questions in SQL: the views, the files of every version, files by URL, and how they end."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from datacat import sql
from datacat.catalog import schema
from datacat.errors import Cancelled, Corrupt, Failed, InvalidInput, NotFound
from datacat.inside import running
from datacat.inside.running import Runner
from datacat.model import Layout
from datacat.progress import StopSignal
from datacat.store import Store
from tests.chunked import added
from tests.conftest import BACKENDS

TREES = (
    {"a.csv": b"id,v\n1,2\n2,3\n", "d/scan.nii.gz": b"1234", "README": b"x"},
    {"a.csv": b"id,v\n1,2\n2,4\n", "d/scan.nii.gz": b"1234", ".hidden": b"", "d/.x.JSON": b"{}"},
)


@pytest.fixture
def saved(store: Callable[..., Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Two versions of cmr, and one of them again under another name."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    opened = store()
    for tree in TREES:
        added(opened, tmp_path / "cmr", tree, name="cmr")
    added(opened, tmp_path / "again", TREES[0], name="again", new_version=True)
    return opened


def test_the_example_of_every_view_runs(saved: Store) -> None:
    names = [view.name for view in schema.for_people()]
    assert names[:3] == ["datasets", "versions", "files"]
    others = ["activity", "aliases", "copies", "metrics", "params", "sources", "tags"]
    assert sorted(names[3:]) == others
    for view in schema.for_people():
        assert view.describes.startswith("One row is")
        assert saved.sql(view.example).columns, view.name
        assert saved.sql(f"describe {view.name}").rows(), view.name


def test_files_are_those_of_every_version(saved: Store) -> None:
    found = saved.sql("select ref, path, bytes, kind from files").rows()
    trees = {"cmr@v1": TREES[0], "cmr@v2": TREES[1], "again@v1": TREES[0]}
    assert sorted(found) == sorted(
        (ref, path, len(data), "file") for ref, tree in trees.items() for path, data in tree.items()
    )
    extensions = dict(saved.sql("select path, any_value(extension) from files group by 1").rows())
    assert extensions == {
        "a.csv": ".csv",
        "d/scan.nii.gz": ".nii.gz",
        "README": "",
        ".hidden": "",
        "d/.x.JSON": ".json",
    }
    (same,) = saved.sql("select count(distinct hash) from files where path like '%scan%'").rows()
    assert same == (1,)
    saved.rm(["cmr@v1"], force=True)
    assert saved.sql("select distinct ref from files order by 1").rows() == [
        ("again@v1",),
        ("cmr@v2",),
    ]


def test_lists_of_files_are_fetched_only_for_questions_about_files(saved: Store) -> None:
    backend = saved._opened.backend
    asked: list[str] = []
    read_range = backend.read_range
    backend.read_range = lambda key, *range_: asked.append(key) or read_range(key, *range_)
    cached = saved._opened.cache / "manifests"
    for path in cached.glob("*"):
        path.unlink()
    saved.sql("select files from versions").rows()
    assert not asked
    saved.sql("with f as (from files) select count(*) from f").rows()
    assert len({key for key in asked if key.startswith("manifests/")}) == 3
    asked.clear()
    saved.sql("pivot files on kind using count(*) group by ref").rows()
    assert not asked


def test_a_damaged_list_of_files_is_named(saved: Store) -> None:
    backend = saved._opened.backend
    key = next(backend.keys("manifests/")).key
    data = backend.read(key)
    backend.delete(key)
    backend.write(key, data[:50] + b"?" + data[51:])
    for path in (saved._opened.cache / "manifests").glob("*"):
        path.unlink()
    with pytest.raises(Corrupt, match=key.rpartition("/")[2]):
        saved.sql("from files").rows()
    assert saved.sql("from versions").rows()


@pytest.mark.parametrize("store_kind", BACKENDS)
def test_files_are_read_by_their_urls(saved: Store, tmp_path: Path) -> None:
    added(
        saved,
        tmp_path / "odd",
        {
            "a[b].csv": b"x\nbrackets\n",
            "ab.csv": b"x\nplain\n",
            "rows.jsonl": b'{"a": 1}\n{"a": 2}\n',
            "list.json": b'[{"a": 5}]',
            "t.txt": "ü".encode(),
        },
        name="odd",
    )
    ask = saved.sql
    assert ask("from 'datacat://cmr@v2/a.csv'").rows() == [(1, 2), (2, 4)]
    assert ask("from 'datacat://odd/a[b].csv'").rows() == [("brackets",)]
    assert sorted(ask("from 'datacat://odd@v1/a*.csv'").rows()) == [("brackets",), ("plain",)]
    assert ask("select sum(a) from 'datacat://odd@v1/rows.jsonl'").rows() == [(3,)]
    assert ask("from 'datacat://odd@v1/list.json'").rows() == [(5,)]
    assert ask("select content from read_text('datacat://odd@v1/t.txt')").rows() == [("ü",)]
    both = (
        "select n.v - o.v from 'datacat://cmr@v1/a.csv' o join 'datacat://cmr@v2/a.csv' n using(id)"
    )
    assert sorted(ask(both).rows()) == [(0,), (1,)]
    for question, kind in (
        ("from 'datacat://cmr@v2/b.csv'", "file_not_in_version"),
        ("from 'datacat://cmr@v9/a.csv'", "version_not_found"),
        ("from 'datacat://cm@v9/a.csv'", "dataset_not_found"),
        ("from 'datacat://cmr@v1/*.parquet'", "pattern_no_match"),
    ):
        with pytest.raises(NotFound) as caught:
            ask(question).rows()
        assert caught.value.kind == kind


@pytest.mark.parametrize("store_kind", BACKENDS)
def test_a_large_parquet_file_is_right_however_many_threads_read_it(
    saved: Store, tmp_path: Path
) -> None:
    folder = tmp_path / "table"
    folder.mkdir()
    with sql.Workspace() as workspace:
        query = "select i, hash(i) as h, md5(i::varchar) as t from range(300000) r(i)"
        workspace.write_parquet(query, folder / "t.parquet", row_group_rows=4_096)
        expected = workspace.all(f"select count(*), bit_xor(h), max(t), sum(i) from ({query})")
    for layout in (Layout.WHOLE, Layout.CHUNKED):
        ref = saved.add(
            folder, name=f"t-{layout.value}", layout=layout, new_version=True
        ).version.ref
        for _ in range(3):
            question = (
                f"select count(*), bit_xor(h), max(t), sum(i) from 'datacat://{ref}/t.parquet'"
            )
            assert saved.sql(question).rows() == expected
        assert saved.sql(f"select i from 'datacat://{ref}/t.parquet' where i = 77777").rows() == [
            (77777,)
        ]


@pytest.mark.parametrize("store_kind", BACKENDS)
@pytest.mark.parametrize("suffix", ["csv", "jsonl", "json"])
def test_large_text_is_right_however_many_threads_read_it(
    saved: Store, tmp_path: Path, suffix: str
) -> None:
    count = 400_000
    if suffix == "csv":
        text = "n,t\n" + "".join(f"{n},row {n}\n" for n in range(count))
    else:
        lines = [f'{{"n": {n}, "t": "row {n}"}}' for n in range(count)]
        text = "\n".join(lines) if suffix == "jsonl" else "[" + ",\n".join(lines) + "]"
    ref = added(saved, tmp_path / "text", {f"t.{suffix}": text.encode()}, name="text")
    question = f"select count(*), sum(n), count(distinct t) from 'datacat://{ref}/t.{suffix}'"
    for _ in range(2):
        assert saved.sql(question).rows() == [(count, count * (count - 1) // 2, count)]


def test_damage_is_an_error_that_names_the_file(saved: Store, tmp_path: Path) -> None:
    table = b"a,b\n" + b"".join(b"%d,%d\n" % (n, n * n) for n in range(60_000))
    ref = added(saved, tmp_path / "big", {"big.csv": table}, layout=Layout.WHOLE)
    backend = saved._opened.backend
    key = max(backend.keys("whole/"), key=lambda stat: stat.size_bytes).key
    backend.delete(key)
    backend.write(key, table[:5_000] + b"#" + table[5_001:])
    with pytest.raises(Corrupt, match=r"big\.csv of big@v1"):
        saved.sql(f"select sum(a) from 'datacat://{ref}/big.csv'").rows()


def test_values_are_those_of_python(saved: Store) -> None:
    answer = saved.sql(
        "select 1 as a, 2 as a, timestamptz '2020-01-01 12:00:00+02' as t,"
        " [timestamptz '2020-01-01'] as l, '\\xAA'::blob as b, null as n; -- and no more"
    )
    assert answer.names == ("a", "a_1", "t", "l", "b", "n")
    assert answer.rows() == [
        (1, 2, datetime(2020, 1, 1, 10, tzinfo=UTC), "['2020-01-01 00:00:00+00']", b"\xaa", None)
    ]
    assert answer.rows() == []
    assert saved.sql("from range(20000)").df()["range"].sum() == 199_990_000


def test_what_cannot_be_understood_is_said_without_a_stack(saved: Store) -> None:
    with pytest.raises(InvalidInput) as caught:
        saved.sql("select 1 from nowhere")
    assert caught.value.message == "Table with name nowhere does not exist!"
    assert "datasets, versions, files" in str(caught.value.hint)
    for question, said in (
        ("selec 1", "syntax error"),
        ("select no from datasets", 'Referenced column "no" not found'),
        ("select 1; select 2", "one question at a time"),
        (" -- nothing", "there is no question"),
        ("", "there is no question"),
        ("select 'x'::int", "Could not convert string 'x'"),
        ("select '\udc80'", "not text"),
    ):
        with pytest.raises(InvalidInput, match=said):
            saved.sql(question).rows()
    with pytest.raises(Failed) as failed:
        saved.sql("select len(list(repeat('x', 900) || i)) from range(1000000) t(i)").rows()
    assert failed.value.kind == "sql_too_large"


def test_nothing_is_left_behind(saved: Store, tmp_path: Path) -> None:
    saved.sql("from files").rows()
    with saved.sql("from range(1000000)") as answer:
        assert next(iter(answer)) == (0,)
    saved.sql("select 1").close()
    with pytest.raises(InvalidInput):
        saved.sql("selec")
    assert list((tmp_path / "temporary").iterdir()) == []
    assert not [t for t in threading.enumerate() if t.name == "datacat-sql"]


@pytest.mark.parametrize(
    "question",
    [
        "select count(*) from range(100000000000) a, range(1000) b",
        "select sleep_ms(1000000)",
        "with recursive t(i) as (select 1 union all select i + 1 from t) select count(*) from t",
        "from range(1000000000000)",
    ],
)
def test_a_question_without_end_can_be_stopped(saved: Store, question: str) -> None:
    stop = StopSignal()
    timer = threading.Timer(0.5, stop.set)
    timer.start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        for _ in saved.sql(question, stop=stop).batches():
            pass
    assert time.monotonic() - began < 10, "0.5 s, and the patience of a busy machine"
    assert saved.sql("select 1").rows() == [(1,)]


def test_what_does_not_listen_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "GRACE_SECONDS", 0.2)
    stop, release = StopSignal(), threading.Event()
    runner = Runner(lambda: None, stop=stop)
    assert runner.call(lambda: 7) == 7
    threading.Timer(0.1, stop.set).start()
    with pytest.raises(Cancelled) as caught:
        runner.call(release.wait)
    assert caught.value.kind == "still_running"
    assert runner.stuck
    runner.close()
    release.set()
