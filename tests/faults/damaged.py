"""A small real store of every kind of file, and damage done to one file at a time."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from datacat import layout
from datacat.catalog.fold import Fold
from datacat.catalog.record import DatasetEdit, Record
from datacat.model import Parameters
from datacat.objects.pack import read_footer
from datacat.opened import Client, open_store
from datacat.store import Store
from tests.conftest import EFFORT

Tree = dict[str, bytes]
"""Path and content of each regular file of a version."""


@dataclass
class Scene:
    """A store, what its versions hold, and where each content lies in it."""

    root: Path
    versions: dict[str, Tree]
    keys: dict[str, list[str]] = field(default_factory=dict)
    frames: dict[str, list[tuple[int, int, bytes]]] = field(default_factory=dict)
    """Of each pack: first and last offset of a frame, and the digest of its content."""
    references: dict[bytes, bytes] = field(default_factory=dict)
    """Of chunks that were made against another one: the digest of that one."""
    clients: int = 0

    @property
    def store(self) -> Path:
        return self.root / "store"

    def client(self, *, like: Path | None = None) -> Store:
        """Somebody else with a cold cache, or one that is a copy of the folder `like`."""
        self.clients += 1
        cache = self.root / f"cache-{self.clients}"
        if like is not None:
            shutil.copytree(like, cache)
        return Store.open(str(self.store), client=client_of(cache))

    def fresh(self) -> Path:
        """A place where nothing is."""
        self.clients += 1
        return self.root / f"out-{self.clients}"

    @contextmanager
    def damaged(self, key: str, data: bytes | None) -> Iterator[None]:
        """While inside, the file holds other bytes, or is gone."""
        path = self.store / key
        kept = path.read_bytes()
        path.unlink()
        try:
            if data is not None:
                path.write_bytes(data)
            yield
        finally:
            path.unlink(missing_ok=True)
            path.write_bytes(kept)
            path.chmod(0o444)


def client_of(cache: Path) -> Client:
    return Client(user="bob", host="hub", cache_dir=cache, jobs=1)


def make_scene(root: Path, *, bundled: bool) -> Scene:
    """Two datasets, four versions: packs, whole containers, links, empty files and folders."""
    made = random.Random(11)
    work = root / "work"
    client = Client(
        user="alice",
        host="hub",
        cache_dir=root / "cache",
        jobs=1,
        now=lambda: datetime(2026, 11, 22, tzinfo=UTC),
    )
    store = Store.create(
        str(root / "store"),
        client=client,
        name="imaging",
        parameters=Parameters(small_bytes=4096),
        shared=False,
    )
    versions: dict[str, Tree] = {}

    def save(name: str) -> None:
        ref = store.add(work / name, name=name, message="as it is").version.ref
        versions[ref] = {
            str(path.relative_to(work / name)): path.read_bytes()
            for path in (work / name).rglob("*")
            if path.is_file() and not path.is_symlink() and ".datacat" not in path.parts
        }

    (work / "cmr" / "sub").mkdir(parents=True)
    (work / "cmr" / "labels.csv").write_bytes(b"id,label\n" * 300)
    (work / "cmr" / "noise.bin").write_bytes(made.randbytes(700))
    (work / "cmr" / "empty").write_bytes(b"")
    (work / "cmr" / "sub" / "scan.nii").write_bytes(made.randbytes(9_000))
    (work / "cmr" / "link").symlink_to("labels.csv")
    (work / "cmr" / "nothing").mkdir()
    save("cmr")
    (work / "cmr" / "labels.csv").write_bytes(b"id,label\n" * 301)
    (work / "cmr" / "sub" / "mask.nii").write_bytes(made.randbytes(6_000))
    save("cmr")
    (work / "readings").mkdir()
    (work / "readings" / "a.txt").write_bytes(b"a few readings")
    (work / "readings" / "same.bin").write_bytes((work / "cmr" / "noise.bin").read_bytes())
    save("readings")
    (work / "cmr" / "notes.txt").write_bytes(b"read me")
    save("cmr")
    if bundled:
        fill(root / "store", client)
    scene = Scene(root, versions)
    backend = open_store(str(root / "store"), client=client).backend
    for found in backend.keys(""):
        if found.key in layout.RECOVERY or found.key.startswith(layout.COPIES):
            continue
        scene.keys.setdefault(kind_of(found.key), []).append(found.key)
        if found.key.startswith(layout.PACKS):
            entries = read_footer(backend, found.key, size_bytes=found.size_bytes)
            scene.frames[found.key] = [
                (entry.offset, entry.offset + entry.stored_size, entry.digest) for entry in entries
            ]
            scene.references |= {e.digest: e.reference for e in entries if e.reference}
    return scene


def fill(store: Path, client: Client) -> None:
    """Edits until the log has so many records that there is a bundle, and a few more."""
    writer = open_store(str(store), client=client).catalog.writer()

    def make(fold: Fold, seq: int, prev: str) -> Record:
        return DatasetEdit(
            seq=seq,
            txid=f"{seq:032x}",
            prev=prev,
            base=seq - 1,
            by="alice",
            host="hub",
            client="datacat",
            at=client.now(),
            dataset="cmr",
            description=f"the {seq}th",
        )

    while writer.commit(make).entry.seq < min(layout.BUNDLE_SIZES) + 3:
        pass


def kind_of(key: str) -> str:
    """Which kind of file a key is."""
    if key == layout.STORE:
        return "store"
    for kind, prefix in (
        ("record", layout.LOG),
        ("bundle", layout.BUNDLES),
        ("manifest", layout.MANIFESTS),
        ("segment", layout.SEGMENTS),
        ("whole", layout.WHOLE),
        ("pack", layout.PACKS),
    ):
        if key.startswith(prefix):
            return kind
    raise LookupError(key)


@dataclass(frozen=True)
class Damage:
    """One damage: other bytes for a file, or none."""

    key: str
    how: str
    data: bytes | None


def damages(scene: Scene, kind: str, *, flips: int, cuts: int, seed: int = 0) -> list[Damage]:
    """Damages of each file of a kind: flipped bits all over it, cuts, other content, absence."""
    found: list[Damage] = []
    made = random.Random(f"{kind} {seed}")
    keys = scene.keys[kind]
    for key in keys:
        data = (scene.store / key).read_bytes()
        count = round(flips * EFFORT) // len(keys) + 1
        # Evenly over the file, each at a random place in its stretch: also its two ends.
        for n in range(count):
            low, high = len(data) * n // count, len(data) * (n + 1) // count
            at = {0: 0, count - 1: len(data) - 1}.get(n, made.randrange(low, max(high, low + 1)))
            bit = 1 << made.randrange(8)
            flipped = data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :]
            found.append(Damage(key, f"bit {bit:#x} at {at}", flipped))
        count = round(cuts * EFFORT) // len(keys) + 1
        for n in range(count):
            length = len(data) * n // count if n else len(data) - 1
            found.append(Damage(key, f"cut at {length}", data[:length]))
        found.append(Damage(key, "removed", None))
        found.append(Damage(key, "longer", data + b"\0"))
        zeros = bytes(len(data))
        found.append(Damage(key, "all zeros", zeros))
        other = keys[keys.index(key) - 1]
        if other != key:
            found.append(Damage(key, "another one", (scene.store / other).read_bytes()))
    return found
