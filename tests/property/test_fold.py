"""The fold in one go, the fold in batches through the database, and a plain model agree."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from datacat.backend.memory import MemoryBackend
from datacat.catalog import schema, tables
from datacat.catalog.fold import Fold
from datacat.catalog.log import Entry
from datacat.catalog.record import (
    AliasSet,
    ContainersCondemn,
    ContainersSwept,
    DatasetEdit,
    DatasetRename,
    Record,
    StoreCreate,
    VersionAdd,
    VersionRemove,
    VersionRestore,
)
from datacat.catalog.record_parts import StoredFile
from datacat.sql import Workspace
from tests.property.fold_model import Model
from tests.unit.catalog.records import STORE_ID, Chain, hex_of, seal, seal_unchecked, version_fields

NAMES = "aaabbc"
ALIASES = ("gold", "paper")
TAGS = ("x", "y", "z")
SCALARS = (None, True, False, 3, -2, 0.25, 1.0, "é", '"', "; drop table fold.versions")


class Steps:
    """Draws operations: mostly such that may follow, sometimes any."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def any_number(self, model: Model, name: str) -> int:
        return self.random.randint(1, model.next_number(name) if self.random.random() < 0.2 else 2)

    def some(self, of: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(self.random.sample(of, self.random.choice([0, 0, 1, 2])))

    def values(self) -> dict[str, Any]:
        return {key: self.random.choice(SCALARS) for key in self.some(("k", "l"))}

    def directions(self, known: list[Any]) -> dict[str, Any]:
        return {key: self.random.choice(known) for key in self.some(("k", "l"))}

    def seldom(self, value: Any) -> Any:
        return value if self.random.random() < 0.15 else None

    def draw(self, model: Model) -> dict[str, Any]:
        name = self.random.choice(NAMES)
        number = self.any_number(model, name)
        kind = self.random.choice(
            ["version.add"] * 5
            + ["version.remove", "version.restore", "alias.set", "dataset.edit"] * 2
            + ["dataset.rename", "containers.condemn", "containers.swept"]
            + ["store.create", "junk"] * (self.random.random() < 0.1)
        )
        draw = getattr(self, kind.replace(".", "_"))
        return {"op": kind, **draw(model, name, number)}

    def version_add(self, model: Model, name: str, number: int) -> dict[str, Any]:
        source = self.random.choice(NAMES)
        wrong = self.seldom(self.random.choice([-1, 1]))
        return {
            "dataset": name,
            "number": max(1, model.next_number(name) + (wrong or 0)),
            "message": self.random.choice(["", "first", "; drop table fold.versions"]),
            "sources": (f"{source}@v{self.any_number(model, source)}",)
            if self.seldom(True)
            else (),
            "base_version": self.seldom(number),
            "params": self.values(),
            "metrics": self.values(),
            "better": self.directions(["min", "max"]),
            "tags": self.some(TAGS),
            "aliases": self.some(ALIASES) if self.seldom(True) else (),
            "manifest": manifest(self.random.randint(1, 12)),
        }

    def version_remove(self, model: Model, name: str, number: int) -> dict[str, Any]:
        more = self.seldom(self.any_number(model, name))
        return {"dataset": name, "numbers": (number, more) if more else (number,)}

    version_restore = version_remove

    def alias_set(self, model: Model, name: str, number: int) -> dict[str, Any]:
        there = None if self.random.random() < 0.3 else number
        return {"dataset": name, "alias": self.random.choice(ALIASES), "number": there}

    def dataset_edit(self, model: Model, name: str, number: int) -> dict[str, Any]:
        return {
            "dataset": name,
            "description": self.seldom("described"),
            "owner": self.seldom("dana"),
            "add_tags": self.some(TAGS),
            "remove_tags": self.some(TAGS),
            "number": number,
            "message": self.seldom("edited"),
            "params": self.values(),
            "metrics": self.values(),
            "better": self.directions(["min", "max", None]),
        }

    def dataset_rename(self, model: Model, name: str, number: int) -> dict[str, Any]:
        return {"dataset": name, "new_name": self.random.choice("abcd")}

    def containers_condemn(self, model: Model, name: str, number: int) -> dict[str, Any]:
        count = self.random.randint(1, 2)
        keys = [manifest(self.random.randint(1, 12)).key for _ in range(count)]
        return {"names": tuple(keys)}

    containers_swept = containers_condemn

    def store_create(self, model: Model, name: str, number: int) -> dict[str, Any]:
        return {"store_id": STORE_ID}

    def junk(self, model: Model, name: str, number: int) -> dict[str, Any]:
        return {}


KINDS: dict[str, type[Record]] = {
    "store.create": StoreCreate,
    "version.add": VersionAdd,
    "version.remove": VersionRemove,
    "version.restore": VersionRestore,
    "alias.set": AliasSet,
    "dataset.edit": DatasetEdit,
    "dataset.rename": DatasetRename,
    "containers.condemn": ContainersCondemn,
    "containers.swept": ContainersSwept,
}


def manifest(seed: int) -> StoredFile:
    """One of few manifests, so that a condemned one is met again."""
    found = version_fields(seed)["manifest"]
    assert isinstance(found, StoredFile)
    return found


def run(seed: int, count: int) -> tuple[Chain, Model, list[tuple[int, str]]]:
    """The log of `count` steps, the model after them, and what was tried in which slot."""
    chain, model, steps = Chain(MemoryBackend()), Model(), Steps(seed)
    model.apply({"op": "store.create", "seq": 1, "txid": hex_of(1, 32)})
    tried = []
    for _ in range(count):
        op = steps.draw(model)
        seq = chain.seq + 1
        tried.append((seq, op["op"]))
        common = {"seq": seq, "txid": hex_of(seq, 32)}
        if steps.random.random() < 0.02:
            common["seq"] = seq + 1
        if steps.random.random() < 0.04:
            common["txid"] = hex_of(max(1, seq - 2), 32)
        if op["op"] == "junk":
            chain.put(seal(b'{"op":"junk"}\n'))
            model.apply(None)
            continue
        fields = {key: value for key, value in op.items() if key != "op"} | common
        if op["op"] == "version.add":
            fields["chunks"] = None
            op |= {"manifest": op["manifest"].key, "by": "alice"}
        chain.put(seal_unchecked(chain.make(KINDS[op["op"]], **fields)))
        model.apply(op | common)
    return chain, model, tried


def database(
    entries: list[Entry], cuts: list[int], *, prefetch: bool = False, drain: bool = False
) -> dict[str, list[Any]]:
    """Every table after folding the entries in batches that end at `cuts`.

    Each batch has a fold of its own over the database, or (`drain`) one fold goes on and writes
    its datasets at the end.
    """
    with Workspace() as workspace:
        connection = workspace.connection
        schema.create(connection)
        connection.execute("insert into fold.state values ('', '', 0, '')")
        fold = Fold(tables.StoredRows(connection))
        for start, cut in pairwise([0, *cuts]):
            batch = entries[start:cut]
            if not batch:
                continue
            if not drain:
                fold = Fold(tables.StoredRows(connection))
            if prefetch:
                fold.prefetch([entry.record for entry in batch])
            for entry in batch:
                fold.apply(entry.seq, entry.record)
            digest = batch[-1].digest
            changes = fold.drain(keep_datasets=drain)
            tables.write(connection, changes, base=start, head=fold.head, digest=digest)
        tables.write_datasets(connection, fold.drain(), base=0)
        return {
            table.name: sorted(
                connection.execute(f"select * from fold.{table.name}").fetchall(), key=repr
            )
            for table in schema.tables()
        }


def seen(found: dict[str, list[Any]]) -> dict[str, Any]:
    """The tables in the terms of the model."""
    datasets: dict[int, Any] = {
        row[0]: {"name": row[1], "description": row[2], "owner": row[3], "next": row[7]}
        | {"tags": set(), "aliases": {}, "better": {}, "versions": {}}
        for row in found["datasets"]
    }
    for row in found["versions"]:
        datasets[row[0]]["versions"][row[1]] = {
            "message": row[24],
            "trashed": row[25],
            "manifest": row[5],
            "sources": [],
            "params": {},
            "metrics": {},
        }
    for identity, number, _, *source in sorted(found["sources"]):
        datasets[identity]["versions"][number]["sources"].append(tuple(source))
    for table in ("params", "metrics"):
        for identity, number, key, value, _ in found[table]:
            datasets[identity]["versions"][number][table][key] = json.loads(value)
    for identity, tag in found["tags"]:
        datasets[identity]["tags"].add(tag)
    for identity, alias, number, *_ in found["aliases"]:
        datasets[identity]["aliases"][alias] = number
    for identity, key, better in found["directions"]:
        assert key not in datasets[identity]["better"], "there twice"
        datasets[identity]["better"][key] = better
    return {
        "datasets": datasets,
        "names": {name: identity for name, identity, _ in found["dataset_names"]},
        "void": {row[0] for row in found["records"] if row[10] is not None},
        "condemned": {row[0]: row[2] for row in found["condemned"]},
    }


def expected(model: Model) -> dict[str, Any]:
    return {
        "datasets": {
            identity: {
                "name": dataset.name,
                "description": dataset.description,
                "owner": dataset.owner,
                "next": len(dataset.versions) + 1,
                "tags": dataset.tags,
                "aliases": dataset.aliases,
                "better": dataset.better,
                "versions": {number: vars(v) for number, v in dataset.versions.items()},
            }
            for identity, dataset in model.datasets.items()
        },
        "names": model.names,
        "void": model.void,
        "condemned": model.condemned,
    }


@settings(max_examples=50, deadline=None)
@given(
    st.integers(0, 2**32),
    st.integers(1, 80),
    st.lists(st.integers(1, 80), max_size=6),
)
def test_one_go_equals_batches_equals_the_model(seed: int, count: int, ends: list[int]) -> None:
    chain, model, _ = run(seed, count)
    entries = list(chain.log.read_from(0, chain.log.genesis_digest))
    assert [entry.data for entry in entries] == chain.lines
    at_once = database(entries, [chain.seq])
    cuts = [*sorted(end for end in ends if end < chain.seq), chain.seq]
    assert database(entries, cuts, prefetch=seed % 3 > 0, drain=seed % 2 > 0) == at_once
    assert seen(at_once) == expected(model)
    assert len(at_once["records"]) == chain.seq


def test_the_steps_reach_every_rule() -> None:
    """Both valid and void records of every kind are drawn often."""
    valid: Counter[str] = Counter()
    void: Counter[str] = Counter()
    for seed in range(40):
        _, model, tried = run(seed, 40)
        for seq, kind in tried:
            (void if seq in model.void else valid)[kind] += 1
    assert set(valid) == set(KINDS) - {"store.create"}
    assert set(void) == {*KINDS, "junk"}
    assert min(valid.values()) > 10, valid
