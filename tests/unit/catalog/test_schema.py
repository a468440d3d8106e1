"""Every file of `catalog_schema` describes itself truthfully, and rows fit their tables."""

from __future__ import annotations

import re

import pytest

from datacat.catalog import schema, tables
from datacat.catalog.fold import Fold
from datacat.catalog.record import ObjectQuarantine, ObjectRelocate, Void
from datacat.catalog.record_parts import BadPlace
from datacat.sql import Workspace
from tests.unit.catalog.records import Chain


def relations() -> list[schema.Relation]:
    return [*schema.tables(), *schema.views()]


def test_all_relations_are_there() -> None:
    assert {table.name for table in schema.tables()} == {
        *("state", "records", "datasets", "dataset_names", "versions", "aliases"),
        *("tags", "sources", "params", "metrics", "directions", "segments", "condemned"),
        *("quarantined", "relocations"),
    }
    assert {view.name for view in schema.views()} == {
        *("datasets", "versions", "aliases", "tags", "sources", "params", "metrics", "activity"),
    }


@pytest.mark.parametrize("relation", relations(), ids=lambda r: f"{r.name}-{len(r.sql)}")
def test_the_file_names_and_explains_its_relation(relation: schema.Relation) -> None:
    lines = relation.sql.splitlines()
    assert re.match(r"-- One row", lines[0])
    assert lines[1].startswith("-- Try: select ")
    assert re.search(rf"create (table fold|view main)\.{relation.name}\b", relation.sql)
    assert max(map(len, lines)) <= 100


def test_the_examples_run() -> None:
    with Workspace() as workspace:
        schema.create(workspace.connection)
        for relation in relations():
            workspace.all(relation.example.rstrip(";"))


def test_rows_fit_the_tables(chain: Chain) -> None:
    chain.add(
        "cmr",
        1,
        params={"a": 1},
        metrics={"b": 2.5},
        sketch="AAAA",
        aliases=("gold",),
        better={"b": "min"},
    )
    chain.add("echo", 1, sources=("cmr@v1",), tags=("x",), segments=(2,))
    chain.append(ObjectRelocate, session=f"{9:032x}", crit=("repair",))
    bad = (BadPlace(name="whole/ab/" + "ab" * 32 + f"-{7:032x}"),)
    chain.append(ObjectQuarantine, places=bad, crit=("repair",))
    with Workspace() as workspace:
        schema.create(workspace.connection)
        workspace.execute("insert into fold.state values ('', '', 0, '')")
        fold = Fold(tables.StoredRows(workspace.connection))
        for entry in chain.log.read_from(0, chain.log.genesis_digest):
            assert not isinstance(fold.apply(entry.seq, entry.record), Void)
        tables.write(workspace.connection, fold.changes, base=0, head=5, digest="d")
        for table in schema.tables():
            if table.name != "condemned":
                assert workspace.row(f"select count(*) from fold.{table.name}")[0] > 0, table.name
        assert workspace.row("select * from fold.params") == (2, 1, "a", "1", 1.0)
        assert workspace.row("select segments from fold.versions where dataset_id = 3") == ([2],)
