"""All the ways to hurt a store, in a fixed order: the seed of a trial chooses the next one."""

from __future__ import annotations

from tests.faults.accidents import ACCIDENTS, Mutation
from tests.faults.bombs import footer, frame, pack, whole
from tests.faults.lies import (
    chunk_checksums,
    chunk_codec,
    chunk_digest,
    chunk_number,
    chunk_place,
    chunk_reference,
    chunk_rows,
    columns,
    manifest,
    numbers,
    recipe,
)

FORGERIES: tuple[Mutation, ...] = (
    chunk_number,
    chunk_place,
    chunk_codec,
    chunk_reference,
    chunk_checksums,
    chunk_digest,
    chunk_rows,
    recipe,
    columns,
    manifest,
    frame,
    whole,
    pack,
    footer,
    numbers,
)

MUTATIONS = (*ACCIDENTS, *FORGERIES)
