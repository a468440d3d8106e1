"""Questions: what a reference means, what there is, and the words when there is nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from datacat import refs
from datacat.catalog.database import Catalog
from datacat.catalog.query import CatalogQuery
from datacat.catalog.record import (
    AliasSet,
    ContainersCondemn,
    DatasetEdit,
    DatasetRename,
    VersionAdd,
    VersionRemove,
)
from datacat.catalog.record_parts import CodeState
from datacat.errors import InvalidInput, NotFound
from datacat.model import Changes, Code
from tests.unit.catalog.records import START, Chain, seal_unchecked

TREE = "blake3:" + "9f3c" + "a" * 60


@pytest.fixture
def team(chain: Chain, catalog: Catalog) -> Chain:
    """cmr v1..v4 (gold → v3), labels v1 made from cmr@v3, echo v1 in the trash."""
    chain.add("cmr", 1, by="bob", description="Short-axis cine", tags=("cardiac", "mri"))
    for number in (2, 3):
        chain.add("cmr", number, message=f"site {number}", base_version=number - 1)
    chain.append(AliasSet, dataset="cmr", alias="gold", number=3)
    chain.add("cmr", 4, tree=TREE, message="Fix 72 masks", base_version=3)
    chain.add(
        "labels",
        1,
        by="dana",
        sources=("cmr@v3",),
        params={"lr": 3e-4, "epochs": 80, "note": "é", "flag": True, "none": None},
        metrics={"dice": 0.5},
        code=CodeState(repo="seg", commit="4f2c1aa", dirty=True),
    )
    chain.add("echo", 1, by="chen")
    chain.append(VersionRemove, dataset="echo", numbers=(1,), by="dana")
    return chain


@pytest.fixture
def query(team: Chain, catalog: Catalog) -> CatalogQuery:
    return CatalogQuery(catalog.sync(), store="/shared/datacat")


def resolve(query: CatalogQuery, text: str) -> str:
    return query.resolve(refs.parse(text)).ref


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("cmr", "cmr@v4"),
        ("CMR", "cmr@v4"),
        ("cmr@latest", "cmr@v4"),
        ("cmr@2", "cmr@v2"),
        ("cmr@v2", "cmr@v2"),
        ("cmr@gold", "cmr@v3"),
        ("cmr@9f3caaa", "cmr@v4"),
    ],
)
def test_references(query: CatalogQuery, text: str, ref: str) -> None:
    assert resolve(query, text) == ref


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("crm", "no dataset named 'crm' in the store /shared/datacat", "Did you mean 'cmr'?"),
        ("zebra", "no dataset named 'zebra' in the store /shared/datacat", None),
        ("cmr@v7", "cmr has no v7; versions are v1 to v4 (gold → v3)", None),
        ("labels@v2", "labels has no v2; its only version is v1", None),
        (
            "cmr@glod",
            "cmr has no version 'glod'; versions are v1 to v4 (gold → v3)",
            "Did you mean 'cmr@gold'?",
        ),
        (
            "cmr@0123456789ab",
            "cmr has no version '0123456789ab'; versions are v1 to v4 (gold → v3)",
            None,
        ),
    ],
)
def test_what_is_not_there(query: CatalogQuery, text: str, message: str, hint: str | None) -> None:
    with pytest.raises(NotFound) as caught:
        resolve(query, text)
    assert (caught.value.message, caught.value.hint) == (message, hint)


@pytest.mark.parametrize(("text", "named"), [("echo", "echo"), ("echo@v1", "echo@v1")])
def test_the_trash_says_who_when_and_how_to_undo(
    query: CatalogQuery, text: str, named: str
) -> None:
    with pytest.raises(NotFound) as caught:
        resolve(query, text)
    assert caught.value.message == f"{named} is in the trash: dana put it there on 2026-11-01"
    assert caught.value.commands == (f"datacat restore {named}",)
    with pytest.raises(NotFound, match="trash"):
        query.dataset("echo")


def test_a_renamed_dataset_answers_under_its_new_name(team: Chain, catalog: Catalog) -> None:
    team.append(DatasetRename, dataset="cmr", new_name="cmr-ukb")
    query = CatalogQuery(catalog.sync())
    assert resolve(query, "cmr@v3") == "cmr-ukb@v3"
    assert query.dataset("cmr").name == "cmr-ukb"
    assert query.versions("labels")[0].sources == ("cmr-ukb@v3",)


def test_a_number_that_is_also_a_hash(team: Chain, catalog: Catalog) -> None:
    team.add("cmr", 5, tree="blake3:1234567" + "b" * 57)
    assert resolve(CatalogQuery(catalog.sync()), "cmr@1234567") == "cmr@v5"


def test_an_ambiguous_hash(team: Chain, catalog: Catalog) -> None:
    team.add("cmr", 5, tree=TREE[:30] + "b" * 41)
    query = CatalogQuery(catalog.sync())
    with pytest.raises(InvalidInput, match="could be v4 or v5"):
        resolve(query, "cmr@9f3caaa")
    team.add("cmr", 6, tree=TREE)
    assert resolve(CatalogQuery(catalog.sync()), f"cmr@{TREE[7:60]}") == "cmr@v6"


def test_a_version_has_all_its_facts(query: CatalogQuery) -> None:
    version = query.resolve(refs.parse("labels"))
    assert version.author == "dana"
    assert version.sources == ("cmr@v3",)
    assert version.params == {"lr": 3e-4, "epochs": 80, "note": "é", "flag": True, "none": None}
    assert isinstance(version.params["epochs"], int)
    assert version.metrics == {"dice": 0.5}
    assert version.code == Code(repo="seg", commit="4f2c1aa", dirty=True)
    assert version.created_at == START + timedelta(minutes=7)
    assert version.changes == Changes()
    assert query.resolve(refs.parse("cmr@v3")).aliases == ("gold",)
    assert query.resolve(refs.parse("cmr@v3")).base == "cmr@v2"
    assert [v.number for v in query.versions("cmr")] == [4, 3, 2, 1]


def test_the_same_content_under_any_name(team: Chain, catalog: Catalog) -> None:
    query = CatalogQuery(catalog.sync())
    found = query.version_by_tree(TREE[7:])
    assert found is not None
    assert found.ref == "cmr@v4"
    assert query.version_by_tree("0" * 64) is None
    team.add("copy", 1, tree=TREE)
    query = CatalogQuery(catalog.sync())
    newest, own = query.version_by_tree(TREE[7:]), query.version_by_tree(TREE[7:], name="cmr")
    assert newest is not None
    assert own is not None
    assert (newest.ref, own.ref) == ("copy@v1", "cmr@v4")
    assert query.version_by_tree(TREE[7:], name="nobody") == newest


def names(query: CatalogQuery, text: str | None = None, **options: object) -> list[str]:
    return [d.name for d in query.datasets(text, **options).datasets]  # type: ignore[arg-type]


def test_listing(query: CatalogQuery) -> None:
    listing = query.datasets()
    assert [d.name for d in listing.datasets] == ["labels", "cmr"]
    assert (listing.datasets_total, listing.versions_total) == (2, 5)
    cmr = listing.datasets[1]
    assert cmr.latest == "cmr@v4"
    assert cmr.versions == 4
    assert cmr.owner == "bob"
    assert cmr.tags == ("cardiac", "mri")
    assert cmr.aliases == {"gold": "v3"}
    assert cmr.last_message == "Fix 72 masks"
    assert cmr == query.dataset("cmr")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("CMR", ["cmr"]),
        ("short-AXIS", ["cmr"]),
        ("cardiac", ["cmr"]),
        ("bob", ["cmr"]),
        ("gold", ["cmr"]),
        ("fix 72", ["cmr"]),
        ("dana", ["labels"]),
        ("a", ["labels", "cmr"]),
        ("%", []),
        ("' or 1=1 --", []),
        ("echo", []),
        ("cardiac dana", []),
    ],
)
def test_searching(query: CatalogQuery, text: str, found: list[str]) -> None:
    assert names(query, text) == found


def test_filters_sorting_and_limits(query: CatalogQuery) -> None:
    assert names(query, owner="bob") == ["cmr"]
    assert names(query, tags=["mri", "CARDIAC"]) == ["cmr"]
    assert names(query, tags=["mri", "ct"]) == []
    assert names(query, since=START + timedelta(minutes=7)) == ["labels"]
    assert names(query, sort="name") == ["cmr", "labels"]
    assert names(query, sort="name", descending=True) == ["labels", "cmr"]
    assert names(query, sort="size", descending=False) == ["cmr", "labels"]
    assert names(query, limit=1) == ["labels"]
    with pytest.raises(InvalidInput, match="cannot sort by 'colour'"):
        query.datasets(sort="colour")


def test_nothing_matches_but_something_is_near(query: CatalogQuery) -> None:
    listing = query.datasets("cardac")
    assert (listing.datasets, listing.datasets_total) == ((), 2)
    assert listing.suggestion == "cardiac"


def test_the_trash_lists_what_can_come_back(team: Chain, catalog: Catalog) -> None:
    team.append(VersionRemove, dataset="cmr", numbers=(1, 2))
    query = CatalogQuery(catalog.sync())
    assert {d.name: d.versions for d in query.datasets(trash=True).datasets} == {
        "echo": 1,
        "cmr": 2,
    }
    assert query.dataset("cmr").versions == 2
    gone = query.manifest_of(query.trashed("echo")[0]).key
    team.append(ContainersCondemn, names=(gone,))
    query = CatalogQuery(catalog.sync())
    assert names(query, trash=True) == ["cmr"]
    assert query.condemned_among([gone, "packs/aa/b-0.pack"]) == {gone}


def test_an_alias_of_a_trashed_version_is_not_shown(team: Chain, catalog: Catalog) -> None:
    team.append(VersionRemove, dataset="cmr", numbers=(3,))
    query = CatalogQuery(catalog.sync())
    assert query.dataset("cmr").aliases == {}
    with pytest.raises(NotFound, match="in the trash"):
        resolve(query, "cmr@gold")
    with pytest.raises(NotFound, match="versions are v1, v2, v4"):
        resolve(query, "cmr@v9")


def test_the_feed(team: Chain, catalog: Catalog) -> None:
    team.append(DatasetEdit, dataset="cmr", owner="dana", add_tags=("ukb",), by="bob")
    team.append(VersionAdd, dataset="cmr", number=5, by="bob")
    team.put(seal_unchecked(team.make(VersionAdd, dataset="cmr", number=9)))  # void
    query = CatalogQuery(catalog.sync())
    entries = [(e.user, e.action, e.ref, e.detail) for e in query.feed()]
    assert entries[0] == ("bob", "saved", "cmr@v5", "")
    assert entries[1] == ("bob", "edited", "cmr", "owner bob → dana, tag +ukb")
    assert ("dana", "removed", "echo@v1", "") in entries
    assert ("alice", "alias", "cmr@gold", "→ v3") in entries
    assert entries[-1] == ("alice", "created", "imaging", "")
    assert len(query.feed(limit=2)) == 2
    assert {e.user for e in query.feed(user="dana")} == {"dana"}
    assert len(query.feed(since=START + timedelta(minutes=10))) == 2
    assert query.people() == ["alice", "bob", "chen", "dana"]


def test_who_uses_what(query: CatalogQuery) -> None:
    assert query.used_by("cmr") == ["labels@v1"]
    assert query.used_by("cmr", number=3) == ["labels@v1"]
    assert query.used_by("cmr", number=4) == []


def test_segments_of_a_version_are_those_it_names_or_all_before(
    team: Chain, catalog: Catalog
) -> None:
    team.add("cmr", 5, segments=(2, 4), chunks=None)
    query = CatalogQuery(catalog.sync())
    assert [s.seq for s in query.segments()] == [2, 3, 4, 6, 7, 8]
    assert [s.seq for s in query.segments(query.resolve(refs.parse("cmr@v3")))] == [2, 3, 4]
    assert [s.seq for s in query.segments(query.resolve(refs.parse("cmr@v5")))] == [2, 4]
    assert query.segments()[0].kind == "chunks"


def test_what_is_kept(team: Chain, catalog: Catalog) -> None:
    team.add("cmr", 5)
    query = CatalogQuery(catalog.sync())
    found = query.kept()
    assert [(one.dataset, one.trashed) for one in found] == [
        *[("cmr", False)] * 5,
        ("labels", False),
        ("echo", True),
    ]
    assert [one.seq for one in found] == [2, 3, 4, 6, 10, 7, 8]
    newest = query.resolve(refs.parse("cmr@v5"))
    assert found[4].manifest == query.manifest_of(newest)
    assert found[4].tree.endswith(newest.hash)
    assert found[4].bytes == newest.bytes
    team.append(ContainersCondemn, names=(found[-1].manifest.key,))
    left = CatalogQuery(catalog.sync()).kept()
    assert left == found[:-1], "what gc condemned is not kept"
