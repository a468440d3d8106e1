from __future__ import annotations

from collections.abc import Callable

import pytest

from datacat.errors import Conflict, InvalidInput, NotFound
from datacat.store import Store
from tests.unit.organise.conftest import Opened

Interrupted = Callable[..., Store]


def test_an_alias_is_set_moved_listed_and_removed(team: Opened) -> None:
    first = team("dana").alias("cmr@v1", "Gold")
    assert (first.ref, first.alias, first.previous, first.changed) == ("cmr@v1", "gold", None, True)
    moved = team("alice").alias("cmr", "gold")
    assert moved.ref == "cmr@v3"
    assert moved.previous is not None
    assert (moved.previous.ref, moved.previous.set_by) == ("cmr@v1", "dana")
    assert [(a.alias, a.ref, a.set_by) for a in team().aliases("cmr")] == [
        ("gold", "cmr@v3", "alice")
    ]
    assert team().show("cmr@gold").version.number == 3
    gone = team("bob").unalias("CMR@Gold")
    assert (gone.ref, gone.previous and gone.previous.ref) == (None, "cmr@v3")
    assert team().aliases("cmr") == []
    assert [(e.action, e.ref, e.detail) for e in team().log(limit=3)] == [
        ("alias", "cmr@gold", "removed"),
        ("alias", "cmr@gold", "→ v3"),
        ("alias", "cmr@gold", "→ v1"),
    ]


def test_what_is_so_already_is_not_written_again(team: Opened) -> None:
    team("dana").alias("cmr@v2", "gold")
    before = len(team().log())
    again = team("alice").alias("cmr@2", "gold")
    assert not again.changed
    assert again.previous is not None
    assert again.previous.set_by == "dana"
    assert len(team().log()) == before


def test_reserved_words_are_refused(team: Opened) -> None:
    for word in ("v3", "3", "latest", "9f3c2a1b", "a b", "", "é", "x/y"):
        with pytest.raises(InvalidInput) as caught:
            team().alias("cmr@v1", word)
        assert (caught.value.kind, caught.value.exit_code) == ("bad_alias", 2)


def test_what_is_not_there(team: Opened) -> None:
    team().alias("cmr@v1", "gold")
    for ref in ("cmr@v9", "crm", "cmr@silver"):
        with pytest.raises(NotFound):
            team().alias(ref, "best")
    with pytest.raises(NotFound, match="cmr has no alias 'glod'") as caught:
        team().unalias("cmr@glod")
    assert caught.value.hint == "Did you mean 'cmr@gold'?"
    for ref in ("cmr", "cmr@v1", "cmr@gold/a.txt"):
        with pytest.raises(InvalidInput, match="is not an alias"):
            team().unalias(ref)
    with pytest.raises(InvalidInput, match="is a part of cmr"):
        team().aliases("cmr@v1")


def test_what_was_is_true_although_somebody_was_faster(
    team: Opened, interrupted: Interrupted
) -> None:
    team("alice").alias("cmr@v1", "gold")
    slow = interrupted("alice", lambda: team("dana").alias("cmr@v2", "gold"))
    change = slow.alias("cmr@v3", "gold")
    assert change.previous is not None
    assert (change.previous.ref, change.previous.set_by) == ("cmr@v2", "dana")


def test_somebody_else_did_the_same_meanwhile(team: Opened, interrupted: Interrupted) -> None:
    change = interrupted("alice", lambda: team("dana").alias("cmr@v2", "gold")).alias(
        "cmr@v2", "gold"
    )
    assert not change.changed
    assert change.previous is not None
    assert change.previous.set_by == "dana"
    with pytest.raises(NotFound, match="no alias 'gold'"):
        interrupted("alice", lambda: team("dana").unalias("cmr@gold")).unalias("cmr@gold")


def test_a_rename_in_between_is_followed(team: Opened, interrupted: Interrupted) -> None:
    change = interrupted("dana", lambda: team("alice").rename("cmr", "heart")).alias(
        "cmr@v1", "gold"
    )
    assert (change.name, change.ref) == ("heart", "heart@v1")


def test_no_alias_points_into_the_trash(team: Opened, interrupted: Interrupted) -> None:
    from tests.unit.organise.trash import remove

    with pytest.raises(Conflict, match="cmr@v1 is in the trash"):
        interrupted("alice", lambda: remove(team("bob"), "cmr", 1)).alias("cmr@v1", "gold")
    with pytest.raises(NotFound, match="in the trash"):
        team().alias("cmr@v1", "gold")
