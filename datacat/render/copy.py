"""What `copy` and `clone` say: what is in the other store now, and what travelled."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from datacat.model import CloneResult, CopiedVersion, CopyResult
from datacat.text import count_of, human_bytes, printable

SHOWN = 10
"""Versions of which each has a line; of more the first and the last are named."""


def summary(result: CopyResult, *, place: str) -> Iterator[str]:
    """The lines after a copy to the store at `place`."""
    new = [version for version in result.versions if version.created]
    old = [version for version in result.versions if not version.created]
    where = printable(place)
    verb = "Would copy" if result.dry_run else "Copied"
    if len(new) > SHOWN:
        yield f"{verb} {count_of(len(new), 'version')}, {new[0].ref} to {new[-1].ref}, to {where}."
    else:
        for version in new:
            yield f"{verb} {version.ref} to {where}{_details(version)}"
    if len(old) > SHOWN:
        yield f"{count_of(len(old), 'version')} are there already."
    else:
        for version in old:
            yield f"{version.ref} is there already{_renamed(version)}."
    if new:
        sent = human_bytes(result.sent_bytes)
        yield f"  {sent} would be sent (dry run)." if result.dry_run else f"  {sent} sent."


def _details(version: CopiedVersion) -> str:
    size = f"{count_of(version.files, 'file')}, {human_bytes(version.bytes)}"
    return f"{_renamed(version)}: {size}"


def _renamed(version: CopiedVersion) -> str:
    """` as cmr@v1`, where it is called otherwise there."""
    return f" as {version.there}" if version.there not in (None, version.ref) else ""


def cloned(result: CloneResult, *, place: str) -> Iterator[str]:
    """The lines after a clone that is now at `place`."""
    where = printable(place)
    datasets, versions = (
        count_of(result.datasets, "dataset"),
        count_of(result.versions, "version"),
    )
    yield f"{where} is now a store of its own: {datasets}, {versions}, {human_bytes(result.bytes)}."
    if result.sent_bytes < result.bytes:
        yield f"  {human_bytes(result.bytes - result.sent_bytes)} of it was there already."
    yield f"Teammates run:  datacat init {shlex.quote(place)}"
