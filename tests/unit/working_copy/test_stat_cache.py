from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datacat.sql import Workspace
from datacat.working_copy import stat_cache
from datacat.working_copy.walk import COLUMNS

SECOND = 1_000_000_000
DIGEST = bytes(range(32))
NOW = 1_700_000_000 * SECOND
ROW = ("a/b.txt", 10, NOW - 60 * SECOND, NOW - 60 * SECOND, 2**63 + 5, DIGEST, NOW)


def save(file: Path, *rows: tuple[object, ...], algorithm: str = "blake3") -> None:
    with Workspace() as workspace:
        workspace.execute(f"create table known ({stat_cache.COLUMNS})")
        workspace.load("known", rows)
        stat_cache.save(workspace, "select * from known", file, algorithm=algorithm)


def loaded(file: Path, *, algorithm: str = "blake3") -> list[tuple[object, ...]]:
    with Workspace() as workspace:
        count = stat_cache.load_into(workspace, file, algorithm=algorithm)
        rows = workspace.all("select * from stat_cache order by path")
    assert count == len(rows)
    return rows


def trusted(cached: tuple[object, ...], **now: object) -> bool:
    """Is the digest of `cached` trusted for a file whose stat differs by `now`?"""
    path, size, mtime, ctime, inode, digest, _ = cached
    seen = {"path": path, "size": size, "mtime": mtime, "ctime": ctime, "inode": inode, **now}
    with Workspace() as workspace:
        workspace.execute(f"create table stat_cache ({stat_cache.COLUMNS})")
        workspace.load("stat_cache", [cached])
        workspace.execute(f"create table tree ({COLUMNS})")
        row = (
            seen["path"], seen.get("kind", "file"), seen["size"], False, seen["mtime"],
            seen["ctime"], seen["inode"], 1, None, None,
        )  # fmt: skip
        workspace.load("tree", [row])
        found = workspace.all(stat_cache.known_digests("tree"))
    assert found in ([], [(path, digest)])
    return bool(found)


def test_a_cache_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "er" / "cache [1]*?.parquet"
    other = ("z\n'", 0, -5, 0, 1, b"\xff" * 32, 7)
    save(file, other, ROW)
    assert loaded(file) == [ROW, other]
    assert [entry.name for entry in file.parent.iterdir()] == [file.name]
    save(file, other)
    assert loaded(file) == [other]


@pytest.mark.parametrize("field", ["size", "mtime", "ctime", "inode"])
def test_an_entry_is_trusted_only_while_nothing_differs(field: str) -> None:
    assert trusted(ROW)
    value = {"size": 10, "mtime": ROW[2], "ctime": ROW[3], "inode": ROW[4]}[field]
    assert not trusted(ROW, **{field: int(value) - 1})  # type: ignore[call-overload]
    assert not trusted(ROW, kind="symlink")


@pytest.mark.parametrize("column", [2, 3])
@pytest.mark.parametrize(
    ("age_ns", "expected"), [(2 * SECOND + 1, True), (2 * SECOND, False), (-SECOND, False)]
)
def test_an_entry_hashed_within_2_s_of_a_change_is_not_trusted(
    column: int, age_ns: int, expected: bool
) -> None:
    row = list(ROW)
    row[column] = NOW - age_ns
    assert trusted(tuple(row)) is expected


def test_a_cache_of_another_algorithm_is_empty(tmp_path: Path) -> None:
    file = tmp_path / "cache.parquet"
    save(file, ROW, algorithm="sha256")
    assert loaded(file, algorithm="blake3") == []
    assert loaded(file, algorithm="sha256") == [ROW]


def test_a_missing_or_foreign_file_is_an_empty_cache(tmp_path: Path) -> None:
    assert loaded(tmp_path / "missing.parquet") == []
    assert loaded(tmp_path) == []
    (tmp_path / "text").write_text("hello")
    assert loaded(tmp_path / "text") == []
    (tmp_path / "empty").touch()
    assert loaded(tmp_path / "empty") == []
    with Workspace() as workspace:
        workspace.write_parquet("select 1 as path, 'x' as size", tmp_path / "foreign.parquet")
    assert loaded(tmp_path / "foreign.parquet") == []


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damage_never_invents_an_entry(data: st.DataObject, tmp_path: Path) -> None:
    file = tmp_path / "cache.parquet"
    rows = [(f"f{n:03}", n, NOW, NOW, n, bytes([n]) * 32, NOW) for n in range(100)]
    save(file, *rows)
    raw = bytearray(file.read_bytes())
    position = data.draw(st.integers(0, len(raw) - 1))
    if data.draw(st.booleans()):
        raw[position] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del raw[position:]
    file.write_bytes(raw)
    assert set(loaded(file)) <= set(rows)


def test_where_the_cache_of_a_folder_lies(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder)

    def where(root: Path) -> Path:
        return stat_cache.location(root, cache_dir=cache, store_id="s1")

    assert where(folder).parent == cache / "s1" / "trees"
    assert where(folder) == where(tmp_path / "link") == where(folder / ".." / "folder")
    assert where(folder) != where(tmp_path)
    (folder / ".datacat").mkdir()
    (folder / ".datacat" / "copy.json").touch()
    assert where(folder) == folder / ".datacat" / "stat_cache.parquet"
