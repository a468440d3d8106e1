"""Many people at once: no version is lost or half, and whoever comes second is told so."""

from __future__ import annotations

from pathlib import Path

import pytest

from datacat.errors import Conflict
from datacat.store import Store
from tests.conftest import make_client, make_store
from tests.faults.racer import Order, in_order, race
from tests.trees import content, file, read_tree, without_times, write_tree

PROCESSES = 6
ADDS = 5


@pytest.fixture
def url(tmp_path: Path) -> str:
    store = make_store("posix", tmp_path, client=make_client(tmp_path, "judge"))
    store.close()
    return store.url


@pytest.fixture
def judge(url: str, tmp_path: Path) -> Store:
    """Somebody who looks with an empty cache when the race is over."""
    return Store.open(url, client=make_client(tmp_path, "late"))


def adds(tmp_path: Path, person: str, dataset: str, count: int) -> list[Order]:
    """Saves of a folder of one's own; each changes one file and leaves the other."""
    folder = write_tree(tmp_path / person, {"same.txt": file(b"the same for all")})
    return [
        {"do": "add", "path": str(folder), "name": dataset, "force": True}
        | {"write": {"mine.txt": f"{person} {number}"}}
        for number in range(count)
    ]


@pytest.mark.parametrize("shared", [True, False], ids=["one-dataset", "a-dataset-each"])
def test_everybody_saves_at_once(url: str, judge: Store, tmp_path: Path, shared: bool) -> None:
    people = [f"p{number}" for number in range(PROCESSES)]
    names = {person: "race" if shared else f"race-{person}" for person in people}
    orders = {person: adds(tmp_path, person, names[person], ADDS) for person in people}
    answers = race(url, tmp_path, orders)

    said = {}
    for person in people:
        for number, answer in enumerate(in_order(answers[person])):
            assert answer["created"]
            assert answer["ref"] not in said, "two were told the same version"
            said[answer["ref"]] = f"{person} {number}"
    expected = [
        f"{name}@v{number}"
        for name in sorted(set(names.values()))
        for number in range(1, ADDS * (PROCESSES if shared else 1) + 1)
    ]
    assert sorted(said) == sorted(expected), "a gap"
    listed = [version.ref for name in set(names.values()) for version in judge.versions(name)]
    assert sorted(listed) == sorted(expected)
    copy = tmp_path / "copy"
    for ref in expected[:: 3 if shared else 2]:
        judge.pull(ref, dest=copy if shared else tmp_path / ref)
        there = copy if shared else tmp_path / ref
        assert (there / "mine.txt").read_text() == said[ref]
        assert (there / "same.txt").read_bytes() == b"the same for all"
    (result,) = judge.verify(everything=True)
    assert result.ok


def test_the_second_of_two_is_told_who_changed_what(url: str, judge: Store, tmp_path: Path) -> None:
    alice = Store.open(url, client=make_client(tmp_path, "alice"))
    bob = Store.open(url, client=make_client(tmp_path, "bob"))
    tree = {"both.txt": file(b"1"), "alice.txt": file(b"1"), "bob.txt": file(b"1")}
    alice.add(write_tree(tmp_path / "a", tree), name="x")
    bob.pull("x", dest=tmp_path / "b")
    alice.add(write_tree(tmp_path / "a", {"both.txt": file(b"2"), "alice.txt": file(b"2")}))
    mine = without_times(
        read_tree(write_tree(tmp_path / "b", {"both.txt": file(b"3"), "bob.txt": file(b"3")}))
    )
    with pytest.raises(Conflict) as caught:
        bob.add(tmp_path / "b")
    error = caught.value
    assert (error.kind, error.exit_code) == ("newer_version", 6)
    assert "alice saved x@v2" in error.message
    assert "your copy started from x@v1" in error.message
    assert error.hint is not None
    assert "alice changed 2 files, you changed 2" in error.hint
    assert "both changed 1: both.txt" in error.hint
    assert without_times(read_tree(tmp_path / "b")) == mine
    assert [version.number for version in judge.versions("x")] == [2, 1]
    assert bob.add(tmp_path / "b", force=True).version.ref == "x@v3"


def test_only_one_of_many_with_the_same_base_wins(url: str, judge: Store, tmp_path: Path) -> None:
    """Also when the other record comes between the look and the commit: that is what racing is."""
    people = ["p0", "p1", "p2", "p3"]
    stores = {p: Store.open(url, client=make_client(tmp_path, p)) for p in people}
    # Enough to upload that the sessions overlap.
    base = {f"{n}.bin": file(content(50_000, 2 * n + 1)) for n in range(20)}
    stores["p0"].add(write_tree(tmp_path / "first", base), name="x")
    for turn in range(2):
        orders: dict[str, list[Order]] = {}
        for person in people:
            copy = tmp_path / f"{person} {turn}"
            stores[person].pull("x", dest=copy)
            write_tree(copy, {"large.bin": file(content(2_000_000 + turn, 100 + ord(person[1])))})
            orders[person] = [{"do": "add", "path": str(copy), "write": {"who.txt": person}}]
        answers = {person: own[0] for person, own in race(url, tmp_path, orders).items()}
        (winner,) = [person for person, answer in answers.items() if "ok" in answer]
        assert answers[winner]["ok"] == {"ref": f"x@v{turn + 2}", "created": True}
        for person in set(people) - {winner}:
            assert answers[person]["error"] == "newer_version", answers[person]
            assert answers[person]["exit"] == 6
            assert f"{winner} saved x@v{turn + 2}" in answers[person]["text"]
            assert "you changed" in answers[person]["text"]
        judge.pull("x", dest=tmp_path / f"judge {turn}")
        assert (tmp_path / f"judge {turn}" / "who.txt").read_text() == winner


def test_adds_race_with_aliases_and_renames(url: str, judge: Store, tmp_path: Path) -> None:
    Store.open(url, client=make_client(tmp_path, "alice")).add(
        write_tree(tmp_path / "first", {"a": file(b"1")}), name="old"
    )
    answers = race(
        url,
        tmp_path,
        {
            "p0": adds(tmp_path, "p0", "old", 8),
            "p1": adds(tmp_path, "p1", "old", 8),
            "p2": [{"do": "alias", "ref": "old", "alias": f"mark-{n}"} for n in range(20)],
            "p3": [{"do": "rename", "old": "old", "new": f"new-{n}"} for n in range(10)],
        },
    )
    for own in answers.values():
        in_order(own)
    versions = judge.versions("old")
    assert [version.number for version in versions] == list(range(17, 0, -1))
    assert {version.name for version in versions} == {"new-9"}
    (dataset,) = judge.ls().datasets
    assert dataset.aliases.keys() == {f"mark-{n}" for n in range(20)}
    texts = set()
    for version in versions[:-1]:
        judge.pull(version.ref, dest=tmp_path / "copies" / str(version.number))
        texts.add((tmp_path / "copies" / str(version.number) / "mine.txt").read_text())
    assert texts == {f"{person} {n}" for person in ("p0", "p1") for n in range(8)}


def test_what_is_said_of_an_alias_that_all_move_is_one_history(
    url: str, judge: Store, tmp_path: Path
) -> None:
    alice = Store.open(url, client=make_client(tmp_path, "alice"))
    for number in range(4):
        alice.add(write_tree(tmp_path / "first", {"a": file(b"%d" % number)}), name="x")
    people = {f"p{n}": f"x@v{n + 1}" for n in range(4)}
    orders: dict[str, list[Order]] = {
        person: [{"do": "alias", "ref": ref, "alias": "gold"}] * 6 for person, ref in people.items()
    }
    answers = race(url, tmp_path, orders)
    moves = [
        (person, answer)
        for person, own in answers.items()
        for answer in in_order(own)
        if answer["was"] != answer["now"]
    ]
    # Each move was told from where: put end to end, they are the moves that the log has.
    feed = [entry for entry in reversed(judge.log()) if entry.action == "alias"]
    assert len(feed) == len(moves)
    where, by = None, None
    left = list(moves)
    for entry in feed:
        (move,) = [
            one
            for one in left
            if one[0] == entry.user and (one[1]["was"], one[1]["was_by"]) == (where, by)
        ][:1]
        left.remove(move)
        where, by = move[1]["now"], move[0]
        assert entry.detail == f"→ {str(where).partition('@')[2]}"
    assert judge.show("x@gold").version.ref == where


def test_one_of_many_gets_a_name(url: str, judge: Store, tmp_path: Path) -> None:
    alice = Store.open(url, client=make_client(tmp_path, "alice"))
    people = [f"p{n}" for n in range(4)]
    for person in people:
        alice.add(write_tree(tmp_path / person, {"a": file(person.encode())}), name=person)
    orders: dict[str, list[Order]] = {
        person: [{"do": "rename", "old": person, "new": "best"}] for person in people
    }
    answers = {person: own[0] for person, own in race(url, tmp_path, orders).items()}
    (winner,) = [person for person, answer in answers.items() if "ok" in answer]
    for person in set(people) - {winner}:
        assert (answers[person]["error"], answers[person]["exit"]) == ("name_taken", 6)
        assert "taken by a dataset of alice" in answers[person]["text"]
        assert judge.show(person).dataset.name == person
    assert judge.show(winner).dataset.name == "best"


def test_the_same_new_content_saved_by_all_at_once(url: str, judge: Store, tmp_path: Path) -> None:
    """Each uploads it, one copy wins, and every version can be read."""
    body = {f"{n}.bin": file(content(300_000, 2 * n + 1)) for n in range(3)}
    orders: dict[str, list[Order]] = {}
    for person in ("p0", "p1", "p2", "p3"):
        folder = write_tree(tmp_path / person, body)
        orders[person] = [{"do": "add", "path": str(folder), "name": f"by-{person}"}]
    answers = [in_order(own)[0] for own in race(url, tmp_path, orders).values()]
    assert any(answer["created"] for answer in answers)
    for answer in answers:
        judge.pull(answer["ref"], dest=tmp_path / "copies" / answer["ref"])
        assert without_times(read_tree(tmp_path / "copies" / answer["ref"])) == body


def test_pulls_while_others_save(url: str, judge: Store, tmp_path: Path) -> None:
    """Whoever pulls gets one version, whole, however many are saved meanwhile."""
    alice = Store.open(url, client=make_client(tmp_path, "alice"))
    trees = {"x@v1": {f"{n}": file(content(9_000, n)) for n in range(60)}}
    alice.add(write_tree(tmp_path / "first", trees["x@v1"]), name="x")
    orders = {
        "p0": adds(tmp_path, "p0", "x", 8),
        "p1": adds(tmp_path, "p1", "y", 8),
        "p2": [{"do": "pull", "ref": "x", "dest": str(tmp_path / f"c{n}")} for n in range(12)],
        "p3": [{"do": "pull", "ref": "x", "dest": str(tmp_path / "moving")} for _ in range(12)],
    }
    answers = race(url, tmp_path, orders)
    saved = in_order(answers["p0"])
    for number, answer in enumerate(saved):
        trees[answer["ref"]] = {
            "same.txt": file(b"the same for all"),
            "mine.txt": file(b"p0 %d" % number),
        }
    for number, ref in enumerate(in_order(answers["p2"])):
        assert without_times(read_tree(tmp_path / f"c{number}")) == trees[ref]
    moved = in_order(answers["p3"])
    assert moved == sorted(moved, key=lambda ref: int(ref.rpartition("v")[2]))
    assert without_times(read_tree(tmp_path / "moving")) == trees[moved[-1]]
