"""Fill a store's log with many versions, through the same commit that `add` uses.

Their content does not exist: this measures the catalog, not the data.
"""

from __future__ import annotations

import base64
import hashlib
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

from datacat import layout
from datacat.backend.posix import PosixBackend
from datacat.catalog.log import Log, digest_of
from datacat.catalog.record import VersionAdd, encode
from datacat.catalog.record_parts import ChangeCounts, StoredFile


def write_log(store: Path, *, datasets: int, versions: int, sketch_entries: int = 16) -> None:
    """Append `versions` records over `datasets` names to the log of an empty store, and its
    bundles. Written as plain files: making each durable would take an hour.

    Each version is made from one of the dataset with half its number: all of them hang together.
    Each has a sketch as of `sketch_entries` different contents; a large version has 128.
    """
    backend = PosixBackend(store)
    log = Log(backend, genesis=backend.read(layout.STORE))
    prev = digest_of(backend.read(layout.log_record(1)))
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for index in range(versions):
        seq = index + 2
        dataset, number = index % datasets, index // datasets + 1
        tree = hashlib.sha256(str(index).encode()).hexdigest()
        session = f"{index:032x}"
        sketch = base64.b64encode(random.Random(tree).randbytes(16 * sketch_entries)).decode()
        record = VersionAdd(
            seq=seq,
            txid=session,
            prev=prev,
            base=seq - 1,
            by=f"user{dataset % 40}",
            host="hub",
            at=start + timedelta(seconds=index),
            dataset=f"dataset-{dataset:05d}",
            number=number,
            tree=f"blake3:{tree}",
            session=session,
            manifest=StoredFile(
                key=layout.manifest(tree, session), size=4_000, digest=f"blake3:{tree}"
            ),
            files=100 + index % 5_000,
            bytes=1_000_000 + index,
            new_bytes=10_000,
            stored_bytes=9_000,
            changes=ChangeCounts(added=index % 50, modified=index % 7),
            message=f"change {index}",
            base_version=number - 1 or None,
            sources=(f"dataset-{dataset // 2:05d}@v{number}",) if dataset else (),
            params={"lr": 0.001 * (index % 9), "epochs": index % 100},
            metrics={"dice": 0.9 + index % 97 / 1_000},
            sketch=sketch,
            description=f"what dataset {dataset} is about" if number == 1 else None,
            tags=(f"tag{dataset % 30}",) if number == 1 else (),
        )
        data = encode(record)
        prev = digest_of(data)
        path = store / layout.log_record(seq)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        for size in reversed(layout.BUNDLE_SIZES):
            if seq % size == 0:
                log.publish_bundle(seq - size + 1, size)
