"""What a folder is similar to, compared with plain Python over the same files."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from datacat.model import Relation, Similar
from datacat.opened import Client
from datacat.store import Store
from datacat.working_copy import similarity as module
from tests.conftest import make_client, make_store, searching
from tests.trees import content

Files = Mapping[str, bytes]


def write(folder: Path, files: Files) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


@dataclass
class Team:
    """A store, and what was saved in it: reference to files."""

    store: Store
    folder: Path
    saved: dict[str, Files] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def save(self, name: str, files: Files) -> str:
        folder = write(self.folder / f"from-{next(self.numbers)}", files)
        result = self.store.add(folder, name=name, new=True, new_version=True)
        self.saved[result.version.ref] = files
        return result.version.ref

    def look(self, files: Files, *, name: str = "folder") -> tuple[Similar, ...]:
        """What `status` says that a folder of these files is similar to."""
        (entry,) = self.store.status([write(self.folder / name, files)])
        return entry.similar


@pytest.fixture
def team(tmp_path: Path, client: Callable[..., Client]) -> Iterator[Team]:
    with make_store("memory", tmp_path, client=client()) as store:
        yield Team(store, tmp_path)


def counted(files: Files) -> Counter[bytes]:
    return Counter(files.values())


def size_of(counts: Counter[bytes]) -> int:
    return sum(len(data) * count for data, count in counts.items())


def same_size(a: Files, b: Files) -> int:
    return size_of(counted(a) & counted(b))


def relation_of(folder: Files, version: Files, threshold: float) -> Relation | None:
    """Written anew from docs/concepts.md."""
    same, here, there = same_size(folder, version), *map(size_of, map(counted, (folder, version)))
    if not same:
        return None
    if same / max(here, there) >= threshold:
        return Relation.NEAR
    if same / here >= threshold:
        return Relation.PART
    return Relation.CONTAINS if same / there >= threshold else None


def assert_exact(found: Similar, folder: Files, version: Files) -> None:
    both = counted(folder) & counted(version)
    assert (found.same_files, found.same_bytes) == (both.total(), size_of(both))
    assert (found.folder_files, found.folder_bytes) == (len(folder), size_of(counted(folder)))
    assert (found.files, found.bytes) == (len(version), size_of(counted(version)))
    changed = {p for p in folder.keys() & version.keys() if folder[p] != version[p]}
    gone, come = version.keys() - folder.keys(), folder.keys() - version.keys()
    moved = Counter(version[p] for p in gone if version[p]) & Counter(
        folder[p] for p in come if folder[p]
    )
    assert found.modified == len(changed)
    assert found.renamed == moved.total()
    assert (found.added, found.removed) == (len(come) - found.renamed, len(gone) - found.renamed)
    assert found.modified_first == tuple(sorted(changed)[:3])
    assert set(found.added_first) <= come
    assert len(found.added_first) == min(3, found.added)


PATHS = [f"{a}/{b}" for a in "xyz" for b in range(6)]


Drawn = Mapping[str, int]
TREES = st.dictionaries(st.sampled_from(PATHS), st.integers(0, 30), max_size=18)


def files_of(drawn: Drawn) -> Files:
    """One content in ten is as large as all others together, one is empty."""
    return {
        path: content((n % 7) * 100 + (20_000 if n % 10 == 9 else 0), 2 * n)
        for path, n in drawn.items()
    }


@given(
    versions=st.lists(st.tuples(st.sampled_from("abc"), TREES), max_size=7),
    drawn=TREES,
    threshold=st.sampled_from([0.05, 0.5, 0.8, 1.0]),
    trashed=st.sets(st.integers(0, 6), max_size=2),
)
@example(  # just the half
    versions=[("c", {"x/2": 29, "z/5": 24, "z/2": 6})],
    drawn={"y/0": 6, "x/3": 1, "z/4": 30, "x/5": 17},
    threshold=0.5,
    trashed=set(),
)
@searching(14)
def test_against_the_model(
    tmp_path_factory: pytest.TempPathFactory,
    versions: list[tuple[str, Drawn]],
    drawn: Drawn,
    threshold: float,
    trashed: set[int],
) -> None:
    top, folder = tmp_path_factory.mktemp("team"), files_of(drawn)
    client = make_client(top)
    url = make_store("memory", top, client=client).url
    with Store.open(url, client=client, similar=threshold) as store:
        team = Team(store, top)
        for name, listed in versions:
            if listed:
                team.save(name, files_of(listed))
        refs = list(team.saved)
        gone = {refs[n] for n in trashed if n < len(refs)}
        if gone:
            store.rm(sorted(gone), force=True)
        if not folder:
            return
        (entry,) = store.status([write(top / "folder", folder)])
    living = {ref: files for ref, files in team.saved.items() if ref not in gone}
    if any(files == folder for files in living.values()):
        assert entry.identical_to in living
        assert entry.similar == ()
        return
    relations = {ref: relation_of(folder, files, threshold) for ref, files in living.items()}
    found = entry.similar
    assert bool(found) == any(relations.values())
    assert len({one.ref.partition("@")[0] for one in found}) == len(found) <= 3
    for one in found:
        assert one.relation is relations[one.ref]
        assert_exact(one, folder, living[one.ref])
    near = {
        ref: same_size(folder, living[ref])
        / max(size_of(counted(folder)), size_of(counted(living[ref])))
        for ref, relation in relations.items()
        if relation is Relation.NEAR
    }
    if near:
        assert found[0].relation is Relation.NEAR
        assert found[0].same_bytes_ratio >= max(near.values()) - 0.03


def large(seed: int, count: int) -> dict[str, bytes]:
    made = random.Random(seed)
    return {f"s{n:04}": made.randbytes(made.randrange(10, 400)) for n in range(count)}


def test_the_best_of_many_large_versions_is_found(team: Team) -> None:
    """More versions than are compared, each larger than a sketch, and all related: what is said is
    exact, and as good as the best within three points."""
    made = random.Random(5)
    for dataset in range(5):
        files = large(dataset, 300)
        for _ in range(4):
            team.save(f"d{dataset}", files)
            for path in made.sample(sorted(files), 40):
                files = {**files, path: made.randbytes(100)}
            files = {**files, f"new-{made.random()}": made.randbytes(1_000)}
    for _ in range(4):
        ref, base = made.choice(sorted(team.saved.items()))
        folder = dict(base)
        for path in made.sample(sorted(folder), made.randrange(1, 40)):
            folder[path] = made.randbytes(150)
        found = team.look(folder, name=f"copy-{made.random()}")
        ratios = {
            other: same_size(folder, files) / max(size_of(counted(folder)), size_of(counted(files)))
            for other, files in team.saved.items()
        }
        assert found[0].ref.partition("@")[0] == ref.partition("@")[0]
        assert_exact(found[0], folder, team.saved[found[0].ref])
        assert found[0].same_bytes_ratio >= max(ratios.values()) - 0.03


def test_few_large_files_count_more_than_many_small_ones(team: Team) -> None:
    """A sketch of 128 of 2,001 files does not meet the one that nearly all bytes are in."""
    scan = random.Random(1).randbytes(3_000_000)
    for number in range(8):
        small = {f"{number}/{n}": b"%d %d" % (number, n) for n in range(2_000)}
        team.save(f"other-{number}", small)
    ref = team.save("scan", {**large(2, 2_000), "scan.raw": scan})
    folder = {f"mine/{n}": b"%d of mine" % n for n in range(1_000)} | {"scan.raw": scan}
    found = team.look(folder)
    assert [one.ref for one in found] == [ref]
    assert found[0].same_files == 1
    assert found[0].relation is Relation.NEAR


def test_a_small_part_of_a_large_version(team: Team) -> None:
    whole = large(3, 3_000)
    ref = team.save("cmr", whole)
    newest = team.save("cmr", {path: data for path, data in whole.items() if path > "s0010"})
    part = {f"labels/{path}": whole[path] for path in ("s0003", "s0004", "s0005")}
    (found,) = team.look(part)
    assert (found.ref, found.relation, found.same_files) == (ref, Relation.PART, 3)
    assert found.renamed == 3
    (also,) = team.look({path: whole[path] for path in ("s0100", "s0200")}, name="other")
    assert also.relation is Relation.PART
    assert also.ref in (ref, newest)


def test_a_version_inside_a_large_folder(team: Team) -> None:
    small = large(4, 20)
    ref = team.save("cmr-small", small)
    folder = {f"in/{path}": data for path, data in small.items()} | large(5, 3_000)
    (found,) = team.look(folder)
    assert (found.ref, found.relation, found.same_files) == (ref, Relation.CONTAINS, 20)


def test_what_lies_in_the_trash_is_not_offered(team: Team) -> None:
    files = large(6, 30)
    first = team.save("cmr", files)
    second = team.save("cmr", {**files, "more": b"more"})
    folder = {**files, "mine": b"x"}
    team.store.rm([second], force=True)
    assert [one.ref for one in team.look(folder)] == [first]
    team.store.rm([first], force=True)
    assert team.look(folder) == ()
    team.store.restore([second])
    assert [one.ref for one in team.look(folder)] == [second]


def test_a_dataset_is_called_as_it_is_today(team: Team) -> None:
    files = large(7, 30)
    team.save("cmr", files)
    team.store.rename("cmr", "cmr-ukb")
    assert [one.ref for one in team.look({**files, "mine": b"x"})] == ["cmr-ukb@v1"]


def test_damage_elsewhere_does_not_stop_the_answer(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datacat.errors import Corrupt

    files = large(8, 30)
    team.save("cmr", files)
    team.save("copy", {**files, "theirs": b"y"})
    real = module.attach_manifest

    def damaged(store, workspace, query, version, view):  # type: ignore[no-untyped-def]
        if version.name == "copy":
            raise Corrupt("damaged")
        real(store, workspace, query, version, view)

    monkeypatch.setattr(module, "attach_manifest", damaged)
    assert [one.ref for one in team.look({**files, "mine": b"x"})] == ["cmr@v1"]


def test_nothing_in_common(team: Team) -> None:
    team.save("cmr", large(9, 30) | {"empty": b""})
    assert team.look(large(10, 30) | {"empty": b""}) == ()
    assert team.look({"empty": b""}, name="empty") == ()
