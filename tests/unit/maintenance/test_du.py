"""What a store takes, counted by hand: every byte once, and what deleting a dataset would free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datacat import layout
from datacat.backend import Backend
from datacat.backend.open import open_backend
from datacat.digest import checksums
from datacat.errors import Corrupt, InvalidInput, NotFound
from datacat.maintenance import mark
from datacat.model import DatasetDiskUse, DiskUse, Layout, Parameters
from datacat.objects.pack import read_footer
from datacat.store import Store
from datacat.transfer import manifests
from datacat.transfer.journal import ChunkRow
from tests.conftest import make_client, make_store, searching
from tests.trees import content
from tests.unit.maintenance.handmade import Bench
from tests.unit.objects.shelf import blake, session

PACK_BYTES = 16 + 32
"""A pack without frames: its header and the end of its footer."""
ENTRY_BYTES = 32 + 8 + 4 + 4 + 1 + 1 + 2 + 8 + 32


@dataclass
class Place:
    """A store, who uses it, and a bench to write records on."""

    store: Store
    bench: Bench
    root: Path

    @property
    def backend(self) -> Backend:
        return open_backend(self.store.url)

    def add(self, name: str, files: Mapping[str, bytes]) -> bool:
        """Save these files; false when that is what the newest version is."""
        folder = self.root / "folders" / name
        for path in sorted(folder.rglob("*")) if folder.exists() else ():
            if path.is_file():
                path.unlink()
        for path, data in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        return self.store.add(folder, name=name, new=True, new_version=True).created

    def bytes_of(self, *prefixes: str) -> int:
        return sum(
            found.size_bytes
            for found in self.backend.keys("")
            if not prefixes or found.key.startswith(prefixes)
        )


def make_place(kind: str, root: Path) -> Place:
    """Files that are not small are kept whole, so that what they take is easy to count."""
    root.mkdir(exist_ok=True)
    parameters = Parameters(layout=Layout.WHOLE)
    store = make_store(kind, root, client=make_client(root), parameters=parameters)
    return Place(store, Bench(store.url, client=make_client(root, "bench")), root)


@pytest.fixture(params=["posix", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return make_place(request.param, tmp_path)


def by_name(use: DiskUse) -> dict[str, DatasetDiskUse]:
    return {one.name: one for one in use.datasets}


def check_sums(place: Place, use: DiskUse) -> None:
    """Every byte is counted once, and the parts of what was saved make the whole."""
    assert use.on_disk_bytes + use.trash_bytes + use.unused_bytes == place.bytes_of()
    parts = use.same_files_bytes + use.same_parts_bytes + use.compression_bytes
    assert use.saved_bytes == use.logical_bytes - use.on_disk_bytes == parts - use.catalog_bytes


# With real adds


def costs(backend: Backend) -> dict[bytes, tuple[str, int]]:
    """Where each content lies and what it takes, by the names and footers of containers."""
    found = {}
    for stat in backend.keys(layout.WHOLE):
        digest = bytes.fromhex(stat.key.rpartition("/")[2].partition("-")[0])
        found[digest] = (stat.key, stat.size_bytes)
    for stat in backend.keys(layout.PACKS):
        for entry in read_footer(backend, stat.key, size_bytes=stat.size_bytes):
            found[entry.digest] = (stat.key, entry.stored_size + ENTRY_BYTES)
    return found


@dataclass
class Expected:
    """The versions of each dataset, and whether each is in the trash."""

    versions: dict[str, list[tuple[Mapping[str, bytes], bool]]] = field(default_factory=dict)

    def contents(self, name: str, *, trash: bool) -> set[bytes]:
        """The digests of a dataset, with or without those that only its trash has."""
        return {
            blake(data)
            for files, trashed in self.versions.get(name, ())
            if trash or not trashed
            for data in files.values()
            if data
        }

    def live(self, name: str) -> list[Mapping[str, bytes]]:
        return [files for files, trashed in self.versions.get(name, ()) if not trashed]

    def check(self, place: Place) -> None:
        use = place.store.du()
        check_sums(place, use)
        cost = costs(place.backend)

        def packs_of(digests: set[bytes]) -> set[str]:
            return {cost[one][0] for one in digests if cost[one][0].startswith(layout.PACKS)}

        def size_of(digests: set[bytes]) -> int:
            return sum(cost[one][1] for one in digests) + PACK_BYTES * len(packs_of(digests))

        names = [name for name in self.versions if self.live(name)]
        live = set().union(*(self.contents(name, trash=False) for name in names))
        kept = set().union(*(self.contents(name, trash=True) for name in self.versions))
        assert use.versions == sum(len(self.live(name)) for name in names)
        assert use.logical_bytes == sum(
            len(data) for name in names for files in self.live(name) for data in files.values()
        )
        assert use.on_disk_bytes - use.catalog_bytes == size_of(live)
        assert use.trash_bytes == size_of(kept) - size_of(live)
        assert use.unused_bytes == 0
        assert use.same_parts_bytes == 0

        expected = {}
        for name in names:
            mine = self.contents(name, trash=False)
            others = set().union(
                *(self.contents(other, trash=True) for other in self.versions if other != name)
            )
            freed = sum(cost[digest][1] for digest in mine - others)
            freed += PACK_BYTES * len(packs_of(mine) - packs_of(others))
            expected[name] = DatasetDiskUse(
                name,
                len(self.live(name)),
                sum(len(data) for files in self.live(name) for data in files.values()),
                size_of(mine),
                freed,
            )
        assert by_name(use) == expected
        order = [(-one.on_disk_bytes, -one.logical_bytes, one.name) for one in use.datasets]
        assert order == sorted(order)


POOL = [
    *(content(size, seed) for size in (1, 700, 60_000) for seed in (1, 2)),
    *(content(size, seed) for size in (300_000, 400_000) for seed in (1, 2)),
    b"",
]


@given(data=st.data())
@searching(6)
def test_any_datasets_against_counting_by_hand(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    place = make_place("posix", tmp_path_factory.mktemp("du"))
    expected = Expected()
    for _ in range(data.draw(st.integers(1, 7), label="steps")):
        name = data.draw(st.sampled_from("abc"))
        versions = expected.versions.setdefault(name, [])
        number = data.draw(st.integers(0, len(versions)))
        if number:
            files, trashed = versions[number - 1]
            (place.bench.restore if trashed else place.bench.remove)(name, number)
            versions[number - 1] = (files, not trashed)
        else:
            chosen = data.draw(st.lists(st.sampled_from(POOL), min_size=1, max_size=4))
            files = {f"{n}.bin": one for n, one in enumerate(chosen)}
            if place.add(name, files):
                versions.append((files, False))
    expected.check(place)
    place.store.close()


# With recipes, references and content that lies in two places


def made_against(row: ChunkRow, reference: bytes) -> ChunkRow:
    """The row of a chunk as if it was compressed against another; nobody decodes it here."""
    return (*row[:5], "zstd", reference, row[7])


@dataclass
class Rules:
    """The index as rows, the versions as sets, and the rules of `mark` in loops over them.

    `recipes` are (seq, object, ordinal, chunk), `versions` (dataset, in the trash, seq, digests of
    its files).
    """

    chunks: list[tuple[int, ChunkRow]] = field(default_factory=list)
    recipes: list[tuple[int, bytes, int, bytes]] = field(default_factory=list)
    versions: list[tuple[str, bool, int, set[bytes]]] = field(default_factory=list)
    barred: set[str] = field(default_factory=set)

    def rows_of(self, digest: bytes) -> list[tuple[int, ChunkRow]]:
        """The rows of a chunk that can be read, the one that is read first."""
        left = [(seq, row) for seq, row in self.chunks if row[2] not in self.barred]
        plain = {row[0] for _, row in left if row[6] is None}
        found = [
            (seq, row)
            for seq, row in left
            if row[0] == digest and (row[6] is None or row[6] in plain)
        ]
        return sorted(found, key=lambda one: (one[1][6] is not None, one[0], one[1][2], one[1][3]))

    def parts_of(self, content: bytes) -> set[bytes]:
        """What content is read from: itself, or the chunks of one recipe."""
        if self.rows_of(content):
            return {content}
        by_seq: dict[int, set[bytes]] = {}
        for seq, made, _, chunk in self.recipes:
            if made == content:
                by_seq.setdefault(seq, set()).add(chunk)
        complete = [seq for seq, made in by_seq.items() if all(map(self.rows_of, made))]
        return by_seq[min(complete or by_seq)] if by_seq else {content}

    def units(self, dataset: str, *, trash: bool) -> set[tuple[str, int]]:
        """Containers and frames that a dataset is read from; offset 0 is the container itself."""
        mine = [one for one in self.versions if one[0] == dataset]
        seqs = {seq for _, _, seq, _ in mine}
        held = set().union(*(digests for _, trashed, _, digests in mine if trash or not trashed))
        reached = set().union(*(self.parts_of(one) for one in held))
        for seq, made, _, chunk in self.recipes:
            if made in held and seq in seqs and not any(s in seqs for s, _ in self.rows_of(made)):
                reached.add(chunk)

        def read(digest: bytes) -> list[ChunkRow]:
            return [
                row
                for number, (seq, row) in enumerate(self.rows_of(digest))
                if number == 0 or seq in seqs
            ]

        rows = [row for one in reached for row in read(one)]
        rows += [source for row in rows if row[6] for source in read(row[6]) if source[6] is None]
        found: set[tuple[str, int]] = set()
        for row in rows:
            found.add((row[2], 0))
            if row[2].startswith(layout.PACKS):
                found.add((row[2], row[3]))
        return found

    def check(self, place: Place) -> None:
        use = place.store.du()
        check_sums(place, use)
        sizes = {found.key: found.size_bytes for found in place.backend.keys("")}
        frames = {(row[2], row[3]): row[4] + ENTRY_BYTES for _, row in self.chunks}

        def size_of(units: set[tuple[str, int]]) -> int:
            return sum(
                frames[unit]
                if unit[1]
                else PACK_BYTES
                if unit[0].startswith(layout.PACKS)
                else sizes[unit[0]]
                for unit in units
            )

        datasets = {dataset for dataset, *_ in self.versions}
        kept = {one: self.units(one, trash=True) for one in datasets}
        live = {one: self.units(one, trash=False) for one in datasets}
        every, every_live = set().union(*kept.values()), set().union(*live.values())
        assert use.on_disk_bytes - use.catalog_bytes == size_of(every_live)
        assert use.trash_bytes == size_of(every - every_live)
        for name, one in by_name(use).items():
            others = set().union(*(kept[other] for other in datasets if other != name))
            assert one.on_disk_bytes == size_of(live[name]), name
            assert one.only_here_bytes == size_of(live[name] - others), name


def inside(container: str, whole: bytes, piece: bytes) -> ChunkRow:
    """A row that names a part of a whole container."""
    start = whole.index(piece)
    return (blake(piece), len(piece), container, start, len(piece), "raw", None, checksums(piece))


PIECES = [bytes([65 + n]) * (100 + 10 * n) for n in range(8)]


@given(data=st.data())
@searching(12)
def test_any_index_against_the_rules(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    place = make_place("memory", tmp_path_factory.mktemp("du"))
    bench, rules = place.bench, Rules()
    pieces = st.lists(st.sampled_from(PIECES), min_size=1, max_size=4)
    wholes: list[tuple[str, bytes, list[bytes]]] = []
    known = {blake(piece): len(piece) for piece in PIECES}
    for _ in range(data.draw(st.integers(1, 5), label="versions")):
        seq = bench.next_seq
        chunks: list[ChunkRow] = []
        if data.draw(st.booleans(), label="pack"):
            for row in bench.shelf.pack(seq, list(dict.fromkeys(data.draw(pieces)))):
                against = data.draw(st.none() | st.sampled_from(PIECES))
                reference = blake(against) if against and blake(against) != row[0] else None
                chunks.append(row if reference is None else made_against(row, reference))
        if data.draw(st.booleans(), label="whole"):
            made = data.draw(pieces)
            row = bench.shelf.whole(seq, b"".join(made))
            wholes.append((row[2], b"".join(made), made))
            known[row[0]] = row[1]
            chunks.append(row)
        if wholes and data.draw(st.booleans(), label="parts of a whole"):
            key, whole, made = data.draw(st.sampled_from(wholes))
            chunks += [inside(key, whole, piece) for piece in dict.fromkeys(made) if piece != whole]
        # A segment has each digest once without a reference, and once with one.
        chunks = list({(row[0], row[6] is None): row for row in chunks}.values())
        recipes = []
        if data.draw(st.booleans(), label="recipe"):
            made = data.draw(pieces)
            known[blake(b"".join(made))] = sum(map(len, made))
            recipes = [(blake(b"".join(made)), n, blake(piece)) for n, piece in enumerate(made)]
        held = set(data.draw(st.lists(st.sampled_from(sorted(known)), min_size=1, max_size=4)))
        dataset = data.draw(st.sampled_from("abc"))
        bench.version(dataset, {one: known[one] for one in held}, chunks=chunks, recipes=recipes)
        rules.versions.append((dataset, False, seq, held))
        rules.chunks += [(seq, row) for row in chunks]
        rules.recipes += [(seq, *row) for row in recipes]
    for dataset in data.draw(st.sets(st.sampled_from("abc")), label="with trash"):
        mine = [number for number, one in enumerate(rules.versions) if one[0] == dataset]
        if mine:
            bench.remove(dataset, 1)
            _, _, seq, held = rules.versions[mine[0]]
            rules.versions[mine[0]] = (dataset, True, seq, held)
    containers = sorted({row[2] for _, row in rules.chunks})
    if containers and data.draw(st.booleans(), label="condemned"):
        rules.barred.add(data.draw(st.sampled_from(containers)))
        bench.condemn(*rules.barred)
    rules.check(place)
    place.store.close()


def test_an_edit_costs_what_it_adds(place: Place) -> None:
    """Parts of a whole container are read where they lie, and that is there once."""
    bench = place.bench
    old = content(300_000, 1)
    pieces = [old[:100_000], old[100_000:200_000], old[200_000:]]
    whole = bench.shelf.whole(bench.next_seq, old)
    bench.version("old", {blake(old): len(old)}, chunks=[whole])
    new = content(5_000, 3)
    edited = pieces[0] + new + pieces[1] + pieces[2]
    frames = bench.shelf.pack(bench.next_seq, [new])
    bench.version(
        "edited",
        {blake(edited): len(edited)},
        chunks=[*(inside(whole[2], old, piece) for piece in pieces), *frames],
        recipes=[
            (blake(edited), number, blake(piece))
            for number, piece in enumerate([pieces[0], new, pieces[1], pieces[2]])
        ],
    )
    use = place.store.du()
    check_sums(place, use)
    pack = PACK_BYTES + ENTRY_BYTES + 5_000
    assert by_name(use) == {
        "old": DatasetDiskUse("old", 1, 300_000, 300_000, 0),
        "edited": DatasetDiskUse("edited", 1, 305_000, 300_000 + pack, pack),
    }
    assert use.on_disk_bytes - use.catalog_bytes == 300_000 + pack
    assert (use.same_files_bytes, use.same_parts_bytes) == (0, 300_000)
    assert use.compression_bytes == -(PACK_BYTES + ENTRY_BYTES)
    bench.remove("old", 1)
    alone = place.store.du()
    check_sums(place, alone)
    assert alone.trash_bytes == 0, "the edit is read from the whole container"
    assert by_name(alone)["edited"].only_here_bytes == pack, "and the trash still holds it"


@pytest.mark.parametrize("name", ["old", "new"])
def test_what_a_chunk_was_compressed_against_counts(place: Place, name: str) -> None:
    """Also when it is in the trash, as content of the same dataset or of another one."""
    bench = place.bench
    old, new = content(3_000, 1), content(3_001, 3)
    (first,) = bench.shelf.pack(bench.next_seq, [old])
    bench.version(name, {blake(old): 3_000}, chunks=[first])
    (row,) = bench.shelf.pack(bench.next_seq, [new])
    bench.version("new", {blake(new): 3_001}, chunks=[made_against(row, blake(old))])
    bench.remove(name, 1)
    use = place.store.du()
    check_sums(place, use)
    assert use.trash_bytes == 0
    took = 2 * (PACK_BYTES + ENTRY_BYTES) + 6_001
    assert by_name(use)["new"].on_disk_bytes == took
    alone = took if name == "new" else took - PACK_BYTES - ENTRY_BYTES - 3_000
    assert by_name(use)["new"].only_here_bytes == alone


def test_a_chunk_that_needs_no_other_is_preferred(place: Place) -> None:
    bench = place.bench
    old, new = content(3_000, 1), content(3_001, 3)
    rows = [bench.shelf.pack(number, [one])[0] for number, one in enumerate((old, new, new))]
    bench.version("old", {blake(old): 3_000}, chunks=[rows[0]])
    bench.version("against", {blake(new): 3_001}, chunks=[made_against(rows[1], blake(old))])
    bench.version("plain", {blake(new): 3_001}, chunks=[rows[2]])
    bench.version("reader", {blake(new): 3_001})
    use = place.store.du()
    check_sums(place, use)
    pack = PACK_BYTES + ENTRY_BYTES
    took = {one.name: (one.on_disk_bytes, one.only_here_bytes) for one in use.datasets}
    assert took == {
        "old": (pack + 3_000, 0),
        "against": (3 * pack + 9_002, pack + 3_001),
        "plain": (pack + 3_001, 0),
        "reader": (pack + 3_001, 0),
    }


@pytest.mark.parametrize("writer", ["a", "b"])
def test_a_recipe_beside_the_content_itself(place: Place, writer: str) -> None:
    """Whoever wrote a recipe of what another add stored at the same time may know nothing else;
    whoever has the content itself does not need it."""
    bench = place.bench
    pieces = [content(1_000, 1), content(1_001, 3)]
    whole = b"".join(pieces)
    row = bench.shelf.whole(bench.next_seq, whole)
    bench.version("a", {blake(whole): 2_001}, chunks=[row])
    bench.version("b", {blake(whole): 2_001})
    frames = bench.shelf.pack(bench.next_seq, pieces)
    recipe = [(blake(whole), n, blake(piece)) for n, piece in enumerate(pieces)]
    bench.version(writer, {blake(whole): 2_001, b"x" * 32: 1}, chunks=frames, recipes=recipe)
    use = place.store.du()
    check_sums(place, use)
    pack = PACK_BYTES + 2 * ENTRY_BYTES + 2_001
    found = by_name(use)
    assert (found["a"].on_disk_bytes, found["a"].only_here_bytes) == (2_001, 0)
    extra = pack if writer == "b" else 0
    assert (found["b"].on_disk_bytes, found["b"].only_here_bytes) == (2_001 + extra, extra)
    assert use.unused_bytes == pack - extra


# What else lies in a store


def test_an_empty_store(place: Place) -> None:
    use = place.store.du()
    check_sums(place, use)
    assert use.on_disk_bytes == use.catalog_bytes == place.bytes_of()
    assert (use.versions, use.logical_bytes, use.datasets) == (0, 0, ())
    assert (use.free_bytes is None) == place.store.url.startswith("memory")


def test_what_no_version_refers_to(place: Place) -> None:
    """Uploads of an add that did not finish, and frames in a pack that nobody has any more."""
    place.add("cmr", {"a": b"a" * 500})
    before = place.store.du()
    left = [
        layout.whole("0" * 64, session(1)),
        layout.pack(session(1), 0),
        layout.manifest("0" * 64, session(1)),
        layout.chunks_segment(session(1)),
    ]
    for number, key in enumerate(left, start=1):
        place.backend.write(key, bytes(1_000 * number))
    use = place.store.du()
    check_sums(place, use)
    assert use.unused_bytes == 10_000
    assert use.on_disk_bytes == before.on_disk_bytes
    place.backend.write(layout.TRASH + "packs/00/x.pack", bytes(77))
    moved = place.store.du()
    check_sums(place, moved)
    assert moved.trash_bytes == 77


def test_frames_of_a_pack_count_by_themselves(place: Place) -> None:
    bench = place.bench
    small = [content(1_000 + n, 1) for n in range(3)]
    rows = bench.shelf.pack(bench.next_seq, small)
    bench.version("a", {blake(small[0]): 1_000}, chunks=rows[:2])
    bench.version("b", {blake(small[0]): 1_000, blake(small[1]): 1_001})
    use = place.store.du()
    check_sums(place, use)
    assert by_name(use)["a"].only_here_bytes == 0
    assert by_name(use)["b"].only_here_bytes == 1_001 + ENTRY_BYTES
    assert use.unused_bytes == 1_002 + ENTRY_BYTES, "the third frame is not even in the index"


def test_containers_that_are_gone_take_nothing(place: Place) -> None:
    place.add("cmr", {"a": content(300_000, 1), "b": b"b" * 500})
    whole = next(iter(place.backend.keys(layout.WHOLE)))
    place.backend.delete(whole.key)
    use = place.store.du()
    check_sums(place, use)
    assert by_name(use)["cmr"].on_disk_bytes == place.bytes_of(layout.PACKS)
    assert by_name(use)["cmr"].logical_bytes == 300_500


# Names, and damage


def test_names(place: Place) -> None:
    place.add("cmr", {"a": b"1"})
    place.add("echo", {"a": b"22"})
    place.bench.rename("cmr", "heart")
    everything = place.store.du()
    assert [one.name for one in everything.datasets] == ["echo", "heart"]
    some = place.store.du(["CMR", "heart"])
    assert [one.name for one in some.datasets] == ["heart"]
    assert some.on_disk_bytes == everything.on_disk_bytes
    with pytest.raises(NotFound) as unknown:
        place.store.du(["hart"])
    assert (unknown.value.kind, unknown.value.hint) == (
        "dataset_not_found",
        "Did you mean 'heart'?",
    )
    for part in ("echo@v1", "echo/a"):
        with pytest.raises(InvalidInput) as refused:
            place.store.du([part])
        assert (refused.value.kind, refused.value.commands) == (
            "not_a_dataset",
            ("datacat du echo",),
        )
    place.bench.remove("echo", 1)
    with pytest.raises(NotFound) as trashed:
        place.store.du(["echo"])
    assert trashed.value.kind == "version_trashed"
    assert [one.name for one in place.store.du().datasets] == ["heart"]


def test_a_damaged_list_is_named_and_nothing_is_guessed(place: Place) -> None:
    for name in ("a", "b", "c"):
        place.add(name, {"x": name.encode()})
    victim = sorted(found.key for found in place.backend.keys(layout.MANIFESTS))[1]
    place.backend.delete(victim)
    reader = Store.open(place.store.url, client=make_client(place.root, "bob"))
    with pytest.raises(Corrupt, match=victim):
        reader.du()
    reader.close()


def test_many_lists_are_read_as_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = make_place("posix", tmp_path)
    for number in range(5):
        place.add("cmr", {"x": bytes([number]), "y": b"same"})
        place.add(f"d{number}", {"x": bytes([number + 1]), "y": b"same", "z": b"z"})
    expected = place.store.du()
    monkeypatch.setattr(manifests, "BATCH", 2)
    monkeypatch.setattr(mark, "MERGE_ROWS", 0)
    found = place.store.du()
    assert (found.datasets, found.saved_bytes) == (expected.datasets, expected.saved_bytes)
    check_sums(place, found)


@pytest.mark.parametrize("forget", [False, True])
def test_lists_are_downloaded_once(tmp_path: Path, forget: bool) -> None:
    place = make_place("posix", tmp_path)
    for number in range(5):
        place.add("cmr", {"x": bytes([number])})
    place.add("same", {"x": bytes([0])})
    bob = Store.open(place.store.url, client=make_client(tmp_path, "bob"))
    first = bob.du()
    folder = tmp_path / "cache-bob-hub" / bob.info.id / "manifests"
    kept = sorted(folder.iterdir())
    assert len(kept) == 5, "versions with the same content share a list; nothing else is left"
    if forget:
        kept[2].unlink()
        kept[3].write_bytes(b"")
        assert bob.du().datasets == first.datasets
        return
    root = Path(place.store.url)
    (root / "manifests").rename(root / "away")
    assert bob.du().datasets == first.datasets
    bob.close()
