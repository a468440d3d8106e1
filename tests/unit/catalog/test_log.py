"""The chain: reading it, healing it, and appending to it exactly once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from datacat import layout
from datacat.backend.base import Backend, Created
from datacat.backend.memory import MemoryBackend
from datacat.backend.posix import PosixBackend
from datacat.catalog import log as log_module
from datacat.catalog.log import Entry, Log
from datacat.catalog.record import Record, VersionAdd, encode
from datacat.errors import Conflict, Corrupt, OutcomeUnknown, StorageDenied
from tests.unit.catalog.lossy import LateBackend, LossyBackend
from tests.unit.catalog.records import GENESIS, Chain, hex_of


class Counting(MemoryBackend):
    """Counts what is asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, str]] = []

    def read(self, key: str, *, limit_bytes: int | None = None) -> bytes:
        self.asked.append(("read", key))
        return super().read(key, limit_bytes=limit_bytes)


@pytest.fixture
def small_bundles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "BUNDLE_SIZES", (16, 4))


def read_all(log: Log) -> list[Entry]:
    return list(log.read_from(0, log.genesis_digest))


def remove(backend: Backend, seq: int) -> None:
    backend.delete(layout.log_record(seq))


def damage(backend: Backend, key: str, position: int = 40) -> None:
    data = bytearray(backend.read(key))
    data[position] ^= 4
    backend.replace(key, bytes(data))


def publish_all(log: Log, head: int) -> None:
    for size in reversed(layout.BUNDLE_SIZES):
        for first in range(1, head - size + 2, size):
            log.publish_bundle(first, size)


def grow(chain: Chain, count: int) -> None:
    for number in range(1, count + 1):
        chain.add("cmr", number)


def test_reading_gives_the_exact_bytes(chain: Chain) -> None:
    grow(chain, 5)
    entries = read_all(chain.log)
    assert [entry.data for entry in entries] == chain.lines
    assert [entry.seq for entry in entries] == [1, 2, 3, 4, 5, 6]
    assert list(chain.log.read_from(6, entries[-1].digest)) == []
    middle = list(chain.log.read_from(3, entries[2].digest))
    assert middle == entries[3:]


def test_without_news_one_absent_key_is_read() -> None:
    backend = Counting()
    chain = Chain(backend)
    grow(chain, 255)  # the head is aligned: a bundle may begin here
    backend.asked.clear()
    assert list(chain.log.read_from(256, chain.prev)) == []
    assert backend.asked == [("read", layout.log_record(257))]


@pytest.mark.parametrize("local", [True, False])
def test_bundles_replace_single_reads(tmp_path: Path, small_bundles: None, *, local: bool) -> None:
    backend: Backend = PosixBackend(tmp_path / "s") if local else MemoryBackend()
    backend.initialise(layout.directories(), group=None, shared=False)
    chain = Chain(backend)
    grow(chain, 41)
    publish_all(chain.log, 42)
    for seq in (2, 3, 17, 20, 33, 36):  # single records that only a bundle still has
        remove(backend, seq)
    assert [entry.data for entry in read_all(chain.log)] == chain.lines


def test_a_damaged_bundle_is_ignored(chain: Chain, small_bundles: None) -> None:
    grow(chain, 40)
    publish_all(chain.log, 41)
    for stat in list(chain.backend.keys(layout.BUNDLES)):
        original = chain.backend.read(stat.key)
        for position in range(0, len(original), len(original) // 9):
            damage(chain.backend, stat.key, position)
            assert [entry.data for entry in read_all(chain.log)] == chain.lines
            chain.backend.replace(stat.key, original)
        chain.backend.replace(stat.key, original[:-3])
        assert [entry.data for entry in read_all(chain.log)] == chain.lines
        chain.backend.replace(stat.key, b"")
        assert [entry.data for entry in read_all(chain.log)] == chain.lines


def test_a_bundle_of_another_history_is_ignored_or_noticed(
    chain: Chain, small_bundles: None
) -> None:
    grow(chain, 10)
    other = Chain(MemoryBackend())
    for number in range(1, 11):
        other.add("echo", number)
    for first in (1, 5):
        other.log.publish_bundle(first, 4)
    # From 5 on it does not continue what was read: ignored, the single records are right.
    key = layout.bundle(5, 8)
    chain.backend.replace(key, other.backend.read(key))
    assert [entry.data for entry in read_all(chain.log)] == chain.lines
    # From 1 on it is a chain of its own, and record 5 does not continue that one.
    key = layout.bundle(1, 4)
    chain.backend.replace(key, other.backend.read(key))
    chain.backend.delete(layout.bundle(5, 8))
    with pytest.raises(Corrupt, match="altered"):
        read_all(chain.log)


@pytest.mark.parametrize("seq", [1, 2, 4, 5, 8, 9, 10])
def test_a_damaged_or_missing_record_is_named(chain: Chain, seq: int) -> None:
    grow(chain, 10)
    damage(chain.backend, layout.log_record(seq))
    with pytest.raises(Corrupt, match=layout.log_record(seq)) as caught:
        read_all(chain.log)
    assert caught.value.kind == "record_damaged"
    remove(chain.backend, seq)
    with pytest.raises(Corrupt, match=layout.log_record(seq)) as caught:
        read_all(chain.log)
    assert caught.value.kind == "record_missing"


def test_bit_flips_in_any_record_are_noticed(chain: Chain) -> None:
    grow(chain, 3)
    for seq in range(1, 5):
        key = layout.log_record(seq)
        original = chain.backend.read(key)
        for position in range(0, len(original), 11):
            damage(chain.backend, key, position)
            with pytest.raises(Corrupt, match=key):
                read_all(chain.log)
            chain.backend.replace(key, original)


@pytest.mark.parametrize("seq", [1, 3, 16, 18, 20])
def test_a_damaged_or_missing_record_is_healed_from_a_bundle(
    chain: Chain, small_bundles: None, seq: int
) -> None:
    grow(chain, 21)
    publish_all(chain.log, 22)
    before = chain.lines[seq - 2] if seq > 1 else GENESIS
    damage(chain.backend, layout.log_record(seq))
    healed = chain.log.read_from(seq - 1, log_module.digest_of(before), careful=True)
    assert [entry.data for entry in healed] == chain.lines[seq - 1 :]
    remove(chain.backend, seq)
    healed = chain.log.read_from(seq - 1, log_module.digest_of(before), careful=True)
    assert [entry.data for entry in healed] == chain.lines[seq - 1 :]


def test_a_missing_last_record_of_a_folder_is_noticed(
    monkeypatch: pytest.MonkeyPatch, chain: Chain
) -> None:
    monkeypatch.setattr(layout, "RECORDS_PER_BUCKET", 4)
    again = Chain(MemoryBackend())
    grow(again, 9)
    remove(again.backend, 7)
    with pytest.raises(Corrupt, match=layout.log_record(7)):
        read_all(again.log)


def test_an_altered_log_does_not_verify(chain: Chain) -> None:
    grow(chain, 4)
    forged = Chain(MemoryBackend())
    forged.seq, forged.prev = 2, chain.lines and log_module.digest_of(chain.lines[1])
    made = forged.make(VersionAdd, dataset="cmr", number=2, message="forged")
    chain.backend.replace(layout.log_record(3), encode(made))
    with pytest.raises(Corrupt, match="altered") as caught:
        read_all(chain.log)
    assert caught.value.kind == "log_altered"
    with pytest.raises(Corrupt, match="altered"):
        list(Log(chain.backend, genesis=b"{}\n").read_from(0, log_module.digest_of(b"{}\n")))


def test_an_endless_record_is_not_read(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "_LINE_BYTES_MAX", 5_000)
    chain.backend.replace(layout.log_record(2), b"x" * 6_000)
    with pytest.raises(Corrupt, match="far too long"):
        read_all(chain.log)


def test_records_that_are_not_one_line_get_no_bundle(chain: Chain, small_bundles: None) -> None:
    from tests.unit.catalog.records import seal

    chain.add("cmr", 1)
    chain.put(seal(b'{"a":\n1}\n'))
    committed = commit(chain.log, dataset="cmr", numbers=lambda seq: seq - 2)
    assert committed.seq == 4
    assert list(chain.backend.keys(layout.BUNDLES)) == []
    assert len(read_all(chain.log)) == 4


# Appending


class Writer:
    """One client that saves versions of a dataset, as the commit protocol says."""

    def __init__(self, log: Log, name: str, *, client: int) -> None:
        self.log = log
        self.name = name
        self.client = client
        self.count = 0
        self.next = 1
        self.head, self.digest = 0, log.genesis_digest
        self.saved: list[Entry] = []

    def see(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            record = entry.record
            if isinstance(record, VersionAdd) and record.dataset == self.name:
                assert record.number == self.next
                self.next += 1
            self.head, self.digest = entry.seq, entry.digest

    def save(self) -> None:
        self.count += 1
        txid = hex_of(self.client * 1_000 + self.count, 32)

        def build(seq: int, prev: str) -> bytes:
            chain = Chain(MemoryBackend(), begin=False)
            chain.seq, chain.prev = seq - 1, prev
            return encode(chain.make(VersionAdd, dataset=self.name, number=self.next, txid=txid))

        entry = self.log.commit(
            build,
            self.see,
            start_seq=self.head,
            start_digest=self.digest,
            sleep=lambda seconds: None,
        )
        self.see([entry])
        self.saved.append(entry)


def commit(log: Log, *, dataset: str, numbers: Callable[[int], int]) -> Entry:
    entries = read_all(log)

    def build(seq: int, prev: str) -> bytes:
        chain = Chain(MemoryBackend(), begin=False)
        chain.seq, chain.prev = seq - 1, prev
        return encode(chain.make(VersionAdd, dataset=dataset, number=numbers(seq)))

    return log.commit(
        build,
        lambda news: None,
        start_seq=entries[-1].seq,
        start_digest=entries[-1].digest,
        sleep=lambda seconds: None,
    )


@pytest.mark.parametrize("seed", range(6))
def test_racing_writers_with_lost_replies_save_exactly_once_each(
    seed: int, small_bundles: None
) -> None:
    backend = LossyBackend(seed)
    chain = Chain(MemoryBackend())
    MemoryBackend.create(backend, layout.log_record(1), chain.lines[0])
    log = Log(backend, genesis=GENESIS)
    writers = [Writer(log, "cmr", client=n) for n in range(8)]
    barrier = threading.Barrier(8)

    def work(writer: Writer) -> None:
        barrier.wait()
        for _ in range(12):
            writer.save()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, writers))
    entries = read_all(log)
    assert [entry.seq for entry in entries] == list(range(1, 98))
    records = [entry.record for entry in entries[1:]]
    assert [r.number for r in records if isinstance(r, VersionAdd)] == list(range(1, 97))
    assert len({r.txid for r in records if isinstance(r, Record)}) == 96
    acknowledged = {entry.data for writer in writers for entry in writer.saved}
    assert acknowledged == {entry.data for entry in entries[1:]}
    for writer in writers:
        assert all(a.seq < b.seq for a, b in pairwise(writer.saved))


def test_the_same_bytes_go_into_the_same_slot_until_it_is_settled() -> None:
    backend = LateBackend()
    chain = Chain(backend)
    backend.lose = 3
    entry = commit(chain.log, dataset="cmr", numbers=lambda seq: 1)
    assert {data for _, data in backend.late} == {entry.data}
    assert {key for key, _ in backend.late} == {layout.log_record(2)}
    backend.arrive()  # late copies change nothing
    assert [e.data for e in read_all(chain.log)] == [*chain.lines, entry.data]


def test_someone_else_in_the_slot_settles_a_lost_reply() -> None:
    backend = LateBackend()
    chain = Chain(backend)
    writer = Writer(chain.log, "cmr", client=1)
    rival = Writer(chain.log, "cmr", client=2)
    backend.lose = 1
    original = backend.create

    def create(key: str, data: bytes) -> Created:
        answer = original(key, data)
        if answer is Created.UNKNOWN:
            rival.save()
        return answer

    backend.create = create  # type: ignore[method-assign]
    writer.save()
    backend.arrive()
    assert [entry.seq for entry in read_all(chain.log)] == [1, 2, 3]
    assert (rival.saved[0].seq, writer.saved[0].seq) == (2, 3)


def test_an_outcome_that_stays_unknown_gives_the_transaction() -> None:
    backend = LateBackend()
    chain = Chain(backend)
    backend.lose = 10**6
    clock = iter(range(1_000))
    with pytest.raises(OutcomeUnknown, match=hex_of(2, 32)) as caught:
        chain.log.commit(
            lambda seq, prev: encode(chain.make(VersionAdd, dataset="cmr", number=1)),
            lambda news: None,
            start_seq=1,
            start_digest=chain.prev,
            monotonic=lambda: float(next(clock)),
            sleep=lambda seconds: None,
        )
    assert caught.value.kind == "outcome_unknown"
    assert caught.value.exit_code == 7


def test_a_writer_that_always_loses_gives_up_and_saves_nothing(chain: Chain) -> None:
    clock = iter(range(1_000))
    waits: list[float] = []

    def build(seq: int, prev: str) -> bytes:
        made = encode(chain.make(VersionAdd, dataset="cmr", number=seq - 1, txid="f" * 32))
        chain.add("cmr", seq - 1)  # somebody is always a moment earlier
        return made

    with pytest.raises(OutcomeUnknown) as caught:
        chain.log.commit(
            build,
            lambda news: None,
            start_seq=1,
            start_digest=chain.prev,
            monotonic=lambda: float(next(clock)),
            sleep=waits.append,
            random=lambda: 1.0,
        )
    assert caught.value.kind == "too_busy"
    assert waits == sorted(waits)
    assert max(waits) == log_module.WAIT_SECONDS_MAX
    assert not any(b"f" * 32 in entry.data for entry in read_all(chain.log))


def test_the_recheck_sees_what_others_saved_and_can_give_up(chain: Chain) -> None:
    start, digest = chain.seq, chain.prev
    grow(chain, 3)
    seen: list[int] = []

    def recheck(news: Sequence[Entry]) -> None:
        seen.extend(entry.seq for entry in news)
        raise Conflict("someone saved meanwhile")

    with pytest.raises(Conflict):
        chain.log.commit(
            lambda seq, prev: pytest.fail("nothing is built"),
            recheck,
            start_seq=start,
            start_digest=digest,
        )
    assert seen == [2, 3, 4]


def test_a_gap_is_not_filled(chain: Chain, small_bundles: None) -> None:
    grow(chain, 7)
    digest = log_module.digest_of(chain.lines[5])
    remove(chain.backend, 7)
    with pytest.raises(Corrupt, match=layout.log_record(7)):
        chain.log.commit(
            lambda seq, prev: pytest.fail("nothing is built"),
            lambda news: None,
            start_seq=6,
            start_digest=digest,
        )


def test_a_refusal_of_the_storage_passes_through(chain: Chain) -> None:
    def create(key: str, data: bytes) -> Created:
        raise StorageDenied("read-only")

    chain.backend.create = create  # type: ignore[method-assign]
    with pytest.raises(StorageDenied):
        commit(chain.log, dataset="cmr", numbers=lambda seq: 1)


@pytest.mark.parametrize("answer", [Created.UNKNOWN, Created.EXISTS])
def test_a_refused_look_after_a_lost_reply_leaves_the_outcome_open(
    chain: Chain, answer: Created
) -> None:
    """Nobody may be told that nothing was saved while the record lies in its slot."""
    create, read = chain.backend.create, chain.backend.read

    def unanswered(key: str, data: bytes) -> Created:
        create(key, data)
        chain.backend.read = refuse  # type: ignore[method-assign]
        return answer

    def refuse(key: str, *, limit_bytes: int | None = None) -> bytes:
        raise StorageDenied("the credentials have expired")

    chain.backend.create = unanswered  # type: ignore[method-assign]
    with pytest.raises(OutcomeUnknown) as caught:
        commit(chain.log, dataset="cmr", numbers=lambda seq: 1)
    assert caught.value.kind == "outcome_unknown"
    chain.backend.read = read  # type: ignore[method-assign]
    assert [entry.seq for entry in read_all(chain.log)] == [1, 2]


def test_committing_publishes_the_bundles_that_end_there(chain: Chain, small_bundles: None) -> None:
    for _ in range(31):
        commit(chain.log, dataset="cmr", numbers=lambda seq: seq - 1)
    names = [stat.key for stat in chain.backend.keys(layout.BUNDLES)]
    assert len(names) == 8 + 2
    before = read_all(chain.log)
    for seq in range(1, 33):
        remove(chain.backend, seq)
    assert next(chain.log.read_from(0, chain.log.genesis_digest), None) == before[0]
