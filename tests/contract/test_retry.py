"""Trying again: bounded, and never two results. The contract suite runs over it as well."""

from __future__ import annotations

from pathlib import Path

import pytest

from datacat.backend import Backend, Created
from datacat.backend.memory import MemoryBackend
from datacat.backend.retry import RetryingBackend
from datacat.errors import StorageDenied, StorageError, StorageTransient
from tests.contract.lossy import LosingReplies


class Pauses:
    def __init__(self) -> None:
        self.seconds: list[float] = []

    def over(self, backend: Backend, attempts: int = 5, random: float = 0.0) -> RetryingBackend:
        return RetryingBackend(
            backend, sleep=self.seconds.append, random=lambda: random, attempts=attempts
        )


@pytest.fixture
def memory() -> MemoryBackend:
    return MemoryBackend(clock_ns=lambda: 7)


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


def test_tries_are_bounded_and_pauses_grow(memory: MemoryBackend, pauses: Pauses) -> None:
    losing = LosingReplies(memory, "b")
    with pytest.raises(StorageTransient):
        pauses.over(losing).stat("x")
    assert losing.lost == 5
    assert pauses.seconds == pytest.approx([0.05, 0.2, 0.8, 2.5])
    pauses.seconds.clear()
    with pytest.raises(StorageTransient):
        pauses.over(losing, random=1.0).stat("x")
    assert pauses.seconds == pytest.approx([0.1, 0.4, 1.6, 5.0])


def test_other_errors_pass_at_once(
    memory: MemoryBackend, pauses: Pauses, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(key: str) -> None:
        raise StorageDenied("no")

    monkeypatch.setattr(memory, "stat", denied)
    with pytest.raises(StorageDenied):
        pauses.over(memory).stat("x")
    assert pauses.seconds == []


def test_a_write_that_worked_is_not_written_again(memory: MemoryBackend, pauses: Pauses) -> None:
    losing = LosingReplies(memory, "a...")
    pauses.over(losing).write("packs/x", b"mine")
    assert memory.read("packs/x") == b"mine"
    assert losing.lost == 1


@pytest.mark.parametrize("theirs", [b"other", b"mime"])
def test_a_write_never_takes_other_bytes_for_its_own(
    memory: MemoryBackend, pauses: Pauses, theirs: bytes, tmp_path: Path
) -> None:
    memory.write("packs/x", theirs)
    (source := tmp_path / "source").write_bytes(b"mine")
    with pytest.raises(StorageError) as caught:
        pauses.over(LosingReplies(memory, "b...")).write("packs/x", b"mine")
    assert caught.value.kind == "key_exists"
    with pytest.raises(StorageError) as caught:
        pauses.over(LosingReplies(memory, "b...")).write_file("packs/x", source)
    assert caught.value.kind == "key_exists"
    assert memory.read("packs/x") == theirs


def test_a_late_first_try_counts(memory: MemoryBackend, pauses: Pauses) -> None:
    """The request that seemed lost arrives between the look and the second try."""

    class Late(LosingReplies):
        def write(self, key: str, data: bytes | bytearray | memoryview) -> None:
            self.tries = getattr(self, "tries", 0) + 1
            if self.tries == 1:
                self.late = bytes(data)
                raise StorageTransient("no reply")
            memory.write(key, self.late)
            memory.write(key, data)

    pauses.over(Late(memory, ".")).write("packs/x", b"mine")
    assert memory.read("packs/x") == b"mine"


@pytest.mark.parametrize(
    ("plan", "there", "expected"),
    [
        (".", None, Created.CREATED),
        (".", b"theirs", Created.EXISTS),
        ("a.", None, Created.CREATED),  # done, reply lost, read back: ours
        ("a.", b"theirs", Created.EXISTS),
        ("b.", None, Created.UNKNOWN),  # an empty slot may still be filled by what was sent
        ("b.", b"theirs", Created.EXISTS),
        ("ab", None, Created.UNKNOWN),  # the look failed too
        ("b.", b"mine", Created.CREATED),
    ],
)
def test_create_answers_only_what_is_certain(
    memory: MemoryBackend, pauses: Pauses, plan: str, there: bytes | None, expected: Created
) -> None:
    if there is not None:
        memory.create("slot", there)
    assert pauses.over(LosingReplies(memory, plan)).create("slot", b"mine") is expected
    assert pauses.seconds == []


def test_a_look_that_is_refused_says_nothing_about_what_was_sent(
    memory: MemoryBackend, pauses: Pauses, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(key: str, *, limit_bytes: int | None = None) -> bytes:
        raise StorageDenied("the credentials have expired")

    losing = LosingReplies(memory, "a.")
    with monkeypatch.context() as patched:
        patched.setattr(losing, "read", refuse)
        assert pauses.over(losing).create("slot", b"mine") is Created.UNKNOWN
    assert memory.read("slot") == b"mine"


def test_created_is_not_said_before_it_is_durable(
    memory: MemoryBackend, pauses: Pauses, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise StorageTransient("fsync failed")

    monkeypatch.setattr(memory, "sync", broken)
    retrying = pauses.over(LosingReplies(memory, "a."))
    assert retrying.create("slot", b"mine") is Created.UNKNOWN
    with pytest.raises(StorageTransient):
        retrying.sync()
    assert pauses.seconds == []  # sync is never repeated: a second fsync would lie


def test_a_long_listing_goes_on_where_it_was_cut(memory: MemoryBackend, pauses: Pauses) -> None:
    keys = [f"packs/{n:03d}" for n in range(100)]
    for key in keys:
        memory.write(key, b"")
    retrying = pauses.over(LosingReplies(memory), attempts=2)
    assert [found.key for found in retrying.keys("packs/")] == keys
    assert len(pauses.seconds) > 30
