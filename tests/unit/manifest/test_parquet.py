"""A manifest from shared storage may be damaged or hostile: it is believed only when it fits."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from datacat import layout
from datacat.backend.download import StoredFile
from datacat.backend.memory import MemoryBackend
from datacat.catalog import record, record_parts
from datacat.catalog.fold import Fold
from datacat.digest import digest_of, label
from datacat.errors import Corrupt, Refused
from datacat.manifest import parquet
from datacat.manifest.entry import tree_digest
from datacat.opened import Client
from datacat.sql import Workspace
from datacat.store import Store

KEY = "manifests/ab/abcd-5d.parquet"
GOOD = """
    select 'a.txt' as path, 'file' as kind, 5::bigint as size, false as executable,
           0::bigint as mtime_ns, unhex(repeat('ab', 32)) as digest, null::varchar as target
"""


def written(workspace: Workspace, query: str) -> Path:
    path = workspace.folder / "manifest.parquet"
    workspace.write_parquet(query, path)
    return path


def assert_damaged(workspace: Workspace, path: Path) -> None:
    with pytest.raises(Corrupt) as caught:
        parquet.check_manifest(workspace, path, KEY)
    assert KEY in caught.value.message
    assert caught.value.kind == "manifest_damaged"
    assert len(caught.value.message) < 300
    # Also when it is one of several that are looked into together.
    others = {workspace.folder / f"{n}.parquet": f"manifests/ab/{n}.parquet" for n in range(3)}
    for other in others:
        workspace.write_parquet(GOOD, other)
    parquet.check_manifests(workspace, others)
    with pytest.raises(Corrupt) as among:
        parquet.check_manifests(workspace, dict([*others.items(), (path, KEY)]))
    assert among.value.message == caught.value.message
    with pytest.raises(Corrupt):
        parquet.check_manifests(workspace, dict([(path, KEY), *others.items()]))


GOOD_CHANGES = [
    "5 as size",
    "true as executable",
    "unhex(repeat('ab', 16)) as digest",
    "'symlink' as kind, 0 as size, null as digest, '../elsewhere' as target",
    "'dir' as kind, 0 as size, null as digest",
    "repeat('x', 60000) as path",
    "-1 as mtime_ns",
    f"{1 << 61} as size",
]


@pytest.mark.parametrize("change", GOOD_CHANGES)
def test_what_can_be_saved_is_believed(workspace: Workspace, change: str) -> None:
    changed = f"select * replace ({change}) from ({GOOD})"
    path = written(workspace, f"(from ({GOOD}) limit 0) union all {changed}")
    parquet.check_manifest(workspace, path, KEY)
    parquet.check_manifests(workspace, {path: KEY})


IMPOSSIBLE = [
    "null as path",
    "'' as path",
    "repeat('x', 10000000) as path",
    "null as kind",
    "'' as kind",
    "'socket' as kind",
    "repeat('file', 3000000) as kind",
    "null as size",
    "-1 as size",
    f"{(1 << 63) - 1} as size",
    "null as executable",
    "null as mtime_ns",
    "null as digest",
    "''::blob as digest",
    "unhex(repeat('ab', 31)) as digest",
    "unhex(repeat('ab', 10000000)) as digest",
    "'elsewhere' as target",
    "'symlink' as kind, 0 as size, null as digest, null as target",
    "'symlink' as kind, 0 as size, 'elsewhere' as target",
    "'symlink' as kind, 0 as size, null as digest, repeat('x', 10000000) as target",
    "'symlink' as kind, 0 as size, null as digest, 'x' as target, true as executable",
    "'dir' as kind, 0 as size",
    "'dir' as kind, 0 as size, null as digest, 'elsewhere' as target",
    "'dir' as kind, 5 as size, null as digest",
]


@pytest.mark.parametrize("change", IMPOSSIBLE)
def test_one_impossible_entry_among_many(workspace: Workspace, change: str) -> None:
    many = f"select * replace ('b' || range as path) from ({GOOD}), range(3000)"
    bad = f"select * replace ({change}) from ({GOOD})"
    path = written(workspace, f"select * exclude (range) from ({many}) union all {bad}")
    assert_damaged(workspace, path)


@pytest.mark.parametrize(
    "query",
    [
        f"{GOOD} union all {GOOD}",
        f"select * exclude (range) replace ('b' || range % 999 as path) from ({GOOD}), range(1000)",
        f"select * exclude (range) replace ('b' || range as path, {1 << 60} as size)"
        f" from ({GOOD}), range(8)",
        f"select * exclude (target) from ({GOOD})",
        f"select *, 1 as more from ({GOOD})",
        f"select kind, path, * exclude (kind, path) from ({GOOD})",
        f"select * rename (path as name) from ({GOOD})",
        f"select * replace (size::integer as size) from ({GOOD})",
        f"select * replace (size::double as size) from ({GOOD})",
        f"select * replace (size::hugeint::varchar as size) from ({GOOD})",
        f"select * replace (path::blob as path) from ({GOOD})",
        f"select * replace (hex(digest) as digest) from ({GOOD})",
        f"select * replace ([path] as path) from ({GOOD})",
        f"select * replace (executable::integer as executable) from ({GOOD})",
        "select 1 as one",
    ],
)
def test_other_columns_and_paths_twice(workspace: Workspace, query: str) -> None:
    assert_damaged(workspace, written(workspace, query))


def test_bytes_that_are_no_manifest(workspace: Workspace) -> None:
    many = f"select * exclude (range) replace ('b' || range as path) from ({GOOD}), range(300)"
    path = written(workspace, many)
    good = path.read_bytes()
    for data in [b"", b"PAR1", b"hello" * 99, good[:-9], good[9:], b"PAR1" + bytes(99) + b"PAR1"]:
        path.write_bytes(data)
        assert_damaged(workspace, path)
    refused = 0
    for offset in range(4, len(good) - 8, 41):
        path.write_bytes(good[:offset] + bytes([good[offset] ^ 0x21]) + good[offset + 1 :])
        try:
            parquet.check_manifest(workspace, path, KEY)
        except Corrupt as error:
            refused += KEY in error.message
            continue
        # What passed can be read to its end, whatever it says.
        parquet.attach(workspace, path, "listed")
        assert workspace.row("select count(*), count(distinct path) from listed")
        workspace.all("select * from listed")
    assert refused


def test_text_that_is_not_utf_8(workspace: Workspace) -> None:
    path = written(workspace, f"select * replace ('needle.txt' as path) from ({GOOD})")
    data = path.read_bytes()
    assert b"needle.txt" in data, "stored as it is"
    path.write_bytes(data.replace(b"needle.txt", b"needle\xff\xfe\xc0x"))
    assert_damaged(workspace, path)


def test_a_column_name_that_is_not_utf_8(workspace: Workspace) -> None:
    """DuckDB's own message about it cannot be decoded."""
    path = written(workspace, GOOD)
    path.write_bytes(path.read_bytes().replace(b"executable", b"executabl\xff"))
    assert_damaged(workspace, path)


def test_a_fetched_manifest_is_what_the_record_names(tmp_path: Path, workspace: Workspace) -> None:
    backend = MemoryBackend()
    data = written(workspace, GOOD).read_bytes()
    stored = StoredFile(KEY, len(data), label("blake3", digest_of("blake3", data)))
    workspace.execute(f"create view good as {GOOD}")
    tree = tree_digest(workspace, "good", algorithm="blake3").hex()

    def fetch(tree: str = tree) -> Path:
        return parquet.fetch(backend, workspace, stored, tmp_path, tree=tree, algorithm="blake3")

    with pytest.raises(Corrupt, match=KEY):
        fetch()
    backend.write(KEY, data)
    with pytest.raises(Corrupt, match=f"{KEY}.*other files than its hash 000000000000"):
        fetch("0" * 64)
    assert list(tmp_path.iterdir()) == []
    path = fetch()
    assert path.read_bytes() == data
    for damage in (b"", data[:-1], data[:50] + bytes([data[50] ^ 1]) + data[51:]):
        path.write_bytes(damage)
        assert fetch().read_bytes() == data
    path.unlink()
    backend.delete(KEY)
    backend.write(KEY, data[:-1] + b"x")
    with pytest.raises(Corrupt, match=KEY):
        fetch()
    assert list(tmp_path.iterdir()) == [], "nothing that was not checked is left"


# In a whole store: a record that names a hostile manifest, rightly


def hostile(tmp_path: Path, query: str, *, size: int = 0) -> Store:
    """A store whose version `cmr@v1` lists what `query` gives."""
    client = Client(user="mallory", host="hub", cache_dir=tmp_path / "cache")
    store = Store.create(str(tmp_path / "store"), client=client, name="s", shared=False)
    opened = store._opened
    session = "5" * 32
    with Workspace() as workspace:
        data = written(workspace, query).read_bytes()
        workspace.execute(f"create view hostile as {query}")
        tree = tree_digest(workspace, "hostile", algorithm="blake3")
    key = layout.manifest(tree.hex(), session)
    opened.backend.write(key, data)

    def make(fold: Fold, seq: int, prev: str) -> record.VersionAdd:
        return record.VersionAdd(
            seq=seq,
            txid="7" * 32,
            prev=prev,
            base=1,
            by="mallory",
            host="hub",
            client="x",
            at=datetime(2026, 11, 22, tzinfo=UTC),
            dataset="cmr",
            number=1,
            tree=label("blake3", tree),
            session=session,
            manifest=record_parts.StoredFile(
                key=key, size=len(data), digest=label("blake3", digest_of("blake3", data))
            ),
            files=1,
            bytes=size,
            changes=record_parts.ChangeCounts(added=1),
        )

    opened.catalog.writer().commit(make)
    return store


EMPTY = digest_of("blake3", b"").hex()
FILE = f"""
    select 'a' as path, 'file' as kind, 0::bigint as size, false as executable,
           0::bigint as mtime_ns, unhex('{EMPTY}') as digest, null::varchar as target
"""
LINK = "'symlink' as kind, null as digest, '/etc' as target"

ESCAPES = [
    "'../evil' as path",
    "'x/../../evil' as path",
    "'..' as path",
    "'.' as path",
    "'./evil' as path",
    "'/tmp/evil' as path",
    "'x//evil' as path",
    "'x/' as path",
    "'evil' || chr(0) || 'x' as path",
    "'.datacat/copy.json' as path",
    "'.datacat' as path",
    "'x/.datacat/copy.json' as path",
    "repeat('x', 300) as path",
    "repeat('x/', 3000) || 'x' as path",
]


@pytest.mark.parametrize("change", ESCAPES)
def test_a_path_that_leads_elsewhere_is_refused(tmp_path: Path, change: str) -> None:
    """Beside a good one: nothing at all is written, inside or outside."""
    query = f"select * replace ({change}) from ({FILE}) union all {FILE}"
    store = hostile(tmp_path, query)
    around = tmp_path / "around"
    around.mkdir()
    with pytest.raises((Corrupt, Refused)) as caught:
        store.pull("cmr", dest=around / "dest")
    assert len(caught.value.message) < 500
    left = [path for path in around.rglob("*") if ".datacat" not in path.parts]
    assert [path for path in left if path.name not in {"dest"}] == []
    assert not Path("/tmp/evil").exists()


@pytest.mark.parametrize(
    "second",
    [
        "'a/evil' as path",
        f"'a/b' as path, {LINK}",
        "'a/b/c/d' as path",
    ],
)
def test_nothing_lies_below_a_file_or_a_link(tmp_path: Path, second: str) -> None:
    for number, first in enumerate(["'a' as path", f"'a' as path, {LINK}"]):
        folder = tmp_path / str(number)
        folder.mkdir()
        query = f"select * replace ({first}) from ({FILE}) union all select * replace ({second})"
        store = hostile(folder, f"{query} from ({FILE})")
        with pytest.raises(Corrupt):
            store.pull("cmr", dest=folder / "dest")
        assert not (folder / "dest").exists() or os.listdir(folder / "dest") in ([], [".datacat"])


def test_case_twins_are_two_files_here(tmp_path: Path) -> None:
    names = ["A.txt", "a.txt", "é", "e\u0301", "aux", "con.txt", "x:y", "trailing.", "q?*"]
    many = " union all ".join(
        f"select * replace ('{name}' as path) from ({FILE})" for name in names
    )
    store = hostile(tmp_path, many)
    dest = tmp_path / "dest"
    try:
        store.pull("cmr", dest=dest)
    except Refused:
        assert not (tmp_path / "a").exists()
        return
    assert sorted(path.name for path in dest.iterdir() if path.name != ".datacat") == sorted(names)


def test_every_verb_answers_a_hostile_manifest_in_words(tmp_path: Path) -> None:
    giant = f"select * exclude (range) replace ({(1 << 63) - 1} as size, 'b' || range as path)"
    store = hostile(tmp_path, f"{giant} from ({FILE}), range(3)")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_bytes(b"x")
    for ask in (
        lambda: store.pull("cmr", dest=tmp_path / "dest"),
        lambda: list(store.files("cmr")),
        lambda: store.diff("cmr@v1", str(tmp_path / "folder")),
        lambda: store.add(tmp_path / "folder", name="cmr", force=True),
        store.du,
    ):
        with pytest.raises(Corrupt, match="manifests/"):
            ask()
    assert store.ls().datasets[0].name == "cmr"
    (result,) = store.verify(["cmr"])
    assert len(result.damaged) == 1
