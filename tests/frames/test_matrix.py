"""The calls in the matrix of docs/python.md: each row is run, and gives what was saved.

The page is read: what it shows is what is tested.
"""

from __future__ import annotations

import importlib.util
import pickle
import re
from pathlib import Path
from typing import Any

import fsspec
import pytest

import datacat
from tests.docs.pages import ROOT
from tests.frames.conftest import ROWS

TOTAL = sum(n * 0.5 for n in range(ROWS))
# Whatever else these libraries say of each other's releases is not ours to mend.
pytestmark = pytest.mark.filterwarnings("ignore::Warning")


def matrix() -> list[tuple[str, str]]:
    """Library and call of each row."""
    page = (ROOT / "docs" / "python.md").read_text()
    section = page.partition("### Which library, by which call")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \| `([^`]+)` \|", section, re.M)
    return [(library.strip(), call) for library, call in rows]


def total_of(found: Any) -> float:
    """The sum of the column `v` of whatever a library gave."""
    if type(found).__module__.startswith("duckdb"):
        found = found.df()
    if hasattr(found, "collect"):
        found = found.collect()
    if hasattr(found, "to_table"):
        found = found.to_table()
    if hasattr(found, "compute"):
        found = found.compute()
    if type(found).__module__.startswith("datasets"):
        return float(sum(row["v"] for row in found))
    if hasattr(found, "to_pandas"):
        found = found.to_pandas()
    return float(found["v"].sum())


def test_the_matrix_has_every_library() -> None:
    libraries = {library.split(",")[0] for library, _ in matrix()}
    assert libraries >= {"pandas", "polars", "PyArrow", "Dask", "Hugging Face datasets", "DuckDB"}


@pytest.mark.parametrize(("library", "call"), matrix(), ids=lambda text: text[:60])
def test_each_call_gives_what_was_saved(library: str, call: str, tmp_path: Path) -> None:
    names: dict[str, Any] = {"datacat": datacat}
    for module, name in (
        ("pandas", "pd"),
        ("polars", "pl"),
        ("pyarrow.dataset", "pads"),
        ("pyarrow.parquet", "pq"),
        ("dask.dataframe", "dd"),
        ("datasets", "datasets"),
        ("upath", "upath"),
    ):
        if f"{name}." in call:
            if importlib.util.find_spec(module.partition(".")[0]) is None:
                pytest.skip(f"{module} is not installed")
            names[name] = importlib.import_module(module)
    names["ds"] = datacat.open("cmr@v1")
    names["fs"] = fsspec.filesystem("datacat")
    if "load_dataset" in call:
        names["datasets"].disable_progress_bars()
        names["datasets"].config.HF_DATASETS_CACHE = tmp_path
    with datacat.connect() as con:
        found = eval(call, names | {"con": con})
        assert total_of(found) == TOTAL, library


@pytest.mark.skipif(importlib.util.find_spec("xarray") is None, reason="xarray is not installed")
@pytest.mark.skipif(importlib.util.find_spec("zarr") is None, reason="zarr is not installed")
def test_an_array_is_read_where_it_lies(tmp_path: Path) -> None:
    import numpy
    import xarray
    import zarr

    values = numpy.arange(200.0).reshape(10, 20)
    xarray.Dataset({"a": (("x", "y"), values)}).to_zarr(tmp_path / "cube.zarr")
    ref = datacat.add(tmp_path / "cube.zarr", name="cube").version.ref
    assert float(xarray.open_zarr(f"datacat://{ref}").a.sum()) == values.sum()
    assert zarr.open_group(f"datacat://{ref}", mode="r")["a"][3:5].sum() == values[3:5].sum()
    assert float(xarray.open_zarr(datacat.path(ref)).a.sum()) == values.sum()


@pytest.mark.skipif(importlib.util.find_spec("upath") is None, reason="upath is not installed")
def test_paths_as_objects_are_found_by_the_entry_point() -> None:
    from upath import UPath

    from datacat.handles.upath import DatacatPath

    version = UPath("datacat://cmr@v1")
    labels = version / "labels.csv"
    assert type(labels) is DatacatPath
    assert (labels.name, labels.suffix, str(labels)) == (
        "labels.csv",
        ".csv",
        "datacat://cmr@v1/labels.csv",
    )
    assert labels.read_text().startswith("id,v\n")
    assert labels.stat().st_size == len(labels.read_bytes())
    assert (version.is_dir(), labels.is_file(), (version / "none").exists()) == (True, True, False)
    assert sorted(path.name for path in version.iterdir()) == [
        *("labels.csv", "labels.parquet", "parts", "rows.jsonl", "scans"),
    ]
    assert [path.name for path in version.glob("parts/*.csv")] == [f"{n}.csv" for n in range(4)]
    assert pickle.loads(pickle.dumps(labels)) == labels
    with pytest.raises(PermissionError):
        labels.write_text("no")
    with pytest.raises(FileNotFoundError, match="no file none"):
        (version / "none").read_text()
