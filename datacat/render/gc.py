"""What `gc` says: what goes and whose it was, what stays, what was freed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from datacat.model import Collected, Collection
from datacat.text import count_of, human_age, human_bytes, printable

SHOWN = 20
"""Versions that are listed; with `-v` all of them are."""


def announced(plan: Collection, *, now: datetime, verbose: bool) -> Iterator[str]:
    """The lines before anything is done."""
    if plan.is_empty:
        yield "Nothing to free."
    else:
        yield f"Would free {human_bytes(plan.freed_bytes)}:"
        shown = plan.versions if verbose else plan.versions[:SHOWN]
        for version in shown:
            yield f"  {_version(version, now)}"
        if len(shown) < len(plan.versions):
            yield f"  and {len(plan.versions) - len(shown):,} more versions"
        if plan.unfinished:
            yield f"  {count_of(plan.unfinished, 'unfinished add')}"
        if plan.left_over_files:
            yield f"  {count_of(plan.left_over_files, 'file')} left by a gc that was interrupted"
    if plan.trashed:
        names = ", ".join(plan.trashed if verbose else plan.trashed[:SHOWN])
        more = "" if verbose or len(plan.trashed) <= SHOWN else ", …"
        counted = count_of(len(plan.trashed), "version")
        yield f"Would move {counted} to the trash, which a later gc frees: {names}{more}"
    yield from _staying(plan)


def _version(version: Collected, now: datetime) -> str:
    said = [f"{version.ref} of {version.owner}"]
    said.append(f"trashed by {version.trashed_by} {human_age(version.trashed_at, now)}")
    if version.only_here_bytes is not None:
        said.append(f"{human_bytes(version.only_here_bytes)} only here")
    if version.last_pulled is not None:
        said.append(f"last pulled {human_age(version.last_pulled, now)}")
    return printable(", ".join(said))


def _staying(plan: Collection) -> Iterator[str]:
    linked = [one for one in plan.waiting if one.linked_at is not None]
    for one in linked[:SHOWN]:
        yield printable(f"{one.ref} stays in the trash: {one.linked_at} is made of links to it.")
    due = sorted(one.until for one in plan.waiting if one.until is not None)
    if due:
        counted = count_of(len(due), "version")
        yield f"{counted} in the trash can still be restored, until {due[0].astimezone():%Y-%m-%d}."
    versions = count_of(plan.kept_versions, "version")
    yield f"Everything else stays: {versions} of {count_of(plan.kept_datasets, 'dataset')}."


def freed(result: Collection, *, dry_run: bool) -> Iterator[str]:
    """The lines afterwards."""
    if result.done:
        yield f"Freed {human_bytes(result.freed_bytes)}."
        if result.unused_bytes:
            size = human_bytes(result.unused_bytes)
            yield f"  {size} more is in containers that also hold what is needed: it stays."
    elif dry_run:
        yield "Nothing was freed (dry run)."
    elif not result.is_empty:
        yield "Nothing was freed."
