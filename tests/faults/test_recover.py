"""The scripts in a store give every version back, without datacat and with nothing but zstd."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from datacat import layout, recovery
from tests.docs.pages import ROOT
from tests.faults.forged import Forger
from tests.faults.mutable import MutableStore, make_mutable
from tests.faults.situation import make_store
from tests.formats.make_v1 import TREES, unpack
from tests.formats.test_v1 import in_folder

NOTHING = ["-I", "-S"]
"""Python's options for the standard library alone: zstd is the program then."""

needs_zstd = pytest.mark.skipif(not shutil.which("zstd"), reason="needs the program zstd")
PYTHONS = [pytest.param([], id="packages"), pytest.param(NOTHING, id="alone", marks=needs_zstd)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> MutableStore:
    return make_mutable(tmp_path_factory.mktemp("made"))


@pytest.fixture
def store(made: MutableStore, tmp_path: Path) -> Path:
    """A copy of a store with everything that there can be, to be damaged."""
    store = tmp_path / "store"
    shutil.copytree(made.store, store)
    for name, data in recovery.files().items():
        (store / name).write_bytes(data)
    return store


def test_a_new_store_has_the_scripts(tmp_path: Path) -> None:
    with make_store(tmp_path) as store:
        for name, data in recovery.files().items():
            assert Path(store.url, name).read_bytes() == data


def run(store: Path, *arguments: str, python: list[str] | None = None) -> tuple[int, str, str]:
    """Run the script of the store, in another folder."""
    options = python or []
    # With -I the folder of the script is not on the path either.
    code = f"import sys, runpy; sys.path.insert(0, {str(store)!r}); sys.argv = sys.argv[1:]"
    code += "; runpy.run_path(sys.argv[0], run_name='__main__')"
    started = [*options, "-c", code, str(store / "recover.py")]
    environment = {"PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, *started, *arguments],
        capture_output=True,
        text=True,
        cwd=store.parent,
        env=environment,
        check=False,
        timeout=60,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


def recovered(out: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def state(store: Path) -> dict[Path, tuple[int, int, int]]:
    stats = {path: path.stat() for path in store.rglob("*")}
    return {path: (s.st_size, s.st_mtime_ns, s.st_ctime_ns) for path, s in stats.items()}


@pytest.mark.parametrize("python", PYTHONS)
def test_every_version_comes_back(
    made: MutableStore, store: Path, tmp_path: Path, python: list[str]
) -> None:
    before = state(store)
    code, said, errors = run(store, "--all", str(tmp_path / "out"), python=python)
    assert code == 0, errors
    for ref, files in made.versions.items():
        name, _, number = ref.partition("@")
        out = tmp_path / "out" / name / number
        assert recovered(out) == files, ref
        assert f"{ref}: {len(files)} files are in {out}" in said
    scans = tmp_path / "out" / "scans" / "v1"
    assert os.readlink(scans / "link") == "a.raw"
    assert (scans / "nothing").is_dir()
    assert ("Only sizes were compared" in errors) == bool(python)
    assert state(store) == before, "something was changed"


@pytest.mark.parametrize("python", PYTHONS)
def test_an_old_store_comes_back(tmp_path: Path, python: list[str]) -> None:
    """With scripts that were written later than it: it has none of its own."""
    store = unpack(tmp_path)
    for name, data in recovery.files().items():
        (store / name).write_bytes(data)
    for ref, tree in TREES.items():
        code, _, errors = run(store, ref, str(tmp_path / ref), python=python)
        assert code == 0, errors
        assert in_folder(tmp_path / ref) == tree


def test_it_lists_what_there_is(made: MutableStore, store: Path) -> None:
    code, said, _ = run(store)
    assert code == 0
    assert [line.split()[0] for line in said.splitlines()] == list(made.versions)


def test_lost_tables_are_made_up_for(made: MutableStore, store: Path, tmp_path: Path) -> None:
    """Names of whole containers and the lists in packs say what the segments said."""
    for path in store.glob("segments/*.chunks.parquet"):
        path.unlink()
    code, _, errors = run(store, "maps@v1", str(tmp_path / "out"))
    assert code == 0, errors
    assert recovered(tmp_path / "out") == made.versions["maps@v1"]


def test_what_is_damaged_is_named_and_the_rest_arrives(
    made: MutableStore, store: Path, tmp_path: Path
) -> None:
    (largest,) = sorted(store.glob("whole/*/*"), key=lambda path: path.stat().st_size)[-1:]
    data = bytearray(largest.read_bytes())
    data[len(data) // 2] ^= 1
    largest.unlink()
    largest.write_bytes(data)
    code, _, errors = run(store, "scans@v1", str(tmp_path / "out"))
    expected = dict(made.versions["scans@v1"])
    found = recovered(tmp_path / "out")
    assert code == 1
    assert "scans@v1/a.raw" in errors
    assert expected.pop("a.raw") != found.pop("a.raw.damaged")
    assert found == expected


def test_a_lost_record_leaves_the_others(made: MutableStore, store: Path, tmp_path: Path) -> None:
    (store / layout.log_record(3)).unlink()
    code, said, errors = run(store)
    assert code == 1
    assert "record 3 of the log is lost" in errors
    assert [line.split()[0] for line in said.splitlines()] == [
        ref for ref in made.versions if ref != "scans@v2"
    ]


@pytest.mark.parametrize(
    "path", ["../outside", "/outside", "a/../../outside", "link/../../x", "", ".", "a//b"]
)
def test_no_path_leads_outside(store: Path, tmp_path: Path, path: str) -> None:
    forger = Forger(store)
    forger.alter("manifest", 2, f"update t set path = '{path}' where path = 's.txt'", tree=True)
    before = {found for found in tmp_path.rglob("*") if "out" not in found.parts}
    code, _, errors = run(store, "scans@v1", str(tmp_path / "out"))
    assert code == 1
    assert "a path that leads elsewhere" in errors
    assert not any("outside" in found.name for found in tmp_path.rglob("*"))
    assert {found for found in tmp_path.rglob("*") if "out" not in found.parts} == before


def test_it_runs_on_older_pythons() -> None:
    """Whoever needs it may have nothing newer."""
    for name in ("recover.py", "recover_log.py", "recover_tables.py"):
        text = (ROOT / "datacat" / "recovery" / name).read_text()
        ast.parse(text, feature_version=(3, 9))
        assert "from __future__ import annotations" in text
        assert "import datacat" not in text
