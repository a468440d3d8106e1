"""A folder store when the operating system says no: the right error, and nothing half done."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from datacat.backend import Created, system_calls
from datacat.backend import posix as posix_module
from datacat.backend.posix import PosixBackend
from datacat.errors import (
    Corrupt,
    NoStore,
    StorageDenied,
    StorageError,
    StorageFull,
    StorageMissing,
    StorageTransient,
)
from tests.contract.conftest import retrying
from tests.contract.faults import Faults, creates, is_file, is_folder, opens_folder

CLASSES: dict[int, type[StorageError]] = {
    errno.ENOSPC: StorageFull,
    errno.EDQUOT: StorageFull,
    errno.EIO: StorageTransient,
    errno.ESTALE: StorageTransient,
    errno.ETIMEDOUT: StorageTransient,
    errno.EACCES: StorageDenied,
    errno.EROFS: StorageDenied,
    errno.EMFILE: StorageError,
    errno.ENAMETOOLONG: StorageError,
}

RECORD = "catalog/log/0000000/00000000000000000001.json"
NO_LINKS = [errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK]


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Faults:
    return Faults(monkeypatch)


def temporaries(posix: PosixBackend) -> list[str]:
    return os.listdir(os.path.join(posix.root, "tmp"))


def place(posix: PosixBackend, how: str) -> object:
    if how == "create":
        return posix.create(RECORD, b"record")
    if how == "replace":
        posix.replace("copies/c.json", b"copy")
    else:
        posix.write("packs/ab/x", b"pack")
    return None


BEFORE_THE_NAME: list[tuple[str, Callable[..., bool]]] = [
    ("open", creates),
    ("chmod", lambda fd, mode: True),
    ("write", lambda fd, data: True),
    ("fsync", is_file),
    ("close", is_file),
]


@pytest.mark.parametrize("code", CLASSES, ids=errno.errorcode.get)
@pytest.mark.parametrize(("call", "when"), BEFORE_THE_NAME, ids=[c for c, _ in BEFORE_THE_NAME])
@pytest.mark.parametrize("how", ["write", "create", "replace"])
def test_before_the_name(
    posix: PosixBackend,
    faults: Faults,
    how: str,
    call: str,
    when: Callable[..., bool],
    code: int,
) -> None:
    faults.break_call(call, code, when=when, after=call == "close", times=1)
    with pytest.raises(StorageError) as caught:
        place(posix, how)
    assert faults.calls == 1
    assert type(caught.value) is CLASSES[code]
    assert posix.root in str(caught.value)
    assert list(posix.keys("")) == []
    assert temporaries(posix) == []
    assert place(posix, how) in {None, Created.CREATED}


@pytest.mark.parametrize("code", CLASSES, ids=errno.errorcode.get)
def test_link_of_a_unique_name(posix: PosixBackend, faults: Faults, code: int) -> None:
    faults.break_call("link", code)
    with pytest.raises(CLASSES[code]):
        posix.write("packs/ab/x", b"pack")
    assert list(posix.keys("")) == []
    assert temporaries(posix) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS])
def test_create_that_certainly_failed_is_an_error(
    posix: PosixBackend, faults: Faults, code: int
) -> None:
    faults.break_call("link", code)
    with pytest.raises(CLASSES[code]):
        posix.create(RECORD, b"record")
    assert posix.stat(RECORD) is None
    assert temporaries(posix) == []


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EEXIST])
def test_create_whose_reply_was_lost(posix: PosixBackend, faults: Faults, code: int) -> None:
    posix.create("catalog/log/0000000/0.json", b"the folder is there")
    faults.break_call("link", code, after=True)
    assert posix.create(RECORD, b"record") is Created.CREATED
    assert posix.read(RECORD) == b"record"
    assert temporaries(posix) == []


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT])
def test_create_that_may_yet_happen_is_unknown(
    posix: PosixBackend, faults: Faults, code: int
) -> None:
    faults.break_call("link", code)
    assert posix.create(RECORD, b"record") is Created.UNKNOWN
    assert posix.stat(RECORD) is None


@pytest.mark.parametrize("code", [errno.EIO, errno.EEXIST])
def test_a_slot_of_somebody_else_is_never_ours(
    posix: PosixBackend, faults: Faults, code: int
) -> None:
    posix.create(RECORD, b"theirs")
    faults.break_call("link", code)
    assert posix.create(RECORD, b"record") is Created.EXISTS
    assert posix.create(RECORD, b"theirs") is Created.EXISTS


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: os.symlink("none", path)])
def test_a_slot_that_is_no_file_is_named(posix: PosixBackend, make: Callable[[str], None]) -> None:
    """Ours it is not: waiting for an answer would end with one that helps nobody."""
    path = os.path.join(posix.root, RECORD)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    make(path)
    with pytest.raises(Corrupt, match=f"{RECORD} is not a file"):
        posix.create(RECORD, b"new")


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EACCES])
def test_create_without_a_durable_name_is_unknown(
    posix: PosixBackend, faults: Faults, code: int
) -> None:
    posix.create("catalog/log/0000000/0.json", b"the folder is there")
    faults.break_call("fsync", code, when=is_folder, times=1)
    assert posix.create(RECORD, b"record") is Created.UNKNOWN
    assert posix.read(RECORD) == b"record"
    synced = fsynced_folders(posix)
    assert synced == ["catalog/log/0000000"]


def fsynced_folders(posix: PosixBackend) -> list[str]:
    """The folders that `sync` fsyncs, without the fsync."""
    with pytest.MonkeyPatch.context() as patch:
        seen: list[str] = []
        patch.setattr(posix_module, "fsync_folder", seen.append)
        posix.sync()
    return sorted(os.path.relpath(path, posix.root) for path in seen)


@pytest.mark.parametrize("code", [errno.EIO, errno.EEXIST])
def test_publish_whose_reply_was_lost(posix: PosixBackend, faults: Faults, code: int) -> None:
    faults.break_call("link", code, after=True)
    posix.write("packs/ab/x", b"pack")
    assert posix.read("packs/ab/x") == b"pack"
    assert temporaries(posix) == []


def test_bytes_that_an_fsync_lost_are_never_published(
    posix: PosixBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsyncs: list[int] = []

    def fail_once(fd: int) -> None:
        fsyncs.append(fd)
        if len(fsyncs) == 1:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail_once)
    with posix.stage() as staged:
        os.write(staged.fd, b"pack")
        with pytest.raises(StorageTransient):
            staged.publish("packs/ab/x")
        with pytest.raises(StorageError, match="lost") as caught:
            staged.publish("packs/ab/x")
    assert caught.value.kind == "staged_lost"
    assert len(fsyncs) == 1
    assert list(posix.keys("")) == []
    assert temporaries(posix) == []


def test_write_begins_anew_after_a_lost_fsync(posix: PosixBackend, faults: Faults) -> None:
    faults.break_call("fsync", errno.EIO, when=is_file, times=2)
    retrying(posix).write("packs/ab/x", b"pack")
    assert posix.read("packs/ab/x") == b"pack"
    assert temporaries(posix) == []


def test_a_folder_that_failed_to_sync_stays_dirty(posix: PosixBackend, faults: Faults) -> None:
    posix.write("packs/ab/x", b"pack")
    posix.write("manifests/ab/x", b"manifest")
    faults.break_call("fsync", errno.EIO, when=is_folder, times=1)
    with pytest.raises(StorageTransient):
        posix.sync()
    assert fsynced_folders(posix) == ["manifests/ab", "packs/ab"]
    assert fsynced_folders(posix) == []


@pytest.mark.parametrize("code", CLASSES, ids=errno.errorcode.get)
def test_a_failure_is_never_read_as_absence(posix: PosixBackend, faults: Faults, code: int) -> None:
    posix.write("packs/ab/x", b"pack")
    with pytest.MonkeyPatch.context() as patch:
        for call in ["stat", "open", "scandir"]:
            Faults(patch).break_call(call, code, when=lambda path, *rest: "packs" in str(path))
        reads: list[Callable[[], object]] = [
            lambda: posix.stat("packs/ab/x"),
            lambda: posix.stat("packs/ab/absent"),
            lambda: posix.assure("packs/ab/x"),
            lambda: posix.read("packs/ab/x"),
            lambda: posix.read_range("packs/ab/x", 0, 1),
            lambda: list(posix.keys("")),
            lambda: list(posix.keys("packs/ab/")),
        ]
        for read in reads:
            with pytest.raises(StorageError) as caught:
                read()
            assert type(caught.value) is CLASSES[code]
    assert not isinstance(caught.value, StorageMissing)


def test_absence_is_asked_of_the_server_not_of_a_cache(
    posix: PosixBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that NFS remembers as absent is found once its folder was opened."""
    posix.create(RECORD, b"record")
    fresh: set[str] = set()
    real_open, real_stat = os.open, os.stat

    def caching_open(path: str, flags: int, mode: int = 0o777) -> int:
        if opens_folder(path, flags):
            fresh.add(path)
        elif str(path).endswith(".json") and os.path.dirname(path) not in fresh:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        return real_open(path, flags, mode)

    def caching_stat(path: str, **options: bool) -> os.stat_result:
        if str(path).endswith(".json") and os.path.dirname(path) not in fresh:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        return real_stat(path, **options)

    monkeypatch.setattr(os, "open", caching_open)
    monkeypatch.setattr(os, "stat", caching_stat)
    assert posix.read(RECORD) == b"record"
    fresh.clear()
    assert posix.stat(RECORD) is not None
    assert posix.stat(RECORD.replace("1.json", "2.json")) is None


# A drive without hard links, and one that can do nothing exclusively


@pytest.mark.parametrize("code", NO_LINKS, ids=errno.errorcode.get)
def test_without_hard_links(posix: PosixBackend, faults: Faults, code: int) -> None:
    faults.break_call("link", code)
    posix.write("packs/ab/x", b"pack")
    with pytest.raises(StorageError, match="already"):
        posix.write("packs/ab/x", b"other")
    assert posix.create(RECORD, b"record") is Created.CREATED
    assert posix.create(RECORD, b"other") is Created.EXISTS
    assert posix.read(RECORD) == b"record"
    assert posix.capabilities.atomic_create
    assert temporaries(posix) == []


def test_without_anything_exclusive(
    posix: PosixBackend, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults.break_call("link", errno.EPERM)
    monkeypatch.setattr(system_calls, "_c_function", lambda name: None)
    posix.write("packs/ab/x", b"pack")
    with pytest.raises(StorageError, match="already"):
        posix.write("packs/ab/x", b"other")
    assert posix.read("packs/ab/x") == b"pack"
    assert not posix.capabilities.atomic_create
    with pytest.raises(StorageError) as caught:
        posix.create(RECORD, b"record")
    assert caught.value.kind == "no_atomic_create"
    assert posix.stat(RECORD) is None
    assert temporaries(posix) == []


def test_a_store_that_is_only_readable_is_not_called_incapable(
    posix: PosixBackend, faults: Faults
) -> None:
    faults.break_call("open", errno.EROFS, when=creates)
    assert posix.capabilities.atomic_create


# The drive is away


def test_a_store_that_vanished_is_no_missing_key(posix: PosixBackend, tmp_path: Path) -> None:
    posix.write("packs/ab/x", b"pack")
    os.rename(posix.root, tmp_path / "unmounted")
    calls: list[Callable[[], object]] = [
        lambda: posix.stat("packs/ab/x"),
        lambda: posix.read("packs/ab/x"),
        lambda: list(posix.keys("packs/")),
        lambda: posix.write("packs/ab/y", b"pack"),
        lambda: posix.create(RECORD, b"record"),
        lambda: posix.delete("packs/ab/x"),
    ]
    for make_mount_point in [False, True]:
        if make_mount_point:
            os.mkdir(posix.root)
        for call in calls:
            with pytest.raises(NoStore) as caught:
                call()
            assert caught.value.kind == "store_unreachable"
            assert posix.root in str(caught.value)
    assert os.listdir(posix.root) == []
    assert posix.stat("store.json") is None  # an empty folder may be asked whether it is a store


def test_messages_say_what_to_do(posix: PosixBackend, faults: Faults) -> None:
    faults.break_call("link", errno.ENOSPC)
    with pytest.raises(StorageFull, match=r"^no space left on .*store \(.* free\)$"):
        posix.write("packs/ab/x", b"")
    with pytest.MonkeyPatch.context() as patch:
        Faults(patch).break_call("open", errno.EMFILE)
        with pytest.raises(StorageError) as caught:
            posix.read("packs/ab/x")
    assert "ulimit" in str(caught.value.hint)
