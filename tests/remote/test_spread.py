"""An add whose work is done by the workers of a cluster, in processes of their own."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import datacat
from datacat.errors import Failed, InvalidInput, Refused
from datacat.opened import Client
from datacat.progress import Advanced, Event, Started
from datacat.sql import Workspace, parquet
from datacat.store import Store
from tests.remote.test_store import content

distributed = pytest.importorskip("distributed")
Clients = Callable[..., Client]

pytestmark = pytest.mark.filterwarnings("ignore")  # those of distributed are its own business


@pytest.fixture(scope="module")
def workers() -> Iterator[Any]:
    """A client of a cluster of two workers."""
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as workers,
    ):
        yield workers


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Small files, files that are cut, files twice, and one that does not compress."""
    folder = tmp_path / "cmr"
    folder.mkdir()
    chance = random.Random(8)
    for number in range(200):
        (folder / f"{number}.txt").write_text(f"{chance.random()} " * 300)
    for number in range(3):
        lines = "".join(f"{n},{chance.randrange(9)},{n * number}\n" for n in range(500_000))
        (folder / f"table-{number}.csv").write_text(lines)
    (folder / "again.csv").write_bytes((folder / "table-1.csv").read_bytes())
    (folder / "scan.bin").write_bytes(chance.randbytes(6 << 20))
    (folder / "empty").touch()
    return folder


def index(store: Store, folder: Path) -> tuple[list[Any], list[Any]]:
    """What a store keeps, wherever it lies: its chunks, and what is made of which."""
    found = []
    with Workspace() as workspace:
        for relation, columns in (
            ("chunks", "digest, size, codec, stored_size"),
            ("recipes", "object, ordinal, chunk"),
        ):
            files = sorted((folder / "segments").glob(f"*.{relation}.parquet"))
            rows = [
                row
                for file in files
                for row in workspace.all(f"select {columns} from {parquet(file)}")
            ]
            found.append(sorted(rows))
    return found[0], found[1]


@pytest.mark.parametrize("kill", [False, True])
def test_the_same_as_by_threads(
    workers: Any, folder: Path, tmp_path: Path, client: Clients, kill: bool
) -> None:
    with Store.create(str(tmp_path / "one"), client=client("alice")) as alone:
        expected = alone.add(folder, layout=datacat.Layout.CHUNKED).version
    events: list[Event] = []

    def listener(event: Event) -> None:
        events.append(event)
        if kill and isinstance(event, Advanced) and not killed.is_set():
            killed.set()
            pids = list(workers.run(os.getpid).values())
            os.kill(pids[0], signal.SIGKILL)

    killed = threading.Event()
    with Store.create(str(tmp_path / "two"), client=client("bob")) as store:
        executor = workers.get_executor(pure=False)
        saved = store.add(
            folder, layout=datacat.Layout.CHUNKED, executor=executor, listener=listener
        )
        assert killed.is_set() == kill
        assert saved.version.hash == expected.hash
        assert saved.version.stored_bytes == expected.stored_bytes
        assert index(store, tmp_path / "two") == index(alone, tmp_path / "one")
        assert {e.phase for e in events if isinstance(e, Started)} >= {"Reading", "Storing"}
        store.pull("cmr", dest=tmp_path / "copy")
        assert content(tmp_path / "copy") == content(folder)
        assert all(found.ok for found in store.verify())
        assert len(store.log("cmr")) == 1
        # An edit is a difference, as it is without workers.
        with (folder / "table-2.csv").open("r+b") as file:
            file.write(b"edited")
        edited = store.add(folder, executor=executor)
        assert edited.version.changes.modified == 1
        assert edited.version.stored_bytes < 100_000


def test_by_the_address_of_a_scheduler(
    workers: Any, folder: Path, tmp_path: Path, client: Clients
) -> None:
    place = workers.scheduler.address.replace("tcp://", "dask://")
    with Store.create(str(tmp_path / "store"), client=client()) as store:
        assert store.add(folder, executor=place).version.files == 206
        assert not store.add(folder, executor="threads").created
        with pytest.raises(Failed) as nobody:
            store.add(folder, name="x", executor="dask://127.0.0.1:1")
        assert nobody.value.kind == "no_cluster"
        with pytest.raises(InvalidInput) as wrong:
            store.add(folder, executor="spark://host")
        assert wrong.value.kind == "bad_executor"
    # What the setting says, counts for who says nothing.
    settled = replace(client("bob"), executor="dask://127.0.0.1:1")
    with Store.open(str(tmp_path / "store"), client=settled) as store:
        with pytest.raises(Failed) as away:
            store.add(folder)
        assert away.value.kind == "no_cluster"
        assert not store.add(folder, executor="threads").created


def test_a_worker_with_another_datacat_is_refused(
    workers: Any, folder: Path, tmp_path: Path, client: Clients
) -> None:
    def become(version: str) -> None:
        import datacat

        datacat.__version__ = version

    workers.run(become, "0.0.0")
    try:
        with Store.create(str(tmp_path / "store"), client=client()) as store:
            with pytest.raises(Refused, match=r"a worker has datacat 0\.0\.0") as caught:
                store.add(folder, executor=workers.get_executor(pure=False))
            assert caught.value.kind == "worker_version"
            assert store.ls().datasets_total == 0
    finally:
        workers.run(become, datacat.__version__)
