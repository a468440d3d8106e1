"""A version as a dataset for training: each item is read where it lies, by several workers.

`Scans` has what PyTorch expects of a map-style dataset, and needs no PyTorch to be one:

    from torch.utils.data import DataLoader
    loader = DataLoader(Scans("cmr@v1", "scans/*.bin"), batch_size=32, num_workers=2)

It can be pickled, and used on after a fork, so workers of either kind open the store themselves.
"""

from __future__ import annotations

import functools
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import datacat


class Scans(Sequence[bytes]):
    """The content of each file of a version that `pattern` takes, in the order of their paths."""

    def __init__(self, ref: str, pattern: str) -> None:
        self.version = datacat.open(ref)
        self.paths = self.version.files(pattern)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> bytes:  # type: ignore[override]
        return self.version[self.paths[index]].read_bytes()


def batch_of(scans: Scans, indices: Sequence[int]) -> list[bytes]:
    """What a worker does: one batch."""
    return [scans[index] for index in indices]


def batches(scans: Scans, *, size: int, workers: int, start: str) -> Iterator[list[bytes]]:
    """All items in batches, read ahead by `workers` processes that are started by `start`."""
    order = [range(at, min(at + size, len(scans))) for at in range(0, len(scans), size)]
    with ProcessPoolExecutor(workers, mp_context=get_context(start)) as pool:
        yield from pool.map(functools.partial(batch_of, scans), order)


def main() -> None:
    """Save a folder of small files in a temporary store, and read it as a loader does."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DATACAT_STORE"] = os.path.join(folder, "store")
        os.environ["DATACAT_CACHE_DIR"] = os.path.join(folder, "cache")
        datacat.Store.create(
            os.environ["DATACAT_STORE"],
            client=datacat.Client(user="alice", host="hub", cache_dir=Path(folder, "cache")),
        ).close()
        scans = Path(folder, "cmr", "scans")
        scans.mkdir(parents=True)
        for number in range(200):
            (scans / f"{number:04}.bin").write_bytes(number.to_bytes(4, "little") * 1_000)
        ref = datacat.add(scans.parent).version.ref
        found = Scans(ref, "scans/*.bin")
        for start in ("fork", "spawn") if sys.platform == "linux" else ("spawn",):
            read = [
                item for batch in batches(found, size=32, workers=2, start=start) for item in batch
            ]
            assert [int.from_bytes(item[:4], "little") for item in read] == list(range(200))
            print(f"{len(read)} files of {ref} by 2 workers ({start})")


if __name__ == "__main__":
    main()
