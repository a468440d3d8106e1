"""JSON of others: each file that holds some is read or refused in words, and harms nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from datacat.store import Store
from tests.conftest import make_client, make_store
from tests.faults.hostile_json import documents
from tests.fuzz.parsers import BY_NAME
from tests.trees import file, read_tree, without_times, write_tree

PARSERS = (
    "strict_json",
    "record_sealed",
    "store_file",
    "registration",
    "marker",
    "pairs_json",
    "journal",
)


@pytest.mark.parametrize("name", PARSERS)
def test_each_parser_takes_it_or_says_why_not(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    parser = BY_NAME[name]
    seed = parser.seeds[0] if parser.seeds[0].startswith(b"{") else b"{" + parser.seeds[0]
    all_of_them = list(documents(seed))
    assert len(set(all_of_them)) > 100
    record_property("hostile JSON", len(set(all_of_them)))
    for data in all_of_them:
        given = data[1:] if name == "record_sealed" and data.startswith(b"{") else data
        try:
            parser.try_on(given)
        except Exception as error:
            raise AssertionError(f"{name}: {given[:300]!r}") from error


def test_what_anybody_may_write_beside_the_catalog_stops_nobody(tmp_path: Path) -> None:
    """Registrations of working copies and settings of a project folder are only advice."""
    store = make_store("posix", tmp_path, client=make_client(tmp_path))
    tree = {"a": file(b"1")}
    store.add(write_tree(tmp_path / "cmr", tree))
    copies = tmp_path / "store" / "copies"
    (own,) = copies.iterdir()
    for number, data in enumerate(documents(own.read_bytes())):
        (copies / f"{number:032x}.json").write_bytes(data)
    with Store.open(store.url, client=make_client(tmp_path, "bob")) as bob:
        assert [found.name for found in bob.ls(in_use=True).datasets] == ["cmr"]
        assert bob.show("cmr").version is not None
        bob.pull("cmr", dest=tmp_path / "copy")
        assert without_times(read_tree(tmp_path / "copy")) == tree
        bob.rm(["cmr"], force=True)
        bob.gc()
        assert all(one.ok for one in bob.verify(everything=True))
