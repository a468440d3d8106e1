"""A version in a real `torch.utils.data.DataLoader`: shuffled, in batches, by several workers.

`Scans` of loader.py gives bytes; here each becomes a tensor. Needs PyTorch, which datacat does not.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import torch
from loader import Scans
from torch.utils.data import DataLoader

import datacat

FILES = 200
NUMBERS = 1_000


class Tensors:
    """Each file of a version as a tensor of its numbers, four bytes each: a map-style dataset."""

    def __init__(self, ref: str, pattern: str) -> None:
        self.scans = Scans(ref, pattern)

    def __len__(self) -> int:
        return len(self.scans)

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.frombuffer(bytearray(self.scans[index]), dtype=torch.int32)


def main() -> None:
    """Save a folder of small files in a temporary store, and train on nothing with them."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DATACAT_STORE"] = os.path.join(folder, "store")
        os.environ["DATACAT_CACHE_DIR"] = os.path.join(folder, "cache")
        datacat.Store.create(
            os.environ["DATACAT_STORE"],
            client=datacat.Client(user="alice", host="hub", cache_dir=Path(folder, "cache")),
        ).close()
        scans = Path(folder, "cmr", "scans")
        scans.mkdir(parents=True)
        for number in range(FILES):
            numbers = number.to_bytes(4, sys.byteorder) * NUMBERS
            (scans / f"{number:04}.bin").write_bytes(numbers)
        ref = datacat.add(scans.parent).version.ref
        for start in ("fork", "spawn") if sys.platform == "linux" else ("spawn",):
            loader = DataLoader(
                Tensors(ref, "scans/*.bin"),
                batch_size=32,
                shuffle=True,
                num_workers=2,
                multiprocessing_context=start,
                persistent_workers=True,
            )
            for epoch in range(2):
                read = [int(one[0]) for batch in loader for one in batch]
                if sorted(read) != list(range(FILES)):
                    raise SystemExit(f"epoch {epoch} ({start}): not every file once")
            print(f"{len(read)} files of {ref} by 2 workers ({start}), twice")


if __name__ == "__main__":
    main()
