from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datacat.backend.reflink import clone
from datacat.digest import BLOCK_BYTES, checksums
from datacat.errors import Cancelled, Corrupt
from datacat.progress import StopSignal
from datacat.transfer import following
from datacat.working_copy import copying


@pytest.fixture(params=["kernel", "by hand", "no threads"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Small steps, so that a test of a few MiB takes every turn of the code."""
    monkeypatch.setattr(following, "COPY_BYTES", 2 * BLOCK_BYTES)
    if request.param != "no threads":
        monkeypatch.setattr(copying, "FOLLOWED_BYTES_MIN", 1)
    if request.param == "by hand":

        def refuse(*args: object) -> int:
            raise OSError(errno.EXDEV, "Invalid cross-device link")

        monkeypatch.setattr(os, "copy_file_range", refuse, raising=False)
    return str(request.param)


def content(size: int) -> bytes:
    return (b"".join(n.to_bytes(4, "big") for n in range(size // 4 + 1)))[:size]


def copy(folder: Path, data: bytes, *, sums: bytes | None = None, size: int | None = None) -> bytes:
    (folder / "source").write_bytes(data)
    source = os.open(folder / "source", os.O_RDONLY)
    target = os.open(folder / "target", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        copying.copy_checked(
            source,
            target,
            size=len(data) if size is None else size,
            checksums=checksums(data) if sums is None else sums,
        )
    finally:
        os.close(source)
        os.close(target)
    return (folder / "target").read_bytes()


@pytest.mark.parametrize("size", [0, 1, BLOCK_BYTES, 5 * BLOCK_BYTES + 7, 9 * BLOCK_BYTES])
def test_a_copy_is_the_same(tmp_path: Path, way: str, size: int) -> None:
    data = content(size)
    assert copy(tmp_path, data) == data


@pytest.mark.parametrize("where", [0, BLOCK_BYTES - 1, 3 * BLOCK_BYTES, 5 * BLOCK_BYTES + 6])
def test_one_flipped_bit_anywhere_is_found(tmp_path: Path, way: str, where: int) -> None:
    data = bytearray(content(5 * BLOCK_BYTES + 7))
    sums = checksums(data)
    data[where] ^= 1
    with pytest.raises(Corrupt) as caught:
        copy(tmp_path, bytes(data), sums=sums)
    assert caught.value.kind == "damaged_content"


@pytest.mark.parametrize("change", [-1, 1, -BLOCK_BYTES, BLOCK_BYTES])
def test_a_source_that_was_cut_or_grew_is_found(tmp_path: Path, way: str, change: int) -> None:
    right = content(5 * BLOCK_BYTES + 7)
    wrong = content(len(right) + change)
    with pytest.raises(Corrupt, match="bytes instead of"):
        copy(tmp_path, wrong, sums=checksums(right), size=len(right))


def test_checksums_of_another_number_of_blocks_are_not_trusted(tmp_path: Path, way: str) -> None:
    data = content(3 * BLOCK_BYTES)
    for sums in (b"", checksums(data)[:-8], checksums(data) + bytes(8), checksums(data)[:-1]):
        with pytest.raises(Corrupt):
            copy(tmp_path, data, sums=sums)


def test_a_source_that_shrinks_during_the_copy(
    tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = os.fstat
    cut: list[int] = []

    def fstat(descriptor: int) -> os.stat_result:
        status = original(descriptor)
        if not cut:
            cut.append(1)
            os.truncate(tmp_path / "source", BLOCK_BYTES)
        return status

    monkeypatch.setattr(os, "fstat", fstat)
    with pytest.raises(Corrupt):
        copy(tmp_path, content(6 * BLOCK_BYTES))


@pytest.mark.parametrize("short", [1, BLOCK_BYTES // 2, BLOCK_BYTES + 1])
def test_short_copies_of_the_kernel_are_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short: int
) -> None:
    if not hasattr(os, "copy_file_range"):
        pytest.skip("needs copy_file_range")
    monkeypatch.setattr(copying, "FOLLOWED_BYTES_MIN", 1)
    original = os.copy_file_range
    calls: list[int] = []

    def some(source: int, target: int, count: int, at: int, to: int) -> int:
        calls.append(count)
        limit = short if len(calls) < 5 else count
        return original(source, target, min(count, limit), at, to)

    monkeypatch.setattr(os, "copy_file_range", some)
    data = content(5 * BLOCK_BYTES + 3)
    assert copy(tmp_path, data) == data
    assert len(calls) > 4


def test_a_stop_is_heard_between_steps(tmp_path: Path, way: str) -> None:
    if way == "no threads":
        pytest.skip("small files are not interrupted")
    data = content(4 * BLOCK_BYTES)
    (tmp_path / "source").write_bytes(data)
    stop = StopSignal()
    stop.set()
    with (
        (tmp_path / "source").open("rb") as source,
        (tmp_path / "target").open("w+b") as target,
        pytest.raises(Cancelled),
    ):
        copying.copy_checked(
            source.fileno(),
            target.fileno(),
            size=len(data),
            checksums=checksums(data),
            stop=stop,
        )


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(size=st.integers(0, 3 * BLOCK_BYTES), flip=st.none() | st.integers(0, 2**40))
def test_checking_finds_exactly_what_differs(tmp_path: Path, size: int, flip: int | None) -> None:
    data = bytearray(content(size))
    sums = checksums(data)
    if flip is not None and size:
        data[flip % size] ^= 1 << flip % 8
    (tmp_path / "file").write_bytes(data)
    with (tmp_path / "file").open("rb") as file:
        if flip is None or not size:
            copying.check(file.fileno(), size=size, checksums=sums)
        else:
            with pytest.raises(Corrupt):
                copying.check(file.fileno(), size=size, checksums=sums)


def test_a_clone_is_the_same_or_told_to_be_impossible(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(content(BLOCK_BYTES))
    with (tmp_path / "source").open("rb") as source, (tmp_path / "target").open("w+b") as target:
        cloned = clone(source.fileno(), target.fileno())
    assert (tmp_path / "target").read_bytes() == (content(BLOCK_BYTES) if cloned else b"")
