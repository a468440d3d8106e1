"""A word that may be a version or a folder means the same in every command that takes one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from datacat.errors import InvalidInput, NotFound
from datacat.model import Version
from datacat.opened import Client
from datacat.store import Store
from datacat.working_copy.naming import Word, find_meaning


@pytest.fixture
def store(
    tmp_path: Path, client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Store]:
    """The datasets `cmr` and `here` are saved; `./cmr` and `./other` exist, `./here` does not."""
    monkeypatch.chdir(tmp_path)
    with Store.create(str(tmp_path / "store"), client=client()) as opened:
        for name in ("cmr", "here"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "a.txt").write_text(name)
            opened.add(name)
        (tmp_path / "here").rename(tmp_path / "other")
        (tmp_path / "plain").mkdir()
        (tmp_path / "plain" / "a.txt").write_text("cmr")
        yield opened


def meaning(store: Store, word: Word) -> str:
    """What a word means: a reference, or a path relative to the current folder."""
    found = find_meaning(store._query(), word)
    return found.ref if isinstance(found, Version) else f"./{found.relative_to(Path.cwd())}"


@pytest.mark.parametrize(
    ("word", "means"),
    [
        ("cmr", "cmr@v1"),
        ("CMR@1", "cmr@v1"),
        ("here", "here@v1"),
        ("datacat://cmr@v1", "cmr@v1"),
        ("./cmr", "./cmr"),
        ("cmr/", "./cmr"),
        ("cmr/a.txt", "./cmr/a.txt"),
        ("other", "./other"),
        ("plain", "./plain"),
        (".", "./."),
        (Path("cmr"), "./cmr"),
    ],
)
def test_a_word_is_one_or_the_other(store: Store, word: Word, means: str) -> None:
    assert meaning(store, word) == means


def test_what_is_neither_is_named(store: Store) -> None:
    for word in ("./here", "here/", Path("here"), "~/cmr", "/no/such"):
        with pytest.raises(NotFound, match="does not exist") as raised:
            find_meaning(store._query(), word)
        assert (raised.value.kind, raised.value.hint) == ("path_not_found", None)
    with pytest.raises(NotFound, match="no dataset named 'crm'") as raised:
        find_meaning(store._query(), "crm")
    assert raised.value.kind == "dataset_not_found"
    with pytest.raises(NotFound) as raised:
        find_meaning(store._query(), "cmr@v1/a.txt")
    assert raised.value.hint == "A word with a / is a path here. For the version:  cmr@v1"
    with pytest.raises(InvalidInput, match="is not a dataset name"):
        find_meaning(store._query(), "no such")


def test_verify_reads_the_version_or_the_folder(store: Store) -> None:
    assert [r.target for r in store.verify(["cmr", "./cmr", "other"])] == ["cmr@v1", "cmr", "other"]
    Path("cmr/a.txt").write_text("CMR")
    assert [r.ok for r in store.verify(["cmr", "cmr@v1", "./cmr", Path("cmr")])] == [
        *(True, True),
        *(False, False),
    ]
    with pytest.raises(InvalidInput, match="plain is not a working copy") as raised:
        store.verify(["plain"])
    assert raised.value.commands == ("datacat status plain",)


def test_verify_without_a_word_is_about_the_copy_around(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    (Path("cmr") / "sub").mkdir()
    assert [r.target for r in store.verify()] == [store.url]
    monkeypatch.chdir("cmr/sub")
    assert [(r.target, r.checked) for r in store.verify()] == [("..", 1)]


def test_diff_takes_both(store: Store) -> None:
    Path("cmr/a.txt").write_text("changed")
    for a, b in (("cmr", "./cmr"), ("cmr@v1", Path("cmr")), ("./cmr", None), ("plain", "cmr/")):
        assert [(c.path, c.change.value) for c in store.diff(a, b).changes] == [
            ("a.txt", "modified")
        ]
    assert store.diff("cmr", "plain").changes == ()
    with pytest.raises(InvalidInput, match="plain is not a working copy"):
        store.diff("plain")


def test_a_source_is_a_version_or_a_copy_of_one(store: Store, tmp_path: Path) -> None:
    Path("out").mkdir()
    Path("out/x").write_text("1")
    saved = store.add("out", sources=["cmr", "./cmr", "other", Path("other"), "here@v1"])
    assert saved.version.sources == ("cmr@v1", "here@v1")
    with pytest.raises(InvalidInput, match="plain is not a working copy of this store"):
        store.add("out", sources=["plain"], new_version=True)


def test_a_copy_of_another_store_is_no_source(
    store: Store, tmp_path: Path, client: Callable[..., Client]
) -> None:
    with Store.create(str(tmp_path / "second"), client=client()) as second:
        Path("out").mkdir()
        Path("out/x").write_text("1")
        with pytest.raises(InvalidInput, match="not a working copy of this store"):
            second.add("out", sources=["./cmr"])
