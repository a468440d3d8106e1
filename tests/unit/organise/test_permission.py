from __future__ import annotations

import pytest

from datacat.errors import Refused
from datacat.organise.permission import check_permission


def ask(user: str, *authors: str, force: bool = False) -> None:
    check_permission(
        "cmr", user=user, owner="alice", authors=authors, again="datacat x --force", force=force
    )


def test_the_owner_the_only_author_and_who_insists_may() -> None:
    ask("alice", "bob", "chen")
    ask("bob", "bob", "bob")
    ask("chen", "bob", force=True)


@pytest.mark.parametrize("authors", [(), ("alice",), ("bob", "chen")])
def test_everybody_else_is_told_whose_it_is_and_who_they_are(authors: tuple[str, ...]) -> None:
    with pytest.raises(Refused) as refused:
        ask("chen", *authors)
    error = refused.value
    assert error.exit_code == 6
    assert error.kind == "not_yours"
    assert "belongs to alice" in error.message
    assert error.hint == "You are chen."
    assert error.commands == ("datacat x --force   (do it anyway)",)
    assert all(author in error.message for author in authors)


def test_a_crowd_of_authors_is_counted() -> None:
    with pytest.raises(Refused, match="saved by a, b, c, d, e and 2 more"):
        ask("chen", *"abcdefg")
