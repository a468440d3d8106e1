"""One test for every rule that makes a record void, and for what each operation does."""

from __future__ import annotations

from typing import Any

import pytest

from datacat.backend.memory import MemoryBackend
from datacat.catalog.fold import Applied, Fold
from datacat.catalog.record import (
    AliasSet,
    ContainersCondemn,
    DatasetEdit,
    DatasetRename,
    Record,
    StoreCreate,
    VersionAdd,
    VersionRemove,
    VersionRestore,
    Void,
)
from datacat.catalog.record_parts import StoredFile
from tests.unit.catalog.records import STORE_ID, Chain, version_fields


class Bench:
    """A fold over nothing, with a dataset `cmr` of three versions and `echo` of one."""

    def __init__(self) -> None:
        self.chain = Chain(MemoryBackend(), begin=False)
        self.fold = Fold()
        self.last: Record | None = None
        self.do(StoreCreate, store_id=STORE_ID)
        for number in (1, 2, 3):
            self.do(VersionAdd, dataset="cmr", number=number)
        self.do(VersionAdd, dataset="echo", number=1)

    def do(self, kind: type[Record], **fields: Any) -> Applied | Void:
        self.last = self.chain.make(kind, **fields)
        self.chain.seq += 1
        return self.fold.apply(self.chain.seq, self.last)

    def reason(self, kind: type[Record], **fields: Any) -> str:
        found = self.do(kind, **fields)
        assert isinstance(found, Void)
        return found.reason


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_versions_are_numbered_by_the_fold(bench: Bench) -> None:
    assert bench.fold.next_number("cmr") == 4
    assert bench.fold.next_number("new") == 1
    assert "next version is v4" in bench.reason(VersionAdd, dataset="cmr", number=3)
    assert "next version is v4" in bench.reason(VersionAdd, dataset="cmr", number=5)
    assert "next version is v1" in bench.reason(VersionAdd, dataset="new", number=2)
    assert bench.fold.next_number("cmr") == 4
    assert isinstance(bench.do(VersionAdd, dataset="cmr", number=4), Applied)


def test_numbers_are_never_used_again(bench: Bench) -> None:
    bench.do(VersionRemove, dataset="cmr", numbers=(1, 2, 3))
    assert bench.fold.newest("cmr") is None
    assert bench.fold.next_number("cmr") == 4


def test_the_newest_is_the_last_outside_the_trash(bench: Bench) -> None:
    assert bench.fold.newest("cmr") == 3
    bench.do(VersionRemove, dataset="cmr", numbers=(3,))
    assert bench.fold.newest("cmr") == 2
    bench.do(VersionRestore, dataset="cmr", numbers=(3,))
    assert bench.fold.newest("cmr") == 3
    assert bench.fold.newest("nobody") is None


def test_a_transaction_counts_once(bench: Bench) -> None:
    assert bench.last is not None
    txid = bench.last.txid
    assert "twice" in bench.reason(VersionAdd, dataset="cmr", number=4, txid=txid)
    # A void record used up nothing: its transaction may still succeed in another slot.
    bench.reason(VersionAdd, dataset="cmr", number=9, txid="e" * 32)
    assert isinstance(bench.do(VersionAdd, dataset="cmr", number=4, txid="e" * 32), Applied)


def test_a_record_must_know_its_slot(bench: Bench) -> None:
    assert "record 99" in bench.reason(VersionAdd, dataset="cmr", number=4, seq=99)


def test_store_create_is_first_and_only_first(bench: Bench) -> None:
    assert "store.create" in bench.reason(StoreCreate, store_id=STORE_ID)
    chain, fold = Chain(MemoryBackend(), begin=False), Fold()
    first = chain.make(VersionAdd, dataset="cmr", number=1)
    assert isinstance(fold.apply(1, first), Void)
    assert fold.resolve("cmr") is None


def test_records_come_in_order(bench: Bench) -> None:
    assert bench.last is not None
    with pytest.raises(ValueError, match="does not follow"):
        bench.fold.apply(bench.fold.head + 2, bench.last)


def test_void_bytes_keep_their_slot(bench: Bench) -> None:
    head = bench.fold.head
    assert bench.fold.apply(head + 1, Void("schema")) == Void("schema")
    assert bench.fold.head == head + 1


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (VersionRemove, {"numbers": (1,)}),
        (VersionRestore, {"numbers": (1,)}),
        (AliasSet, {"alias": "gold", "number": 1}),
        (DatasetEdit, {"description": "x"}),
        (DatasetRename, {"new_name": "other"}),
    ],
)
def test_an_unknown_dataset(bench: Bench, kind: type[Record], fields: dict[str, Any]) -> None:
    assert bench.reason(kind, dataset="nobody", **fields) == "there is no dataset nobody"


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (VersionRemove, {"numbers": (1, 4)}),
        (VersionRestore, {"numbers": (4,)}),
        (AliasSet, {"alias": "gold", "number": 4}),
        (DatasetEdit, {"number": 4, "message": "x"}),
    ],
)
def test_an_unknown_version(bench: Bench, kind: type[Record], fields: dict[str, Any]) -> None:
    assert bench.reason(kind, dataset="cmr", **fields) == "cmr has no v4"
    assert bench.fold.newest("cmr") == 3


def test_the_trash(bench: Bench) -> None:
    assert "is not in the trash" in bench.reason(VersionRestore, dataset="cmr", numbers=(2,))
    assert "twice" in bench.reason(VersionRemove, dataset="cmr", numbers=(2, 2))
    bench.do(VersionRemove, dataset="cmr", numbers=(2,), reason="wrong masks")
    assert "already" in bench.reason(VersionRemove, dataset="cmr", numbers=(1, 2))
    assert "in the trash" in bench.reason(AliasSet, dataset="cmr", alias="gold", number=2)
    assert "is not in the trash" in bench.reason(VersionRestore, dataset="cmr", numbers=(2, 3))
    assert isinstance(bench.do(VersionRestore, dataset="cmr", numbers=(2,)), Applied)
    assert isinstance(bench.do(AliasSet, dataset="cmr", alias="gold", number=2), Applied)


def test_what_was_condemned_does_not_come_back(bench: Bench) -> None:
    manifest = version_fields(2)["manifest"]
    bench.do(VersionRemove, dataset="cmr", numbers=(1,))
    bench.do(ContainersCondemn, names=(manifest.key, "packs/aa/x-0.pack"))
    assert bench.fold.condemned_since_base() == {manifest.key, "packs/aa/x-0.pack"}
    assert "gone for good" in bench.reason(VersionRestore, dataset="cmr", numbers=(1,))
    assert "condemned" in bench.reason(VersionAdd, dataset="cmr", number=4, manifest=manifest)
    chunks = version_fields(40)["chunks"]
    bench.do(ContainersCondemn, names=(chunks.key,))
    assert "condemned" in bench.reason(VersionAdd, dataset="cmr", number=4, chunks=chunks)
    other = StoredFile(key="manifests/aa/b.parquet", size=1, digest=manifest.digest)
    assert isinstance(bench.do(VersionAdd, dataset="cmr", number=4, manifest=other), Applied)


def test_sources_and_bases_must_exist(bench: Bench) -> None:
    assert "no source echo@v2" in bench.reason(
        VersionAdd, dataset="cmr", number=4, sources=("cmr@v1", "echo@v2")
    )
    assert "no source nobody@v1" in bench.reason(
        VersionAdd, dataset="cmr", number=4, sources=("nobody@v1",)
    )
    assert "no source cmr@v4" in bench.reason(
        VersionAdd, dataset="cmr", number=4, sources=("cmr@v4",)
    )
    assert "no source new@v1" in bench.reason(
        VersionAdd, dataset="new", number=1, sources=("new@v1",)
    )
    assert "no base v4" in bench.reason(VersionAdd, dataset="cmr", number=4, base_version=4)
    assert "do not exist yet" in bench.reason(
        VersionAdd, dataset="cmr", number=4, segments=(bench.fold.head + 1,)
    )
    assert isinstance(
        bench.do(VersionAdd, dataset="cmr", number=4, base_version=3, sources=("echo@v1",)),
        Applied,
    )


def test_an_alias_that_is_not_there_cannot_be_removed(bench: Bench) -> None:
    assert "no alias gold" in bench.reason(AliasSet, dataset="cmr", alias="gold", number=None)
    bench.do(AliasSet, dataset="cmr", alias="gold", number=2)
    assert isinstance(bench.do(AliasSet, dataset="cmr", alias="gold", number=None), Applied)
    assert "no alias gold" in bench.reason(AliasSet, dataset="cmr", alias="gold", number=None)


def test_renaming(bench: Bench) -> None:
    assert "taken" in bench.reason(DatasetRename, dataset="cmr", new_name="echo")
    assert "already" in bench.reason(DatasetRename, dataset="cmr", new_name="cmr")
    bench.do(DatasetRename, dataset="cmr", new_name="cmr-ukb")
    assert "taken" in bench.reason(DatasetRename, dataset="echo", new_name="cmr")
    bench.do(VersionAdd, dataset="cmr", number=4)  # the former name goes on working
    row = bench.fold.resolve("cmr")
    assert row is not None
    assert row is bench.fold.resolve("cmr-ukb")
    assert (row.name, row.next_number) == ("cmr-ukb", 5)
    assert isinstance(bench.do(DatasetRename, dataset="cmr-ukb", new_name="cmr"), Applied)
    assert row.name == "cmr"


def test_a_new_dataset_belongs_to_who_saved_it(bench: Bench) -> None:
    bench.do(VersionAdd, dataset="new", number=1, by="bob", description="made by bob")
    row = bench.fold.resolve("new")
    assert row is not None
    assert (row.owner, row.description, row.id) == ("bob", "made by bob", bench.fold.head)
    bench.do(DatasetEdit, dataset="new", owner="dana", by="alice")
    assert (row.owner, row.created_by) == ("dana", "bob")


def test_a_verdict_changes_nothing(bench: Bench) -> None:
    record = bench.chain.make(VersionAdd, dataset="cmr", number=4)
    before = (bench.fold.head, len(bench.fold.changes.records))
    assert bench.fold.verdict(bench.fold.head + 1, record) is None
    assert bench.fold.verdict(bench.fold.head + 1, record) is None
    assert (bench.fold.head, len(bench.fold.changes.records)) == before
    assert isinstance(bench.fold.apply(bench.fold.head + 1, record), Applied)
