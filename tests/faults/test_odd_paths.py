"""Stores, caches, folders and destinations whose own paths hold characters that mean something."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from datacat.errors import InvalidInput
from datacat.store import Store
from tests.faults.situation import client, content, run, write

NAMES = {
    "brackets": "a[b]c",
    "star": "a*c",
    "question": "a?b",
    "quotes": 'it\'s "a"',
    "newline": "a\nb",
    "escape": "a\x1b[31mb",
    "backslash": "a\\b",
    "many": " -rf 100%20%s #a:b {0}${HOME} é名😀 ",
    "long": "x" * 255,
}
DECOYS = ("abc", "axc", "aXb")
"""What `a[b]c`, `a*c` and `a?b` would match, were they taken for patterns."""


def everything_works(store: Store, root: Path, name: str) -> None:
    """Every verb, with a folder and a destination of that name."""
    source = write(root / "src" / name, {"in/f": "1", "t.csv": "a,b\n1,2\n", "big": b"x" * 300_000})
    for decoy in DECOYS:
        write(root / "src" / decoy, {"wrong": "wrong"})
        write(root / "dst" / decoy, {"wrong": "wrong"})
    assert store.add(source, name="d").version.ref == "d@v1"
    copy = root / "dst" / name
    store.pull("d", dest=copy)
    assert content(copy) == content(source)
    assert [e.state for e in store.status([copy])] == ["unchanged"]
    (copy / "t.csv").write_text("a,b\n1,2\n3,4\n")
    assert store.diff(str(copy)).modified == 1
    (entry,) = store.status([copy])
    assert (entry.state, len(entry.changes)) == ("changed", 1)
    assert store.add(copy).version.ref == "d@v2"
    assert store.pull("d@v1", dest=copy).previous == "d@v2"
    assert content(copy) == content(source)
    assert store.diff("d@v1", "d@v2").modified == 1
    assert [d.name for d in store.ls().datasets] == ["d"]
    assert len(list(store.files("d"))) == 3
    assert store.show("d").version.ref == "d@v2"
    assert len(store.log("d")) == 2
    assert all(r.ok for r in store.verify(everything=True))
    assert all(r.ok for r in store.verify([str(copy)]))
    for decoy in DECOYS:
        assert set(content(root / "dst" / decoy)) == {"wrong"}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_all_commands_work_under_odd_paths(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "st" / name
    place.parent.mkdir()
    for decoy in DECOYS:
        write(tmp_path / "cache" / decoy, {"wrong": "wrong"})
    (tmp_path / "tmp" / name).mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp" / name))
    cache = tmp_path / "cache" / ("fine" if set(name) & set("?\\") else name)
    store = Store.create(str(place), client=client(cache))
    everything_works(store, tmp_path, name)


@pytest.mark.parametrize("character", ["?", "\\"])
def test_a_cache_that_duckdb_would_look_for_elsewhere(tmp_path: Path, character: str) -> None:
    name = f"c{character}che"
    store = Store.create(str(tmp_path / f"st{character}re"), client=client(tmp_path / name))
    with pytest.raises(InvalidInput) as caught:
        store.ls()
    assert caught.value.kind == "bad_cache_dir"
    assert f"cache folder {tmp_path}/{name}/" in str(caught.value)
    assert f"has a '{character}' in its path" in str(caught.value)
    assert caught.value.commands[0].startswith("datacat config set cache_dir")
    assert set(content(tmp_path)) & {"c", "c/che"} == set()


def test_a_cache_or_temporary_folder_that_is_not_utf8(tmp_path: Path) -> None:
    Store.create(str(tmp_path / "store"), client=client(tmp_path / "c")).close()
    odd = tmp_path / "f\udcff"
    odd.mkdir()
    for variable in ("XDG_CACHE_HOME", "TMPDIR"):
        done = run(
            "ls" if variable != "TMPDIR" else "status",
            store=tmp_path / "store",
            home=write(tmp_path / "home", {"f": "1"}),
            **{variable: str(odd)},
        )
        assert done.code == 2
        assert "f\\xff" in done.err
        assert "is not UTF-8" in done.err


def test_the_command_in_a_folder_with_every_odd_character(tmp_path: Path) -> None:
    odd = "a [b]*?' \"%20#\n né 名"
    here = write(tmp_path / odd, {"src/f": "1"})
    where = {"store": here / "st", "home": tmp_path / "h", "cwd": here}
    assert run("init", str(here / "st"), "--yes", **where).code == 0
    assert run("add", "src", **where).out == "src@v1\n"
    done = run("pull", "src", "-d", "co py[1]?", **where)
    assert (done.code, done.out) == (0, f"{here}/co py[1]?\n")
    assert len(done.err.splitlines()) == 1
    (here / "co py[1]?" / "f").write_text("2")
    done = run("pull", "src", "-d", "co py[1]?", **where)
    assert done.code == 6
    # What can be pasted is quoted.
    assert "datacat add './co py[1]?'" in done.err
    for command in ("ls", "status", "verify --all", "diff src"):
        assert run(*command.split(), **where).code == 0


def test_a_path_of_300_characters(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["folder-of-30-characters-012345"] * 10)
    deep.mkdir(parents=True)
    store = Store.create(str(deep / "store"), client=client(deep / "cache"))
    everything_works(store, deep, "d" * 200)
