"""One of many people who save, pull and look in one store until they are told to stop.

    python -m tests.faults.soak.writer STORE FOLDER NAME SEED

What it was told of is written to FOLDER/NAME.told, one line of JSON a version, at once: whoever
kills this process knows what was acknowledged.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
from pathlib import Path

from datacat.digest import digest_of
from datacat.errors import DatacatError
from datacat.store import Store
from tests.conftest import make_client

FINE = {"conflict", "newer_version", "outcome_unknown", "storage_transient"}
"""What may be answered while many others write."""


def main() -> None:
    url, folder, name, seed = sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    chance = random.Random(seed)
    work = folder / f"{name}-{seed}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    told = os.open(folder / f"{name}.told", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    with Store.open(url, client=make_client(folder, name, jobs=1)) as store:
        while not (folder / "stop").exists():
            tree = change(work, chance)
            dataset = name if chance.random() < 0.8 else "of-all"
            try:
                result = store.add(work, name=dataset, force=True, new_version=True)
            except DatacatError as error:
                if error.kind not in FINE:
                    os.write(told, json.dumps({"wrong": f"{error.kind}: {error}"}).encode() + b"\n")
                continue
            line = {"ref": result.version.ref, "files": tree}
            os.write(told, json.dumps(line).encode() + b"\n")


def change(work: Path, chance: random.Random) -> dict[str, str]:
    """Change a few files; returns the digest of each, by path."""
    common = chance.randrange(40)  # that others save, remove and collect, too
    (work / "common.bin").write_bytes(random.Random(common).randbytes(5000))
    (work / f"{chance.randrange(4)}.txt").write_bytes(chance.randbytes(chance.randrange(1, 3000)))
    if chance.random() < 0.1:
        (work / "large.bin").write_bytes(chance.randbytes(300_000))
    return {
        path.name: digest_of("blake3", path.read_bytes()).hex()
        for path in work.iterdir()
        if path.is_file()
    }


if __name__ == "__main__":
    main()
