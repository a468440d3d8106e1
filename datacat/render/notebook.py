"""What a notebook shows of the facts that people look at, and of errors."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import is_dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from datacat.errors import DatacatError
from datacat.model import (
    AddResult,
    Dataset,
    Diff,
    DiskUse,
    FoundFile,
    Lineage,
    Listing,
    LogEntry,
    PullResult,
    Shown,
    StatusEntry,
    Version,
)
from datacat.render.errors import error_lines
from datacat.render.notebook_results import PAGES, fact_rows, facts, found_files
from datacat.render.pages import ROWS_SHOWN, Page, as_html, as_text
from datacat.render.status import MARKS
from datacat.render.version_card import card_html, card_text
from datacat.render.versions import changes_text
from datacat.text import count_of, human_age, human_bytes, rfc3339

_NUMBERS = frozenset({"SIZE", "FILES", "BYTES", "VERSIONS", "LOGICAL", "ON DISK", "ONLY HERE"})


def html_of(value: object) -> str:
    """A fact for a notebook."""
    return card_html(value) if isinstance(value, Version) else as_html(_page(value))


def text_of(value: object) -> str:
    """The same for `print`."""
    return card_text(value) if isinstance(value, Version) else as_text(_page(value))


def error_traceback(error: DatacatError) -> list[str]:
    """What a notebook shows of an error: as the command says it; in full with DATACAT_DEBUG."""
    shell = sys.modules.get("IPython")
    running = shell.get_ipython() if shell is not None else None
    if os.environ.get("DATACAT_DEBUG") and running is not None:
        full: list[str] = running.InteractiveTB.structured_traceback(
            type(error), error, error.__traceback__
        )
        return full
    return list(error_lines(error))


def _page(value: object) -> Page:
    if isinstance(value, list):
        return _list(value)
    draw = _PAGES.get(type(value))
    if draw is not None:
        return draw(value)
    return facts(value) if is_dataclass(value) else Page(repr(value))


def _list(values: list[Any]) -> Page:
    if not values:
        return Page("nothing")
    draw = _LISTS.get(type(values[0]))
    if draw is None and is_dataclass(values[0]):
        draw = fact_rows
    if draw is None:
        return Page(
            "", [""], [[repr(one)] for one in islice(values, ROWS_SHOWN)], total=len(values)
        )
    return draw(values)


def _listing(listing: Listing) -> Page:
    page = _datasets(listing.datasets)
    line = (
        f"{count_of(listing.datasets_total, 'dataset')},"
        f" {count_of(listing.versions_total, 'version')},"
        f" {human_bytes(listing.stored_bytes)} on disk"
    )
    meant = [f"Did you mean {listing.suggestion}?"] if listing.suggestion else []
    return Page("", page.titles, page.rows, _NUMBERS, "dataset", page.total, [line, *meant])


def _datasets(datasets: Sequence[Dataset]) -> Page:
    rows = [
        [
            dataset.name,
            dataset.latest.partition("@")[2] if dataset.latest else "-",
            dataset.owner,
            human_bytes(dataset.bytes),
            human_age(dataset.updated_at, _now()),
            dataset.description or dataset.last_message,
        ]
        for dataset in datasets[:ROWS_SHOWN]
    ]
    titles = ["NAME", "VERSION", "OWNER", "SIZE", "UPDATED", "DESCRIPTION"]
    return Page("", titles, rows, _NUMBERS, "dataset", len(datasets))


def _versions(versions: Sequence[Version]) -> Page:
    metrics = list(dict.fromkeys(name for one in versions[:ROWS_SHOWN] for name in one.metrics))
    rows = [
        [
            version.ref,
            human_age(version.created_at, _now()),
            version.author,
            *(_scalar(version.metrics.get(name)) for name in metrics),
            changes_text(version.changes),
            human_bytes(version.bytes),
            version.message,
            ", ".join(version.aliases),
        ]
        for version in versions[:ROWS_SHOWN]
    ]
    titles = ["VERSION", "WHEN", "BY", *metrics, "CHANGES", "SIZE", "MESSAGE", "ALIASES"]
    return Page("", titles, rows, _NUMBERS, "version", len(versions))


def _feed(entries: Sequence[LogEntry]) -> Page:
    rows = [
        [rfc3339(one.at), one.user, one.action, one.ref, one.detail or one.path or ""]
        for one in entries[:ROWS_SHOWN]
    ]
    return Page("", ["WHEN", "WHO", "DID", "WHAT", ""], rows, noun="entry", total=len(entries))


def _shown(shown: Shown) -> Page:
    dataset, version = shown.dataset, shown.version
    facts = [f"{version.ref}  {count_of(version.files, 'file')}, {human_bytes(version.bytes)}"]
    facts += [dataset.description] if dataset.description else []
    used = sorted({copy.user for copy in shown.in_use if copy.user})
    below = [f"tags {', '.join(dataset.tags)}"] if dataset.tags else []
    below += [f"in use by {', '.join(used)}"] if used else []
    below += [f"used by {', '.join(shown.used_by)}"] if shown.used_by else []
    below.append(f"get it  datacat pull {version.ref}")
    page = _versions([version] if shown.one_version else shown.version_list)
    return Page("  ".join(facts), page.titles, page.rows, _NUMBERS, "version", page.total, below)


def _diff(diff: Diff) -> Page:
    heading = (
        f"{diff.a} → {diff.b}   +{diff.added:,} ~{diff.modified:,} -{diff.removed:,}"
        f"   {human_bytes(diff.bytes_a)} → {human_bytes(diff.bytes_b)}"
    )
    if not diff.changes:
        return Page(f"{diff.a} and {diff.b} hold the same content")
    rows = [
        [
            MARKS[one.change],
            one.path if one.old_path is None else f"{one.old_path} → {one.path}",
            "" if one.bytes is None else human_bytes(one.bytes),
            one.detail or "",
        ]
        for one in diff.changes[:ROWS_SHOWN]
    ]
    titles = ["", "PATH", "SIZE", "DETAIL"]
    return Page(heading, titles, rows, _NUMBERS, "change", len(diff.changes))


def _status(entries: Sequence[StatusEntry]) -> Page:
    rows = [
        [
            one.path,
            one.ref or one.identical_to or "-",
            one.state,
            count_of(len(one.changes), "change") if one.changes else "",
            one.newest or "",
        ]
        for one in entries[:ROWS_SHOWN]
    ]
    titles = ["PATH", "VERSION", "STATE", "CHANGES", "NEWEST"]
    return Page("", titles, rows, noun="folder", total=len(entries))


def _added(result: AddResult) -> Page:
    version = result.version
    size = f"{count_of(version.files, 'file')}, {human_bytes(version.bytes)}"
    if result.declined:
        return Page(f"Nothing was saved; it is nearly {version.ref}")
    if not result.created:
        return Page(f"Nothing to add: this is exactly {version.ref}")
    verb = "Would save" if result.dry_run else "Saved"
    below = [f"nearly the same as {one.ref}" for one in result.similar[:1]]
    below += [f"made from {', '.join(version.sources)}"] if version.sources else []
    new = f"{human_bytes(version.new_bytes)} new"
    return Page(f"{verb} {version.ref}: {size}, {new}", below=[*below, *result.warnings])


def _pulled(result: PullResult) -> Page:
    size = f"{count_of(result.files, 'file')}, {human_bytes(result.bytes)}"
    checked = ", checked" if result.checked else ""
    return Page(f"{result.ref} is in {result.path}  ({size}{checked})", below=result.warnings)


def _use(use: DiskUse) -> Page:
    rows = [
        [
            one.name,
            str(one.versions),
            human_bytes(one.logical_bytes),
            human_bytes(one.on_disk_bytes),
            human_bytes(one.only_here_bytes),
        ]
        for one in use.datasets[:ROWS_SHOWN]
    ]
    heading = f"{human_bytes(use.on_disk_bytes)} on disk for {human_bytes(use.logical_bytes)}"
    titles = ["NAME", "VERSIONS", "LOGICAL", "ON DISK", "ONLY HERE"]
    return Page(heading, titles, rows, _NUMBERS, "dataset", len(use.datasets))


def _lineage(lineage: Lineage) -> Page:
    edges = [*lineage.up, *lineage.down]
    rows = [[edge.source, "→", edge.result] for edge in edges[:ROWS_SHOWN]]
    heading = f"{lineage.ref}: from {len(lineage.up):,}, to {len(lineage.down):,}"
    return Page(heading, ["MADE FROM", "", "RESULT"], rows, noun="edge", total=len(edges))


def _scalar(value: object) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _now() -> datetime:
    return datetime.now(UTC)


_PAGES: dict[type, Callable[[Any], Page]] = {
    **PAGES,
    Listing: _listing,
    Shown: _shown,
    Diff: _diff,
    AddResult: _added,
    PullResult: _pulled,
    DiskUse: _use,
    Lineage: _lineage,
    StatusEntry: lambda entry: _status([entry]),
    Dataset: lambda dataset: _datasets([dataset]),
}
_LISTS: dict[type, Callable[[Any], Page]] = {
    Version: _versions,
    LogEntry: _feed,
    StatusEntry: _status,
    Dataset: _datasets,
    FoundFile: found_files,
}
