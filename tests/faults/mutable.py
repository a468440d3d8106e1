"""A store with everything in it that content can be kept as, to be hurt and put back."""

from __future__ import annotations

import itertools
import os
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from datacat import sql
from datacat.backend.memory import MemoryBackend
from datacat.catalog.record import VersionAdd
from datacat.layout import COPIES, RECOVERY, RESERVE
from datacat.model import Layout, Parameters
from datacat.opened import Client, Watch, open_store
from datacat.progress import StopSignal, ignore
from datacat.sql import Workspace
from datacat.store import Store
from datacat.working_copy.request import SaveRequest
from datacat.working_copy.save import save
from tests.faults.damaged import Tree, kind_of
from tests.faults.forged import Forger

PARAMETERS = Parameters(
    small_bytes=1024,
    pack_bytes=16 * 1024,
    chunk_min_bytes=256,
    chunk_mean_bytes=1024,
    chunk_max_bytes=4096,
)

Place = tuple[str, int, int]
"""A container and the first and last offset of stored bytes in it."""


@dataclass
class MutableStore:
    """A store in `root/store`, what its versions hold, and all bytes that it is made of."""

    root: Path
    versions: dict[str, Tree]
    seqs: dict[str, int] = field(default_factory=dict)
    drawn_on: dict[str, set[int]] = field(default_factory=dict)
    """Of each version: its record, and those whose segments it is read from."""
    files: dict[str, bytes] = field(default_factory=dict)
    keys: dict[str, list[str]] = field(default_factory=dict)
    places: dict[bytes, set[Place]] = field(default_factory=dict)
    """Of each content of a file: everywhere that a reader may read it from."""
    described: dict[str, int] = field(default_factory=dict)
    """Of each segment and manifest the record that names it."""
    other_trees: set[int] = field(default_factory=set)
    """Records whose version is another one now, by its hash as well."""
    clients: int = 0

    @property
    def store(self) -> Path:
        return self.root / "store"

    def fresh(self, what: str) -> Path:
        """A place where nothing is."""
        self.clients += 1
        return self.root / "scratch" / f"{what}-{self.clients}"

    def client(self, *, remote: bool = False, like: Path | None = None) -> Store:
        """Somebody else with a cold cache, or one that is a copy of the folder `like`.

        A `remote` store holds the same bytes, but no file of it can be opened by its path.
        """
        cache = self.fresh("cache")
        if like is not None:
            shutil.copytree(like, cache)
        client = client_of(cache)
        if not remote:
            return Store.open(str(self.store), client=client)
        backend = MemoryBackend(f"{self.root}-{self.clients}")
        for key, data in self._on_disk():
            backend.replace(key, data)
        return Store.on(backend, client=client)

    def _on_disk(self) -> Iterator[tuple[str, bytes]]:
        for path in every_file(self.store):
            if path.is_file() and not path.is_symlink() and path.stat().st_size < 1 << 24:
                yield str(path.relative_to(self.store)), path.read_bytes()

    def changed(self) -> set[str]:
        """The keys that do not hold what was saved."""
        found = {str(path.relative_to(self.store)): path for path in every_file(self.store)}
        return {key for key in self.files if key not in found} | {
            key for key, path in found.items() if not holds(path, self.files.get(key))
        }

    def restore(self) -> None:
        """Put everything back, and remove what is not ours."""
        for key in self.changed():
            path = self.store / key
            remove(path)
            if key in self.files:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(self.files[key])
        self.other_trees.clear()
        shutil.rmtree(self.root / "scratch", ignore_errors=True)

    def lost(self, changed: set[str]) -> set[bytes]:
        """The contents that may be gone when these containers hold what they hold now."""
        now: dict[str, bytes] = {}
        for key in changed:
            path = self.store / key
            whole = path.is_file() and not path.is_symlink() and path.stat().st_size < 1 << 24
            now[key] = path.read_bytes() if whole else b""
        return {
            digest
            for digest, places in self.places.items()
            if any(
                container in changed
                and (
                    container.startswith("whole/")
                    or now[container][start:end] != self.files[container][start:end]
                )
                for container, start, end in places
            )
        }


def every_file(folder: Path) -> list[Path]:
    """Everything below a folder that is not one, and folders that stand where a file stood."""
    found: list[Path] = []
    for top, _, names in os.walk(folder):
        if top.endswith(".parquet") or top.endswith(".pack") or top.endswith("json"):
            found.append(Path(top))
        found += [Path(top, name) for name in names]
    return found


def holds(path: Path, data: bytes | None) -> bool:
    if data is None or path.is_symlink() or not path.is_file():
        return False
    return path.stat().st_size == len(data) and path.read_bytes() == data


def remove(path: Path) -> None:
    """Whatever is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def client_of(cache: Path) -> Client:
    return Client(user="bob", host="hub", cache_dir=cache, jobs=2)


def make_mutable(root: Path, *, seed: int = 11) -> MutableStore:
    """Two datasets, five versions: packs, whole containers, one that is also read in parts,
    recipes, chunks that were made against others, links, empty files and folders."""
    made = random.Random(seed)
    work = root / "work"
    ids = itertools.count(seed << 32)
    client = Client(
        user="alice",
        host="hub",
        cache_dir=root / "cache",
        jobs=1,
        now=lambda: datetime(2026, 11, 22, tzinfo=UTC),
        new_id=lambda: random.Random(next(ids)).randbytes(16).hex(),
    )
    Store.create(
        str(root / "store"), client=client, name="imaging", parameters=PARAMETERS, shared=False
    ).close()
    opened = open_store(str(root / "store"), client=client)
    versions: dict[str, Tree] = {}

    def put(folder: str, **files: bytes) -> None:
        for name, data in files.items():
            path = work / folder / name.replace("__", "/").replace("_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    def add(folder: str, layout: Layout | None = None) -> None:
        request = SaveRequest(path=work / folder, name=folder, message="as it is", layout=layout)
        result = save(opened, request, Watch(ignore, StopSignal()))
        versions[result.version.ref] = regular_files(work / folder)

    noise, other = made.randbytes(9_000), made.randbytes(5_000)
    table = b"".join(b"%d,%d\n" % (n, n * n % 977) for n in range(900))
    put("scans", a_raw=noise, sub__b_raw=other, empty=b"", s_txt=b"hello " * 40)
    (work / "scans" / "link").symlink_to("a.raw")
    (work / "scans" / "nothing").mkdir()
    add("scans", Layout.WHOLE)
    # The whole content is cut where it lies, and the edit stored besides.
    put("scans", a_raw=noise[:5000] + b"inserted" + noise[5000:], t_csv=table)
    add("scans")
    put(
        "scans",
        t_csv=table.replace(b"77", b"78"),
        s_txt=b"hello " * 39 + b"there",
        m_txt=made.randbytes(300) * 3,
    )
    add("scans")
    put("scans", a_raw=noise[:4000] + b"!" + noise[4001:], t_csv=table.replace(b"77", b"79"))
    add("scans", Layout.CHUNKED)
    put("maps", same_raw=other, d_raw=made.randbytes(2_000), u_csv=table[: 4 * 1024])
    add("maps")
    found = MutableStore(root, versions)
    for path in every_file(found.store):
        key = str(path.relative_to(found.store))
        if key in (*RECOVERY, RESERVE) or key.startswith(COPIES):  # no version is read from them
            path.unlink()
            continue
        found.files[key] = path.read_bytes()
        path.chmod(0o644)
    for key in sorted(found.files):
        found.keys.setdefault(kind_of(key), []).append(key)
    _look_up(found)
    return found


def regular_files(folder: Path) -> Tree:
    """The regular files of a folder, without our own."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if not path.is_symlink() and path.is_file() and ".datacat" not in path.parts
    }


def _look_up(found: MutableStore) -> None:
    forger = Forger(found.store)
    for one in forger.records():
        if isinstance(one, VersionAdd):
            ref = f"{one.dataset}@v{one.number}"
            found.seqs[ref] = one.seq
            found.drawn_on[ref] = {one.seq, *(one.segments or ())}
            for part in (one.manifest, one.chunks, one.recipes):
                if part is not None:
                    found.described[part.key] = one.seq
    with Workspace() as workspace:
        for relation in ("chunks", "recipes"):
            files = [
                found.store / forger.stored(relation, seq).key for seq in forger.seqs(relation)
            ]
            workspace.execute(f"create view {relation} as from {sql.parquet(files)}")
        rows = workspace.all(
            """
            with steps as (
                select digest as content, digest as chunk from chunks
                union select object, chunk from recipes
            ), all_steps as (
                from steps
                union select s.content, c.reference from steps s
                join chunks c on c.digest = s.chunk where c.reference is not null
            )
            select distinct s.content, c.container, c."offset", c."offset" + c.stored_size
            from all_steps s join chunks c on c.digest = s.chunk
            """
        )
    for content, container, start, end in rows:
        found.places.setdefault(content, set()).add((container, start, end))
