from __future__ import annotations

from pathlib import Path

import pytest

from datacat.errors import InvalidInput
from datacat.working_copy.ignore import IgnoreRules
from datacat.working_copy.walk import walk
from datacat.working_copy.walk_report import Ignored, WalkReport


def listing(root: Path, rules: IgnoreRules) -> tuple[set[str], WalkReport]:
    found: set[str] = set()
    report = walk(
        root, rules=rules, store_path=None, sink=lambda rows: found.update(r[0] for r in rows)
    )
    return found, report


def fill(root: Path, *paths: str) -> Path:
    for path in paths:
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(path)
    return root


def test_default_names_are_left_out_at_any_depth_and_counted(tmp_path: Path) -> None:
    fill(
        tmp_path,
        "a.txt",
        ".DS_Store",
        "deep/er/.DS_Store",
        "deep/.ipynb_checkpoints/x.ipynb",
        ".git/HEAD",
        "deep/__pycache__/m.pyc",
        "Thumbs.db",
    )
    found, report = listing(tmp_path, IgnoreRules())
    assert found == {"a.txt", "deep/er"}  # a folder that holds only such names is empty
    assert report.ignored == (
        Ignored(".DS_Store", 2, True),
        Ignored(".git/", 1, True),
        Ignored(".ipynb_checkpoints/", 1, True),
        Ignored("Thumbs.db", 1, True),
        Ignored("__pycache__/", 1, True),
    )


def test_a_file_named_like_an_ignored_folder_is_content(tmp_path: Path) -> None:
    fill(tmp_path, ".git", "__pycache__", "sub/.ipynb_checkpoints")
    found, _ = listing(tmp_path, IgnoreRules())
    assert found == {".git", "__pycache__", "sub/.ipynb_checkpoints"}


def test_the_marker_folder_is_never_content_whatever_patterns_say(tmp_path: Path) -> None:
    fill(tmp_path, ".datacat/copy.json", "sub/.datacat/copy.json", "x/.datacat", "a")
    (tmp_path / ".datacatignore").write_text("!.datacat/\n!.datacat\n!*\n")
    found, report = listing(tmp_path, IgnoreRules.of(tmp_path))
    assert found == {"a", "sub", "x", ".datacatignore"}
    assert report.ignored == ()


def test_a_pattern_can_take_a_default_name_back_in(tmp_path: Path) -> None:
    fill(tmp_path, ".git/HEAD", "sub/.DS_Store", ".DS_Store")
    (tmp_path / ".datacatignore").write_text("!.git/\n!/sub/.DS_Store\n")
    found, report = listing(tmp_path, IgnoreRules.of(tmp_path))
    assert found == {".git/HEAD", "sub/.DS_Store", ".datacatignore"}
    assert report.ignored == (Ignored(".DS_Store", 1, True),)


def test_settings_come_before_the_file_and_say_which_rule_it_was(tmp_path: Path) -> None:
    fill(tmp_path, "a.tmp", "b.tmp", "keep.tmp", "old/x", "old/y")
    (tmp_path / ".datacatignore").write_text("!keep.tmp\nold/\n")
    found, report = listing(tmp_path, IgnoreRules.of(tmp_path, extra=["*.tmp"]))
    assert found == {"keep.tmp", ".datacatignore"}
    assert report.ignored == (Ignored("*.tmp", 2, False), Ignored("old/", 1, False))


def test_an_ignored_folder_is_not_entered(tmp_path: Path) -> None:
    fill(tmp_path, "old/a", "old/keep", "b")
    found, report = listing(tmp_path, IgnoreRules(patterns=["old/", "!old/keep"]))
    assert found == {"b"}
    assert report.folders == 1


def test_an_ignore_file_with_a_byte_order_mark_and_carriage_returns(tmp_path: Path) -> None:
    fill(tmp_path, "a.tmp", "b")
    (tmp_path / ".datacatignore").write_bytes(b"\xef\xbb\xbf*.tmp\r\n")
    assert listing(tmp_path, IgnoreRules.of(tmp_path))[0] == {"b", ".datacatignore"}


@pytest.mark.parametrize("content", [b"\xff\xfe*.tmp", b"x" * (1 << 20) + b"y"])
def test_an_ignore_file_that_is_no_text_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".datacatignore").write_bytes(content)
    with pytest.raises(InvalidInput) as caught:
        IgnoreRules.of(tmp_path)
    assert caught.value.kind == "bad_ignore_file"
