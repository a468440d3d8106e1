"""What a scan reads, leaves out, remembers and refuses."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from datacat.errors import Cancelled, DatacatError, Failed, NotFound, Refused
from datacat.model import CopyGroup, GroupKind
from datacat.progress import Advanced, Event, Started, StopSignal
from datacat.scan.reading import SMALL_BYTES
from datacat.store import Store
from tests.conftest import make_client, make_store
from tests.trees import content

MB = 1_000_000
OLD = 1_700_000_000
LARGE = SMALL_BYTES + 5000


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return make_store("posix", tmp_path, client=make_client(tmp_path))


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    return tmp_path / "drive"


def write(path: Path, data: bytes, *, age: bool = True) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    if age:
        os.utime(path, (OLD, OLD))
    return path


def test_a_near_copy_belongs_to_the_group_of_the_identical_ones(store: Store, drive: Path) -> None:
    """Also where one folder inside holds everything; else that folder would be told."""
    for folder in ("a/cmr", "b/cmr_final", "c/cmr_new", "d/other", "e/other"):
        write(drive / folder / "data/large", content(9000, 5 if folder[0] in "de" else 1))
        write(drive / folder / "data/small", content(100, 5 if folder[0] in "de" else 1))
    write(drive / "c/cmr_new/data/more", content(50, 9))
    write(drive / "e/other/data/small", content(100, 10))
    groups = store.scan([drive]).groups
    told = {tuple(Path(p.path).relative_to(drive).as_posix() for p in g.paths) for g in groups}
    assert told == {("a/cmr", "b/cmr_final", "c/cmr_new"), ("d/other/data", "e/other/data")}


def wait_for_clock(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if what is there now had been written long before: the ctime cannot be set."""
    import datacat.scan.reading as reading

    real = reading.time.time_ns
    monkeypatch.setattr(reading.time, "time_ns", lambda: real() + 5_000_000_000)


def only(groups: tuple[CopyGroup, ...]) -> CopyGroup:
    (group,) = groups
    return group


def test_folders_come_with_their_version_and_near_ones_with_a_percentage(
    store: Store, drive: Path
) -> None:
    for number in range(40):
        write(drive / f"alice/cmr/sub-{number:02}/sax.bin", content(10_000, number))
    shutil.copytree(drive / "alice/cmr", drive / "bob/cmr_final")
    shutil.copytree(drive / "alice/cmr", drive / "chen/v2")
    write(drive / "chen/v2/sub-07/sax.bin", content(10_000, 999))
    shutil.copytree(drive / "alice/cmr/sub-03", drive / "loose/sub-03")
    store.add(drive / "bob/cmr_final", name="cmr")
    result = store.scan([drive])
    folders, single = result.groups
    assert folders.ref == "cmr@v1"
    assert [(Path(p.path).relative_to(drive).as_posix(), p.same_ratio) for p in folders.paths] == [
        ("alice/cmr", 1.0),
        ("bob/cmr_final", 1.0),
        ("chen/v2", 0.975),
    ]
    assert (folders.copies, folders.bytes_each, folders.wasted_bytes) == (3, 400_000, 790_000)
    assert (single.kind, single.wasted_bytes, single.ref) == (GroupKind.FOLDER, 10_000, None)
    assert [Path(p.path).name for p in single.paths] == ["sub-03", "sub-03"]
    assert single.paths[0].path.startswith(str(drive / "alice"))
    assert result.duplicate_bytes == 800_000


def test_what_was_read_is_not_read_again(
    store: Store, drive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c"):
        write(drive / name / "large", content(LARGE, 1))
        write(drive / name / "small", content(500, 3))
    wait_for_clock(drive, monkeypatch)
    first = store.scan([drive])
    assert first.read_bytes == 3 * (LARGE + 500 + 2 * 16 * 1024)
    again = store.scan([drive / "a", drive / "b", drive / "c"])
    assert again.read_bytes == 0
    assert again.duplicate_bytes == first.duplicate_bytes == 2 * (LARGE + 500)
    assert store.scan([drive], dry_run=True).to_read_bytes == 0
    write(drive / "b" / "large", content(LARGE, 5), age=False)
    edited = store.scan([drive])
    assert edited.read_bytes == 2 * 16 * 1024
    assert edited.duplicate_bytes == LARGE + 2 * 500


def test_a_young_file_is_read_again(store: Store, drive: Path) -> None:
    """It could change within one tick of the clock."""
    for name in ("a", "b"):
        write(drive / name, content(500, 3), age=False)
    assert [store.scan([drive]).read_bytes for _ in range(2)] == [1000, 1000]


def test_an_interrupted_scan_goes_on(
    store: Store, drive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datacat.scan.reading.TASK_FILES", 1)
    for number in range(60):
        write(drive / f"{number}", content(100_000, number % 30))
    wait_for_clock(drive, monkeypatch)
    stop = StopSignal()
    read: list[int] = []

    def listen(event: Event) -> None:
        if isinstance(event, Advanced) and event.bytes:
            read.append(event.bytes)
            if len(read) == 20:
                stop.set()

    with pytest.raises(Cancelled):
        store.scan([drive], listener=listen, stop=stop)
    rest = store.scan([drive])
    assert rest.duplicate_bytes == 30 * 100_000
    assert 0 < rest.read_bytes <= 40 * 100_000


@pytest.mark.parametrize("damage", [b"", b"PAR1 not parquet PAR1", None])
def test_a_damaged_cache_is_as_good_as_none(
    store: Store, drive: Path, monkeypatch: pytest.MonkeyPatch, damage: bytes | None
) -> None:
    for name in ("a", "b"):
        write(drive / name, content(500, 3))
    wait_for_clock(drive, monkeypatch)
    store.scan([drive])
    (cached,) = (store._opened.client.cache_dir / "scan").glob("*.parquet")
    whole = bytearray(cached.read_bytes())
    if damage is None:
        whole[len(whole) // 3] ^= 0x40
    cached.write_bytes(whole if damage is None else damage)
    assert store.scan([drive]).duplicate_bytes == 500
    assert store.scan([drive]).duplicate_bytes == 500


def test_files_that_change_or_vanish_meanwhile_are_named_and_left_out(
    store: Store, drive: Path
) -> None:
    for name in ("a", "b", "c", "d"):
        write(drive / name, content(LARGE, 3))

    def listen(event: Event) -> None:
        if isinstance(event, Started) and event.phase == "Reading":
            with (drive / "b").open("ab") as file:
                file.write(b"more")
            (drive / "c").unlink()

    result = store.scan([drive], listener=listen)
    assert result.changed.count == 2
    assert sorted(result.changed.first) == [str(drive / "b"), str(drive / "c")]
    assert [Path(p.path).name for p in only(result.groups).paths] == ["a", "d"]


def test_links_are_not_followed_and_count_as_content(store: Store, drive: Path) -> None:
    write(drive / "a/data", content(500, 1))
    (drive / "a/loop").symlink_to("..")
    (drive / "a/out").symlink_to("/")
    shutil.copytree(drive / "a", drive / "b", symlinks=True)
    shutil.copytree(drive / "a", drive / "c", symlinks=True)
    (drive / "c/out").unlink()
    (drive / "c/out").symlink_to("/tmp")
    result = store.scan([drive])
    assert result.files == 3
    states = {Path(p.path).name: p.identical for p in only(result.groups).paths}
    assert states == {"a": True, "b": True, "c": False}


def test_hard_links_waste_nothing(store: Store, drive: Path) -> None:
    write(drive / "a/data", content(500, 1))
    shutil.copytree(drive / "a", drive / "b", copy_function=os.link)
    result = store.scan([drive])
    assert (result.files, result.bytes, result.duplicate_bytes) == (2, 500, 0)
    assert result.groups == ()
    assert result.read_bytes == 0


def test_stores_and_what_add_leaves_out_are_left_out(store: Store, drive: Path) -> None:
    write(drive / "a/data", content(MB, 1))
    store.add(drive / "a")
    shutil.copytree(store.url, drive / "backup of the store")
    write(drive / "b/.git/objects/x", content(MB, 1))
    write(drive / "b/.DS_Store", content(MB, 1))
    write(drive / "looks/store.json", content(500, 1))
    write(drive / "looks/other.json", content(500, 1))
    result = store.scan([drive])
    assert result.stores == (str(drive / "backup of the store"),)
    assert result.files == 3
    assert result.duplicate_bytes == 500


def test_a_store_inside_does_not_make_folders_the_same(store: Store, drive: Path) -> None:
    write(drive / "a/data", content(500, 1))
    write(drive / "b/data", content(500, 1))
    shutil.copytree(store.url, drive / "b/store")
    places = only(store.scan([drive]).groups).paths
    assert [place.identical for place in places] == [True, False]


@pytest.mark.parametrize(
    ("make", "kind", "error"),
    [
        (lambda drive, store: drive / "nothing", "path_not_found", NotFound),
        (lambda drive, store: write(drive / "file", b"x"), "not_a_folder", Failed),
        (lambda drive, store: Path(store.url), "inside_store", Refused),
        (lambda drive, store: Path(store.url, "whole"), "inside_store", Refused),
    ],
)
def test_what_cannot_be_scanned(
    store: Store,
    drive: Path,
    make: Callable[[Path, Store], Path],
    kind: str,
    error: type[DatacatError],
) -> None:
    drive.mkdir()
    with pytest.raises(error) as caught:
        store.scan([make(drive, store)])
    assert caught.value.kind == kind


def test_a_folder_named_twice_or_inside_another_is_one(store: Store, drive: Path) -> None:
    write(drive / "a/b/data", content(500, 1))
    (drive / "link").symlink_to("a")
    result = store.scan([drive / "a/b", drive / "a", drive / "a", drive / "link"])
    assert (result.files, result.duplicate_bytes, len(result.roots)) == (1, 0, 1)


def test_what_is_told_can_be_limited(store: Store, drive: Path) -> None:
    for size in (100, 2000, 30_000):
        for copy in range(3):
            write(drive / f"x/y/z{copy}/{size}/data{copy}", content(size, size))
    write(drive / "top", content(2000, 2000))
    everything = store.scan([drive], files_only=True)
    assert [group.wasted_bytes for group in everything.groups] == [60_000, 6000, 200]
    assert len(store.scan([drive], files_only=True, limit=1).groups) == 1
    assert store.scan([drive], files_only=True, limit=1).groups_total == 3
    large = store.scan([drive], files_only=True, min_bytes=6000)
    assert [group.wasted_bytes for group in large.groups] == [60_000, 6000]
    shallow = store.scan([drive], files_only=True, depth=1)
    assert [group.bytes_each for group in shallow.groups] == [2000]
    assert shallow.duplicate_bytes == everything.duplicate_bytes


def test_names_that_are_no_text(store: Store, drive: Path) -> None:
    odd = os.fsdecode(b"caf\xe9 \x1b[31m\n")
    write(drive / odd / odd, content(500, 1))
    shutil.copytree(drive / odd, drive / "b")
    result = store.scan([drive])
    assert {Path(p.path).name for p in only(result.groups).paths} == {odd, "b"}
    assert store.scan([drive]).duplicate_bytes == 500


@pytest.mark.users
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")
def test_what_cannot_be_read_is_counted_and_passed_over() -> None:
    # The folders of tests are closed to others.
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        check_unreadable(Path(folder))


def check_unreadable(folder: Path) -> None:
    drive = folder / "drive"
    for name in ("a", "b", "c/inner", "d/inner"):
        write(drive / name / "data", content(500, 1))
    os.chmod(drive / "a/data", 0)
    os.chmod(drive / "c/inner", 0)
    os.chmod(drive / "d/inner", 0)
    steps = (
        "import os, sys; from pathlib import Path; from tests.conftest import *;"
        "folder = Path(sys.argv[1]); drive = Path(sys.argv[2]); import datacat.scan.find;"
        "store = make_store('memory', folder, client=make_client(folder));"
        "store.add(drive / 'b'); store.scan([drive / 'b']);"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534);"
        "r = store.scan([drive], limit=9);"
        "print(r.unreadable.count, r.duplicate_bytes, len(r.groups), r.files)"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import os; os.umask(0); {steps}", str(folder), str(drive)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(Path(__file__).parents[3]), "TMPDIR": str(folder)},
    )
    assert done.stdout.split() == ["3", "0", "0", "2"], done.stderr
