"""What gc frees, what it never touches, and what it says."""

from __future__ import annotations

import os
import random
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from datacat import layout
from datacat.backend.open import open_backend
from datacat.errors import Cancelled, Conflict, Corrupt, Failed, NotFound, Refused
from datacat.maintenance import gc, gc_plan
from datacat.maintenance.gc_plan import Plan
from datacat.model import Collection, LinkMode, Parameters
from datacat.opened import OpenedStore
from datacat.sql import Workspace
from datacat.store import Store
from datacat.working_copy import save
from tests.collecting import AT_ONCE, assert_are, names, needless
from tests.conftest import BACKENDS, make_client, make_store
from tests.trees import Entry, file, write_tree

Opened = Callable[..., Store]
LARGE = 400_000
CHUNKED = Parameters(
    small_bytes=2_000, chunk_min_bytes=1024, chunk_mean_bytes=4096, chunk_max_bytes=16_384
)


class Place:
    """One store with small chunks, opened by anybody, and what its versions hold."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.folder = folder
        self.store = make_store(
            kind, folder, client=make_client(folder, "alice"), parameters=CHUNKED
        )
        self.trees: dict[str, dict[str, Entry]] = {}

    def opened(self, user: str) -> Store:
        return Store.open(self.store.url, client=make_client(self.folder, user))

    def save(
        self,
        name: str,
        tree: dict[str, Entry],
        *,
        by: Store | None = None,
        folder: Path | None = None,
    ) -> str:
        """A version of exactly these files."""
        folder = folder or self.folder / f"work-{secrets.token_hex(4)}"
        write_tree(folder, tree)
        result = (by or self.store).add(folder, name=name, new_version=True)
        self.trees[result.version.ref] = tree
        return result.version.ref

    def check(self, *refs: str) -> None:
        """These versions are whole, for somebody who never saw them."""
        assert_are(self.store, {ref: self.trees[ref] for ref in refs}, self.folder)


@pytest.fixture
def storage() -> str:
    return "posix"


@pytest.fixture
def place(storage: str, tmp_path: Path) -> Place:
    return Place(storage, tmp_path)


@pytest.fixture
def posix(tmp_path: Path) -> Place:
    return Place("posix", tmp_path)


def noise(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)


def edited(data: bytes, seed: int) -> bytes:
    """Some of it replaced, some inserted: most chunks stay, some resemble the old ones."""
    chance = random.Random(seed)
    at = chance.randrange(len(data) // 2)
    part = bytearray(data[at : at + len(data) // 4])
    for n in range(0, len(part), 3_000):
        part[n] ^= 1
    return data[:at] + part + chance.randbytes(5_000) + data[at + len(part) :]


@pytest.mark.parametrize("storage", BACKENDS)
def test_what_only_the_trash_held_is_freed(place: Place) -> None:
    shared, own = file(noise(LARGE, 1)), file(noise(LARGE, 2))
    small = {f"s{n}": file(noise(500, 10 + n)) for n in range(5)}
    one = place.save("one", {"shared": shared, "own": own, **small})
    two = place.save("two", {"shared": shared})
    store = place.store
    assert store.gc(periods=AT_ONCE).is_empty
    before = names(store)
    store.rm([one])
    looked = store.gc(periods=AT_ONCE, dry_run=True)
    assert (looked.done, names(store)) == (False, before)
    size = sum(f.size_bytes for f in open_backend(store.url).keys("") if f.key in before)
    result = store.gc(periods=AT_ONCE)
    assert result.done
    (gone,) = result.versions
    assert (gone.ref, gone.owner, gone.trashed_by) == (one, "alice", "alice")
    assert gone.only_here_bytes is not None
    assert gone.only_here_bytes <= result.freed_bytes
    assert gone.only_here_bytes + result.unused_bytes >= LARGE, "freed, or beside what is needed"
    assert (result.kept_versions, result.kept_datasets, result.unfinished) == (1, 1, 0)
    left = sum(f.size_bytes for f in open_backend(store.url).keys("") if f.key in before)
    assert size - left == result.freed_bytes == looked.freed_bytes
    assert needless(store) == set()
    place.check(two)
    assert store.gc(periods=AT_ONCE).is_empty
    with pytest.raises(NotFound, match="gone for good") as caught:
        store.restore([one])
    assert caught.value.kind == "version_gone"
    with pytest.raises(NotFound, match="gone for good"):
        store.pull(one, dest=place.folder / "no")
    assert [d.name for d in store.ls().datasets] == ["two"]
    assert store.ls(trash=True).datasets == ()
    # The name goes on: its next version is v2.
    assert place.save("one", {"shared": shared, "own": own}) == "one@v2"
    place.check("one@v2", two)


def test_old_content_that_edits_are_made_of_stays(place: Place) -> None:
    """Whole containers whose parts serve, chunks that others were made against, recipes."""
    data = noise(LARGE, 3)
    refs = [place.save("one", {"f": file(data)})]
    for step in range(4):
        data = edited(data, step)
        refs.append(place.save("one", {"f": file(data), "g": file(noise(300, step))}))
    place.store.rm([refs[0], refs[2]])
    assert len(place.store.gc(periods=AT_ONCE).versions) == 2
    place.check(refs[1], refs[3], refs[4])
    place.store.rm([refs[1], refs[3]], force=True)  # the check above pulled them
    place.store.gc(periods=AT_ONCE)
    place.check(refs[4])
    assert needless(place.store) == set()


def aged(place: Place, days: float) -> None:
    """Make every file of the store older, for the clock of the storage."""
    moment = datetime.now(UTC).timestamp() - days * 86_400
    for found in open_backend(place.store.url).keys(""):
        os.utime(Path(place.store.url) / found.key, (moment, moment))


@pytest.mark.parametrize("years", [-20, 0, 20])
def test_the_period_is_counted_by_the_clock_of_the_storage(posix: Place, years: int) -> None:
    """Whoever collects may have a clock that is wrong by years, or have removed with one."""

    def wrong() -> datetime:
        return datetime.now(UTC) + timedelta(days=365 * years)

    client = replace(make_client(posix.folder, "alice"), now=wrong)
    alice = Store.open(posix.store.url, client=client)
    ref = posix.save("one", {"f": file(noise(LARGE, 4))})
    alice.rm([ref])
    result = alice.gc()
    assert result.is_empty
    assert [one.ref for one in result.waiting] == [ref]
    aged(posix, 29)
    assert alice.gc().is_empty
    aged(posix, 31)
    alice.restore([ref])
    alice.rm([ref])
    assert alice.gc().is_empty, "what came back and went again has its time anew"
    aged(posix, 31)
    assert alice.gc(older_than=timedelta(days=32)).is_empty
    assert [version.ref for version in alice.gc().versions] == [ref]


def interrupted_add(store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An add that ends when all its content is uploaded and nothing is committed."""

    def stop(_workspace: object) -> None:
        raise Cancelled("stopped")

    with monkeypatch.context() as patched:
        patched.setattr(save, "choose_chunks", stop)
        with pytest.raises(Cancelled):
            store.add(folder, name="cmr")


def test_an_unfinished_add_is_left_alone_for_a_while(
    posix: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = {"large": file(noise(LARGE, 5)), "small": file(noise(900, 6))}
    folder = posix.folder / "data"
    write_tree(folder, tree)
    interrupted_add(posix.store, folder, monkeypatch)
    left = names(posix.store)
    assert left
    assert posix.store.gc(older_than=timedelta(0)).is_empty
    aged(posix, 8)
    # One file that is younger keeps all of its session: that add is still at work.
    young = sorted(left)[0]
    os.utime(Path(posix.store.url) / young)
    assert posix.store.gc().is_empty
    aged(posix, 8)
    temporary = posix.folder / "store" / "tmp" / "left"
    temporary.write_bytes(b"x" * 100)
    os.utime(temporary, (0, 0))
    result = posix.store.gc()
    assert (result.unfinished, result.freed_files) == (1, len(left) + 1)
    assert names(posix.store) == set()
    assert list((posix.folder / "store" / "tmp").iterdir()) == []
    # What it noted of its uploads is not believed.
    assert posix.store.add(folder, name="cmr").created
    assert_are(posix.store, {"cmr@v1": tree}, posix.folder)


@pytest.mark.parametrize("when", ["before choosing", "before the segment", "before the record"])
def test_an_add_that_a_gc_overtakes(
    place: Place, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """It is about to refer to what goes, and even what it uploaded itself was given up."""
    data = noise(LARGE, 7)
    old = place.save("old", {"large": file(data), "small": file(noise(900, 8))})
    place.store.rm([old])
    runs: list[Collection] = []

    def collect_once() -> None:
        if not runs:
            runs.append(place.opened("bob").gc(periods=AT_ONCE))

    if when == "before choosing":
        choose = save.choose_chunks
        monkeypatch.setattr(
            save, "choose_chunks", lambda workspace: (collect_once(), choose(workspace))
        )
    elif when == "before the segment":
        publish = save.publish
        monkeypatch.setattr(
            save, "publish", lambda *arguments: (collect_once(), publish(*arguments))[1]
        )
    else:
        commit = OpenedStore.commit
        monkeypatch.setattr(
            OpenedStore,
            "commit",
            lambda self, make, **over: (
                collect_once() if self.client.user == "alice" else None,
                commit(self, make, **over),
            )[1],
        )
    tree = {
        "large": file(data),
        "edit": file(edited(data, 1)),
        "small": file(noise(900, 8)),
        "more": file(noise(1_200, 9)),
    }
    new = place.save("new", tree)
    assert [version.ref for version in runs[0].versions] == [old]
    assert runs[0].unfinished == 1
    place.check(new)
    place.store.gc(periods=AT_ONCE)
    place.check(new)
    assert needless(place.store) == set()


@pytest.mark.parametrize("what", ["restore", "same content", "edit", "adopted", "other", "gc"])
def test_a_gc_that_others_overtake(
    place: Place, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Between its plan and its first record they need what it is about to give up."""
    data = noise(LARGE, 11)
    tree = {"large": file(data), "small": file(noise(900, 12))}
    old = place.save("old", tree)
    kept = place.save("kept", {"k": file(noise(700, 13))})
    place.store.rm([old])
    bob = place.opened("bob")
    folder = place.folder / "adopted"
    if what == "adopted":
        write_tree(folder, {"fresh": file(noise(LARGE, 14))})
        interrupted_add(bob, folder, monkeypatch)
    live = [kept]
    asked: list[Collection] = []

    def slow(collection: Collection) -> bool:
        asked.append(collection)
        if len(asked) > 1:
            return True
        match what:
            case "restore":
                bob.restore([old])
                live.append(old)
            case "same content":
                live.append(place.save("new", tree, by=bob))
            case "edit":
                live.append(place.save("new", {"large": file(edited(data, 2))}, by=bob))
            case "adopted":
                assert bob.add(folder, name="new").created
                place.trees["new@v1"] = {"fresh": file(noise(LARGE, 14))}
                live.append("new@v1")
            case "other":
                live.append(place.save("new", {"n": file(noise(3_000, 15))}, by=bob))
            case "gc":
                assert bob.gc(periods=AT_ONCE).done
        return True

    result = place.store.gc(periods=AT_ONCE, confirm=slow)
    place.check(*live)
    assert result.done or what in ("restore", "gc")
    place.store.gc(periods=AT_ONCE)
    place.check(*live)
    assert needless(place.store) == set()


def test_a_version_that_comes_back_between_two_records(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a name in each record others get in between: what is left to condemn is planned anew."""
    monkeypatch.setattr(gc, "NAMES_MAX", 1)
    refs = [place.save(f"d{n}", {"f": file(noise(LARGE, 20 + n))}) for n in range(3)]
    place.store.rm(refs)
    bob = place.opened("bob")
    back: list[str] = []
    commit = OpenedStore.commit

    def meddling(self: OpenedStore, make: object, **over: object) -> object:
        found = commit(self, make, **over)  # type: ignore[arg-type]
        if self.client.user == "alice" and not back:
            for ref in refs:
                try:
                    bob.restore([ref])
                except NotFound:
                    continue
                back.append(ref)
                break
        return found

    monkeypatch.setattr(OpenedStore, "commit", meddling)
    place.store.gc(periods=AT_ONCE)
    assert len(back) == 1
    place.check(*back)
    assert [v.ref for v in place.store._query().every_version()] == back
    assert needless(place.store) == set()


@pytest.mark.parametrize("storage", BACKENDS)
def test_a_gc_that_dies_after_it_condemned(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = {"large": file(noise(LARGE, 31)), "small": file(noise(900, 32))}
    old = place.save("old", tree)
    kept = place.save("kept", {"k": file(noise(700, 33))})
    place.store.rm([old])

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(gc, "_sweep", die)
        with pytest.raises(KeyboardInterrupt):
            place.store.gc(periods=AT_ONCE)
    left = names(place.store)
    with pytest.raises(NotFound, match="gone for good"):
        place.store.restore([old])
    # The same content again: it is stored anew, beside what still lies there.
    again = place.save("again", tree)
    assert names(place.store) > left
    result = place.store.gc()
    assert result.left_over_files > 0
    assert result.versions == ()
    place.check(again, kept)
    assert needless(place.store) == set()
    assert place.store.gc(periods=AT_ONCE).is_empty


def test_a_gc_that_dies_while_it_deletes(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some files are gone and no record says so yet."""
    refs = [place.save("one", {"f": file(noise(LARGE, n))}) for n in range(3)]
    place.store.rm(refs[:2])

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(gc, "_note_swept", die)
        with pytest.raises(KeyboardInterrupt):
            place.store.gc(periods=AT_ONCE)
    assert place.store.gc().left_over_files > 0
    place.check(refs[2])
    assert place.store.gc(periods=AT_ONCE).is_empty


def test_what_a_folder_of_links_shows_stays(posix: Place) -> None:
    tree = {"f": file(noise(LARGE, 41))}
    ref = posix.save("one", tree)
    posix.save("one", {"f": file(noise(LARGE, 42))})
    bob = posix.opened("bob")
    copy = posix.folder / "linked"
    bob.pull(ref, dest=copy, link=LinkMode.SYMLINK)
    posix.store.rm([ref], force=True)
    result = posix.store.gc(periods=AT_ONCE)
    assert result.is_empty
    (waiting,) = result.waiting
    assert waiting.ref == ref
    assert waiting.linked_at is not None
    assert str(copy) in waiting.linked_at
    assert (copy / "f").read_bytes() == tree["f"].content
    for registration in (posix.folder / "store" / "copies").iterdir():
        registration.unlink()
    assert posix.store.gc(periods=AT_ONCE).done


@pytest.mark.parametrize("kind", [layout.MANIFESTS, layout.SEGMENTS])
def test_what_cannot_be_read_stops_everything(place: Place, kind: str) -> None:
    """Nothing is known to be free while a list of files or a part of the index is missing."""
    kept = place.save("kept", {"k": file(noise(LARGE, 51))})
    own = {key for key in names(place.store) if key.startswith(kind)}
    place.store.rm([place.save("old", {"f": file(noise(LARGE, 52))})])
    backend = open_backend(place.store.url)
    key = max(own)
    data = backend.read(key)
    backend.delete(key)
    before = names(place.store)
    stranger = place.opened("carol")
    with pytest.raises(Corrupt):
        stranger.gc(periods=AT_ONCE)
    assert names(place.store) == before
    backend.write(key, data)
    assert stranger.gc(periods=AT_ONCE).done
    place.check(kept)


def test_a_damaged_version_in_the_trash_goes_all_the_same(place: Place) -> None:
    ref = place.save("old", {"f": file(noise(LARGE, 53))})
    backend = open_backend(place.store.url)
    for key in names(place.store):
        if key.startswith(layout.MANIFESTS):
            backend.delete(key)
    place.store.rm([ref])
    result = place.opened("carol").gc(periods=AT_ONCE)
    assert [version.only_here_bytes for version in result.versions] == [None]
    assert names(place.store) == set()
    assert place.store.gc(periods=AT_ONCE).is_empty


@pytest.mark.parametrize(
    "forgotten", [layout.MANIFESTS, layout.SEGMENTS, layout.WHOLE, layout.PACKS]
)
def test_the_second_look_notices_what_the_first_forgot(
    place: Place, monkeypatch: pytest.MonkeyPatch, forgotten: str
) -> None:
    """A plan that takes away a file of a live version is never carried out."""
    data = noise(LARGE, 61)
    refs = [place.save("one", {"f": file(data), "s": file(noise(900, 62))})]
    refs.append(place.save("one", {"f": file(edited(data, 3))}))
    victim = next(key for key in sorted(names(place.store)) if key.startswith(forgotten))
    place.store.rm([place.save("old", {"f": file(noise(LARGE, 63))})])
    reach = gc_plan.reach

    def forgetful(store: OpenedStore, workspace: Workspace, *rest: object, **named: object) -> None:
        reach(store, workspace, *rest, **named)  # type: ignore[arg-type]
        workspace.execute("delete from live where key = $1", [victim])

    monkeypatch.setattr(gc_plan, "reach", forgetful)
    before = names(place.store)
    with pytest.raises(Refused, match="nothing was deleted") as caught:
        place.store.gc(periods=AT_ONCE)
    assert caught.value.kind == "gc_unsafe"
    assert names(place.store) == before
    assert list(place.store._query().condemned()) == []
    monkeypatch.undo()
    place.store.gc(periods=AT_ONCE)
    place.check(*refs)


def test_the_second_look_knows_by_itself_what_is_in_the_trash(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = place.save("one", {"f": file(noise(LARGE, 64))})
    place.store.rm([place.save("old", {"f": file(noise(LARGE, 65))})])
    make_plan = gc.make_plan

    def wrong(*arguments: object, **more: object) -> Plan:
        plan = make_plan(*arguments, **more)  # type: ignore[arg-type]
        (version,) = (v for v in stored_versions(place.store) if v.ref == ref)
        return replace(plan, expired={**plan.expired, version.key: 3})

    monkeypatch.setattr(gc, "make_plan", wrong)
    with pytest.raises(Refused, match="not in the trash"):
        place.store.gc(periods=AT_ONCE)
    place.check(ref)


def stored_versions(store: Store) -> list[gc_plan.StoredVersion]:
    return list(gc_plan.StoredQuery(store._opened.catalog.sync()).stored_versions())


def test_what_datacat_did_not_make_is_not_touched(posix: Place) -> None:
    posix.store.rm([posix.save("one", {"f": file(noise(LARGE, 71))})])
    strange = [
        "whole/notes.txt",
        "packs/aa/readme",
        "manifests/0a/thesis.parquet",
        "segments/mine.chunks.parquet",
        "whole/aa/" + "a" * 64 + "-copy",
        "other/file",
    ]
    for key in strange:
        path = posix.folder / "store" / key
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    aged(posix, 400)
    assert posix.store.gc().done
    assert all((posix.folder / "store" / key).read_text() == "mine" for key in strange)


def test_others_who_are_always_faster(posix: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    posix.store.rm([posix.save("one", {"f": file(noise(LARGE, 81))})])
    monkeypatch.setattr(gc, "TRIES", 2)

    def overtaken(*_: object) -> None:
        raise gc._OvertakenError

    monkeypatch.setattr(gc, "_condemn", overtaken)
    with pytest.raises(Conflict) as caught:
        posix.store.gc(periods=AT_ONCE)
    assert caught.value.kind == "gc_overtaken"


def test_keep_last_retires_what_nobody_needs(place: Place) -> None:
    at = place.folder / "always here"
    refs = [place.save("one", {"f": file(noise(3_000, 90 + n))}, folder=at) for n in range(6)]
    place.store.alias(refs[0], "gold")
    folder = place.folder / "made"
    write_tree(folder, {"w": file(b"weights")})
    place.store.add(folder, name="model", sources=[refs[1]])
    bob = place.opened("bob")
    bob.pull(refs[2], dest=place.folder / "his")
    theirs = [
        place.save("theirs", {"f": file(noise(3_000, 80 + n))}, by=bob, folder=place.folder / "b")
        for n in range(3)
    ]
    looked = place.store.gc(keep_last=2, dry_run=True)
    assert looked.trashed == (refs[3],)
    result = place.store.gc(keep_last=2, periods=AT_ONCE)
    assert (result.trashed, result.versions) == ((refs[3],), ())
    assert [v.ref for v in place.store.trash("one")] == [refs[3]]
    assert [v.ref for v in place.store.gc(periods=AT_ONCE).versions] == [refs[3]]
    place.check(refs[0], refs[1], refs[2], refs[4], refs[5], *theirs)


def test_a_copy_whose_version_is_gone_can_still_be_saved(place: Place) -> None:
    """It knows itself what it started from; what it never held is lost."""
    tree = {"a": file(noise(LARGE, 101)), "b": file(noise(3_000, 102)), "c": file(b"c")}
    old = place.save("one", tree)
    bob = place.opened("bob")
    whole, part = place.folder / "whole", place.folder / "part"
    bob.pull(old, dest=whole)
    bob.pull(old, dest=part, patterns=["b"])
    newest = place.save("one", {**tree, "a": file(noise(LARGE, 103))})
    place.store.rm([old], force=True)
    assert place.store.gc(periods=AT_ONCE).done
    for folder in (whole, part):
        (folder / "b").write_bytes(b"mine")
    stranger = place.opened("carol")
    with pytest.raises(Conflict, match="your copy started from one@v1") as caught:
        stranger.add(whole)
    assert caught.value.kind == "newer_version"
    assert "alice changed 1 file, you changed 1" in str(caught.value.hint)
    assert stranger.add(whole, force=True).version.ref == "one@v3"
    for force in (False, True):
        with pytest.raises(Failed, match="gone for good") as lost:
            stranger.add(part, force=force)
        assert lost.value.kind == "base_gone"
    assert stranger.add(part, force=True, only_here=True).version.ref == "one@v4"
    place.trees["one@v3"] = {**tree, "b": file(b"mine")}
    place.trees["one@v4"] = {"b": file(b"mine")}
    place.check(newest, "one@v3", "one@v4")
