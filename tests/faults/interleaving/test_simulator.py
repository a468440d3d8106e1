"""The simulator itself: what it says of storage, and that it notices what it cannot simulate."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path

import pytest

from datacat.backend import Created
from datacat.errors import StorageMissing, StorageTransient
from tests.faults.interleaving.calls import Call, How, Reply, possible
from tests.faults.interleaving.explorer import Explorer, Limits
from tests.faults.interleaving.oracle import Oracle, outline_reader
from tests.faults.interleaving.process import (
    Actor,
    Desk,
    NotDeterministicError,
    Process,
    undisturbed,
)
from tests.faults.interleaving.runs import room
from tests.faults.interleaving.scenario import Scenario
from tests.faults.interleaving.wire import Wire
from tests.faults.interleaving.world import World

SLOT = "catalog/log/0000000/00000000000000000002.json"


def test_what_becomes_of_a_call_and_what_is_heard() -> None:
    heard = {}
    for how in possible(Call("create", SLOT)):
        world = World()
        wire = Wire(lambda call, world=world, how=how: world.answer(call, how))  # type: ignore[misc]
        if how in (How.DENIED, How.CRASH):
            continue
        heard[how] = wire.create(SLOT, b"mine"), world.contents().get(SLOT), len(world.in_flight)
    assert heard == {
        How.OK: (Created.CREATED, b"mine", 0),
        How.LOST: (Created.UNKNOWN, None, 0),
        How.UNANSWERED: (Created.UNKNOWN, b"mine", 0),
        How.LATE: (Created.UNKNOWN, None, 1),
        How.TWICE: (Created.CREATED, b"mine", 1),
    }


def test_a_late_create_does_not_overwrite_and_a_late_delete_deletes() -> None:
    world = World()
    world.answer(Call("create", SLOT, b"late"), How.LATE)
    world.answer(Call("delete", "packs/a"), How.LATE)
    world.answer(Call("write", "packs/a", b"1"))
    world.answer(Call("create", SLOT, b"first"))
    world.deliver(0)
    world.deliver(0)
    assert world.contents() == {SLOT: b"first"}
    assert world.in_flight == ()


def test_the_past_lacks_the_newest_and_has_what_was_deleted() -> None:
    world = World()
    for key in ("packs/a", "packs/b", "packs/c", "packs/d", "packs/e"):
        world.answer(Call("write", key, b"1"))
    world.answer(Call("delete", "packs/b"))
    stale = Wire(lambda call: world.answer(call, How.STALE))
    assert [stat.key for stat in stale.keys("packs/")] == ["packs/a", "packs/b"]
    with pytest.raises(StorageMissing):
        stale.read(SLOT)


def test_a_repeated_publish_finds_its_own_bytes() -> None:
    world = World()
    fates = iter([How.UNANSWERED, How.OK, How.OK])
    wire = Wire(lambda call: world.answer(call, next(fates)))
    with wire.stage() as staged:
        with pytest.raises(StorageTransient):
            staged.publish("packs/a")
        staged.publish("packs/a")
    assert world.contents() == {"packs/a": b""}


def test_a_killed_client_reaches_storage_no_more() -> None:
    world = World()

    def script(desk: Desk) -> None:
        try:
            desk.wire.write("packs/a", b"1")
        finally:
            desk.wire.delete("packs/z")  # its handlers run, and nobody hears of it

    world.answer(Call("write", "packs/z", b"1"))
    process = Process(Actor("alice", script), Path("/nonexistent"))
    process.kill()
    assert process.call is None
    assert process.broken is None
    assert world.contents() == {"packs/z": b"1"}


def test_an_error_that_is_none_of_ours_is_told(tmp_path: Path) -> None:
    def script(desk: Desk) -> None:
        desk.wire.sync()
        raise ZeroDivisionError

    world = World()
    process = Process(Actor("alice", script), tmp_path)
    process.answer(Reply("ok"))
    assert process.broken is not None
    assert "ZeroDivisionError" in process.broken.error
    with pytest.raises(AssertionError):
        undisturbed(world, Actor("alice", script))


def test_a_call_from_another_thread_is_refused(tmp_path: Path) -> None:
    caught: list[BaseException] = []

    def elsewhere(desk: Desk) -> None:
        try:
            desk.wire.sync()
        except NotDeterministicError as error:
            caught.append(error)

    def script(desk: Desk) -> None:
        thread = threading.Thread(target=elsewhere, args=(desk,))
        thread.start()
        thread.join()

    Process(Actor("alice", script), tmp_path)
    assert caught


def test_a_client_that_does_something_else_the_second_time_is_noticed() -> None:
    """Or a search would go through states that do not exist."""
    runs = itertools.count()

    def moody(desk: Desk) -> None:
        number = next(runs)
        desk.wire.stat(f"packs/{number}")
        desk.wire.stat("packs/b")
        desk.wire.stat("packs/c")

    def writer(desk: Desk) -> None:
        desk.wire.write("packs/b", b"1")

    start = Scenario(World(), [Actor("alice", moody), Actor("bob", writer)], collected=True)
    with room() as folder:
        explorer = Explorer(start, Oracle(outline_reader), limits=Limits(), folder=folder)
        with pytest.raises(NotDeterministicError):
            explorer.run(enough=1_000)
