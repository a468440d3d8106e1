"""What `pull` says: where the version is now, and what was done to get it there."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from datacat.model import PullResult
from datacat.render.terminal import Screen
from datacat.text import count_of, human_bytes, printable


def summary(result: PullResult, *, screen: Screen) -> Iterator[str]:
    """The lines after a pull."""
    where = printable(screen.place(result.path))
    size = f"{count_of(result.files, 'file')}, {human_bytes(result.bytes)}"
    checked = ", checked" if result.checked else ""
    moved = result.previous is not None and result.previous != result.ref
    touched = result.copied + result.linked + result.removed
    if result.dry_run:
        yield (
            f"Would get {result.ref} into {where}:"
            f" {count_of(result.copied + result.linked, 'file')} to write"
            f" ({human_bytes(result.copied_bytes)}), {result.already:,} there already,"
            f" {result.removed:,} to remove."
        )
        yield "Nothing was touched (dry run)."
    elif result.adopted:
        yield f"{where} already holds {result.ref} (content checked); now tracked."
    elif moved:
        yield f"{where} moved from {result.previous} to {result.ref}: {_moves(result)}."
    elif not touched:
        which = f"{result.files:,} of {count_of(result.total_files, 'file')} from {result.ref}"
        verb = "is" if not result.partial or result.files == 1 else "are"
        found = f"{which if result.partial else result.ref} {verb} already in {where}"
        beside = f"{count_of(result.others, 'other file')} {'is' if result.others == 1 else 'are'}"
        yield f"{found}; {beside} there." if result.others else f"{found}, unchanged."
    elif result.partial:
        yield (
            f"{result.files:,} of {count_of(result.total_files, 'file')} from {result.ref}"
            f" {'is' if result.files == 1 else 'are'} in {where}"
            f"  ({human_bytes(result.bytes)}{checked})"
        )
    elif result.linked and not result.copied_bytes:
        yield f"{result.ref} is in {where} as read-only links into the store (0 B copied)."
    else:
        yield f"{result.ref} is in {where}  ({size}{checked})"
    if result.others and (touched or result.adopted) and not result.dry_run:
        was = "was" if result.others == 1 else "were"
        yield f"  {count_of(result.others, 'other file')} there {was} left alone"
    if result.backup:
        kept = printable(screen.place(result.backup))
        yield f"  your changes are kept in {kept}"
    if result.linked and not result.dry_run:
        yield from _about_links(result)


def _moves(result: PullResult) -> str:
    written = result.copied + result.linked
    if result.replaced is None:
        parts = [f"{written:,} written"]
    else:
        parts = [f"{written - result.replaced:,} added", f"{result.replaced:,} replaced"]
    if result.removed:
        parts.append(f"{result.removed:,} removed")
    return ", ".join(parts)


def _about_links(result: PullResult) -> Iterator[str]:
    if result.copied_bytes:
        yield (
            f"  {count_of(result.linked, 'file')} as read-only links into the store;"
            f" {human_bytes(result.copied_bytes)} copied"
        )
    name = result.ref.partition("@")[0]
    command = f"datacat pull {result.ref} --link copy -d {shlex.quote(name + '-edit')}"
    yield f"  To edit files, pull a copy instead:  {command}"
