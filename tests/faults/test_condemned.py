"""What gc has condemned is never referred to again, however an add and a gc meet."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from datacat import layout
from datacat.catalog.fold import Fold
from datacat.catalog.record import ContainersCondemn, Record
from datacat.catalog.snapshot import Snapshot
from datacat.catalog.writer import Committed
from datacat.errors import Cancelled
from datacat.opened import OpenedStore, open_store
from datacat.store import Store
from datacat.working_copy import save
from tests.conftest import make_client, make_store


@pytest.fixture
def opened(tmp_path: Path) -> OpenedStore:
    client = make_client(tmp_path)
    return open_store(make_store("posix", tmp_path, client=client).url, client=client)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "small.bin").write_bytes(secrets.token_bytes(5_000))
    (folder / "whole.bin").write_bytes(secrets.token_bytes(400_000))
    return folder


def containers(opened: OpenedStore) -> list[str]:
    return [stat.key for top in (layout.PACKS, layout.WHOLE) for stat in opened.backend.keys(top)]


def condemn(opened: OpenedStore, names: list[str]) -> None:
    def make(_fold: Fold, seq: int, prev: str) -> ContainersCondemn:
        return ContainersCondemn(
            seq=seq,
            txid=secrets.token_hex(16),
            prev=prev,
            base=0,
            by="gc",
            at=datetime.now(UTC).replace(microsecond=0),
            names=tuple(names),
        )

    opened.catalog.writer().commit(make)


def sweep(opened: OpenedStore, names: list[str]) -> None:
    for name in names:
        opened.backend.delete(name)


def assert_pulls(opened: OpenedStore, ref: str, data: Path, tmp_path: Path) -> None:
    """A client without a cache gets exactly the files of `data`."""
    bob = Store.open(opened.backend.url, client=make_client(tmp_path, "bob"))
    bob.pull(ref, dest=tmp_path / "pulled")
    for path in data.glob("*.bin"):
        assert (tmp_path / "pulled" / path.name).read_bytes() == path.read_bytes()
    assert all(result.ok for result in bob.verify(everything=True))


def interrupted_add(store: Store, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An add that stops when all its content is uploaded and nothing is committed."""

    def stop(_workspace: object) -> None:
        raise Cancelled("stopped")

    with monkeypatch.context() as patched:
        patched.setattr(save, "choose_chunks", stop)
        with pytest.raises(Cancelled):
            store.add(data, name="cmr")


def test_an_interrupted_add_does_not_take_over_what_was_condemned(
    opened: OpenedStore, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(opened)

    interrupted_add(store, data, monkeypatch)
    left = containers(opened)
    assert len(left) == 2
    condemn(opened, left)

    assert store.add(data, name="cmr").created
    assert len(containers(opened)) == 4
    sweep(opened, left)
    assert_pulls(opened, "cmr@v1", data, tmp_path)


def test_an_interrupted_add_takes_over_what_was_not_condemned(
    opened: OpenedStore, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(opened)

    interrupted_add(store, data, monkeypatch)
    left = containers(opened)

    assert store.add(data, name="cmr").created
    assert containers(opened) == left
    assert_pulls(opened, "cmr@v1", data, tmp_path)


def condemn_before_commit(
    monkeypatch: pytest.MonkeyPatch, opened: OpenedStore, keys: list[str]
) -> list[int]:
    """Let gc condemn these just before the next session commits; returns its attempts."""
    choose = save.choose_chunks
    attempts: list[int] = []

    def condemned_meanwhile(workspace: save.Workspace) -> None:
        choose(workspace)
        attempts.append(1)
        if len(attempts) == 1:
            condemn(opened, keys)

    monkeypatch.setattr(save, "choose_chunks", condemned_meanwhile)
    return attempts


@pytest.mark.parametrize("kind", ["containers", "segment"])
def test_what_is_condemned_between_plan_and_commit_is_uploaded_again(
    opened: OpenedStore, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    store = Store(opened)
    store.add(data, name="old")
    reused = containers(opened)
    if kind == "segment":
        reused = [stat.key for stat in opened.backend.keys(layout.SEGMENTS)]
    calls = condemn_before_commit(monkeypatch, opened, reused)
    (data / "more.bin").write_bytes(b"more")
    assert store.add(data, name="new", new=True).created
    assert len(calls) == 2, "the session did not start over"
    sweep(opened, reused)
    bob = Store.open(opened.backend.url, client=make_client(tmp_path, "bob"))
    bob.pull("new@v1", dest=tmp_path / "pulled")
    for path in data.glob("*.bin"):
        assert (tmp_path / "pulled" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("folder", [layout.MANIFESTS, layout.SEGMENTS])
def test_what_was_just_uploaded_and_is_condemned_is_uploaded_again(
    opened: OpenedStore,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    folder: str,
) -> None:
    """An add that was paused for longer than the upload period, just before its record."""
    store = Store(opened)
    store.add(data, name="old")
    commit = OpenedStore.commit
    condemned: list[str] = []

    def condemned_meanwhile(
        self: OpenedStore, make: Callable[..., Record], *, start: Snapshot | None = None
    ) -> Committed:
        if start is not None and not condemned:
            listed = {stat.key for stat in opened.backend.keys(folder)}
            condemned.extend(listed - before)
            condemn(opened, condemned)
        return commit(self, make, start=start)

    before = {stat.key for stat in opened.backend.keys(folder)}
    monkeypatch.setattr(OpenedStore, "commit", condemned_meanwhile)
    (data / "more.bin").write_bytes(b"more")
    assert store.add(data, name="new", new=True).created
    assert len(condemned) == 1
    sweep(opened, condemned)
    assert_pulls(opened, "new@v1", data, tmp_path)
