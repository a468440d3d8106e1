"""Lineage of logs made by hand, and of random ones compared with a walk in plain Python."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datacat.backend.memory import MemoryBackend
from datacat.catalog import ancestry
from datacat.catalog.database import Catalog
from datacat.catalog.query import CatalogQuery
from datacat.catalog.record import ContainersCondemn, DatasetRename, VersionRemove
from datacat.errors import InvalidInput, NotFound
from datacat.model import Edge, Lineage, LineageWarning, WarningKind
from datacat.organise.lineage import trace
from tests.conftest import searching
from tests.unit.catalog.records import STORE_ID, Chain, version_fields

MIXED, NEWER = WarningKind.TWO_VERSIONS, WarningKind.NEWER_VERSION


@pytest.fixture
def chain() -> Chain:
    return Chain(MemoryBackend())


def query_of(chain: Chain, folder: Path) -> CatalogQuery:
    return CatalogQuery(Catalog(chain.log, folder / "cache", STORE_ID).sync())


def pairs(edges: Iterable[Edge]) -> list[tuple[str, str]]:
    return [(edge.source, edge.result) for edge in edges]


@pytest.fixture
def team(chain: Chain) -> Chain:
    """The example of the help: a network from images, and labels that were drawn on older ones."""
    chain.add("raw", 1, by="dana")
    chain.add("cmr", 1)
    chain.add("cmr", 2, by="bob", base_version=1)
    chain.add("cmr", 3, sources=("raw@v1",))
    chain.add("labels", 1)
    chain.add("labels", 2, by="bob", sources=("cmr@v2",))
    chain.add("unet", 1)
    chain.add("unet", 2, by="bob", sources=("cmr@v3", "labels@v2"))
    chain.add("report", 1, by="chen", sources=("unet@v2",))
    return chain


def test_both_directions(team: Chain, tmp_path: Path) -> None:
    found = trace(query_of(team, tmp_path), "unet")
    assert found.ref == "unet@v2"
    assert pairs(found.up) == [
        ("cmr@v3", "unet@v2"),
        ("labels@v2", "unet@v2"),
        ("cmr@v2", "labels@v2"),
        ("raw@v1", "cmr@v3"),
    ]
    assert pairs(found.down) == [("unet@v2", "report@v1")]
    assert found.nodes.keys() == {
        *("unet@v2", "cmr@v3", "labels@v2", "cmr@v2", "raw@v1", "report@v1")
    }
    assert found.nodes["raw@v1"].author == "dana"
    assert set(found.warnings) == {
        LineageWarning(MIXED, "cmr@v3", "cmr@v2"),
        LineageWarning(MIXED, "cmr@v2", "cmr@v3"),
        LineageWarning(NEWER, "cmr@v2", "cmr@v3"),
    }
    assert not found.cut


def test_one_direction_and_a_depth(team: Chain, tmp_path: Path) -> None:
    query = query_of(team, tmp_path)
    near = trace(query, "unet@v2", down=False, depth=1)
    assert pairs(near.up) == [("cmr@v3", "unet@v2"), ("labels@v2", "unet@v2")]
    assert (near.down, near.cut) == ((), True)
    assert trace(query, "unet@v2", down=False, depth=2).cut is False
    down = trace(query, "cmr@v2", up=False, depth=2)
    assert pairs(down.down) == [("cmr@v2", "labels@v2"), ("labels@v2", "unet@v2")]
    assert down.cut
    assert trace(query, "raw").up == ()
    with pytest.raises(NotFound):
        trace(query, "nobody@v1")
    with pytest.raises(InvalidInput):
        trace(query, "raw", depth=0)


def test_a_chain_of_one_dataset_mixes_nothing(chain: Chain, tmp_path: Path) -> None:
    chain.add("net", 1)
    chain.add("net", 2, sources=("net@v1",))
    chain.add("net", 3, sources=("net@v2",))
    chain.add("report", 1, sources=("net@v3",))
    found = trace(query_of(chain, tmp_path), "report")
    assert [warning for warning in found.warnings if warning.kind is MIXED] == []
    assert {w.ref for w in found.warnings if w.kind is NEWER} == {"net@v1", "net@v2"}


def test_names_of_today_and_the_trash(team: Chain, tmp_path: Path) -> None:
    team.append(DatasetRename, dataset="cmr", new_name="heart")
    team.append(VersionRemove, dataset="heart", numbers=(3,), by="dana")
    team.append(VersionRemove, dataset="report", numbers=(1,))
    team.append(VersionRemove, dataset="raw", numbers=(1,))
    # What gc took is known by its manifest.
    team.append(ContainersCondemn, names=(version_fields(2)["manifest"].key,))
    found = trace(query_of(team, tmp_path), "unet")
    assert ("heart@v2", "labels@v2") in pairs(found.up)
    kinds = {(warning.kind, warning.ref) for warning in found.warnings}
    assert kinds == {
        (MIXED, "heart@v3"),
        (MIXED, "heart@v2"),
        (WarningKind.TRASHED, "heart@v3"),
        (WarningKind.TRASHED, "report@v1"),
        (WarningKind.GONE, "raw@v1"),
    }


def test_a_long_chain_and_a_wide_fan(
    chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain.add("net", 1)
    for number in range(2, 301):
        chain.add("net", number, sources=(f"net@v{number - 1}",))
    for number in range(300):
        chain.add(f"out-{number}", 1, sources=("net@v300",))
    query = query_of(chain, tmp_path)
    deep = trace(query, "net@v300")
    assert len(deep.up) == 299
    assert pairs(deep.up)[-1] == ("net@v1", "net@v2")
    assert len(deep.down) == 300
    assert pairs(deep.down)[0] == ("net@v300", "out-299@v1"), "the newest first"
    monkeypatch.setattr(ancestry, "EDGES_MAX", 50)
    monkeypatch.setattr("datacat.organise.lineage.EDGES_MAX", 50)
    monkeypatch.setattr("datacat.organise.lineage.DEPTH_MAX", 20)
    few = trace(query, "net@v300")
    assert (len(few.up), len(few.down), few.cut) == (20, 50, True)


def walked(
    made_from: dict[str, list[str]], ref: str, depth: int, *, up: bool
) -> set[tuple[str, str]]:
    """Every edge that starts less than `depth` generations from `ref`."""
    edges, level, seen = set(), [ref], {ref}
    for _ in range(depth):
        following = []
        for one in level:
            for result, sources in made_from.items():
                for source in sources:
                    near, far = (result, source) if up else (source, result)
                    if near != one:
                        continue
                    edges.add((source, result))
                    if far not in seen:
                        seen.add(far)
                        following.append(far)
        level = following
    return edges


@searching(10)
@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(1, 6))
def test_random_graphs(seed: int, count: int, depth: int) -> None:
    """Diamonds and all: each edge once, none missing, the nearest first, and the right warnings."""
    random = Random(seed)
    chain = Chain(MemoryBackend())
    made_from: dict[str, list[str]] = {}
    highest: dict[str, int] = {}
    for _ in range(count):
        name = random.choice("abcd")
        number = highest.get(name, 0) + 1
        known = list(made_from)
        sources = random.sample(known, min(len(known), random.choice([0, 1, 1, 2, 3])))
        chain.add(name, number, sources=tuple(sources))
        made_from[f"{name}@v{number}"] = sources
        highest[name] = number
    with TemporaryDirectory() as folder:
        query = query_of(chain, Path(folder))
        for ref in random.sample(list(made_from), min(3, count)):
            check(trace(query, ref), made_from, highest, depth=1_000)
            check(trace(query, ref, depth=depth), made_from, highest, depth=depth)


def check(
    found: Lineage, made_from: dict[str, list[str]], highest: dict[str, int], *, depth: int
) -> None:
    for up, edges in ((True, found.up), (False, found.down)):
        assert len(set(edges)) == len(edges)
        assert set(pairs(edges)) == walked(made_from, found.ref, depth, up=up)
        reached = {found.ref}
        for source, result in pairs(edges):
            near, far = (result, source) if up else (source, result)
            assert near in reached, "an edge that hangs on nothing yet"
            reached.add(far)
    everything = walked(made_from, found.ref, 1_000, up=True)
    below = walked(made_from, found.ref, 1_000, up=False)
    assert found.cut == (len(everything) + len(below) > len(found.up) + len(found.down))
    assert found.nodes.keys() == {
        found.ref,
        *(end for edge in (*pairs(found.up), *pairs(found.down)) for end in edge),
    }
    ancestors = {source for source, _ in pairs(found.up)}
    outside: dict[str, set[str]] = {}
    for source, result in pairs(found.up):
        if source[0] != result[0]:
            outside.setdefault(source[0], set()).add(source)
    expected = {
        LineageWarning(MIXED, one, other)
        for used in outside.values()
        for one in used
        for other in used - {one}
    } | {
        LineageWarning(NEWER, one, f"{one[0]}@v{highest[one[0]]}")
        for one in ancestors
        if int(one[3:]) < highest[one[0]]
    }
    assert set(found.warnings) == expected
    assert len(found.warnings) == len(expected)
