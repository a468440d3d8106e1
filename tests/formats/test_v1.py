"""A store of format 1 stays readable, byte for byte, and today's writer still writes format 1."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from datacat import layout
from datacat.backend.memory import MemoryBackend
from datacat.backend.open import open_backend
from datacat.catalog import bundle, record, record_parts
from datacat.digest import checksum, checksums, digest_of
from datacat.manifest.entry import DDL, tree_digest
from datacat.objects.codec import RAW, ZSTD, decode
from datacat.objects.pack import PackWriter, read_footer
from datacat.opened import Client
from datacat.sql import Workspace, parquet
from datacat.store import Store
from tests.formats.make_v1 import ARCHIVE, TREES, Content, make, unpack, write_tree


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store that is checked in."""
    return unpack(tmp_path_factory.mktemp("v1"))


@pytest.fixture
def store(old: Path, tmp_path: Path) -> Store:
    return Store.open(str(old), client=Client(user="bob", host="x", cache_dir=tmp_path / "cache"))


def test_what_is_checked_in_is_what_was() -> None:
    """Not to be changed: a new format gets an archive of its own, beside this one."""
    digest = "524105fa0583f66187416757f81baa525f4b308abd0ec5db492b3239ae05dc72"
    assert hashlib.sha256(ARCHIVE.read_bytes()).hexdigest() == digest
    assert ARCHIVE.stat().st_size < 60_000


def in_folder(root: Path) -> Content:
    """What a pull made, in the words of `TREES`."""
    found: Content = {}
    for path in root.rglob("*"):
        name = str(path.relative_to(root))
        if name.startswith(".datacat"):
            continue
        if path.is_symlink():
            found[name] = ("link", os.readlink(path))
        elif path.is_dir():
            if not any(path.iterdir()):
                found[name] = ("folder", "")
        else:
            kind = "program" if path.stat().st_mode & 0o100 else "file"
            found[name] = (kind, path.read_bytes())
            assert path.stat().st_mtime_ns == 1_764_000_000_123_456_789
    return found


@pytest.mark.parametrize("ref", sorted(TREES))
def test_every_version_comes_back(store: Store, tmp_path: Path, ref: str) -> None:
    store.pull(ref, dest=tmp_path / "out")
    assert in_folder(tmp_path / "out") == TREES[ref]
    assert {file.path for file in store.files(ref)} == TREES[ref].keys()
    (result,) = store.verify([ref])
    assert result.ok


def test_everything_verifies(store: Store) -> None:
    (result,) = store.verify(everything=True)
    assert result.ok
    assert result.checked == 16


def test_an_edit_is_kept_as_chunks(old: Path) -> None:
    """`a.raw` was inserted into: its old chunks are indexed where they lie in the whole container,
    and the one new chunk was made against the old one."""
    (path,) = (old / "segments").glob("*c.chunks.parquet")
    with Workspace() as workspace:
        rows = workspace.all(
            "select starts_with(container, 'whole/'), size, stored_size, reference is not null"
            f" from {parquet(path)}"
        )
    inside = [size for whole, size, stored, made in rows if whole and size == stored and not made]
    ((_, size, stored, made),) = (row for row in rows if not row[0])
    assert sum(inside) == 20_000
    assert (size, made) == (1179, True)
    assert stored < 40


def test_what_it_takes(store: Store) -> None:
    use = store.du()
    versions = {one.name: store.versions(one.name) for one in store.ls().datasets}
    assert {(one.name, one.versions, one.logical_bytes) for one in use.datasets} == {
        (name, len(listed), sum(v.bytes for v in listed)) for name, listed in versions.items()
    }
    stored = sum(path.stat().st_size for path in Path(store.url).rglob("*") if path.is_file())
    assert use.on_disk_bytes + use.trash_bytes + use.unused_bytes == stored
    assert use.unused_bytes == 0
    # An edit is read from parts of the content that it was made from.
    scans = next(one for one in use.datasets if one.name == "scans")
    assert scans.only_here_bytes == scans.on_disk_bytes < scans.logical_bytes


def test_what_is_known_of_it(store: Store) -> None:
    assert store.info.name == "imaging"
    assert store.info.description == "A store of format 1"
    cmr, scans, unet = store.ls(sort="name").datasets
    assert (scans.name, scans.versions, scans.tags) == ("scans", 2, ())
    assert (cmr.name, cmr.tags, cmr.description) == ("cmr", ("cardiac",), "Short-axis cine")
    assert dict(cmr.aliases) == {"gold": "v1"}
    assert (unet.name, unet.owner) == ("unet", "alice")
    second, first = store.versions("cmr")
    assert (first.ref, first.files, first.bytes, first.new_bytes) == ("cmr@v1", 7, 3133, 3133)
    assert first.created_at == datetime(2026, 11, 22, 9, 16, tzinfo=UTC)
    assert (second.base, second.changes and second.changes.modified) == ("cmr@v1", 2)
    (weights,) = store.versions("unet")
    assert weights.sources == ("cmr@v2",)
    assert dict(weights.params) == {"lr": 3e-4, "epochs": 80, "augment": True, "note": None}
    assert dict(weights.metrics) == {"dice": 0.912}
    assert weights.code is not None
    assert (weights.code.repo, weights.code.commit, weights.code.dirty) == ("seg", "4f2c1aa", True)


def test_it_can_be_continued(tmp_path: Path) -> None:
    """Content that the old release saved is recognised, and a version can be added."""
    old = unpack(tmp_path)
    client = Client(user="bob", host="x", cache_dir=tmp_path / "cache")
    with Store.open(str(old), client=client) as store:
        folder = tmp_path / "copy"
        folder.mkdir()
        write_tree(folder, TREES["cmr@v1"])
        again = store.add(folder)
        assert (again.created, again.version.ref) == (False, "cmr@v1")
        (folder / "new.txt").write_bytes(b"new")
        added = store.add(folder, name="cmr", force=True).version
        assert (added.ref, added.new_bytes) == ("cmr@v3", 3)
        assert all(result.ok for result in store.verify(everything=True))


# Today's writer


def old_files() -> dict[str, bytes]:
    with tarfile.open(ARCHIVE) as tar:
        opened = {member.name: tar.extractfile(member) for member in tar.getmembers()}
        return {name: file.read() for name, file in opened.items() if file is not None}


def without_derived(data: bytes) -> dict[str, Any]:
    """A record without what depends on how DuckDB writes Parquet."""
    found: dict[str, Any] = json.loads(data)
    for name in ("check", "prev"):
        del found[name]
    for name in ("manifest", "chunks", "recipes"):
        for derived in ("size", "digest"):
            if found.get(name) is not None:
                del found[name][derived]
    return found


_COUNTED = re.compile(rb"0{28}[0-9a-f]{4}")


def counted_ids(files: dict[str, bytes]) -> list[bytes]:
    """The ids that the client counted, as far as the store has them: in order."""
    texts = [key.encode() for key in files]
    texts += [data for key, data in files.items() if key.endswith(".json")]
    return sorted({one for text in texts for one in _COUNTED.findall(text)})


def renamed(text: bytes, names: dict[bytes, bytes]) -> bytes:
    return _COUNTED.sub(lambda match: names[match[0]], text)


def test_the_same_content_is_written_the_same(tmp_path: Path) -> None:
    """Keys, hence every digest of a tree; records; packs; all but the bytes of Parquet."""
    store = make(tmp_path)
    old = old_files()
    keys = {found.key for found in open_backend(str(store)).keys("")} - {*layout.RECOVERY}
    written = {key: (store / key).read_bytes() for key in keys}
    # Which of the counted ids are used is not part of the format, only where the same one is.
    rename = dict(zip(counted_ids(written), counted_ids(old), strict=True))
    new = {renamed(key.encode(), rename).decode(): key for key in keys}
    assert new.keys() == old.keys()
    for key in sorted(new):
        data = written[new[key]]
        if key.endswith(".json"):
            data = renamed(data, rename)
        if key.startswith((layout.MANIFESTS, layout.SEGMENTS)):
            rows = [
                tuple(
                    renamed(v.encode(), rename).decode() if isinstance(v, str) else v for v in row
                )
                for row in columns(data)
            ]
            assert rows == columns(old[key])
        elif key.startswith(layout.LOG) and not key.endswith("1.json"):
            assert without_derived(data) == without_derived(old[key])
            assert list(json.loads(data)) == list(json.loads(old[key])), "and in the same order"
        elif key.startswith(layout.PACKS):
            assert contents(data) == contents(old[key])
        else:
            assert data == old[key], key


def columns(data: bytes) -> list[tuple[object, ...]]:
    """The rows of a Parquet file, in their order. Of packed chunks only what is not zstd's."""
    with Workspace() as workspace:
        path = workspace.folder / "file.parquet"
        path.write_bytes(data)
        source = f"read_parquet('{path}')"
        names = workspace.all(f"describe select * from {source}")
        volatile = {"offset", "stored_size", "checksums"} if names[0][0] == "digest" else set()
        kept = ", ".join(f'"{row[0]}"' for row in names if row[0] not in volatile)
        return [tuple(names), *workspace.all(f"select {kept} from {source}")]


def contents(data: bytes) -> list[tuple[bytes, str, bytes | None, int]]:
    """What a pack holds: digest, codec, reference and size of each chunk."""
    backend = MemoryBackend()
    backend.write("packs/00/x.pack", data)
    found = []
    for entry in read_footer(backend, "packs/00/x.pack", size_bytes=len(data)):
        frame = data[entry.offset : entry.offset + entry.stored_size]
        assert checksum(frame) == entry.checksum
        if entry.reference is None:
            plain = bytes(decode(frame, codec=entry.codec, size=entry.size))
            assert digest_of("blake3", plain) == entry.digest
        found.append((entry.digest, entry.codec, entry.reference, entry.size))
    return found


# Golden bytes, one kind of file each


def test_golden_pack() -> None:
    """Two frames: one as it is, one that says it is zstd."""
    backend = MemoryBackend()
    writer = PackWriter(backend, "packs/00/x.pack", digest_bytes=16)
    writer.append(b"D" * 16, b"hello", size=5, codec=RAW)
    writer.append(b"E" * 16, b"\x28\xb5\x2f\xfd", size=9, codec=ZSTD)
    writer.finish()
    assert backend.read("packs/00/x.pack").hex(" ", -8) == GOLDEN_PACK


GOLDEN_PACK = (
    "444341545041434b 0100100000000000 68656c6c6f28b52f fd44444444444444 4444444444444444 "
    "4410000000000000 0005000000050000 0000000000fddc62 5c55e85595000000 0000000000000000 "
    "0000000000454545 4545454545454545 4545454545150000 0000000000040000 0009000000010000 "
    "0091ff0813539ec0 6400000000000000 0000000000000000 0019000000000000 0002000000000000 "
    "003affb3c9a4d76c 024443415450454e 44"
)


def test_golden_checksums() -> None:
    assert checksum(b"").hex() == "c294d3380580062d"
    assert checksums(bytes((1 << 20) + 1)).hex() == "34bf5005b9808791dbec4e07f4df4bc4"
    assert checksums(b"") == b""


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("blake3", "595de6f66f4fc2beea360664441c89f5341a4a0fbd21086df8a35b3ce7a5ead1"),
        ("sha256", "4ab857c13a4cad6959a5c1082e783f8d8bb4d16d18ea86fa38679b466bed36de"),
        ("xxh3-128", "815e30e07fbb4576fd1bf23df66492ac"),
    ],
)
def test_golden_tree_digest(algorithm: str, expected: str) -> None:
    size = {"blake3": 32, "sha256": 32, "xxh3-128": 16}[algorithm]
    with Workspace() as workspace:
        workspace.execute(f"create table t ({DDL})")
        workspace.load(
            "t",
            [
                ("é", "file", 7, True, 1, bytes(range(size)), None),
                ("z", "symlink", 0, False, 2, None, "../a b"),
                ("Z\n", "dir", 0, False, 3, None, None),
                ("\U0001f600/x", "file", 0, False, 4, bytes(size), None),
                ("\uffee", "file", 1 << 40, False, 5, b"\xff" * size, None),
            ],
        )
        assert tree_digest(workspace, "t", algorithm=algorithm).hex() == expected


def test_golden_record() -> None:
    digest = "blake3:" + "ab" * 32
    made = record.VersionAdd(
        seq=7,
        txid="1" * 32,
        prev="2" * 64,
        base=6,
        by="alice",
        host="hub",
        client="datacat 1",
        at=datetime(2026, 11, 22, 9, 14, 3, tzinfo=UTC),
        dataset="cmr",
        number=3,
        tree=digest,
        session="5" * 32,
        manifest=record_parts.StoredFile(
            key=layout.manifest("ab" * 32, "5" * 32), size=1500, digest=digest
        ),
        files=2,
        bytes=30,
        message="für „alle“ \u2028 \U0001f600",
        params={"lr": 3e-4, "n": -1, "on": True, "none": None, "text": '"\\\n'},
        tags=("cardiac",),
        segments=(2, 5),
    )
    assert record.encode(made) == GOLDEN_RECORD
    assert record.decode(GOLDEN_RECORD, "x") == made


GOLDEN_RECORD = (
    b'{"check":"9be2a9e4de0d52a4","op":"version.add","format":1,"seq":7,"txid":"111111'
    b'11111111111111111111111111","prev":"22222222222222222222222222222222222222222222'
    b'22222222222222222222","base":6,"crit":[],"by":"alice","host":"hub","client":"dat'
    b'acat 1","at":"2026-11-22T09:14:03Z","dataset":"cmr","number":3,"tree":"blake3:ab'
    b'ababababababababababababababababababababababababababababababab","session":"55555'
    b'555555555555555555555555555","manifest":{"key":"manifests/ab/abababababababababa'
    b"babababababababababababababababababababababab-55555555555555555555555555555555.p"
    b'arquet","size":1500,"digest":"blake3:abababababababababababababababababababababa'
    b'babababababababababab"},"chunks":null,"recipes":null,"files":2,"bytes":30,"new_b'
    b'ytes":0,"stored_bytes":0,"changes":{"added":0,"modified":0,"removed":0},"message'
    b'":"f\xc3\xbcr \xe2\x80\x9ealle\xe2\x80\x9c \xe2\x80\xa8 \xf0\x9f\x98\x80'
    b'","base_version":null,"sources":[],"params":{"lr":0.0'
    b'003,"n":-1,"on":true,"none":null,"text":"\\"\\\\\\n"},"metrics":{},"code":null,"sket'
    b'ch":"","description":null,"tags":["cardiac"],"aliases":[],"segments":[2,5]}\n'
)


def test_golden_bundle() -> None:
    """What zstd makes of the lines may change with its version; what they are may not."""
    lines = [b'{"check":"0123456789abcdef","op":"a"}\n', b'{"x":1}\n']
    golden = base64.b64decode(
        "KLUv/QRYcQEAeyJjaGVjayI6IjAxMjM0NTY3ODlhYmNkZWYiLCJvcCI6ImEifQp7IngiOjF9CvFPa8w="
    )
    assert list(bundle.decode([golden], "x")) == lines
    made = bundle.encode(lines)
    assert list(bundle.decode([made], "x")) == lines
    assert made[:4] == golden[:4]
    assert made[4] & 0b100, "with a content checksum"
