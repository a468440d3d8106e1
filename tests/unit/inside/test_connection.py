"""A DuckDB connection of one's own: the views, files by URL, and what of them is read."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import datacat
from datacat import sql
from datacat.catalog import schema
from datacat.errors import Corrupt, NotFound, ReadOnly
from datacat.inside.connection import Connection
from datacat.model import Layout, Parameters
from datacat.store import Store
from tests.chunked import added
from tests.conftest import make_client, make_store

TREES = (
    {
        "a.csv": b"id,v\n1,2\n2,3\n",
        "b[1].csv": b"id,v\n9,9\n",
        "rows.jsonl": b'{"a": 1}\n{"a": 2}\n',
    },
    {"a.csv": b"id,v\n1,2\n2,4\n", "d/scan.nii.gz": b"1234"},
)


@pytest.fixture
def saved(store: Callable[..., Store], tmp_path: Path) -> Store:
    opened = store()
    for tree in TREES:
        added(opened, tmp_path / "cmr", tree, name="cmr")
    return opened


def test_it_has_every_view_and_the_answers_of_sql(saved: Store) -> None:
    with saved.connect() as con:
        for view in schema.for_people():
            assert con.sql(f"from {view.name}").columns == list(
                saved.sql(f"from {view.name}").names
            )
            asked = con.execute(view.example).fetchall()
            if view.name not in ("activity", "versions"):
                # Not every example asks for an order.
                assert sorted(asked, key=str) == sorted(saved.sql(view.example).rows(), key=str)


def test_lists_of_files_and_copies_are_read_only_when_they_are_asked_for(
    saved: Store, tmp_path: Path
) -> None:
    for path in (saved._opened.cache / "manifests").glob("*"):
        path.unlink()
    backend, asked = saved._opened.backend, []
    read_range, keys = backend.read_range, backend.keys
    backend.read_range = lambda key, *range_: asked.append(key) or read_range(key, *range_)
    backend.keys = lambda prefix, *more: asked.append(prefix) or keys(prefix, *more)
    con = saved.connect()
    con.sql("select files from versions").fetchall()
    assert not [key for key in asked if key.startswith(("manifests/", "copies"))]
    assert con.sql("select count(*) from files where ref = 'cmr@v1'").fetchall() == [(3,)]
    assert len({key for key in asked if key.startswith("manifests/")}) == 2
    asked.clear()
    assert con.sql("select count(*) from files").fetchall() == [(5,)]
    assert con.sql("select ref, pulled_at from copies").fetchall() == [("cmr@v2", None)]
    saved.pull("cmr@v1", dest=tmp_path / "copy")
    found = con.sql("select ref, person, linked from copies where pulled_at is not null")
    assert found.fetchall() == [("cmr@v1", "alice", False)]
    assert con.sql("select count(*) from activity where action = 'pulled'").fetchall() == [(1,)]
    assert "copies" in {key.partition("/")[0] for key in asked}
    con.close()
    con.close()


def test_files_by_url_join_with_the_programs_own_tables(saved: Store, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    mine = pandas.DataFrame({"id": [1, 2], "who": ["x", "y"]})
    assert len(mine) == 2
    with saved.connect(config={"threads": "2"}) as con:
        con.execute("create table kept as select * from 'datacat://cmr@v1/a.csv'")
        found = con.sql("select who, v from kept join mine using (id) order by 1").fetchall()
        assert found == [("x", 2), ("y", 3)]
        found = con.execute("select sum(v) from 'datacat://cmr@v1/*.csv' where id > ?", [1])
        assert found.fetchall() == [(12,)]
        assert con.sql("from 'datacat://cmr@v1/b[1].csv'").fetchall() == [(9, 9)]
        assert con.sql("select sum(a) from 'datacat://cmr@v1/rows.jsonl'").fetchall() == [(3,)]
        between = con.sql(
            "select id, a.v, b.v from 'datacat://cmr@v1/a.csv' a"
            " join 'datacat://cmr/a.csv' b using (id) where a.v <> b.v"
        )
        assert between.fetchall() == [(2, 3, 4)]
        assert con.sql("select current_setting('threads')").fetchall() == [(2,)]
        out = tmp_path / "out.csv"
        con.sql("from kept").write_csv(str(out))
        assert out.read_text().splitlines()[1:] == ["1,2", "2,3"]
        assert con.duckdb.execute("select 1").fetchall() == [(1,)]
        assert {"sql", "execute", "cursor", "df"} <= set(dir(con))
        with pytest.raises(sql.Error, match="read-only"):
            con.execute("drop view catalog.main.versions")


def test_what_is_wrong_with_a_file_is_said_as_everywhere(saved: Store) -> None:
    con = saved.connect()
    for asked, kind, hint in (
        ("from 'datacat://cmr@v1/aa.csv'", "file_not_in_version", "a.csv"),
        ("from 'datacat://crm@v1/a.csv'", "dataset_not_found", "cmr"),
        ("from 'datacat://cmr@v1/*.parquet'", "pattern_no_match", None),
    ):
        for call in (con.sql, con.execute, con.cursor().execute):
            with pytest.raises(FileNotFoundError) as caught:
                call(asked)
            assert isinstance(caught.value, NotFound)
            assert caught.value.kind == kind
            assert hint is None or hint in str(caught.value.hint)
            assert caught.value.__cause__ is None
    with pytest.raises(ReadOnly):
        con.execute("copy (select 1) to 'datacat://cmr@v1/new.csv'")
    with pytest.raises(sql.Error, match="syntax"):
        con.sql("selekt 1")
    with pytest.raises(AttributeError):
        con.no_such_method()
    assert con.sql("select 1").fetchall() == [(1,)]


def test_damage_names_file_and_version_also_when_it_is_met_late(tmp_path: Path) -> None:
    store = make_store("memory", tmp_path, client=make_client(tmp_path))
    with sql.Workspace() as workspace:
        table = workspace.folder / "t.parquet"
        workspace.execute("select setseed(0.5)")
        workspace.write_parquet("select random() as v from range(60_000)", table)
        ref = added(store, tmp_path / "cmr", {"t.parquet": table.read_bytes()})
    backend = store._opened.backend
    key = next(backend.keys("packs/")).key
    data = backend.read(key)
    backend.delete(key)
    backend.write(key, data[:500] + bytes(byte ^ 1 for byte in data[500:520]) + data[520:])
    with store.connect() as con:
        asked = f"select sum(v) from 'datacat://{ref}/t.parquet'"
        late = con.sql(f"from 'datacat://{ref}/t.parquet'")
        reads: tuple[Callable[[], object], ...] = (
            lambda: con.execute(asked).fetchall(),
            lambda: con.sql(asked).fetchall(),
            lambda: con.cursor().sql(asked).fetchall(),
            lambda: late.filter("v > 0.5").aggregate("sum(v)").fetchall(),
            lambda: con.sql("select sum(v) from late").fetchall(),
            lambda: late.order("v").shape,
            lambda: len(late.order("v")),
            lambda: repr(late.order("v")),
        )
        for read in reads:
            with pytest.raises(Corrupt, match=rf"t\.parquet of {ref}"):
                read()
        assert type(late.filter("v > 1")) is type(late)
        assert isinstance(late, sql.Relation)
        assert type(late).__module__ == sql.Relation.__module__, "libraries look at it"
        assert con.sql("select 1 as a").union(con.sql("select 2")).fetchall() == [(1,), (2,)]
        with pytest.raises(sql.Error, match="no_such_column"):
            late.filter("no_such_column > 1")
        with pytest.raises(AttributeError):
            late.no_such_method()


def lines(rows: int) -> bytes:
    return b"id,v\n" + b"".join(b"%d,%d\n" % (n, n % 7) for n in range(rows))


def _wide(path: Path, *, rows: int, columns: int, groups: int) -> None:
    """A Parquet file of incompressible numbers; `i` counts the rows."""
    con = sql.Workspace().connection
    picked = ", ".join(f"hash(i * {columns} + {n}) as c{n}" for n in range(columns))
    con.execute(
        f"copy (select i, {picked} from range({rows}) t(i)) to {sql.literal(str(path))}"
        f" (format parquet, compression uncompressed, row_group_size {rows // groups})"
    )


def test_projections_and_row_groups_read_only_what_they_need(tmp_path: Path) -> None:
    parameters = Parameters(layout=Layout.CHUNKED)
    store = make_store("memory", tmp_path, client=make_client(tmp_path), parameters=parameters)
    folder = tmp_path / "wide"
    folder.mkdir()
    _wide(folder / "t.parquet", rows=200_000, columns=20, groups=4)
    store.add(folder)
    whole = (folder / "t.parquet").stat().st_size
    column = 200_000 * 8
    backend, read = store._opened.backend, []
    read_range = backend.read_range

    def noting(key: str, offset: int, length: int) -> bytes:
        read.append(length if key.startswith("packs/") else 0)
        return read_range(key, offset, length)

    backend.read_range = noting
    for asked, bytes_max in (
        ("select bit_xor(c3), bit_xor(c7)", 2.4 * column),
        ("select count(*)", 0.3 * column),
        ("select bit_xor(c3)", 0.5 * column),
    ):
        one_group = (
            " where i between 60000 and 60010" if bytes_max < column and "c3" in asked else ""
        )
        read.clear()
        with store.connect() as con:
            found = con.execute(f"{asked} from 'datacat://wide@v1/t.parquet'{one_group}").fetchall()
            plain = con.execute(f"{asked} from {sql.literal(str(folder / 't.parquet'))}{one_group}")
            assert found == plain.fetchall()
        assert sum(read) < bytes_max < whole, asked


def test_many_threads_ask_at_once(tmp_path: Path) -> None:
    store = make_store("posix", tmp_path, client=make_client(tmp_path))
    folder = tmp_path / "wide"
    folder.mkdir()
    _wide(folder / "t.parquet", rows=60_000, columns=4, groups=6)
    (folder / "t.csv").write_bytes(lines(60_000))
    store.add(folder)
    con = store.connect(config={"threads": "4"})
    asked = "select bit_xor(c1), count(c3), sum(i) from 'datacat://wide@v1/t.parquet'"
    texts = "select sum(id), sum(v) from 'datacat://wide@v1/t.csv'"
    expected = (con.execute(asked).fetchall(), con.execute(texts).fetchall())

    def ask(_: int) -> tuple[object, ...]:
        mine = con.cursor()
        return (mine.execute(asked).fetchall(), mine.execute(texts).fetchall())

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(8))) == [expected] * 8
    assert expected[1] == [(sum(range(60_000)), sum(n % 7 for n in range(60_000)))]
    assert threading.active_count() < 30


def test_what_is_asked_in_a_run_is_a_source_of_it(saved: Store) -> None:
    con = saved.connect()
    runs = []

    def job(ref: str) -> None:
        with datacat.run(store=saved) as run:
            con.cursor().execute(f"select sum(v) from 'datacat://{ref}/a.csv'").fetchall()
            runs.append((ref, run.sources))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(job, ["cmr@v1", "cmr@v2"] * 3))
    assert sorted(runs) == [("cmr@v1", ["cmr@v1"])] * 3 + [("cmr@v2", ["cmr@v2"])] * 3


def test_a_program_may_end_without_closing_it(tmp_path: Path) -> None:
    store = make_store("posix", tmp_path, client=make_client(tmp_path))
    added(store, tmp_path / "cmr", TREES[0], name="cmr")
    code = f"""
import datacat, pathlib
from datacat.opened import Client
client = Client(user="bob", host="hub", cache_dir=pathlib.Path({str(tmp_path / "cache-bob")!r}))
con = datacat.Store.open({store.url!r}, client=client).connect()
print(con.sql("select count(*) from 'datacat://cmr@v1/*.csv'").fetchall())
try:
    con.sql("from 'datacat://cmr@v1/none.csv'")
except datacat.NotFound as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout == "[(3,)]\nno file none.csv in cmr@v1\n"


def test_the_class_is_there_to_be_named() -> None:
    assert datacat.Connection is Connection


@pytest.mark.parametrize(
    "begun",
    [
        "print(con.execute(query).fetchone()[0])",
        "other = con.cursor(); print(other.execute(query).fetchone()[0])",
        "other = con.cursor(); print(other.execute(query).fetchone()[0]); con.close()",
        "rows = con.sql(query).to_arrow_reader(9); print(rows.read_next_batch()[0][0]); del con",
        "con.cursor().close(); print(con.execute(query).fetchall()[0][0])",
    ],
)
def test_a_program_may_end_with_a_result_that_is_half_read(tmp_path: Path, begun: str) -> None:
    """Threads of DuckDB still read then, through Python, which is about to end."""
    store = make_store("posix", tmp_path, client=make_client(tmp_path))
    table = tmp_path / "big" / "t.parquet"
    table.parent.mkdir()
    with sql.Workspace() as workspace:
        workspace.execute(
            "copy (select 7 as a, random() as b, random() as c from range(2_000_000))"
            f" to {sql.literal(str(table))} (format parquet, row_group_size 50_000)"
        )
    store.add(table.parent, name="big", layout=Layout.CHUNKED)
    code = f"""
import datacat, pathlib
from datacat.opened import Client
client = Client(user="bob", host="hub", cache_dir=pathlib.Path({str(tmp_path / "cache-bob")!r}))
con = datacat.Store.open({store.url!r}, client=client).connect()
query = "from 'datacat://big@v1/t.parquet'"
{begun}
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "7", "")
