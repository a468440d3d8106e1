"""Small files that are read in the order of their paths, of which the next are brought ahead."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import datacat
from datacat import refs
from datacat.errors import Corrupt
from datacat.filesystem import DatacatFileSystem
from datacat.inside.reach import Reach
from datacat.transfer.stretch import Buffers
from tests.chunked import added
from tests.conftest import make_client, make_store
from tests.property.test_chunks_machine import noise


def test_memory_is_used_again_only_when_nobody_has_a_view_of_it() -> None:
    buffers = Buffers(2)
    first, second, third = buffers.take(10), buffers.take(10), buffers.take(10)
    first[:], second[:], third[:] = b"a" * 10, b"b" * 10, b"c" * 10
    assert (bytes(first), bytes(second), bytes(third)) == (b"a" * 10, b"b" * 10, b"c" * 10)
    part = first[2:4]
    first.release()
    buffers.take(10)[:] = b"d" * 10
    assert bytes(part) == b"aa", "a view of a part is a view as well"
    place = second.obj
    second.release()
    again = buffers.take(8)
    assert again.obj is place
    assert len(again) == 8


def mixed() -> dict[str, bytes]:
    """Small files of every kind, and others among them."""
    plain = {f"{number:03}": noise(900 + number, number) for number in range(120)}
    plain |= {f"{number:03}.csv": b"%d,a,b\n" % number * 300 for number in range(60)}
    plain |= {"again/" + name: plain[name] for name in list(plain)[::7]}
    return plain | {"050.nothing": b"", "051.large": noise(1_200_000, 1), "052": noise(300_000, 2)}


@pytest.mark.parametrize("cache_bytes", [0, 30_000, 1 << 24])
def test_small_files_are_what_was_saved_in_any_order(tmp_path: Path, cache_bytes: int) -> None:
    plain = mixed()
    store = make_store("posix", tmp_path, client=make_client(tmp_path))
    added(store, tmp_path / "cmr", plain, name="cmr")
    (tmp_path / "cmr" / "link").symlink_to("003.csv")
    store.add(tmp_path / "cmr", name="cmr")
    plain["link"] = plain["003.csv"]
    files = Reach(store._opened, cache_bytes=cache_bytes).version(refs.parse("cmr@v2"))
    for _ in range(2):
        orders = [sorted(plain), random.Random(1).sample(sorted(plain), len(plain))]
        for name in (name for order in orders for name in order):
            assert files.read(files.find(name)) == plain[name], name
    assert files._cache.size_bytes <= cache_bytes


def test_threads_that_read_small_files_do_not_disturb_each_other(tmp_path: Path) -> None:
    plain = mixed()
    store = make_store("posix", tmp_path, client=make_client(tmp_path))
    added(store, tmp_path / "cmr", plain, name="cmr")
    files = Reach(store._opened, cache_bytes=60_000).version(refs.parse("cmr@v1"))

    def read_all(seed: int) -> bool:
        order = random.Random(seed).sample(sorted(plain), len(plain)) if seed else sorted(plain)
        return all(files.read(files.find(name)) == plain[name] for name in order)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(read_all, [0, 0, 1, 2]))


def test_files_in_order_are_brought_together_and_damage_names_its_file(tmp_path: Path) -> None:
    store = make_store("posix", tmp_path, client=make_client(tmp_path))
    plain = {f"{number:03}": noise(1_000 + number, number) for number in range(150)}
    added(store, tmp_path / "cmr", plain, name="cmr")
    backend = store._opened.backend
    DatacatFileSystem.clear_instance_cache()
    version = datacat.open("cmr@v1", store=store.url)
    assert {name: version[name].read_bytes() for name in version} == plain
    (pack,) = [path for one in backend.keys("packs/") if (path := backend.path_of(one.key))]
    at = pack.read_bytes().index(plain["100"])
    pack.chmod(0o644)
    with pack.open("r+b") as file:
        file.seek(at + 500)
        file.write(b"damage!!")
    DatacatFileSystem.clear_instance_cache()
    version = datacat.open("cmr@v1", store=store.url)
    for name, data in plain.items():
        if name == "100":
            with pytest.raises(Corrupt, match="100 of cmr@v1"):
                version[name].read_bytes()
        else:
            assert version[name].read_bytes() == data
    DatacatFileSystem.clear_instance_cache()


def test_who_begins_again_finds_what_had_room(tmp_path: Path) -> None:
    """Read in order, more than there is room for does not push out what came first."""
    plain = {f"{number:03}": noise(1_000, number) for number in range(150)}
    store = make_store("posix", tmp_path, client=make_client(tmp_path))
    added(store, tmp_path / "cmr", plain, name="cmr")
    files = Reach(store._opened, cache_bytes=100_000).version(refs.parse("cmr@v1"))
    for name, data in plain.items():
        assert files.read(files.find(name)) == data
    (pack,) = [
        path
        for one in store._opened.backend.keys("packs/")
        if (path := store._opened.backend.path_of(one.key))
    ]
    pack.unlink()
    for name in list(plain)[20:90]:
        assert files.read(files.find(name)) == plain[name]
    with pytest.raises(Corrupt):
        files.read(files.find("149"))
