"""Every path on shared storage, spelled once. `docs/format.md` is the normative text.

A *session* is 32 hex digits, fresh for every attempt to commit. INV names: each name below
`manifests/`, `segments/`, `whole/` and `packs/` carries a session and is never used twice.
"""

from __future__ import annotations

FORMAT = 1
"""The format version that this datacat reads and writes."""

STORE = "store.json"
RECOVERY = ("README-RECOVERY.md", "recover.py", "recover_log.py", "recover_tables.py")
LOG = "catalog/log/"
BUNDLES = "catalog/bundles/"
MANIFESTS = "manifests/"
SEGMENTS = "segments/"
WHOLE = "whole/"
PACKS = "packs/"
COPIES = "copies/"
TEMPORARY = "tmp/"
TRASH = "trash/"
RESERVE = "trash/reserve"
"""POSIX only: space that is given back when there is none left, so that `rm` and `gc` work."""
CLONE = "tmp/clone.json"
"""What an unfinished clone is going to be; gone when it is a store."""
PROBE = "tmp/probe"
"""Object stores only: what shows every client that a second create is refused."""

RECORDS_PER_BUCKET = 1_000
"""Log records per folder: a listing stays short and NFS revalidates a small directory."""

BUNDLE_SIZES = (65_536, 4_096, 256)
"""Records per bundle, largest first. A bundle of size S covers S*k+1 .. S*(k+1): its name can be
computed, so a cold start needs no listing and at most 15 + 15 + 15 bundles and 255 records."""

FAN_OUT = tuple(f"{n:02x}" for n in range(256))


def log_bucket(seq: int) -> str:
    return f"{LOG}{seq // RECORDS_PER_BUCKET:07d}/"


def log_record(seq: int) -> str:
    return f"{log_bucket(seq)}{seq:020d}.json"


def bundle(first: int, last: int) -> str:
    return f"{BUNDLES}{first:020d}-{last:020d}.jsonl.zst"


def manifest(digest_hex: str, session: str) -> str:
    return f"{MANIFESTS}{digest_hex[:2]}/{digest_hex}-{session}.parquet"


def chunks_segment(session: str) -> str:
    return f"{SEGMENTS}{session}.chunks.parquet"


def recipes_segment(session: str) -> str:
    return f"{SEGMENTS}{session}.recipes.parquet"


def whole(digest_hex: str, session: str) -> str:
    return f"{WHOLE}{digest_hex[:2]}/{digest_hex}-{session}"


def pack(session: str, number: int) -> str:
    return f"{PACKS}{session[:2]}/{session}-{number}.pack"


def copy(copy_id: str) -> str:
    return f"{COPIES}{copy_id}.json"


def is_pack(key: str) -> bool:
    """True for a container that holds many chunks."""
    return key.startswith(PACKS)


def is_whole(key: str) -> bool:
    """True for a container that holds one object's plain bytes."""
    return key.startswith(WHOLE)


def directories() -> list[str]:
    """Every folder that `init` makes on a POSIX store, parents first."""
    fanned = [f"{top}{dd}/" for top in (MANIFESTS, WHOLE, PACKS) for dd in FAN_OUT]
    return [
        "catalog/",
        LOG,
        log_bucket(0),
        BUNDLES,
        MANIFESTS,
        SEGMENTS,
        WHOLE,
        PACKS,
        COPIES,
        TEMPORARY,
        TRASH,
        *fanned,
    ]
