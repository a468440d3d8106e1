"""Copying from each kind of store to each other kind, around in a ring."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from datacat.store import Store
from tests.conftest import make_client
from tests.remote.places import place_of
from tests.servers.s3 import BUCKET
from tests.trees import read_tree


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("posix", "s3"),
        ("s3", "sftp"),
        ("sftp", "gcs"),
        ("gcs", "azure"),
        ("azure", "memory"),
        ("memory", "posix"),
    ],
)
def test_versions_go_from_one_kind_to_the_other(
    first: str, second: str, source: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    (tmp_path / "other").mkdir()
    here = Store.create(place_of(first, tmp_path, request), client=make_client(tmp_path, "alice"))
    there = Store.create(
        place_of(second, tmp_path / "other", request), client=make_client(tmp_path, "bob")
    )
    here.add(source)
    with (source / "scan.bin").open("r+b") as file:
        file.seek(1_500_000)
        file.write(b"edited")
    here.add(source)
    sent = here.copy(["cmr@v1"], to=there).sent_bytes
    assert here.copy(["cmr"], to=there).sent_bytes < min(sent / 10, 600_000)
    assert [v.hash for v in there.versions("cmr")] == [v.hash for v in here.versions("cmr")]
    there.pull("cmr@v2", dest=tmp_path / "pulled")
    assert read_tree(tmp_path / "pulled") == read_tree(source)
    assert all(found.ok for found in there.verify(everything=True))


def test_a_copy_that_was_killed_goes_on(s3: object, source: Path, tmp_path: Path) -> None:
    """Killed when the first of two large files has arrived: the second run sends the other."""
    (source / "more.bin").write_bytes(os.urandom(3_000_000))
    here = Store.create(str(tmp_path / "here"), client=make_client(tmp_path, "alice"))
    here.add(source)
    there = Store.create(f"s3://{BUCKET}/{uuid.uuid4().hex}", client=make_client(tmp_path, "bob"))
    total = here.copy(["cmr"], to=there, dry_run=True).sent_bytes
    script = f"""
import os, signal
from datacat.progress import Advanced
from datacat.store import Store
from tests.conftest import make_client
from tests.remote.places import place_of
from pathlib import Path
folder = Path({str(tmp_path)!r})
def kill(event):
    if isinstance(event, Advanced):
        os.kill(os.getpid(), signal.SIGKILL)
here = Store.open({here.url!r}, client=make_client(folder, "alice"))
there = Store.open({there.url!r}, client=make_client(folder, "bob", jobs=1))
here.copy(["cmr"], to=there, listener=kill)
"""
    killed = subprocess.run([sys.executable, "-c", script], check=False)
    assert killed.returncode == -9
    assert there.ls().datasets_total == 0
    result = here.copy(["cmr"], to=there)
    assert result.sent_bytes < total - 2_000_000
    assert all(found.ok for found in there.verify(everything=True))


@pytest.mark.parametrize(("first", "second"), [("posix", "s3"), ("sftp", "azure")])
def test_a_clone_is_the_same_elsewhere(
    first: str, second: str, source: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    here = Store.create(place_of(first, tmp_path, request), client=make_client(tmp_path, "alice"))
    here.add(source)
    (source / "labels.csv").write_text("none")
    here.add(source)
    url = place_of(second, tmp_path / "other", request)
    assert here.clone(url).versions == 2
    there = Store.open(url, client=make_client(tmp_path, "bob"))
    assert there.versions("cmr") == here.versions("cmr")
    there.pull("cmr@v2", dest=tmp_path / "pulled")
    assert read_tree(tmp_path / "pulled") == read_tree(source)
    assert all(found.ok for found in there.verify(everything=True))
