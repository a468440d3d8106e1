from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from datacat.errors import Corrupt, DatacatError, Failed, Refused
from datacat.sql import Workspace
from datacat.working_copy.safe_path import FileNames, check_entries, probe

Listed = str | tuple[str, str] | tuple[str, str, str]
FOLDING = FileNames(folds_case=True, folds_unicode=True)
WINDOWS = FileNames(folds_case=True, folds_unicode=False, windows=True)


def check(
    entries: list[Listed],
    names: FileNames = FileNames(),  # noqa: B008
    error: type[DatacatError] = Corrupt,
) -> None:
    rows = []
    for entry in entries:
        path, kind, target = ((entry,) if isinstance(entry, str) else entry) + ("file", None)[
            (0 if isinstance(entry, str) else len(entry) - 1) :
        ]
        rows.append((path, kind, target))
    with Workspace() as workspace:
        workspace.execute("create table entries (path varchar, kind varchar, target varchar)")
        workspace.load("entries", rows)
        check_entries(workspace, "entries", listing="cmr@v3", names=names, error=error)


@pytest.mark.parametrize(
    "path",
    [
        "", "/", "/etc/passwd", "..", "../x", "a/../../x", "a/..", ".", "./a", "a/./b", "a//b",
        "a/", "nul\0", "a/nul\0/b", ".datacat", ".datacat/copy.json", "a/.datacat/copy.json",
        ".DATACAT/x", "x" * 256, "a/" + "é" * 128 + "/b", "/".join(["d"] * 2100),
        "new\nline/../x", "..\n/../x",
    ],
)  # fmt: skip
def test_a_path_that_could_leave_the_folder_is_refused(path: str) -> None:
    with pytest.raises(Corrupt) as caught:
        check(["good", path])
    assert caught.value.kind == "unsafe_path"
    assert caught.value.message.startswith("cmr@v3 has a path with ")


@pytest.mark.parametrize(
    "path",
    [
        "a", "a b", "new\nline", "esc\x1b[31m", "[x]*?", "a:b", "é", "e\u0301", "😀", "x" * 255,
        "é" * 127, "-rf", "'", '"', "%s", "#", "\\", "...", "..a", "a..", ".a", "a/..b/c", " ",
        ".datacatignore", "x.datacat", "\x01", "C:\\x", "~", "/".join(["d"] * 2000),
    ],
)  # fmt: skip
def test_an_odd_name_is_a_name(path: str) -> None:
    check(["good", path, f"folder/{path}"] if len(path) < 300 else [path])


@pytest.mark.parametrize(
    ("entries", "named"),
    [
        ([("a", "file"), "a/b"], ["the file 'a'", "'a/b'"]),
        ([("a", "symlink", "x"), "a/b/c/d", "a-b", "a b"], ["the link 'a'", "'a/b/c/d'"]),
        (["x/y", ("x/y/z", "dir")], ["'x/y'", "'x/y/z'"]),
        (["a", "b", "a"], ["'a' twice"]),
        (["a", ("a", "dir")], ["'a' twice"]),
    ],
)
def test_nothing_lies_below_a_file_and_nothing_is_there_twice(
    entries: list[Listed], named: list[str]
) -> None:
    for order in (entries, entries[::-1]):
        with pytest.raises(Corrupt) as caught:
            check(order)
        for words in named:
            assert words in caught.value.message


def test_neighbours_in_the_alphabet_do_not_hide_what_lies_below() -> None:
    beside = ["a" + chr(code) + "x" for code in range(1, 128) if chr(code) != "/"]
    check(["a", *beside])
    with pytest.raises(Corrupt, match="the file 'a' and, below it, 'a/b'"):
        check(["a", *beside, "a/b"])


def model(entries: dict[str, str]) -> bool:
    """Is the listing fit for a folder, in plain Python?"""
    for path in entries:
        parts = path.split("/")
        if any(part in ("", ".", "..") for part in parts):
            return False
        above = ["/".join(parts[:n]) for n in range(1, len(parts))]
        if any(entries.get(folder, "dir") != "dir" for folder in above):
            return False
    return True


PATH = st.lists(st.sampled_from(["a", "b", "a b", "a-", "a.", "", ".", "..", "é"]), min_size=1,
                max_size=4).map("/".join)  # fmt: skip


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(entries=st.dictionaries(PATH, st.sampled_from(["file", "dir", "symlink"]), max_size=8))
@example(entries={"a": "file", "a-": "file", "a/b": "file"})
def test_the_set_check_agrees_with_a_plain_one(entries: dict[str, str]) -> None:
    rows: list[Listed] = [(path, kind, "t") for path, kind in entries.items()]
    if model(entries):
        check(rows)
    else:
        with pytest.raises(Corrupt):
            check(rows)


@pytest.mark.parametrize(
    "entries",
    [
        ["README", "readme"], ["é.txt", "e\u0301.txt"], ["A/x", "a/y"], ["d/É/x", "d/e\u0301/y"],
        ["A", "a/b"], ["\u017f", "S"], ["\u212a", "k"], [("A", "dir"), "a"],
    ],
)  # fmt: skip
def test_twins_are_refused_only_where_names_fold(entries: list[Listed]) -> None:
    check(entries)
    with pytest.raises(Refused) as caught:
        check(entries, FOLDING)
    assert caught.value.kind == "path_twins"
    for entry in entries:
        path = entry if isinstance(entry, str) else entry[0]
        folder = path.rpartition("/")[0]
        assert path in caught.value.message or folder in caught.value.message


def test_folding_does_not_forbid_what_differs_otherwise() -> None:
    check(["a/x", "a/y", "b/X", "b/xx"], FOLDING)
    check(["é", "e\u0301"], FileNames(folds_case=True))
    check(["A", "a"], FileNames(folds_unicode=True))


@pytest.mark.parametrize("entries", [["a", "a/b"], ["a", "a"]])
def test_a_wrong_listing_is_wrong_as_such_also_where_names_fold(entries: list[Listed]) -> None:
    with pytest.raises(Corrupt):
        check(entries, FOLDING)


@pytest.mark.parametrize(
    "path", ["a\\b", "aux", "AUX.txt", "x/com1.tar.gz", "a:b", "what?", "dot.", "space ", "a\x02"]
)
def test_what_windows_cannot_name_is_refused_there_only(path: str) -> None:
    check([path])
    with pytest.raises(Refused) as caught:
        check([path], WINDOWS)
    assert caught.value.kind == "path_not_possible"
    check(["auxiliary", "com", "a.b", "nul-1"], WINDOWS)


@pytest.mark.parametrize(
    "entry", [("l", "symlink"), ("l", "symlink", ""), ("l", "symlink", "a\0b"), ("f", "fifo")]
)
def test_a_kind_or_target_that_cannot_be(entry: Listed) -> None:
    with pytest.raises(Corrupt):
        check([entry])
    check([("l", "symlink", "/anywhere/../at all")])


def test_the_caller_says_what_kind_of_error_it_is() -> None:
    with pytest.raises(Failed):
        check(["a", "a/b"], error=Failed)


def test_a_message_shows_escapes_not_control_characters() -> None:
    with pytest.raises(Corrupt) as caught:
        check(["\x1b[31m/../x"])
    assert "\x1b" not in caught.value.message
    assert "\\x1b[31m/../x" in caught.value.message


def test_the_probe_tells_how_the_file_system_names_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "A").touch()
    folds = os.path.lexists(tmp_path / "a")
    (tmp_path / "A").unlink()
    assert probe(tmp_path).folds_case is folds
    assert probe(tmp_path).windows is (os.name == "nt")
    assert list(tmp_path.iterdir()) == []


def test_a_million_paths_take_seconds_at_most() -> None:
    with Workspace() as workspace:
        workspace.execute(
            "create table entries as select 'sub-' || (i // 1000) || '/anat/slice-' || i as path,"
            " 'file' as kind, null::varchar as target from range(1000000) t(i)"
        )
        start = time.monotonic()
        check_entries(workspace, "entries", names=FOLDING)
        # 0.5 s on two slow cores; only a step that is done per file would take this long.
        assert time.monotonic() - start < 20
