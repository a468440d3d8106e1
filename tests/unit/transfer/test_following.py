"""What was looked at is what was stored, whatever the kernel and the files do meanwhile."""

from __future__ import annotations

import errno
import os
import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from datacat.digest import digest_of
from datacat.errors import Cancelled
from datacat.progress import StopSignal
from datacat.transfer import following
from datacat.transfer.following import LOOK_BYTES, copy_and_look, look_through, write_full

STEP = 64
LOOK = 16
"""The sizes in these tests: all that matters is where a file ends in relation to them."""

EDGES = sorted(
    {
        max(0, base + delta)
        for base in (0, LOOK, 2 * LOOK, STEP, STEP + LOOK, 2 * STEP, 5 * STEP)
        for delta in (-1, 0, 1)
    }
)
NOISE = random.Random(1).randbytes(6 * STEP)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "COPY_BYTES", STEP)
    monkeypatch.setattr(following, "LOOK_BYTES", LOOK)


class Copy:
    """A source and an empty target, and what a copy between them did."""

    def __init__(self, folder: Path, data: bytes) -> None:
        self.source, self.target = folder / "source", folder / "target"
        self.source.write_bytes(data)
        self.seen: list[bytes] = []
        self.steps: list[tuple[int, int]] = []
        self.limit = len(data)
        self.stop = StopSignal()
        self.threads: set[str] = set()

    def look(self, view: memoryview) -> None:
        self.threads.add(threading.current_thread().name)
        self.seen.append(bytes(view))

    def run(self, look: Callable[[memoryview], None] | None = None) -> int:
        before = threading.active_count()
        with self.source.open("rb") as source, self.target.open("w+b") as target:
            try:
                return copy_and_look(
                    source.fileno(),
                    target.fileno(),
                    look=look or self.look,
                    copied=lambda offset, length: self.steps.append((offset, length)),
                    limit=self.limit,
                    stop=self.stop,
                )
            finally:
                assert threading.active_count() == before, "no thread is left"


def assert_copied(copy: Copy, data: bytes, moved: int, *, look: int = LOOK) -> None:
    assert moved == len(data)
    assert copy.target.read_bytes() == data
    assert b"".join(copy.seen) == data
    assert all(len(view) == look for view in copy.seen[:-1])
    assert all(copy.seen), "a view is never empty"
    position = 0
    for offset, length in copy.steps:
        assert offset == position
        assert length > 0
        position += length
    assert position == len(data)


def no_kernel_copy(patch: pytest.MonkeyPatch) -> None:
    patch.delattr(os, "copy_file_range", raising=False)


def refusing(code: int) -> Callable[[pytest.MonkeyPatch], None]:
    def install(patch: pytest.MonkeyPatch) -> None:
        def refuse(*args: object) -> int:
            raise OSError(code, os.strerror(code))

        patch.setattr(os, "copy_file_range", refuse, raising=False)

    return install


def zero_at_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(os, "copy_file_range", lambda *args: 0, raising=False)


def gives_up_in_between(patch: pytest.MonkeyPatch) -> None:
    real = os.copy_file_range

    def some(source: int, target: int, count: int, offset: int, to: int) -> int:
        if offset >= STEP:
            raise OSError(errno.EXDEV, "across devices")
        return real(source, target, count, offset, to)

    patch.setattr(os, "copy_file_range", some)


def short_steps(patch: pytest.MonkeyPatch) -> None:
    real = os.copy_file_range
    patch.setattr(os, "copy_file_range", lambda a, b, count, *at: real(a, b, min(count, 7), *at))


def no_positions(patch: pytest.MonkeyPatch) -> None:
    """As on Windows: no preadv, no pwrite, no copy in the kernel."""
    for name in ("copy_file_range", "preadv", "pwrite"):
        patch.delattr(os, name, raising=False)


def short_reads(patch: pytest.MonkeyPatch) -> None:
    no_kernel_copy(patch)
    real, real_write = os.preadv, os.pwrite
    patch.setattr(os, "preadv", lambda fd, views, at: real(fd, [views[0][:5]], at))
    patch.setattr(os, "pwrite", lambda fd, data, at: real_write(fd, bytes(data)[:3], at))


WAYS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "kernel": lambda patch: None,
    "short steps": short_steps,
    "no kernel copy": no_kernel_copy,
    "ENOSYS": refusing(errno.ENOSYS),
    "EXDEV": refusing(errno.EXDEV),
    "EINVAL": refusing(errno.EINVAL),
    "EOPNOTSUPP": refusing(errno.EOPNOTSUPP),
    "zero at once": zero_at_once,
    "gives up in between": gives_up_in_between,
    "no positions": no_positions,
    "short reads and writes": short_reads,
}


@pytest.mark.skipif(not hasattr(os, "copy_file_range"), reason="needs Linux")
@pytest.mark.parametrize("way", WAYS)
def test_every_size_and_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: None, way: str
) -> None:
    WAYS[way](monkeypatch)
    for size in EDGES:
        copy = Copy(tmp_path, NOISE[:size])
        assert_copied(copy, NOISE[:size], copy.run())
        assert copy.threads <= {"datacat-look"}


@pytest.mark.parametrize("size", [LOOK_BYTES - 1, LOOK_BYTES, LOOK_BYTES + 1, 5 * LOOK_BYTES + 7])
def test_real_sizes(tmp_path: Path, size: int) -> None:
    data = random.Random(size).randbytes(size)
    copy = Copy(tmp_path, data)
    assert_copied(copy, data, copy.run(), look=LOOK_BYTES)


def test_what_is_looked_at_is_the_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: None
) -> None:
    """A copy that flips a bit on the way: the digest is of what was stored."""

    def flipping(source: int, target: int, count: int, offset: int, to: int) -> int:
        data = bytearray(os.pread(source, count, offset))
        if offset == STEP:
            data[3] ^= 1
        return os.pwrite(target, data, to)

    monkeypatch.setattr(os, "copy_file_range", flipping, raising=False)
    copy = Copy(tmp_path, NOISE)
    copy.run()
    stored = copy.target.read_bytes()
    assert stored != NOISE
    assert digest_of("blake3", b"".join(copy.seen)) == digest_of("blake3", stored)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EFBIG])
@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_failing_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: None, code: int, after: int
) -> None:
    real = os.pwrite
    calls = 0

    def failing(source: int, target: int, count: int, offset: int, to: int) -> int:
        nonlocal calls
        calls += 1
        if calls > after:
            raise OSError(code, os.strerror(code))
        return real(target, os.pread(source, count, offset), to)

    monkeypatch.setattr(os, "copy_file_range", failing, raising=False)
    with pytest.raises(OSError, match=os.strerror(code)) as caught:
        Copy(tmp_path, NOISE).run()
    assert caught.value.errno == code


def test_a_look_that_fails_is_raised_once_here(tmp_path: Path, small: None) -> None:
    for bad in range(len(NOISE) // LOOK):
        seen: list[bytes] = []

        def look(view: memoryview, bad: int = bad, seen: list[bytes] = seen) -> None:
            seen.append(bytes(view))
            if len(seen) > bad:
                raise ArithmeticError(f"at {bad}")

        with pytest.raises(ArithmeticError, match=f"at {bad}"):
            Copy(tmp_path, NOISE).run(look)
        assert len(seen) == bad + 1, "nothing is looked at after a failure"


def test_a_target_that_cannot_be_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: None
) -> None:
    def failing(fd: int, views: list[memoryview], at: int) -> int:
        if at >= 3 * LOOK:
            raise OSError(errno.EIO, "bad sector")
        return real(fd, views, at)

    real = os.preadv
    monkeypatch.setattr(os, "preadv", failing)
    with pytest.raises(OSError, match="bad sector"):
        Copy(tmp_path, NOISE).run()
    monkeypatch.setattr(os, "preadv", lambda fd, views, at: 0)
    with pytest.raises(OSError, match="read back"):
        Copy(tmp_path, NOISE).run()


def test_a_stop_is_noticed_at_each_step(tmp_path: Path, small: None) -> None:
    for steps in range(6):
        copy = Copy(tmp_path, NOISE)
        source = copy.source.open("rb")
        target = copy.target.open("w+b")
        taken = 0

        def copied(offset: int, length: int, copy: Copy = copy, steps: int = steps) -> None:
            nonlocal taken
            taken += 1
            if taken == steps:
                copy.stop.set()

        if steps == 0:
            copy.stop.set()
        before = threading.active_count()
        with source, target, pytest.raises(Cancelled):
            copy_and_look(
                source.fileno(),
                target.fileno(),
                look=copy.look,
                copied=copied,
                limit=copy.limit,
                stop=copy.stop,
            )
        assert taken == steps
        assert threading.active_count() == before


def test_a_source_that_grows_while_it_is_copied(tmp_path: Path, small: None) -> None:
    """More arrives than there was, which the caller notices; and it ends although it grows on."""
    for size in EDGES[1:]:
        copy = Copy(tmp_path, NOISE[:size])

        def copied(offset: int, length: int, copy: Copy = copy) -> None:
            with copy.source.open("ab") as file:
                file.write(NOISE[:STEP])

        with copy.source.open("rb") as source, copy.target.open("w+b") as target:
            moved = copy_and_look(
                source.fileno(),
                target.fileno(),
                look=copy.look,
                copied=copied,
                limit=copy.limit,
                stop=copy.stop,
            )
        assert size < moved <= size + STEP
        assert copy.target.read_bytes() == copy.source.read_bytes()[:moved] == b"".join(copy.seen)


def test_a_source_that_shrinks_while_it_is_copied(tmp_path: Path, small: None) -> None:
    copy = Copy(tmp_path, NOISE)

    def copied(offset: int, length: int) -> None:
        os.truncate(copy.source, 10)

    with copy.source.open("rb") as source, copy.target.open("w+b") as target:
        moved = copy_and_look(
            source.fileno(),
            target.fileno(),
            look=copy.look,
            copied=copied,
            limit=copy.limit,
            stop=copy.stop,
        )
    assert moved == STEP
    assert copy.target.read_bytes() == b"".join(copy.seen) == NOISE[:STEP]


def test_look_through(tmp_path: Path, small: None) -> None:
    for size in EDGES:
        (tmp_path / "file").write_bytes(NOISE[:size])
        for limit in [None, size, size + 1, *range(0, size, LOOK - 1)]:
            seen: list[memoryview] = []

            def look(view: memoryview, seen: list[memoryview] = seen) -> None:
                seen.append(memoryview(bytes(view)))

            with (tmp_path / "file").open("rb") as file:
                count = look_through(file.fileno(), look=look, stop=StopSignal(), limit=limit)
            assert b"".join(seen) == NOISE[:count]
            if limit is None or limit >= size:
                assert count == size
            else:
                assert limit < count <= limit + LOOK, "that it is longer can be seen"
    stop = StopSignal()
    stop.set()
    with (tmp_path / "file").open("rb") as file, pytest.raises(Cancelled):
        look_through(file.fileno(), look=lambda view: None, stop=stop)


def test_write_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def written(pieces: Iterator[tuple[bytes, int]]) -> bytes:
        with (tmp_path / "file").open("w+b") as file:
            for data, offset in pieces:
                write_full(file.fileno(), data, offset)
        return (tmp_path / "file").read_bytes()

    expected = b"hello\0\0\0you"
    pieces = [(b"you", 8), (b"hello", 0), (b"", 99)]
    assert written(iter(pieces)) == expected
    short_reads(monkeypatch)
    assert written(iter(pieces)) == expected
    no_positions(monkeypatch)
    assert written(iter(pieces)) == expected
