"""Dask workers in processes of their own read versions by URL: what they are sent is pickled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

import datacat
from datacat.errors import NotFound
from tests.frames.conftest import ROWS

distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed")
dataframe = pytest.importorskip("dask.dataframe", reason="dask.dataframe is not installed")
# Whatever these libraries say of each other's releases is not ours to mend.
pytestmark = pytest.mark.filterwarnings("ignore::Warning")

TOTAL = sum(n * 0.5 for n in range(ROWS))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Two workers that know no store by themselves."""
    place = str(tmp_path_factory.mktemp("workers"))
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=2,
            processes=True,
            dashboard_address=None,
            local_directory=place,
            env={"DATACAT_STORE": f"{place}/none", "DATACAT_CACHE_DIR": f"{place}/cache"},
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_tables_are_read_by_the_workers(cluster: Any, team: Path) -> None:
    given = {"storage_options": {"store": str(team / "store")}}
    parquet = dataframe.read_parquet("datacat://cmr@v1/parts/*.parquet", **given)
    texts = dataframe.read_csv("datacat://cmr@v1/parts/*.csv", blocksize=500, **given)
    assert texts.npartitions > 4
    for frame in (parquet, texts):
        found = cluster.compute(frame.v.sum(), sync=True, retries=0)
        assert float(found) == TOTAL
    assert len(cluster.scheduler_info()["workers"]) == 2


def test_bags_and_open_files_travel_to_workers(cluster: Any, team: Path) -> None:
    bag = pytest.importorskip("dask.bag")
    store = str(team / "store")
    lines = bag.read_text("datacat://cmr@v1/rows.jsonl", storage_options={"store": store})
    assert cluster.compute(lines.count(), sync=True) == ROWS
    version = datacat.open("cmr@v1", store=store)
    names = version.files("scans/*.bin")[:40]

    def number(one: Any, name: str) -> int:
        return int.from_bytes(one[name].read_bytes()[:4], "little")

    tasks = cluster.map(number, [version] * len(names), names, pure=False)
    assert cluster.gather(tasks) == list(range(40))
    system = fsspec.filesystem("datacat", store=store)
    with system.open("cmr@v1/labels.csv") as file:
        file.seek(5)
        rest = cluster.submit(lambda one: one.read(), file, pure=False).result()
    assert rest == system.cat_file("cmr@v1/labels.csv")[5:]


def test_a_worker_says_what_is_wrong_as_everywhere(cluster: Any, team: Path) -> None:
    version = datacat.open("cmr@v1", store=str(team / "store"))
    task = cluster.submit(lambda one: one["lables.csv"], version, pure=False)
    with pytest.raises(NotFound, match=r"no file lables\.csv in cmr@v1") as caught:
        task.result()
    assert isinstance(caught.value, FileNotFoundError)
    assert "labels.csv" in str(caught.value.hint)
