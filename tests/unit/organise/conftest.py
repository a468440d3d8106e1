"""A team with `cmr`, of which alice saved v1 and v2 and bob v3, and a way to come in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from datacat.opened import Client
from datacat.store import Store
from tests.conftest import make_store
from tests.trees import file, write_tree

Opened = Callable[..., Store]


@pytest.fixture
def team(tmp_path: Path, client: Callable[..., Client]) -> Opened:
    """`team("bob")`: the team's store, opened by somebody. Which backend it is matters to nobody
    who writes a record alone, so it is the fastest."""
    url = make_store("memory", tmp_path, client=client()).url

    def store(user: str = "alice") -> Store:
        return Store.open(url, client=client(user))

    for number, person in enumerate(["alice", "alice", "bob"], start=1):
        folder = write_tree(tmp_path / person / "cmr", {"a.txt": file(b"%d" % number)})
        store(person).add(folder, message=f"by {person}", tags=["mri"], force=True)
    return store


@pytest.fixture
def interrupted(team: Opened, client: Callable[..., Client]) -> Callable[..., Store]:
    """`interrupted("alice", act)`: alice's store, where `act` runs each time that she has looked
    at the catalog and is about to write."""

    def opened(user: str, act: Callable[[], object]) -> Store:
        mine = client(user)

        def new_id() -> str:
            act()
            return mine.new_id()

        return Store.open(team().url, client=replace(mine, new_id=new_id))

    return opened
