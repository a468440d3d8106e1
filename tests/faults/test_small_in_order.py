"""Small files that are read in the order of their paths, of which the next are brought ahead."""

from __future__ import annotations

from pathlib import Path

import pytest

import datacat
from datacat.errors import Corrupt
from datacat.filesystem import DatacatFileSystem
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
