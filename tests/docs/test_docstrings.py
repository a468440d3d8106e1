"""The examples in the docstrings of what a program calls run, and show what they say."""

from __future__ import annotations

import doctest
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import datacat
from datacat import front
from datacat.opened import Client
from datacat.store import Store

VERBS = (
    *("add", "pull", "ls", "files", "show", "status", "diff", "log", "du", "doctor", "verify"),
    *("alias", "unalias", "aliases", "edit", "rename", "lineage"),
    *("rm", "restore", "gc"),
    *("scan", "adopt", "undo_adopt"),
    "reach",
    "sql",
    "connect",
    "head",
    "names_dataset",
    "find_files",
    *("copy", "clone"),
)


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, object]]:
    """What an example finds: alice's `store` at `url`, with `cmr` saved from `./cmr`."""
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setenv("DATACAT_USER", "alice")
    monkeypatch.delenv("DATACAT_STORE", raising=False)
    monkeypatch.chdir(tmp_path)
    url = str(tmp_path / "store")
    client = Client(user="alice", host="hub", cache_dir=tmp_path / "cache", jobs=2)
    (tmp_path / "cmr" / "sub-1").mkdir(parents=True)
    (tmp_path / "cmr" / "labels.csv").write_text("id,v\n1,2\n")
    (tmp_path / "cmr" / "sub-1" / "sax.bin").write_bytes(b"\0\1\2\3")
    with Store.create(url, name="lab", client=client) as store:
        store.add("cmr", message="first import")
        with Store.create(str(tmp_path / "archive"), client=client) as archive:
            given = {"store": store, "url": url, "archive": archive}
            yield {**given, "Path": Path, "datacat": datacat}


def check(called: Callable[..., object], names: dict[str, object]) -> int:
    """Run the examples of one docstring; how many there were."""
    text = inspect.getdoc(called) or ""
    parsed = doctest.DocTestParser().get_doctest(text, names, called.__qualname__, None, 0)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    said: list[str] = []
    runner.run(parsed, out=said.append)
    assert not runner.failures, "".join(said)
    return len(parsed.examples)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_an_example_that_runs(verb: str, names: dict[str, object]) -> None:
    assert check(getattr(Store, verb), names) >= 1


@pytest.mark.parametrize("verb", [datacat.open, datacat.path, datacat.connect])
def test_so_have_those_that_open_a_version(
    verb: Callable[..., object], names: dict[str, object]
) -> None:
    assert check(verb, names) >= 1


def test_opening_a_store_has_one_too(names: dict[str, object]) -> None:
    assert check(front.open_store, names) >= 1
    assert check(front.doctor, names) >= 1


def test_no_other_method_goes_without_a_word() -> None:
    public = [getattr(Store, name) for name in dir(Store) if not name.startswith("_")]
    assert len(public) > 15
    assert all(inspect.getdoc(one) for one in public)
