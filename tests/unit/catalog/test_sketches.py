"""The sketches of all versions as SQL sees them: those of the records, whatever the cache holds."""

from __future__ import annotations

import base64
import random
import struct
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datacat import layout
from datacat.backend.base import Capabilities
from datacat.backend.memory import MemoryBackend
from datacat.catalog import lines as lines_module
from datacat.catalog import sketches as module
from datacat.catalog.lines import lines
from datacat.catalog.record import AliasSet, VersionAdd, encode
from datacat.catalog.sketches import Sketches
from datacat.errors import StorageMissing
from datacat.sql import Workspace
from tests.conftest import searching
from tests.unit.catalog.records import Chain, seal_unchecked

Entry = tuple[int, int, int]


def packed(*entries: tuple[int, int]) -> str:
    return base64.b64encode(b"".join(struct.pack(">QQ", *entry) for entry in entries)).decode()


def some_entries(seed: int) -> list[tuple[int, int]]:
    made = random.Random(seed)
    return sorted((made.getrandbits(64), made.getrandbits(30)) for _ in range(made.randrange(5)))


class Counting(MemoryBackend):
    """Counts the records and bundles that are read."""

    reads = 0

    def read(self, key: str, *, limit_bytes: int | None = None) -> bytes:
        self.reads += 1
        return super().read(key, limit_bytes=limit_bytes)

    def read_range(self, key: str, offset: int, length: int) -> bytes:
        self.reads += 1
        return super().read_range(key, offset, length)


def seen(backend: MemoryBackend, folder: Path, head: int) -> list[Entry]:
    with Workspace() as workspace:
        Sketches(backend, folder).attach(workspace, head=head)
        return sorted(workspace.all("select seq, prefix, size from sketches"))


def runs_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@given(data=st.data())
@searching(25)
def test_any_order_of_growing_and_asking(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Records of every kind arrive, bundles or not; somebody asks now and then, with a cache from
    which files go missing or get damaged: it is always what the records say."""
    folder = tmp_path_factory.mktemp("cache")
    backend = Counting("counting")
    chain = Chain(backend)
    expected: list[Entry] = []
    sizes = data.draw(st.sampled_from([(4,), (16, 4), layout.BUNDLE_SIZES]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "RUN_RECORDS", data.draw(st.sampled_from([3, 8, 16_384])))
        patch.setattr(layout, "BUNDLE_SIZES", sizes)
        patch.setattr(lines_module, "_AT_ONCE", data.draw(st.integers(1, 6)))
        for _ in range(data.draw(st.integers(1, 6))):
            for _ in range(data.draw(st.integers(0, 12))):
                if data.draw(st.integers(0, 3)) == 0:
                    chain.append(AliasSet, dataset="cmr", alias="gold", number=1)
                else:
                    entries = some_entries(chain.seq)
                    seq = chain.add(f"d{chain.seq}", 1, sketch=packed(*entries))
                    expected += [(seq, *entry) for entry in entries]
                for size in sizes:
                    if chain.seq % size == 0 and data.draw(st.booleans()):
                        chain.log.publish_bundle(chain.seq - size + 1, size)
            assert seen(backend, folder, chain.seq) == expected
            backend.reads = 0
            assert seen(backend, folder, chain.seq) == expected
            assert backend.reads == 0, "what is known is not read again"
            if data.draw(st.booleans()):
                names, place = runs_in(folder), data.draw(st.integers(0, 10_000))
                path = folder / names[place % len(names)]
                if data.draw(st.booleans()):
                    path.unlink()
                else:
                    content = bytearray(path.read_bytes())
                    content[place % len(content)] ^= 0x10
                    path.write_bytes(content)


def test_many_small_steps_leave_few_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datacat.runs.KEPT_SECONDS", -1)
    chain = Chain(MemoryBackend())
    for number in range(1, 130):
        chain.add("cmr", number, sketch=packed((number, number)))
        assert len(seen(chain.backend, tmp_path, chain.seq)) == number
    assert len(runs_in(tmp_path)) <= 9


def test_a_long_log_is_cut_into_runs_that_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RUN_RECORDS", 10)
    chain = Chain(MemoryBackend())
    for number in range(1, 35):
        chain.add("cmr", number, sketch=packed((number, number)))
    seen(chain.backend, tmp_path, chain.seq)
    names = [name.rpartition("-")[0] for name in runs_in(tmp_path)]
    assert sorted(names) == ["1-10", "11-20", "21-30", "31-35"]


def test_records_that_say_nothing_of_use(tmp_path: Path) -> None:
    """Void, damaged and missing records, and what is no sketch, are left out without a word."""
    backend = MemoryBackend()
    chain = Chain(backend)
    good = chain.add("cmr", 1, sketch=packed((7, 70), (9, 90)))
    chain.add("cmr", 2, sketch="AAAA")
    chain.add("cmr", 3, sketch="")
    wrong_seq = chain.make(VersionAdd, dataset="cmr", number=4, sketch=packed((1, 1)))
    chain.put(seal_unchecked(msgspec.structs.replace(wrong_seq, seq=good)))
    chain.put(b"{}\n")
    damaged = bytearray(encode(chain.make(VersionAdd, dataset="cmr", number=4, sketch="A" * 44)))
    damaged[-30] ^= 1
    chain.put(bytes(damaged))
    chain.seq += 1  # a hole
    last = chain.put(
        encode(chain.make(VersionAdd, dataset="cmr", number=5, sketch=packed((3, 30))))
    )
    assert seen(backend, tmp_path, last) == [(good, 7, 70), (good, 9, 90), (last, 3, 30)]


def test_the_largest_numbers(tmp_path: Path) -> None:
    chain = Chain(MemoryBackend())
    most = 2**64 - 1
    seq = chain.add("cmr", 1, sketch=packed((0, 0), (most, most)))
    assert seen(chain.backend, tmp_path, seq) == [(seq, 0, 0), (seq, most, most)]


@pytest.mark.parametrize("local", [True, False])
def test_lines_are_the_records(local: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = MemoryBackend()
    chain = Chain(backend)
    for number in range(1, 300):
        chain.add("cmr", number)
    chain.log.publish_bundle(1, 256)
    if local:
        capable = Capabilities(atomic_create=True, local=True)
        monkeypatch.setattr(MemoryBackend, "capabilities", capable)
    made = random.Random(1)
    ranges = [(1, 300), (1, 1), (256, 257), (300, 300), (200, 256), (290, 310), (5, 4)]
    ranges += [tuple(sorted((made.randint(1, 300), made.randint(1, 300)))) for _ in range(20)]
    for first, last in ranges:
        expected = list(enumerate(chain.lines, start=1))[first - 1 : last]
        assert list(lines(backend, first, last)) == expected


@pytest.mark.parametrize("how", ["cut", "flipped", "gone", "one line too many"])
def test_a_bundle_that_is_no_good_is_done_without(how: str) -> None:
    backend = MemoryBackend()
    chain = Chain(backend)
    for number in range(1, 256):
        chain.add("cmr", number)
    chain.log.publish_bundle(1, 256)
    key = layout.bundle(1, 256)
    data = backend.read(key)
    backend.delete(key)
    damaged: dict[str, Callable[[], bytes]] = {
        "cut": lambda: data[: len(data) // 2],
        "flipped": lambda: data[:900] + bytes([data[900] ^ 255]) + data[901:],
        "one line too many": lambda: data + data,
    }
    if how in damaged:
        backend.write(key, damaged[how]())
    else:
        with pytest.raises(StorageMissing):
            backend.read(key)
    found = dict(lines(backend, 1, 256))
    assert sorted(found) == list(range(1, 257))
    if how != "flipped":  # nobody promises what a line holds, only a check in it tells
        assert [found[seq] for seq in sorted(found)] == chain.lines
