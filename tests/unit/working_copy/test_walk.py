from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from datacat.errors import Cancelled, Failed, NotFound, Refused
from datacat.progress import StopSignal
from datacat.sql import Workspace
from datacat.working_copy import walk as walking
from datacat.working_copy.ignore import IgnoreRules
from datacat.working_copy.walk import COLUMNS, Entry, walk
from datacat.working_copy.walk_report import WalkReport

needs_permissions = pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")


def collect(
    root: Path, *, store: Path | None = None, rules: IgnoreRules | None = None
) -> tuple[dict[str, Entry], WalkReport]:
    rows: dict[str, Entry] = {}

    def sink(batch: object) -> None:
        for row in batch:  # type: ignore[attr-defined]
            assert row[0] not in rows
            rows[row[0]] = row

    report = walk(root, rules=rules or IgnoreRules(), store_path=store, sink=sink)
    return rows, report


NAME = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=12
).filter(lambda n: n not in {".", "..", ".datacat", ".datacatignore"} and len(n.encode()) <= 255)
ODD = st.sampled_from(
    [" ", "a b", "new\nline", "esc\x1b[31m", "[x]", "*", "?", "a:b", "é", "e\u0301", "😀",
     "x" * 255, "é" * 127, "-rf", "'", '"', "%", "#", "\\", "\u202e"]
)  # fmt: skip
LEAF = st.one_of(
    st.binary(max_size=20).map(lambda data: ("file", data)),
    st.tuples(st.just("symlink"), st.sampled_from(["a", ".", "..", "loop", "/etc", "../../x"])),
)
TREE = st.recursive(
    LEAF, lambda inner: st.dictionaries(st.one_of(NAME, ODD), inner, max_size=5), max_leaves=25
)


def build(folder: Path, tree: dict[str, object], prefix: str = "") -> dict[str, tuple[str, object]]:
    """Make the tree and say, in plain Python, what a walk must find."""
    expected: dict[str, tuple[str, object]] = {}
    for name, node in tree.items():
        path = folder / name
        if isinstance(node, dict):
            path.mkdir()
            inner = build(path, node, f"{prefix}{name}/")
            expected.update(inner or {f"{prefix}{name}": ("dir", 0)})
        elif node[0] == "file":  # type: ignore[index]
            path.write_bytes(node[1])  # type: ignore[index]
            expected[prefix + name] = ("file", len(node[1]))  # type: ignore[index]
        else:
            path.symlink_to(node[1])  # type: ignore[index]
            expected[prefix + name] = ("symlink", node[1])  # type: ignore[index]
    return expected


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(tree=st.dictionaries(st.one_of(NAME, ODD), TREE, max_size=6))
@example(tree={})
def test_a_walk_finds_what_was_made(tree: dict[str, object]) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        expected = build(Path(temporary), tree)
        rows, report = collect(Path(temporary), rules=IgnoreRules(names=()))
        with Workspace() as workspace:
            workspace.execute(f"create table tree ({COLUMNS})")
            workspace.load("tree", rows.values())
            loaded = workspace.all("select path, kind from tree")
    found = {p: (r[1], r[8] if r[1] == "symlink" else r[2]) for p, r in rows.items()}
    assert found == expected
    assert dict(loaded) == {path: kind for path, (kind, _) in expected.items()}
    assert report.files == sum(kind == "file" for kind, _ in expected.values())
    assert report.bytes == sum(int(size) for kind, size in expected.values() if kind == "file")  # type: ignore[call-overload]
    assert report.empty_folders == sum(kind == "dir" for kind, _ in expected.values())


def test_a_row_tells_what_the_operating_system_tells(tmp_path: Path) -> None:
    file = tmp_path / "run.sh"
    file.write_bytes(b"x" * 12)
    file.chmod(0o755)
    os.utime(file, ns=(1, 1_600_000_000_123_456_789))
    status = file.lstat()
    rows, _ = collect(tmp_path)
    assert rows["run.sh"] == (
        "run.sh", "file", 12, True, 1_600_000_000_123_456_789, status.st_ctime_ns,
        status.st_ino, status.st_dev, None, None,
    )  # fmt: skip
    file.chmod(0o655)
    assert collect(tmp_path)[0]["run.sh"][3] is False


def test_sparse_and_empty_files_have_their_apparent_size(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    (tmp_path / "empty").touch()
    rows, report = collect(tmp_path)
    assert rows["sparse"][2] == 1 << 40
    assert rows["empty"][2] == 0
    assert report.bytes == 1 << 40


def test_batches_are_bounded_and_a_full_folder_is_not_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walking, "BATCH_ROWS", 7)
    for folder in range(5):
        (tmp_path / str(folder)).mkdir()
        for number in range(7 * folder):
            (tmp_path / str(folder) / str(number)).touch()
    batches: list[list[Entry]] = []
    report = walk(
        tmp_path,
        rules=IgnoreRules(),
        store_path=None,
        sink=lambda rows: batches.append(list(rows)),
    )
    assert report.files == 70
    assert [row[0] for batch in batches for row in batch if row[1] == "dir"] == ["0"]
    assert max(len(batch) for batch in batches) <= 8
    assert sum(map(len, batches)) == 71


def test_symlink_loops_are_links(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    (tmp_path / "self").symlink_to(".")
    rows, report = collect(tmp_path)
    assert {row[1] for row in rows.values()} == {"symlink"}
    assert report.escaping.count == 0


def test_links_that_leave_the_folder_are_kept_and_listed(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "inside").symlink_to("../other")
    (tmp_path / "sub" / "out").symlink_to("../../other")
    (tmp_path / "absolute").symlink_to("/etc/passwd")
    rows, report = collect(tmp_path)
    assert rows["absolute"][8] == "/etc/passwd"
    assert report.symlinks == 3
    assert set(report.escaping.first) == {"sub/out", "absolute"}


def test_fifos_sockets_and_devices_are_listed_and_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "only").mkdir()
    server = socket.socket(socket.AF_UNIX)
    previous = Path.cwd()
    os.chdir(tmp_path)  # the path of a socket is short
    try:
        server.bind("only/socket")
    finally:
        os.chdir(previous)
        server.close()
    rows, report = collect(tmp_path)
    assert list(rows) == ["only"]
    assert rows["only"][1] == "dir"
    assert sorted(report.special.first) == ["fifo", "only/socket"]


def test_many_special_files_are_a_count(tmp_path: Path) -> None:
    for number in range(30):
        os.mkfifo(tmp_path / f"f{number}")
    _, report = collect(tmp_path)
    assert report.special.count == 30
    assert len(report.special.first) == 20


def test_names_that_are_not_utf8_are_named_after_the_whole_walk(tmp_path: Path) -> None:
    os.mkdir(os.fsencode(tmp_path) + b"/d\xe9j\xe0")
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/d\xe9j\xe0")) / "x").touch()
    for number in range(25):
        with open(os.fsencode(tmp_path) + b"/caf\xe9%d" % number, "wb"):
            pass
    os.symlink(b"caf\xe9", os.fsencode(tmp_path) + b"/link")
    (tmp_path / "good").touch()
    seen: list[str] = []
    with pytest.raises(Failed) as caught:
        walk(
            tmp_path,
            rules=IgnoreRules(),
            store_path=None,
            sink=lambda rows: seen.extend(row[0] for row in rows),
        )
    error = caught.value
    assert error.kind == "name_not_utf8"
    assert error.message.startswith("27 names are not UTF-8: ")
    assert "caf\\xe9" in error.message
    assert error.message.endswith("and 7 more")
    assert "convmv -f latin1 -t utf8" in error.commands[0]
    assert seen == ["good"]


def test_one_file_is_a_row_with_its_own_name(tmp_path: Path) -> None:
    (tmp_path / ".DS_Store").write_text("asked for")
    rows, report = collect(tmp_path / ".DS_Store")
    assert rows[".DS_Store"][1:3] == ("file", 9)
    assert (report.files, report.bytes) == (1, 9)


def test_a_root_reached_through_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "x").touch()
    (tmp_path / "link").symlink_to("real")
    assert list(collect(tmp_path / "link")[0]) == ["x"]


def test_a_missing_root_with_the_name_that_was_meant(tmp_path: Path) -> None:
    (tmp_path / "cmr").mkdir()
    with pytest.raises(NotFound) as caught:
        collect(tmp_path / "crm")
    assert caught.value.kind == "path_not_found"
    assert caught.value.hint == f"Did you mean '{tmp_path}/cmr'?"
    with pytest.raises(NotFound):
        collect(tmp_path / "no" / "such")


def test_a_fifo_as_root_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("fifo")
    for name in ("fifo", "link"):
        with pytest.raises(Failed, match="is a FIFO") as caught:
            collect(tmp_path / name)
        assert caught.value.kind == "not_a_file"


# -- the store ---------------------------------------------------------------------------------


def make_store(folder: Path) -> Path:
    (folder / "whole" / "ab").mkdir(parents=True)
    container = folder / "whole" / "ab" / ("ab" * 32 + "-" + "0" * 32)
    container.write_bytes(b"plain bytes")
    container.chmod(0o444)
    return container


def test_the_store_inside_the_folder_is_left_out(tmp_path: Path) -> None:
    make_store(tmp_path / "data" / "store")
    (tmp_path / "data" / "x").touch()
    (tmp_path / "alias").symlink_to(tmp_path / "data" / "store")
    rows, report = collect(tmp_path / "data", store=tmp_path / "alias")
    assert list(rows) == ["x"]
    assert report.stores == ("store",)


@pytest.mark.parametrize("inside", [".", "whole", "whole/ab"])
def test_the_store_itself_cannot_be_added(tmp_path: Path, inside: str) -> None:
    container = make_store(tmp_path / "store")
    (tmp_path / "link").symlink_to(tmp_path / "store" / inside)
    for root in (tmp_path / "store" / inside, tmp_path / "link", container):
        with pytest.raises(Refused) as caught:
            collect(root, store=tmp_path / "store")
        assert caught.value.kind == "inside_store"
    make_store(tmp_path / "store2")
    assert collect(tmp_path / "store2", store=tmp_path / "store")[1].files == 1


def test_a_link_to_a_container_counts_as_that_file(tmp_path: Path) -> None:
    container = make_store(tmp_path / "store")
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "linked").symlink_to(container)
    (copy / "sneaky").symlink_to(f"{tmp_path}/store/whole/../../secret")
    rows, report = collect(copy, store=tmp_path / "store")
    status = container.stat()
    assert rows["linked"] == (
        "linked", "file", 11, False, status.st_mtime_ns, status.st_ctime_ns, status.st_ino,
        status.st_dev, None, str(container),
    )  # fmt: skip
    assert rows["sneaky"][1] == "symlink"
    assert (report.linked, report.files, report.bytes, report.symlinks) == (1, 1, 11, 1)
    assert report.escaping.first == ("sneaky",)
    alone, _ = collect(copy / "linked", store=tmp_path / "store")
    assert alone["linked"][9] == str(container)


def test_a_link_to_a_container_that_is_gone_is_an_error(tmp_path: Path) -> None:
    container = make_store(tmp_path / "store")
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "linked").symlink_to(container)
    container.unlink()
    with pytest.raises(Failed, match="cannot read linked: no such file"):
        collect(copy, store=tmp_path / "store")


# -- what changes or cannot be read ------------------------------------------------------------


@needs_permissions
def test_folders_that_cannot_be_read_are_named_and_counted(tmp_path: Path) -> None:
    for name in ("sub-0017", "sub-0018"):
        (tmp_path / name).mkdir()
    (tmp_path / "ok").touch()
    (tmp_path / "sub-0017").chmod(0)
    try:
        with pytest.raises(Failed) as caught:
            collect(tmp_path)
    finally:
        (tmp_path / "sub-0017").chmod(0o755)
    assert caught.value.kind == "unreadable"
    assert caught.value.message == "cannot read sub-0017: permission denied (1 of 2)"


def test_an_unreadable_folder_is_an_error_for_root_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "x").touch()
    original = walking.scan

    def scan(path: str, *, follow: bool) -> object:
        if path.endswith("bad"):
            raise PermissionError(13, "Permission denied", path)
        return original(path, follow=follow)

    monkeypatch.setattr(walking, "scan", scan)
    with pytest.raises(Failed, match=r"cannot read bad: permission denied \(1 of 2\)"):
        collect(tmp_path)


def test_what_vanishes_or_becomes_a_link_meanwhile_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").touch()
    root = tmp_path / "root"
    for name in ("gone", "swapped", "kept"):
        (root / name).mkdir(parents=True)
        (root / name / "x").touch()
    original = walking.scan

    def scan(path: str, *, follow: bool) -> object:
        if not follow and (root / "gone").exists():
            (root / "gone" / "x").unlink()
            (root / "gone").rmdir()
            (root / "swapped" / "x").unlink()
            (root / "swapped").rmdir()
            (root / "swapped").symlink_to(outside)
        return original(path, follow=follow)

    monkeypatch.setattr(walking, "scan", scan)
    rows, _ = collect(root)
    assert "kept/x" in rows
    assert not any("secret" in path for path in rows)


def test_times_beyond_64_bits_are_clamped(tmp_path: Path) -> None:
    file = tmp_path / "far"
    file.touch()
    os.utime(file, (0, 2**34 - 1))
    far = file.stat().st_mtime_ns
    rows, _ = collect(tmp_path)
    assert rows["far"][4] == min(far, 2**63 - 1)


def test_a_stop_is_heard(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    stop = StopSignal()
    stop.set()
    with pytest.raises(Cancelled):
        walk(tmp_path, rules=IgnoreRules(), store_path=None, sink=lambda _: None, stop=stop)


def test_a_tree_deeper_than_pythons_stack(tmp_path: Path) -> None:
    depth = 1500
    here = os.open(tmp_path, os.O_RDONLY)
    try:
        for _ in range(depth):
            os.mkdir("d", dir_fd=here)
            inner = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = inner
    finally:
        os.close(here)
    try:
        rows, report = collect(tmp_path)
    finally:
        # pytest's own cleaning is recursive.
        subprocess.run(["rm", "-rf", tmp_path / "d"], check=True)
    assert list(rows) == ["/".join(["d"] * depth)]
    assert report.folders == depth + 1
