"""The local catalog: rebuilt from the log, shared by processes, disposable."""

from __future__ import annotations

import errno
import multiprocessing
import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from datacat import layout, sql
from datacat.backend.memory import MemoryBackend
from datacat.backend.posix import PosixBackend
from datacat.catalog import database as database_module
from datacat.catalog import schema
from datacat.catalog.database import Catalog
from datacat.catalog.fold import Fold
from datacat.catalog.log import Log
from datacat.catalog.record import AliasSet, ContainersCondemn, Record, VersionAdd, VersionRemove
from datacat.errors import Conflict, Corrupt, Failed, StorageDenied, StorageFull
from tests.unit.catalog.lossy import LossyBackend
from tests.unit.catalog.records import GENESIS, STORE_ID, Chain, hex_of


def count(catalog: Catalog) -> int:
    rows = catalog.sync().connection.execute("select count(*) from versions").fetchall()
    return int(rows[0][0])


def files(catalog: Catalog) -> list[str]:
    """The names in the folder, without the checksums in them."""
    return sorted(re.sub("-[0-9a-f]{16}[.]", ".", name) for name in os.listdir(catalog.folder))


def dump(catalog: Catalog) -> dict[str, list[Any]]:
    connection = catalog.sync().connection
    return {
        table.name: connection.execute(f"select * from fold.{table.name} order by all").fetchall()
        for table in schema.tables()
    }


def test_sync_follows_the_log(chain: Chain, catalog: Catalog) -> None:
    assert catalog.sync().seq == 1
    chain.add("cmr", 1)
    chain.add("cmr", 2)
    assert count(catalog) == 2
    chain.append(VersionRemove, dataset="cmr", numbers=(1,))
    assert count(catalog) == 1
    assert catalog.sync().seq == 4
    assert catalog.sync().digest == chain.prev


def test_without_news_nothing_is_copied(
    chain: Chain, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain.add("cmr", 1)
    first = catalog.sync()
    again = Catalog(chain.log, catalog.folder.parent, STORE_ID)
    monkeypatch.setattr(shutil, "copyfile", lambda *a: pytest.fail("copied"))
    monkeypatch.setattr(sql, "create_database", lambda *a: pytest.fail("made anew"))
    assert catalog.sync() is first
    assert again.sync().path == first.path


def test_an_older_snapshot_stays_as_it_was(chain: Chain, catalog: Catalog) -> None:
    chain.add("cmr", 1)
    old = catalog.sync()
    for number in range(2, 8):
        chain.add("cmr", number)
        catalog.sync()
    assert old.connection.execute("select count(*) from versions").fetchall() == [(1,)]
    assert files(catalog) == ["catalog-7.duckdb", "catalog-8.duckdb"]


def test_two_replays_agree_and_batches_do_not_matter(
    chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 12):
        chain.add("cmr", number, params={"n": number}, tags=("x",))
        chain.append(AliasSet, dataset="cmr", alias="gold", number=number)
    one = dump(Catalog(chain.log, tmp_path / "one", STORE_ID))
    monkeypatch.setattr(database_module, "BATCH_RECORDS", 3)
    assert dump(Catalog(chain.log, tmp_path / "two", STORE_ID)) == one


@pytest.mark.parametrize(
    "harm",
    [
        lambda path: path.write_bytes(b"not a database"),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:8_192]),
        lambda path: path.rename(path.with_name(path.name.replace("-2-", "-999-"))),
        lambda path: path.write_bytes(path.read_bytes()[:-1] + b"\1"),
    ],
    ids=["foreign", "empty", "cut", "misnamed", "flipped"],
)
def test_a_broken_cache_is_rebuilt(chain: Chain, catalog: Catalog, harm: Any) -> None:
    chain.add("cmr", 1)
    path = catalog.sync().path
    catalog.close()
    harm(path)
    chain.add("cmr", 2)
    again = Catalog(chain.log, catalog.folder.parent, STORE_ID)
    assert count(again) == 2
    assert files(again)[-1] == "catalog-3.duckdb"


def test_a_cache_of_another_schema_or_store_is_rebuilt(
    chain: Chain, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain.add("cmr", 1)
    path = catalog.sync().path
    catalog.close()
    other = catalog.folder.parent / ("6" * 32)
    other.mkdir()
    shutil.copy(path, other / path.name)
    assert count(Catalog(chain.log, catalog.folder.parent, "6" * 32)) == 1
    made: list[Path] = []
    create = sql.create_database
    monkeypatch.setattr(sql, "create_database", lambda p: (made.append(p), create(p)))
    monkeypatch.setattr(schema, "digest", lambda: "a later schema")
    assert count(Catalog(chain.log, catalog.folder.parent, STORE_ID)) == 1
    assert len(made) == 1


def test_leftovers_of_a_killed_process_go_when_they_are_old(chain: Chain, catalog: Catalog) -> None:
    catalog.folder.mkdir(parents=True)
    old, new = catalog.folder / "tmp-1-a.duckdb", catalog.folder / "tmp-2-b.duckdb"
    old.write_bytes(b"x")
    new.write_bytes(b"x")
    os.utime(old, (1, 1))
    catalog.sync()
    assert not old.exists()
    assert new.exists()


def test_damage_in_the_log_is_named(chain: Chain, catalog: Catalog) -> None:
    chain.add("cmr", 1)
    catalog.sync()
    chain.add("cmr", 2)
    chain.backend.replace(layout.log_record(3), chain.lines[2][:-5])
    with pytest.raises(Corrupt, match=layout.log_record(3)):
        catalog.sync()
    assert files(catalog) == ["catalog-2.duckdb"]


def test_a_log_that_went_back_is_altered_and_says_what_to_do(
    chain: Chain, catalog: Catalog
) -> None:
    chain.add("cmr", 1)
    chain.add("cmr", 2)
    catalog.sync()
    restored = Chain(chain.backend, begin=False)
    chain.backend.delete(layout.log_record(3))
    restored.seq, restored.prev = 2, chain.make(VersionAdd, dataset="x", number=1).prev
    restored.prev = Log(chain.backend, genesis=GENESIS) and _digest(chain.lines[1])
    restored.add("cmr", 2, message="another one")
    restored.add("cmr", 3)
    with pytest.raises(Corrupt, match="altered") as caught:
        catalog.sync()
    assert str(catalog.folder) in str(caught.value.hint)
    shutil.rmtree(catalog.folder)
    assert count(Catalog(chain.log, catalog.folder.parent, STORE_ID)) == 3


def _digest(data: bytes) -> str:
    from datacat.catalog.log import digest_of

    return digest_of(data)


@pytest.mark.parametrize(
    ("code", "error"),
    [(errno.ENOSPC, StorageFull), (errno.EDQUOT, StorageFull), (errno.EROFS, StorageDenied)],
)
def test_a_cache_that_cannot_be_written_is_named(
    chain: Chain,
    catalog: Catalog,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    error: type[Exception],
) -> None:
    catalog.sync()
    chain.add("cmr", 1)

    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(shutil, "copyfile", fail)
    with pytest.raises(error, match=str(catalog.folder)):
        catalog.sync()
    monkeypatch.undo()
    assert count(catalog) == 1


def test_a_cache_folder_that_is_a_file(chain: Chain, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("x")
    with pytest.raises(OSError, match="cache"):
        Catalog(chain.log, tmp_path / "cache", STORE_ID).sync()


def test_the_file_is_readable_by_duckdb_1_2(chain: Chain, catalog: Catalog) -> None:
    catalog.sync()
    header = catalog.sync().path.read_bytes()[:4_096]
    assert header[8:12] == b"DUCK"
    assert int.from_bytes(header[12:20], "little") == 65


# Writing


def make_add(chain: Chain, name: str, **fields: Any) -> Any:
    def make(fold: Fold, seq: int, prev: str) -> Record:
        maker = Chain(MemoryBackend(), begin=False)
        maker.seq, maker.prev = seq - 1, prev
        return maker.make(VersionAdd, dataset=name, number=fold.next_number(name), **fields)

    return make


def test_commit_sees_what_others_did_since_the_session_began(
    chain: Chain, catalog: Catalog
) -> None:
    chain.add("cmr", 1)
    start = catalog.sync()
    chain.add("cmr", 2)
    chain.append(ContainersCondemn, names=("packs/aa/b-0.pack",))
    seen: list[frozenset[str]] = []

    def make(fold: Fold, seq: int, prev: str) -> Record:
        seen.append(fold.condemned_since_base())
        record: Record = make_add(chain, "cmr")(fold, seq, prev)
        return record

    committed = catalog.writer(start).commit(make)
    assert seen == [{"packs/aa/b-0.pack"}]
    assert committed.entry.seq == 5
    assert committed.applied.suffix == "@v3"
    assert count(catalog) == 3


def test_a_record_that_would_be_void_is_not_written(chain: Chain, catalog: Catalog) -> None:
    with pytest.raises(Conflict, match="there is no source echo@v1"):
        catalog.writer().commit(make_add(chain, "cmr", sources=("echo@v1",)))
    assert chain.log.read(2) is None


def test_too_little_memory_is_no_damage(
    chain: Chain, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was built before stays, and serves again when there is enough."""
    chain.add("cmr", 1)
    assert count(catalog) == 1
    built = sorted(os.listdir(catalog.folder))
    catalog.close()
    chain.add("cmr", 2)
    with monkeypatch.context() as patched:
        patched.setattr(sql, "MEMORY_LIMIT", "256KiB")
        with pytest.raises(Failed, match="up to date needs more than 256KiB of memory") as raised:
            catalog.sync()
        assert raised.value.kind == "catalog_too_large"
    assert sorted(os.listdir(catalog.folder)) == built
    assert count(catalog) == 2


def test_racing_clients_with_their_own_caches(tmp_path: Path) -> None:
    backend = LossyBackend(7)
    first = Chain(MemoryBackend())
    MemoryBackend.create(backend, layout.log_record(1), first.lines[0])

    def work(client: int) -> None:
        catalog = Catalog(Log(backend, genesis=GENESIS), tmp_path / str(client % 3), STORE_ID)
        for turn in range(6):
            txid = hex_of(client * 100 + turn + 50, 32)
            catalog.writer().commit(make_add(first, "cmr", txid=txid))
            catalog.sync()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    final = [
        dump(Catalog(Log(backend, genesis=GENESIS), tmp_path / place, STORE_ID))
        for place in ("0", "1", "2", "fresh")
    ]
    assert final[0] == final[1] == final[2] == final[3]
    assert len(final[0]["versions"]) == 48
    assert [row[10] for row in final[0]["records"]] == [None] * 49


RECORDS_BESIDE = 3000  # in memory records are made faster than three processes read them


def _sync_often(store: str, cache: str) -> int:
    log = Log(PosixBackend(store), genesis=GENESIS)
    catalog = Catalog(log, Path(cache), STORE_ID)
    return max(catalog.sync().seq for _ in range(15))


def test_processes_share_one_cache_folder(tmp_path: Path) -> None:
    store = tmp_path / "store"
    backend = PosixBackend(store)
    backend.initialise(layout.directories(), group=None, shared=False)
    chain = Chain(backend)
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        waiting = [
            pool.apply_async(_sync_often, (str(store), str(tmp_path / "cache"))) for _ in range(3)
        ]
        number = 0
        while number < RECORDS_BESIDE and not all(result.ready() for result in waiting):
            number += 1
            chain.add("cmr", number)
        assert all(result.get() >= 1 for result in waiting)
    assert count(Catalog(chain.log, tmp_path / "cache", STORE_ID)) == number
