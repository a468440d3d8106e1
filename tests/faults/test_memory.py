"""What is large need not fit in memory: an edit of it is saved and pulled in bounds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.racer import ROOT

STATUS = Path("/proc/self/status")
pytestmark = pytest.mark.skipif(not STATUS.exists(), reason="nobody says what the peak was")

SIZE_MIB = 320
PEAK_MIB = 400
"""One command may take 600. Whoever holds this file, or its old content, takes more than this."""

SCRIPT = """
import json, random, sys
from pathlib import Path
from datacat.model import Layout
from datacat.opened import Client
from datacat.store import Store

here, step, size = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
client = Client(user="alice", host="hub", cache_dir=here / f"cache-{step}", jobs=4)
data, url = here / "data" / "large.bin", str(here / "store")
if step == "first":
    store = Store.create(url, client=client)
    store.add(here / "data", layout=Layout[sys.argv[4]])
elif step == "second":
    result = Store.open(url, client=client).add(here / "data")
    assert result.version.ref == "data@v2"
    print(json.dumps(result.version.stored_bytes))
else:
    Store.open(url, client=client).pull("data@v2", dest=here / "out")
# Not getrusage: to that a process has inherited the peak of the one that started it.
(line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
print(int(line.split()[1]) * 1024)
"""


def run(folder: Path, step: str, *more: str) -> list[int]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder), step, str(SIZE_MIB), *more],
        cwd=ROOT,
        env={"PATH": os.defpath, "PYTHONPATH": str(ROOT), "HOME": str(folder)},
        check=True,
        capture_output=True,
        text=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell the peak of a process")
@pytest.mark.parametrize("layout", ["CHUNKED", "WHOLE"])
def test_a_large_file_and_its_edit_stay_within_bounds(tmp_path: Path, layout: str) -> None:
    """Every chunk of the edit is a little different: each is made against the old one."""
    path = tmp_path / "data" / "large.bin"
    path.parent.mkdir()
    half = os.urandom(512 * 1024)
    text = b"".join(b"%d,sub-%04d,61.2\n" % (n, n % 977) for n in range(30_000))[: 512 * 1024]
    with path.open("wb") as file:
        for n in range(SIZE_MIB):
            # No mebibyte is like another: half of it is noise, half compresses.
            file.write(bytes(a ^ (n & 255) for a in half[:64]) + os.urandom(64) + half[n * 97 :])
            file.write(text[n * 31 :])
            file.write(os.urandom(16_384))
    (first,) = run(tmp_path, "first", layout)
    with path.open("r+b") as file:
        for at in range(5_000, path.stat().st_size, 50_000):
            file.seek(at)
            file.write(b"edit")
    stored, second = run(tmp_path, "second")
    assert stored < path.stat().st_size / 20
    (third,) = run(tmp_path, "third")
    assert max(first, second, third) < PEAK_MIB << 20, (first >> 20, second >> 20, third >> 20)
    same = subprocess.run(["cmp", str(path), str(tmp_path / "out" / "large.bin")], check=False)
    assert same.returncode == 0
