"""What `scan --adopt` and `--undo` say: what was replaced, what it freed, what was left alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from datacat.model import Adoption, Kept, Undone
from datacat.render.terminal import Screen
from datacat.text import count_of, human_bytes, printable

KEPT_SHOWN = 5


def print_adoption(screen: Screen, adoption: Adoption, *, paths: Sequence[str]) -> None:
    """A summary on standard error; in a pipe also the reference of the version."""
    screen.note(*_lines(screen, adoption, paths))
    screen.done(adoption.ref)


def _lines(screen: Screen, adoption: Adoption, paths: Sequence[str]) -> Iterator[str]:
    dry = adoption.dry_run
    first = printable(screen.place(adoption.first))
    if not adoption.created:
        yield f"{first} is {adoption.ref}."
    elif dry:
        yield f"Would save {first} as {adoption.ref}: {human_bytes(adoption.stored_bytes)} new."
    else:
        yield f"Saved {first} as {adoption.ref}: {human_bytes(adoption.stored_bytes)} new."
    ways = (
        (adoption.reflinked, "reflink", "reflinks"),
        (adoption.hardlinked, "read-only hard link", "read-only hard links"),
        (adoption.symlinked, "read-only symbolic link", "read-only symbolic links"),
    )
    made = ", ".join(count_of(number, *word) for number, *word in ways if number)
    replaced = adoption.reflinked + adoption.hardlinked + adoption.symlinked
    verb = "Would replace" if dry else "Replaced"
    by = f" by {made}" if made else ""
    freed = f"{'would free' if dry else 'freed'} {human_bytes(adoption.freed_bytes)}"
    yield f"{verb} {replaced:,} of {count_of(adoption.files, 'file')}{by}; {freed}."
    yield from _kept(screen, adoption.kept, adoption.kept_total)
    if adoption.stored_bytes >= adoption.freed_bytes > 0:
        yield "The store keeps its own copy of what is new, so less space is free than before."
    if dry and not replaced:
        yield "Nothing was changed."
    elif dry:
        where = "".join(f" {screen.typed(path)}" for path in paths)
        yield f"Nothing was changed.   Do it:  datacat scan{where} --adopt {adoption.group} --yes"
    elif adoption.undo is not None:
        yield f"Undo:  datacat scan --undo {screen.typed(adoption.undo)}"


def print_undone(screen: Screen, undone: Undone) -> None:
    """A summary on standard error."""
    restored = count_of(undone.restored, "file")
    screen.note(
        f"Brought back {restored}, {human_bytes(undone.bytes)}."
        f" {undone.own:,} take space of their own already.",
        *_kept(screen, undone.kept, undone.kept_total),
    )
    screen.done(str(undone.restored))


def _kept(screen: Screen, kept: Sequence[Kept], total: int) -> Iterator[str]:
    """Why files were left alone, and which; the reasons that apply to most first."""
    reasons: dict[str, list[str]] = {}
    for one in kept:
        reasons.setdefault(one.reason, []).append(one.path)
    ranked = sorted(reasons.items(), key=lambda item: -len(item[1]))
    for reason, paths in ranked[:KEPT_SHOWN]:
        more = f" and {len(paths) - 1:,} more" if len(paths) > 1 else ""
        yield f"  left alone: {printable(screen.place(paths[0]))}{more}: {printable(reason)}"
    if told := total - sum(len(paths) for _, paths in ranked[:KEPT_SHOWN]):
        yield f"  left alone: {told:,} more"
