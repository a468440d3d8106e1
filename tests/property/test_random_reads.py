"""Any range of any file of any version, read where it lies, is what the plain file holds there.

However the file is kept: whole, in a pack, cut into chunks, as the difference from an older one;
with more or less cache than it takes; in whatever order the ranges come.
"""

from __future__ import annotations

import functools
import io
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datacat.inside.file import VersionFile
from datacat.inside.file_system import ReachFileSystem
from datacat.inside.reach import Reach
from datacat.model import Layout
from datacat.transfer import pace, random_read, straight
from tests import chunked
from tests.chunked import added, tiny
from tests.conftest import BACKENDS, make_client, make_store, searching
from tests.property.test_chunks_machine import body, noise

BLOCK = 1 << 20


@dataclass
class Shelf:
    """A file system, and what each of its paths holds."""

    system: ReachFileSystem
    plain: dict[str, bytes]


def edited(data: bytes, seed: int) -> bytes:
    at = random.Random(seed).randrange(len(data))
    return data[:at] + noise(50, seed) + data[at + 20 :]


@pytest.fixture(scope="module", params=BACKENDS)
def shelf(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shelf]:
    with pytest.MonkeyPatch.context() as patch:
        chunked.shrink(patch)
        patch.setattr(random_read, "STEP_BYTES", 3_000)
        patch.setattr(random_read, "AT_ONCE_BYTES", 9_000)
        patch.setattr(random_read, "PASSING_BYTES_MIN", 3_000)
        patch.setattr(random_read, "DRIVE_STEP_BYTES", 1_000)
        patch.setattr(random_read, "DRIVE_AHEAD_BYTES", 3_000)
        patch.setattr(straight, "PART_BYTES", 1_500)
        for name in ("TRIAL_BYTES", "SETTLED_BYTES", "CHOSEN_BYTES"):
            patch.setattr(pace, name, 4_000)  # alone and with help, in turns
        patch.setattr(random_read, "NETWORK_STEP_BYTES", 2_000)
        patch.setattr(random_read, "NETWORK_AHEAD_BYTES", 6_000)
        patch.setattr("datacat.inside.named_content.AHEAD_BYTES_MIN", 0)
        folder = tmp_path_factory.mktemp("reads")
        client = make_client(folder)
        store = make_store(
            request.param, folder, client=client, parameters=tiny(Layout.AUTO, small_bytes=512)
        )
        versions: list[dict[str, bytes]] = [
            {
                "nothing": b"",
                "one": b"1",
                "small.csv": body("rows", 400, 1),
                # In a bucket it is cut as well, into chunks that are tiny here.
                "whole.bin": noise((3 * BLOCK if request.param == "posix" else 40_000) + 17, 2),
                "rows.csv": body("rows", 30_000, 3),
                "noise.bin": noise(20_000, 4),
                "d/again.bin": noise(20_000, 4),
            }
        ]
        for seed in range(3):
            last = versions[-1]
            versions.append(
                last | {name: edited(last[name], seed) for name in ("rows.csv", "noise.bin")}
            )
        plain: dict[str, bytes] = {}
        for files in versions:
            ref = added(store, folder / "data", files)
            plain |= {f"{ref}/{path}": data for path, data in files.items()}
        reach = Reach(store._opened, cache_bytes=40_000)
        yield Shelf(ReachFileSystem(lambda: reach), plain)


@searching(80)
@given(data=st.data())
def test_any_range_is_that_of_the_plain_file(shelf: Shelf, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(shelf.plain)))
    plain = shelf.plain[path]
    edges = [0, 1, BLOCK, 2 * BLOCK, len(plain)]
    near = st.builds(lambda edge, by: edge + by, st.sampled_from(edges), st.integers(-700, 700))
    bound = st.none() | st.integers(-len(plain) - 5, len(plain) + 5) | near
    start, end = data.draw(bound), data.draw(bound)
    assert shelf.system.cat_file(path, start, end) == plain[start:end]


@searching(80)
@given(data=st.data())
def test_an_open_file_is_read_as_the_plain_one(shelf: Shelf, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(shelf.plain)))
    plain = io.BytesIO(shelf.plain[path])
    size = len(plain.getvalue())
    with shelf.system.open(path) as file:
        for _ in range(data.draw(st.integers(1, 25))):
            step = data.draw(st.sampled_from(["seek", "read", "read", "readline", "all"]))
            if step == "seek":
                to = data.draw(st.integers(0, size + 10))
                assert file.seek(to) == plain.seek(to)
            elif step == "readline":
                assert file.readline(4_000) == plain.readline(4_000)
            else:
                count = data.draw(st.integers(0, 9_000)) if step == "read" else -1
                assert file.read(count) == plain.read(count)
            assert file.tell() == plain.tell()


@pytest.mark.parametrize("count", [1_700, 4_100])
def test_a_file_read_in_order_is_brought_ahead_and_is_whole(shelf: Shelf, count: int) -> None:
    for path, plain in shelf.plain.items():
        with shelf.system.open(path, "rb") as file:
            raw = cast("VersionFile", file).raw
            parts = list(iter(functools.partial(raw.read, count), b""))
        assert b"".join(parts) == plain, path


def test_every_kind_of_storage_is_among_them(shelf: Shelf) -> None:
    reach = shelf.system._reach()
    kinds = set()
    for path in shelf.plain:
        files, inside, _ = shelf.system._split(path)
        content = files.content(files.find(inside))
        inner = getattr(content, "_content", content)
        kinds.add(type(inner).__name__)
        located = getattr(inner, "located", None)
        if located is not None:
            pieces = [located.piece(number) for number in range(len(located))]
            kinds |= {"delta" for piece in pieces if piece.reference is not None}
            kinds |= {"several" for _ in pieces[1:]}
            kinds |= {piece.codec for piece in pieces}
    local = reach.store.backend.capabilities.local
    assert kinds == {"Nothing", "_Chunks", "delta", "several", "raw", "zstd"} | (
        {"InPlace"} if local else set()
    )


def test_no_more_is_kept_than_was_said(shelf: Shelf) -> None:
    for path in shelf.plain:
        shelf.system.cat_file(path)
    assert 0 < shelf.system._reach()._cache.size_bytes <= 40_000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_file_that_was_open_is_read_on_after_a_fork(shelf: Shelf) -> None:
    path = next(one for one in shelf.plain if one.endswith("noise.bin"))
    with shelf.system.open(path) as file:
        begin = file.read(4_000)
        receiving, sending = os.pipe()
        process = os.fork()
        if process == 0:
            rest = b""
            try:
                rest = file.read()
            finally:
                os.write(sending, rest[:60_000])
                os._exit(0)
        os.close(sending)
        with os.fdopen(receiving, "rb") as pipe:
            rest = pipe.read()
        os.waitpid(process, 0)
        assert begin + rest == shelf.plain[path]
        assert begin + file.read() == shelf.plain[path]


def test_the_cache_folder_is_not_written_by_reading(shelf: Shelf, tmp_path: Path) -> None:
    path = next(iter(shelf.plain))
    shelf.system.get(path, str(tmp_path / "got"))
    assert (tmp_path / "got").read_bytes() == shelf.plain[path]
