"""A version with tables, parts and an array in it, in the store of this person's settings."""

from __future__ import annotations

import importlib
import importlib.util
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import datacat
from tests.conftest import make_client
from tests.docs.pages import ROOT

pandas = pytest.importorskip("pandas")
pytest.importorskip("pyarrow")

if importlib.util.find_spec("upath") is not None:
    # As an installed datacat says by its entry point: also where it is not installed anew.
    from upath.registry import register_implementation

    said = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    module, _, name = said["universal_pathlib.implementations"]["datacat"].partition(":")
    made = getattr(importlib.import_module(module), name)
    register_implementation("datacat", made, clobber=True)

ROWS = 400
PARTS = 4


@pytest.fixture(scope="session")
def team(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home and a store with `cmr@v1`: 400 rows, also as four parts; a thousand small files."""
    folder = tmp_path_factory.mktemp("team")
    source = folder / "cmr"
    (source / "parts").mkdir(parents=True)
    frame = pandas.DataFrame({"id": range(ROWS), "v": [n * 0.5 for n in range(ROWS)]})
    frame.to_csv(source / "labels.csv", index=False)
    frame.to_parquet(source / "labels.parquet", index=False)
    frame.to_json(source / "rows.jsonl", orient="records", lines=True)
    for number in range(PARTS):
        part = frame[number * ROWS // PARTS : (number + 1) * ROWS // PARTS]
        part.to_parquet(source / "parts" / f"{number}.parquet", index=False)
        part.to_csv(source / "parts" / f"{number}.csv", index=False)
    (source / "scans").mkdir()
    for number in range(1_000):
        (source / "scans" / f"{number:04}.bin").write_bytes(number.to_bytes(4, "little") * 50)
    store = datacat.Store.create(str(folder / "store"), client=make_client(folder))
    store.add(source)
    store.close()
    return folder


@pytest.fixture(autouse=True)
def settings(team: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process is that person's."""
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(team))
    monkeypatch.setenv("DATACAT_USER", "alice")
    monkeypatch.setenv("DATACAT_STORE", str(team / "store"))
    from datacat.filesystem import DatacatFileSystem

    DatacatFileSystem.clear_instance_cache()
    yield
    DatacatFileSystem.clear_instance_cache()
