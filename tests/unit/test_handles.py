"""What a program holds: versions, their files, and runs."""

from __future__ import annotations

import os
import pickle
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import fsspec
import pytest

import datacat
from datacat import Client, NotFound, OpenVersion, Store
from datacat.handles import verbs

LABELS = b"id,v\n1,2\n"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store of settings, with `cmr` (small and whole files, a link), saved twice."""
    for name in list(os.environ):
        if name.startswith("DATACAT_") or name == "JUPYTERHUB_USER":
            monkeypatch.delenv(name)
    monkeypatch.setenv("DATACAT_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("DATACAT_USER", "alice")
    monkeypatch.setenv("DATACAT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    fsspec.get_filesystem_class("datacat").clear_instance_cache()
    client = Client(user="alice", host="hub", cache_dir=tmp_path / "cache")
    store = Store.create(str(tmp_path / "store"), client=client)
    data = tmp_path / "cmr"
    (data / "sub-1").mkdir(parents=True)
    (data / "labels.csv").write_bytes(LABELS)
    (data / "sub-1" / "sax.bin").write_bytes(os.urandom(400_000))
    (data / "empty").touch()
    (data / "link.csv").symlink_to("labels.csv")
    store.add(data)
    (data / "labels.csv").write_bytes(LABELS + b"2,3\n")
    store.add(data)
    return store


def test_a_version_is_a_mapping_of_its_files(store: Store) -> None:
    ds = datacat.open("cmr@v1")
    assert (ds.ref, ds.url, len(ds)) == ("cmr@v1", "datacat://cmr@v1", 3)
    assert list(ds) == ["empty", "labels.csv", "sub-1/sax.bin"]
    assert ds.files("*.csv", "sub-1/") == ["labels.csv", "sub-1/sax.bin"]
    labels = ds["labels.csv"]
    assert labels.read_bytes() == LABELS
    assert labels.read_text() == LABELS.decode()
    assert labels.open("r").readlines() == ["id,v\n", "1,2\n"]
    assert (labels.name, labels.bytes, labels.url) == (
        "labels.csv",
        9,
        "datacat://cmr@v1/labels.csv",
    )
    assert fsspec.open(labels.url).open().read() == LABELS
    assert ds["link.csv"].read_bytes() == LABELS
    assert "labels.csv" in ds
    assert "sub-1" not in ds
    assert 7 not in ds
    with pytest.raises(FileNotFoundError, match=r"no file label\.csv") as caught:
        ds["label.csv"]
    assert isinstance(caught.value, NotFound)
    assert "labels.csv" in (caught.value.hint or "")
    with pytest.raises(NotFound, match="is a folder"):
        ds["sub-1"]
    with pytest.raises(NotFound, match=r"matches '\*.json'"):
        ds.files("*.json")
    with pytest.raises(PermissionError):
        labels.open("w")


def test_a_bare_name_is_pinned_and_said_once(
    store: Store, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from datacat.handles import version

    version._noted.clear()
    ds = datacat.open("cmr")
    assert capfd.readouterr().err == 'using cmr@v2; to pin it: datacat.open("cmr@v2")\n'
    (tmp_path / "cmr" / "labels.csv").write_bytes(b"id,v\n")
    store.add(tmp_path / "cmr")
    assert ds["labels.csv"].read_bytes() == LABELS + b"2,3\n", "it does not move on"
    assert capfd.readouterr().err == ""
    assert datacat.open("cmr@v2") == ds


def test_paths_are_read_only_and_made_once(store: Store, tmp_path: Path) -> None:
    ds = datacat.open("cmr@v1")
    labels, large = ds["labels.csv"].path, ds["sub-1/sax.bin"].path
    assert (labels.name, labels.read_bytes()) == ("labels.csv", LABELS)
    assert not labels.stat().st_mode & 0o222
    assert large.is_symlink()
    assert large.resolve().is_relative_to(tmp_path / "store"), "it was copied"
    assert large.read_bytes() == (tmp_path / "cmr" / "sub-1" / "sax.bin").read_bytes()
    before = labels.stat()
    assert ds["labels.csv"].path.stat() == before
    assert ds["empty"].path.read_bytes() == b""
    folder = ds.path
    assert (folder.name, (folder / "labels.csv").read_bytes()) == ("cmr", LABELS)
    assert (folder / "link.csv").read_bytes() == LABELS
    assert (folder / "sub-1" / "sax.bin").is_symlink()
    assert not stat.S_IMODE((folder / "labels.csv").stat().st_mode) & 0o222
    assert ds.path == folder
    assert datacat.path("cmr@v1") == folder
    assert datacat.path("cmr@v1/labels.csv") == labels
    # What garbage collection took away is fetched again, or said to be gone.
    os.unlink(large)
    large.symlink_to(tmp_path / "nowhere")
    assert ds["sub-1/sax.bin"].path.read_bytes() == (tmp_path / "cmr/sub-1/sax.bin").read_bytes()


def test_the_verbs_use_the_store_of_the_settings(store: Store, tmp_path: Path) -> None:
    assert [d.latest for d in datacat.ls().datasets] == ["cmr@v2"]
    assert datacat.show("cmr").version.ref == "cmr@v2"
    assert datacat.pull("cmr@v1", dest=tmp_path / "out").files == 4
    assert [version.ref for version in datacat.log("cmr")] == ["cmr@v2", "cmr@v1"]
    assert datacat.log(limit=1)[0].ref == "cmr@v1", "the pull is the latest"
    assert [entry.ref for entry in datacat.status([tmp_path / "out"])] == ["cmr@v1"]
    assert datacat.diff("cmr@v1", "cmr@v2").modified == 1
    (tmp_path / "out" / "labels.csv").write_bytes(b"id\n")
    assert datacat.add(tmp_path / "out", force=True).version.ref == "cmr@v3"
    for name in ("ls", "show", "add", "pull", "log", "diff", "status"):
        assert f"`Store.{name}`" in (getattr(verbs, name).__doc__ or "")


def test_handles_travel(store: Store) -> None:
    ds = datacat.open("cmr@v1")
    again = pickle.loads(pickle.dumps(ds))
    assert isinstance(again, OpenVersion)
    assert again == ds
    assert again["labels.csv"].read_bytes() == LABELS
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: ds["sub-1/sax.bin"].read_bytes(), range(24)))
    assert len(set(found)) == 1


def test_a_run_saves_with_what_it_read(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "model.bin").write_bytes(b"weights")
    with datacat.run("unet", params={"lr": 3e-4}) as run:
        assert datacat.current_run() is run
        datacat.open("cmr@v1")
        with ThreadPoolExecutor(1) as pool:  # a loader's thread knows nothing of the run
            pool.submit(lambda: fsspec.open("datacat://cmr@v2/labels.csv").open().read()).result()
        run.params["epochs"] = 80
        result = run.add(out, metrics={"dice": 0.9}, message="first")
    assert datacat.current_run() is None
    version = result.version
    assert version.ref == "unet@v1"
    assert version.sources == ("cmr@v1", "cmr@v2")
    assert dict(version.params) == {"lr": 3e-4, "epochs": 80}
    assert dict(version.metrics) == {"dice": 0.9}
    assert run.saved == [result]
    datacat.open("cmr@v1")
    with pytest.raises(datacat.Failed, match="is over"):
        run.add(out)


def test_runs_nest_and_fail(store: Store) -> None:
    runs: list[datacat.Run] = []

    def failing() -> None:
        with datacat.run("inner") as inner:
            runs.append(inner)
            datacat.open("cmr@v1")
            raise KeyError

    def outer_failing() -> None:
        with datacat.run("outer") as outer:
            runs.append(outer)
            with suppress(KeyError):
                failing()
            datacat.open("cmr@v2")
            assert datacat.current_run() is outer
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        outer_failing()
    assert [run.sources for run in runs] == [["cmr@v1", "cmr@v2"], ["cmr@v1"]]
    assert datacat.current_run() is None
    assert [d.name for d in store.ls().datasets] == ["cmr"], "a failed run saves nothing by itself"


def test_threads_have_runs_of_their_own(store: Store) -> None:
    def job(ref: str) -> list[str]:
        with datacat.run() as run:
            for _ in range(20):
                datacat.open(ref)["labels.csv"].read_bytes()
            return run.sources

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(job, ["cmr@v1", "cmr@v2"] * 4)) == [["cmr@v1"], ["cmr@v2"]] * 4


def test_a_decorated_function_is_a_run_each_time(store: Store) -> None:
    found = []

    @datacat.run("job", params={"lr": 1})
    def job(ref: str) -> None:
        run = datacat.current_run()
        assert run is not None
        datacat.open(ref)
        run.use("cmr")
        found.append((run.name, run.params, run.sources))

    job("cmr@v1")
    job("cmr@v2")
    assert found == [
        ("job", {"lr": 1}, ["cmr@v1", "cmr@v2"]),
        ("job", {"lr": 1}, ["cmr@v2"]),
    ]


def test_a_card_says_what_it_is_and_escapes_it(store: Store, tmp_path: Path) -> None:
    (tmp_path / "new.txt").write_text("x")
    store.add(tmp_path / "new.txt", message="<b>\x1b[31m\u202e", params={"<i>": "&"})
    ds = datacat.open("new@v1")
    text, page = repr(ds), ds._repr_html_()
    assert text.startswith("new@v1  1 file, 1 B\n")
    assert "datacat pull new@v1" in text
    assert "\x1b" not in text + page
    assert "\u202e" not in text + page
    assert "<b>" not in page
    assert "&lt;i&gt;" in page
    assert "<code>" in ds["new.txt"]._repr_html_()
    assert repr(ds["new.txt"]) == "<new@v1/new.txt: 1 B>"


def test_importing_costs_nothing() -> None:
    code = "import sys, datacat; assert not {'duckdb', 'fsspec', 'rich'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
