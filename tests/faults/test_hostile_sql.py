"""Whatever is asked in SQL: nothing outside the store is read, and nothing at all is written."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from datacat.errors import InvalidInput, NotFound, Refused
from datacat.inside import asking
from datacat.store import Store
from tests.chunked import added
from tests.conftest import make_client, make_store
from tests.faults.hostile_sql import READING, WRITING, statements

SECRET = "what-nobody-may-see"


@dataclass
class Scene:
    store: Store
    outside: Path
    names: dict[str, str]

    def state(self) -> dict[str, str]:
        """Every file below the test's folder and what it holds, but for the catalog's own cache of
        what is linked to the store, which any command may renew."""
        top = self.outside.parent
        return {
            str(path.relative_to(top)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in top.rglob("*")
            if path.is_file() and path.name != "copies.json"
        }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    tmp_path = tmp_path_factory.mktemp("hostile")
    store = make_store("posix", tmp_path, client=make_client(tmp_path))
    added(store, tmp_path / "cmr", {"labels.csv": b"id,v\n1,2\n", "a.txt": b"text"})
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.csv").write_text(f"word\n{SECRET}\n")
    assert store.sql("select count(*) from files").rows() == [(2,)]
    cache = store._opened.cache
    return Scene(
        store,
        outside,
        {
            "secret": str(outside / "secret.csv"),
            "folder": str(outside),
            "name": outside.name,
            "new": str(outside / "new"),
            "store": store.url,
            "catalog": str(next(cache.glob("catalog-*.duckdb"))),
            "manifest": str(next((cache / "manifests").glob("*.parquet"))),
        },
    )


@pytest.fixture
def scene(made: Scene, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """One for all of them: nothing is written there."""
    monkeypatch.chdir(made.outside)
    return made


def test_there_are_enough_of_them() -> None:
    assert len(set(statements())) > 250


def leaked(scene: Scene, question: str) -> str:
    """What came back that should not have: text of files outside, or a traceback."""
    said = ""
    try:
        with scene.store.sql(question) as answer:
            said = repr(answer.rows())
    except (InvalidInput, NotFound, Refused) as error:
        said = f"{error.message} {error.hint}"
    looked = said.lower()
    signs = (SECRET, SECRET.encode().hex(), "root:x", "traceback")
    return said if any(sign in looked for sign in signs) else ""


@pytest.mark.parametrize("first_lock", [True, False])
def test_no_statement_reads_outside_or_writes(
    scene: Scene,
    first_lock: bool,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    """Also without the check of the statement: the connection itself is locked."""
    if first_lock:
        record_property("hostile SQL", len(set(statements())))
    else:
        monkeypatch.setattr(asking, "check_question", lambda _connection, _text: None)
    before = scene.state()
    for statement in sorted(set(statements())):
        if not first_lock and statement.startswith("export"):
            continue  # DuckDB makes the folder before it looks whether it may
        # Also with a file of a version at hand.
        question = f"{statement.format(**scene.names)} -- 'datacat://cmr@v1/labels.csv'"
        assert leaked(scene, question) == "", question
        assert not (scene.outside / "new").exists(), question
    assert scene.state() == before


@pytest.mark.parametrize("statement", [one for one in WRITING if not one.startswith("from ")])
def test_whatever_writes_is_refused_in_the_same_words(scene: Scene, statement: str) -> None:
    question = statement.format(**scene.names)
    with pytest.raises((Refused, InvalidInput)) as caught:
        scene.store.sql(question).rows()
    if isinstance(caught.value, Refused):
        assert caught.value.kind == "sql_read_only"
        assert caught.value.message.startswith("sql is read-only")
    else:
        # DuckDB does not know it, or it is several.
        assert caught.value.kind == "bad_sql"


@pytest.mark.parametrize(
    "statement", [one for one in READING if "read_" in one and "{secret}" in one]
)
def test_whatever_reads_outside_is_told_where_it_may_read(scene: Scene, statement: str) -> None:
    with pytest.raises(Refused) as caught:
        scene.store.sql(statement.format(**scene.names)).rows()
    assert caught.value.kind == "sql_outside"
    assert "datacat://" in caught.value.message


def test_a_cache_below_a_path_that_looks_like_a_pattern_shows_its_own_files(
    tmp_path: Path,
) -> None:
    """`a[b]c` must not read the lists in `abc`, and must find its own."""
    for folder, text in (("a[b]c", b"id\n1\n"), ("abc", b"id\n1\n2\n")):
        place = tmp_path / folder
        place.mkdir()
        store = make_store("posix", place, client=make_client(place))
        added(store, place / "cmr", {f"{len(text)}.csv": text})
        assert store.sql("select path, bytes from files").rows() == [
            (f"{len(text)}.csv", len(text))
        ]
