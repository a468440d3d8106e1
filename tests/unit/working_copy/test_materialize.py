from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import stat
import subprocess
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datacat.digest import BLOCK_BYTES, checksums
from datacat.errors import (
    Corrupt,
    DatacatError,
    Failed,
    InvalidInput,
    Refused,
    StorageDenied,
    StorageFull,
    StorageMissing,
)
from datacat.model import LinkMode
from datacat.working_copy import copying, materialize, new_path
from datacat.working_copy.folders import FOLDERS_OPEN_MAX, Folders
from datacat.working_copy.materialize import Destination, FileStat

TIME = 1_600_000_000_123_456_789
DATA = b"plain bytes" * 200_000


def seen(root: Path) -> dict[str, object]:
    """Everything below `root` but `.datacat`, in plain Python."""
    found: dict[str, object] = {}
    for folder, folders, files in os.walk(root):
        if Path(folder) == root:
            folders[:] = [name for name in folders if name != ".datacat"]
        for name in [*files, *folders]:
            path = Path(folder) / name
            key = str(path.relative_to(root))
            if path.is_symlink():
                found[key] = f"-> {os.readlink(path)}"
            elif path.is_file():
                found[key] = path.read_bytes()
            elif not any(path.iterdir()):
                found[key] = None
    return found


def temporaries(root: Path) -> list[Path]:
    below = root / ".datacat" / "tmp"
    return [*root.rglob(".datacat-*"), *(path for path in below.rglob("*") if path.is_file())]


def there(path: Path) -> FileStat:
    return FileStat.of(path.lstat())


@pytest.fixture
def container(tmp_path: Path) -> Path:
    folder = tmp_path / "store" / "whole" / "ab"
    folder.mkdir(parents=True)
    (folder / "abcd").write_bytes(DATA)
    (folder / "abcd").chmod(0o444)
    return folder / "abcd"


# -- what is written ---------------------------------------------------------------------------

NAME = st.one_of(
    st.text(
        st.characters(exclude_characters="/\0", exclude_categories=("Cs",)),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from([" ", "new\nline", "esc\x1b[m", "[x]*?", "a:b", "😀", "x" * 255, "é" * 127]),
).filter(lambda n: n not in {".", "..", ".datacat"} and len(n.encode()) <= 255)
NODE = st.one_of(
    st.binary(max_size=40),
    st.tuples(st.just("link"), st.sampled_from(["x", "..", "/etc", "a b"])),
    st.tuples(st.just("run"), st.binary(max_size=9)),
)
TREE = st.dictionaries(
    NAME,
    st.recursive(NODE, lambda inner: st.dictionaries(NAME, inner, max_size=4), max_leaves=15),
    max_size=5,
)


def write_tree(destination: Destination, tree: dict[str, object], prefix: str = "") -> None:
    for name, node in tree.items():
        path = prefix + name
        if isinstance(node, dict):
            destination.make_dir(path)
            write_tree(destination, node, path + "/")
        elif isinstance(node, bytes):
            destination.write_file(path, node, mtime_ns=TIME)
        elif node[0] == "link":  # type: ignore[index]
            destination.symlink(path, node[1])  # type: ignore[index]
        else:
            pieces = (bytes([b]) for b in node[1])  # type: ignore[index]
            destination.write_file(path, pieces, executable=True)


def expected_of(tree: dict[str, object], prefix: str = "") -> dict[str, object]:
    found: dict[str, object] = {}
    for name, node in tree.items():
        if isinstance(node, dict):
            found.update(expected_of(node, f"{prefix}{name}/") or {prefix + name: None})
        elif isinstance(node, bytes):
            found[prefix + name] = node
        elif node[0] == "link":  # type: ignore[index]
            found[prefix + name] = f"-> {node[1]}"  # type: ignore[index]
        else:
            found[prefix + name] = node[1]  # type: ignore[index]
    return found


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(tree=TREE)
def test_a_tree_is_written_as_it_was_given(tree: dict[str, object]) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary) / "new" / "copy"
        with Destination(root) as destination:
            write_tree(destination, tree)
        assert seen(root) == expected_of(tree)
        assert temporaries(root) == []


def test_mode_time_and_stat_of_a_file(tmp_path: Path) -> None:
    previous = os.umask(0o027)
    try:
        with Destination(tmp_path) as destination:
            plain = destination.write_file("a/plain", b"12345", mtime_ns=TIME)
            destination.write_file("a/run", b"", executable=True)
    finally:
        os.umask(previous)
    assert stat.S_IMODE((tmp_path / "a" / "plain").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "a" / "run").stat().st_mode) == 0o750
    assert plain == there(tmp_path / "a" / "plain")
    assert plain.size == 5
    assert plain.mtime_ns == TIME


def test_pieces_are_put_together_in_order(tmp_path: Path) -> None:
    pieces = [b"a", b"", memoryview(b"bc"), bytearray(b"d")]
    with Destination(tmp_path) as destination:
        for count in range(len(pieces) + 1):
            destination.write_file(f"f{count}", iter(pieces[:count]))
    assert [(tmp_path / f"f{n}").read_bytes() for n in range(5)] == [
        b"", b"a", b"a", b"abc", b"abcd",
    ]  # fmt: skip


def test_short_writes_are_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: original(fd, memoryview(data)[:3]))
    with Destination(tmp_path) as destination:
        destination.write_file("whole", b"0123456789")
        destination.write_file("pieces", iter([b"01234", b"56789"]))
    assert (tmp_path / "whole").read_bytes() == b"0123456789"
    assert (tmp_path / "pieces").read_bytes() == b"0123456789"


def test_when_pieces_fail_nothing_appears(tmp_path: Path) -> None:
    def pieces() -> object:
        yield b"a"
        yield b"b"
        raise Corrupt("damaged")

    with Destination(tmp_path) as destination:
        with pytest.raises(Corrupt):
            destination.write_file("x/y", pieces())  # type: ignore[arg-type]
        assert seen(tmp_path) == {"x": None}
        assert temporaries(tmp_path) == []


def test_many_threads_and_more_folders_than_are_kept_open(tmp_path: Path) -> None:
    deep = "/".join(["deep"] * (FOLDERS_OPEN_MAX + 20))
    paths = [f"{n % 70}/{n % 7}/{deep if n % 97 == 0 else 'x'}/f{n}" for n in range(2_000)]
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    with Destination(tmp_path) as destination:
        with ThreadPoolExecutor(4) as executor:
            stats = list(executor.map(lambda p: destination.write_file(p, p.encode()), paths))
        if before:
            assert len(os.listdir("/proc/self/fd")) - before < 5 * FOLDERS_OPEN_MAX + 10
    assert all((tmp_path / path).read_bytes() == path.encode() for path in paths)
    assert stats == [there(tmp_path / path) for path in paths]
    if before:
        # Fewer when something of an earlier test was let go of meanwhile.
        assert len(os.listdir("/proc/self/fd")) <= before


@pytest.mark.parametrize(
    "path", ["", "/x", "../x", "a/../x", ".", "a/.", "a//b", "a/", "x\0y", "a/\0/b"]
)
def test_an_unsafe_path_is_refused_here_too(tmp_path: Path, path: str) -> None:
    with Destination(tmp_path / "copy") as destination:
        for write in (
            lambda: destination.write_file(path, b""),
            lambda: destination.symlink(path, "x"),
            lambda: destination.remove(path, expected=None),
        ):
            with pytest.raises(InvalidInput):
                write()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["copy"]


# -- what is not overwritten -------------------------------------------------------------------


def test_only_what_was_said_is_replaced(tmp_path: Path) -> None:
    with Destination(tmp_path) as destination:
        first = destination.write_file("f", b"one")
        with pytest.raises(Refused) as caught:
            destination.write_file("f", b"two")
        assert caught.value.kind == "local_edits"
        second = destination.write_file("f", b"two", replaces=first)
        with pytest.raises(Refused):
            destination.write_file("f", b"three", replaces=first)
        assert (tmp_path / "f").read_bytes() == b"two"
        (tmp_path / "f").unlink()
        third = destination.write_file("f", b"three", replaces=second)
        with pytest.raises(Refused):
            destination.symlink("f", "x")
        destination.symlink("f", "x", replaces=third)
        with pytest.raises(Refused):
            destination.remove("f", expected=third)
        assert os.readlink(tmp_path / "f") == "x"
        assert temporaries(tmp_path) == []


def test_a_file_made_at_the_last_moment_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = new_path.NewPath.set_time

    def late(self: new_path.NewPath, descriptor: int, mtime_ns: int | None) -> None:
        (tmp_path / "d" / "notes.txt").write_text("mine")
        original(self, descriptor, mtime_ns)

    monkeypatch.setattr(new_path.NewPath, "set_time", late)
    refused = pytest.raises(Refused, match=r"d/notes\.txt was changed or made meanwhile")
    with Destination(tmp_path) as destination, refused:
        destination.write_file("d/notes.txt", b"theirs")
    assert (tmp_path / "d" / "notes.txt").read_text() == "mine"


def test_an_empty_folder_gives_way_to_a_file_a_full_one_does_not(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    with Destination(tmp_path) as destination:
        destination.write_file("empty", b"x")
        with pytest.raises(Refused):
            destination.write_file("full", b"x")
        with pytest.raises(Refused) as caught:
            destination.write_file("empty/below", b"x")
        assert caught.value.kind == "unsafe_folder"
    assert seen(tmp_path) == {"empty": b"x", "full/mine": b""}


def test_removing_takes_only_what_is_expected_and_empty_folders_above(tmp_path: Path) -> None:
    with Destination(tmp_path) as destination:
        one = destination.write_file("a/b/c/one", b"1")
        two = destination.write_file("a/two", b"2")
        destination.make_dir("a/empty")
        with pytest.raises(Refused):
            destination.remove("a/b/c/one", expected=two)
        with pytest.raises(Refused):
            destination.remove("a/b/c/one", expected=None)
        destination.remove("a/b/c/one", expected=one)
        assert seen(tmp_path) == {"a/two": b"2", "a/empty": None}
        destination.remove("a/b/c/one", expected=one)
        destination.remove("a", expected=None)
        destination.remove("a", expected=one)
        destination.remove("a/empty", expected=None)
        assert seen(tmp_path) == {"a/two": b"2"}
        # The folder that went is made again, although its descriptor was kept.
        destination.write_file("a/b/c/one", b"again")
        destination.remove("a/two", expected=two)
    assert seen(tmp_path) == {"a/b/c/one": b"again"}


def test_a_folder_that_another_removed_is_made_again(tmp_path: Path) -> None:
    with Destination(tmp_path) as destination:
        destination.write_file("a/b/c/one", b"1")
        shutil.rmtree(tmp_path / "a")
        destination.write_file("a/b/c/two", b"2")
        shutil.rmtree(tmp_path / "a")
        destination.make_dir("a/b/c/d")
    assert seen(tmp_path) == {"a/b/c/d": None}


def test_a_backup_moves_local_edits_out_of_the_way(tmp_path: Path) -> None:
    with Destination(tmp_path) as destination:
        destination.write_file("d/e/f", b"mine")
        destination.symlink("link", "/etc")
        first = destination.new_backup("now")
        destination.backup("d/e/f", first)
        destination.backup("link", first)
        # In the same second: what was a folder is a file now.
        destination.write_file("d", b"mine too")
        second = destination.new_backup("now")
        destination.backup("d", second)
        destination.write_file("d/e/f", b"theirs")
        third = destination.new_backup("now")
        destination.backup("d", third)
        destination.write_file("d/e/f", b"theirs again")
    folder = ".datacat/backup/now"
    assert [first, second, third] == [folder, f"{folder}-2", f"{folder}-3"]
    assert (tmp_path / first / "d" / "e" / "f").read_bytes() == b"mine"
    assert os.readlink(tmp_path / first / "link") == "/etc"
    assert (tmp_path / second / "d").read_bytes() == b"mine too"
    assert (tmp_path / third / "d" / "e" / "f").read_bytes() == b"theirs"
    assert seen(tmp_path) == {"d/e/f": b"theirs again"}


# -- nothing outside is written ------------------------------------------------------------------


def everything(destination: Destination, container: Path, path: str) -> list[object]:
    return [
        lambda: destination.write_file(path, b"attack"),
        lambda: destination.write_file(path, iter([b"at", b"tack"])),
        lambda: destination.symlink(path, "x"),
        lambda: destination.make_dir(path),
        lambda: destination.remove(path, expected=FileStat(0, 0, 0, 0)),
        lambda: destination.remove(path, expected=None),
        lambda: destination.backup(path, destination.new_backup("now")),
        *(
            lambda mode=mode: destination.place(
                path, container, size=len(DATA), checksums=checksums(DATA), mode=mode
            )
            for mode in LinkMode
        ),
    ]


@pytest.mark.parametrize("path", ["way/secret", "way/new", "sub/way/deep/new"])
def test_nothing_is_done_through_a_symlink(tmp_path: Path, container: Path, path: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    root = tmp_path / "copy"
    (root / "sub").mkdir(parents=True)
    (root / "way").symlink_to(outside)
    (root / "sub" / "way").symlink_to("../../outside")
    with Destination(root) as destination:
        for act in everything(destination, container, path):
            with pytest.raises(Refused) as caught:
                act()  # type: ignore[operator]
            assert caught.value.kind == "unsafe_folder"
            assert "symbolic link" in caught.value.message
    assert seen(outside) == {"secret": b"secret"}


def test_a_folder_swapped_for_a_symlink_in_the_middle(
    tmp_path: Path, container: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The moment between looking at a path and writing there is what an attacker waits for."""
    outside = tmp_path / "outside"
    outside.mkdir()
    root = tmp_path / "copy"
    original = os.replace
    swapped = root / "d"

    def swap_then(*arguments: object, **keywords: object) -> None:
        if not swapped.is_symlink():
            swapped.rename(tmp_path / "moved")
            swapped.symlink_to(outside)
        original(*arguments, **keywords)  # type: ignore[arg-type]

    with Destination(root) as destination:
        monkeypatch.setattr(os, "replace", swap_then)
        for act in everything(destination, container, "d/file"):
            for leftover in (swapped, tmp_path / "moved"):
                if leftover.is_symlink():
                    leftover.unlink()
                elif leftover.exists():
                    shutil.rmtree(leftover)
            (swapped).mkdir()
            try:
                act()  # type: ignore[operator]
            except (DatacatError, OSError):
                continue
    assert seen(outside) == {}


def test_a_folder_that_keeps_changing_into_a_symlink(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    root = tmp_path / "copy"
    root.mkdir()
    stop = threading.Event()

    def swap() -> None:
        for number in itertools.count():
            if stop.is_set():
                return
            with contextlib.suppress(OSError):
                os.rename(root / "d", root / f"aside-{number}")
            with contextlib.suppress(OSError):
                os.symlink(outside, root / "d")
            with contextlib.suppress(OSError):
                os.unlink(root / "d")
            with contextlib.suppress(OSError):
                os.mkdir(root / "d")

    attacker = threading.Thread(target=swap)
    attacker.start()
    try:
        with Destination(root) as destination:
            for number in range(400):
                with contextlib.suppress(DatacatError):
                    destination.write_file(f"d/{number}", b"x")
                destination._folders.forget()
    finally:
        stop.set()
        attacker.join()
    assert list(outside.iterdir()) == []


def test_the_marker_folder_itself_is_no_way_out(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    for inner in (".datacat", ".datacat/tmp"):
        root = tmp_path / inner.replace("/", "-")
        (root / inner).parent.mkdir(parents=True)
        (root / inner).symlink_to(outside)
        with pytest.raises(Refused):
            Destination(root)
    assert list(outside.iterdir()) == []


def test_a_file_as_root_and_a_root_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatacatError):
        Destination(tmp_path / "file")
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with Destination(tmp_path / "link") as destination:
        destination.write_file("x", b"y")
    assert (tmp_path / "real" / "x").read_bytes() == b"y"


# -- whole containers ----------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [LinkMode.AUTO, LinkMode.COPY])
def test_a_container_is_copied_with_time_and_mode(
    tmp_path: Path, container: Path, mode: LinkMode
) -> None:
    with Destination(tmp_path / "copy") as destination:
        placed = destination.place(
            "d/x", container, size=len(DATA), checksums=checksums(DATA), mode=mode,
            executable=True, mtime_ns=TIME,
        )  # fmt: skip
    file = tmp_path / "copy" / "d" / "x"
    assert file.read_bytes() == DATA
    assert placed.stat == there(file)
    assert placed.stat.mtime_ns == TIME
    assert placed.stat.inode != container.stat().st_ino
    assert os.access(file, os.X_OK)
    assert placed.how in {LinkMode.COPY, LinkMode.REFLINK if mode is LinkMode.AUTO else mode}


def test_links_into_the_store(tmp_path: Path, container: Path) -> None:
    with Destination(tmp_path / "copy") as destination:

        def place(path: str, mode: LinkMode, **more: object) -> object:
            return destination.place(
                path, container, size=len(DATA), checksums=checksums(DATA), mode=mode,
                mtime_ns=TIME, **more,  # type: ignore[arg-type]
            )  # fmt: skip

        hard = place("hard", LinkMode.HARDLINK)
        soft = place("soft", LinkMode.SYMLINK, verify_links=True)
        run = place("run", LinkMode.SYMLINK, executable=True)
        again = place("hard", LinkMode.HARDLINK, replaces=there(container))
        over = place("soft", LinkMode.SYMLINK, replaces=there(container))
        assert temporaries(tmp_path / "copy") == []
    copy = tmp_path / "copy"
    assert (copy / "hard").stat().st_ino == container.stat().st_ino
    assert os.readlink(copy / "soft") == str(container)
    assert not (copy / "run").is_symlink()
    assert os.access(copy / "run", os.X_OK)
    # The ctime of a container changes with every hard link to it.
    assert hard.stat[:2] == soft.stat[:2] == there(container)[:2]  # type: ignore[attr-defined]
    assert (hard.how, soft.how) == (LinkMode.HARDLINK, LinkMode.SYMLINK)  # type: ignore[attr-defined]
    assert run.how is LinkMode.COPY or run.how is LinkMode.REFLINK  # type: ignore[attr-defined]
    assert (again.how, over.how) == (LinkMode.HARDLINK, LinkMode.SYMLINK)  # type: ignore[attr-defined]
    assert container.stat().st_mtime_ns != TIME
    assert stat.S_IMODE(container.stat().st_mode) == 0o444


def test_hard_links_that_others_make_are_no_local_edits(tmp_path: Path, container: Path) -> None:
    sums = checksums(DATA)
    with Destination(tmp_path / "copy") as destination:
        hard = destination.place(
            "a", container, size=len(DATA), checksums=sums, mode=LinkMode.HARDLINK
        )
        os.link(container, tmp_path / "elsewhere")
        assert there(tmp_path / "copy" / "a") != hard.stat
        destination.write_file("a", b"next version", replaces=hard.stat)
        hard = destination.place(
            "b", container, size=len(DATA), checksums=sums, mode=LinkMode.HARDLINK
        )
        container.chmod(0o644)
        container.write_bytes(DATA[::-1])
        os.utime(container, ns=(TIME, TIME))
        with pytest.raises(Refused):
            destination.remove("b", expected=hard.stat)


@pytest.mark.parametrize("damage", ["flip", "cut", "grow"])
@pytest.mark.parametrize("mode", [LinkMode.AUTO, LinkMode.COPY, LinkMode.SYMLINK])
@pytest.mark.parametrize("followed", [False, True])
def test_damaged_bytes_are_found_and_never_put_in_place(
    tmp_path: Path,
    container: Path,
    monkeypatch: pytest.MonkeyPatch,
    damage: str,
    mode: LinkMode,
    followed: bool,
) -> None:
    if followed:
        monkeypatch.setattr(copying, "FOLLOWED_BYTES_MIN", 1)
    sums = checksums(DATA)
    container.chmod(0o644)
    with container.open("r+b") as file:
        if damage == "flip":
            file.seek(BLOCK_BYTES + 5)
            file.write(b"\0")
        else:
            file.truncate(len(DATA) + (1 if damage == "grow" else -1))
    root = tmp_path / "copy"
    with Destination(root) as destination:
        old = destination.write_file("kept", b"old")
        for path, replaces in (("new", None), ("kept", old)):
            with pytest.raises(Corrupt) as caught:
                destination.place(
                    path, container, size=len(DATA), checksums=sums, mode=mode,
                    verify_links=True, replaces=replaces,
                )  # fmt: skip
            assert caught.value.kind == "damaged_content"
        assert temporaries(root) == []
    assert seen(root) == {"kept": b"old"}


def test_a_container_that_is_not_there_is_the_stores_fault(tmp_path: Path) -> None:
    with Destination(tmp_path / "copy") as destination, pytest.raises(StorageMissing):
        destination.place("x", tmp_path / "gone", size=1, checksums=bytes(8))


def test_a_link_that_cannot_be_says_what_can(
    tmp_path: Path, container: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **keywords: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(materialize, "clone", lambda *_: False)
    with Destination(tmp_path / "copy") as destination:
        for mode in (LinkMode.HARDLINK, LinkMode.REFLINK):
            with pytest.raises(Failed) as caught:
                destination.place(
                    "x", container, size=len(DATA), checksums=checksums(DATA), mode=mode
                )
            assert caught.value.kind == "link_not_supported"
            assert "--link copy" in (caught.value.hint or "")
    assert seen(tmp_path / "copy") == {}


# -- what the operating system refuses -------------------------------------------------------------


def mount(folder: Path, options: str = "size=1m") -> None:
    command = ["mount", "-t", "tmpfs", "-o", options, "none", folder]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("cannot mount a tmpfs")


@pytest.mark.mounts
@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a tmpfs")
def test_a_full_disk_is_told_with_numbers_and_leaves_nothing(tmp_path: Path) -> None:
    root = tmp_path / "small"
    root.mkdir()
    mount(root)
    container = tmp_path / "container"
    container.write_bytes(DATA)
    try:
        with Destination(root) as destination:
            kept = destination.write_file("small", b"fits")
            for act in (
                lambda: destination.write_file("a/large", DATA),
                lambda: destination.write_file("small", iter([DATA, DATA]), replaces=kept),
                lambda: destination.place(
                    "a/large", container, size=len(DATA), checksums=checksums(DATA)
                ),
            ):
                with pytest.raises(StorageFull) as caught:
                    act()
                assert str(root) in caught.value.message
                assert "free" in caught.value.message
            assert temporaries(root) == []
            destination.write_file("b", b"there is room again" * 1000)
        assert (root / "small").read_bytes() == b"fits"
        assert not (root / "a" / "large").exists()
    finally:
        subprocess.run(["umount", root], check=True)


@pytest.mark.mounts
@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a tmpfs")
def test_a_file_system_mounted_below_is_written_too(tmp_path: Path) -> None:
    (tmp_path / "mounted").mkdir()
    mount(tmp_path / "mounted")
    try:
        with Destination(tmp_path) as destination:
            first = destination.write_file("mounted/d/x", b"one")
            destination.write_file("mounted/d/x", b"two", replaces=first)
            destination.symlink("mounted/link", "d")
        assert seen(tmp_path) == {"mounted/d/x": b"two", "mounted/link": "-> d"}
    finally:
        subprocess.run(["umount", tmp_path / "mounted"], check=True)


@pytest.mark.mounts
@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a tmpfs")
def test_a_read_only_destination_is_named(tmp_path: Path) -> None:
    mount(tmp_path, "ro,size=1m")
    try:
        with pytest.raises(StorageDenied) as caught:
            Destination(tmp_path)
        assert str(tmp_path) in caught.value.message
    finally:
        subprocess.run(["umount", tmp_path], check=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_named(tmp_path: Path) -> None:
    with Destination(tmp_path) as destination:
        destination.make_dir("locked")
        (tmp_path / "locked").chmod(0o555)
        try:
            with pytest.raises(StorageDenied, match="locked/x"):
                destination.write_file("locked/x", b"")
        finally:
            (tmp_path / "locked").chmod(0o755)


# -- temporaries of pulls that were killed ---------------------------------------------------------


def test_what_a_killed_pull_left_is_removed_but_not_what_a_live_one_uses(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    old = tmp_path / ".datacat" / "tmp" / "killed"
    old.mkdir(parents=True)
    (old / "large").write_bytes(DATA)
    with Destination(tmp_path) as alive:
        assert old.exists()  # it may be about to be locked
        os.utime(old, (0, 0))
        folder = tmp_path / alive._temporary.path
        os.utime(folder, (0, 0))
        with Destination(tmp_path):
            assert not old.exists()
            assert folder.exists()
        alive.write_file("x", b"y")
    assert list((tmp_path / ".datacat" / "tmp").iterdir()) == []


def test_folders_are_made_below_the_root_only(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    try:
        with pytest.raises(FileNotFoundError):
            folders.get("a/b", create=False)
        folders.get("a/b", create=True)
        assert (tmp_path / "a" / "b").is_dir()
        for path in ("a/..", "..", "a/./b"):
            with pytest.raises(InvalidInput):
                folders.get(path, create=True)
    finally:
        folders.close()
