"""Writes `v1/`: a tiny store of format 1. Run once, with the release that made the format.

    python -m tests.formats.make_v1

Everything in it is fixed by clock, ids and content, except what DuckDB and zstd decide. A later
release must read what is checked in; making it anew would test nothing.
"""

from __future__ import annotations

import gzip
import io
import itertools
import os
import random
import tarfile
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from datacat import layout
from datacat.backend.open import open_backend
from datacat.model import Code, Parameters
from datacat.opened import Client
from datacat.store import Store

HERE = Path(__file__).parent
ARCHIVE = HERE / "v1.tar.gz"

NOISE = random.Random(1).randbytes(20_000)

Content = dict[str, tuple[str, bytes | str]]
"""Path to kind (file, program, link, folder) and content or target."""

TREES: dict[str, Content] = {
    "cmr@v1": {
        "README.md": ("file", b"# Cine\n"),
        "labels.csv": (
            "file",
            b"id,label\n" + b"".join(b"%d,%d\n" % (n, n % 3) for n in range(200)),
        ),
        "empty": ("file", b""),
        "run.sh": ("program", b"#!/bin/sh\ntrue\n"),
        "sub/é \U0001f600.bin": ("file", bytes(range(256)) * 2),
        "sub/scan.nii": ("file", bytes((n * n) % 251 for n in range(1500))),
        "latest": ("link", "sub/scan.nii"),
        "later": ("folder", ""),
    },
    "cmr@v2": {
        "README.md": ("file", b"# Cine, short axis\n"),
        "labels.csv": (
            "file",
            b"id,label\n" + b"".join(b"%d,%d\n" % (n, n % 3) for n in range(200)),
        ),
        "run.sh": ("file", b"#!/bin/sh\ntrue\n"),
        "sub/scan.nii": ("file", bytes((n * n) % 251 for n in range(1500))),
        "sub/mask.nii": ("file", bytes(n % 2 for n in range(1200))),
    },
    "scans@v1": {"a.raw": ("file", NOISE), "b.raw": ("file", NOISE[::-1])},
    "scans@v2": {
        "a.raw": ("file", NOISE[:9000] + b"inserted" + NOISE[9000:]),
        "b.raw": ("file", NOISE[::-1]),
    },
    "unet@v1": {"weights.bin": ("file", bytes((7 * n) % 256 for n in range(1300)))},
}


def write_tree(folder: Path, content: Content) -> None:
    """Make `folder` hold exactly this."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if ".datacat" not in path.parts:
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    for name, (kind, data) in content.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(data, str):
            path.mkdir() if kind == "folder" else path.symlink_to(data)
        else:
            path.write_bytes(data)
            path.chmod(0o755 if kind == "program" else 0o644)
        os.utime(path, ns=(1_764_000_000_123_456_789,) * 2, follow_symlinks=False)


def client_at(cache: Path) -> Client:
    ids, minutes = itertools.count(1), itertools.count()
    start = datetime(2026, 11, 22, 9, 14, tzinfo=UTC)
    return Client(
        user="alice",
        host="hub",
        cache_dir=cache,
        jobs=1,
        program="datacat 1",
        activity=False,  # a registration takes an id of those that are counted here
        now=lambda: start + timedelta(minutes=next(minutes)),
        new_id=lambda: f"{next(ids):032x}",
    )


def make(root: Path) -> Path:
    """The store, in `root/store`."""
    store = Store.create(
        str(root / "store"),
        client=client_at(root / "cache"),
        name="imaging",
        description="A store of format 1",
        parameters=Parameters(
            small_bytes=1024, chunk_min_bytes=256, chunk_mean_bytes=1024, chunk_max_bytes=4096
        ),
        shared=False,
    )
    for ref, content in TREES.items():
        name = ref.partition("@")[0]
        folder = root / name
        folder.mkdir(exist_ok=True)
        write_tree(folder, content)
        if ref == "unet@v1":
            store.add(
                folder,
                message="first weights",
                sources=["cmr@v2"],
                params={"lr": 3e-4, "epochs": 80, "augment": True, "note": None},
                metrics={"dice": 0.912},
                code=Code(repo="seg", commit="4f2c1aa", dirty=True),
            )
        else:
            store.add(
                folder,
                message=f"as it was for {ref}",
                tags=("cardiac",) if name == "cmr" else (),
                description="Short-axis cine" if ref == "cmr@v1" else None,
                alias="gold" if ref == "cmr@v1" else None,
            )
    store.close()
    return root / "store"


def archive(store: Path) -> bytes:
    """The files of a store, without folders and owners."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for found in open_backend(str(store)).keys(""):
            info = tarfile.TarInfo(found.key)
            data = (store / found.key).read_bytes()
            info.size, info.mode = len(data), 0o444
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def unpack(root: Path) -> Path:
    """The store that is checked in, unpacked to `root/store`."""
    store = root / "store"
    open_backend(str(store)).initialise(layout.directories(), group=None, shared=False)
    with tarfile.open(ARCHIVE) as tar:
        for member in tar.getmembers():
            file = tar.extractfile(member)
            if file is not None:
                path = store / member.name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(file.read())
                path.chmod(0o444)
    return store


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        ARCHIVE.write_bytes(gzip.compress(archive(make(Path(temporary))), mtime=0))
