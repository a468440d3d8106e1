"""What is said of a folder that shares much of its content with a version."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from datacat.model import Relation, Similar, SimilarFound
from datacat.refs import parse
from datacat.render.terminal import Screen
from datacat.text import bytes_of, cell_width, count_of, human_age, human_bytes, printable

NEXT, SEPARATE, LIST, NOTHING = "1", "2", "3", "q"
"""What can be typed."""


def percent(of: Similar) -> int:
    """The share of the larger one in whole percent, never rounded up."""
    return int(of.same_bytes_ratio * 100)


def sameness(of: Similar) -> str:
    """`98% the same as cmr@v3 by alice (4,740 of 4,836 files, 18.2 of 18.6 GB)`."""
    by = f"{of.ref} by {printable(of.author)}"
    return f"{percent(of)}% the same as {by} ({_counted(of)})"


def _counted(of: Similar) -> str:
    files, size = max((of.folder_bytes, of.folder_files), (of.bytes, of.files))[::-1]
    return f"{of.same_files:,} of {count_of(files, 'file')}, {bytes_of(of.same_bytes, size)}"


def enclosing(of: Similar) -> str:
    """What to say when one is a part of the other: `all of cmr-small@v1 by bob is inside this`."""
    by = f"{of.ref} by {printable(of.author)}"
    if of.relation is Relation.PART:
        part = _all_or_share(of.same_bytes, of.folder_bytes, of.same_files, of.folder_files)
        return f"{part} of this is in {by}, which has {_sized(of.files, of.bytes)}"
    part = _all_or_share(of.same_bytes, of.bytes, of.same_files, of.files)
    return f"{part} of {by} ({_sized(of.files, of.bytes)}) is inside this"


def _sized(files: int, size: int) -> str:
    return f"{count_of(files, 'file')}, {human_bytes(size)}"


def _all_or_share(same: int, size: int, same_files: int, files: int) -> str:
    if same == size and same_files == files:
        return "all"
    return f"{int(100 * same / max(size, 1))}%"


def said_of_a_copy(similar: Sequence[Similar], *, ref: str, dry_run: bool) -> str:
    """What a script is told when its folder became, or would become, one more copy."""
    best = similar[0]
    became = "would be saved" if dry_run else "saved"
    name = parse(best.ref).name
    return (
        f"this is {sameness(best)}; {became} as the separate dataset {ref}."
        f" To make it the next version of {name}:  --name {name}"
    )


def notes(similar: Sequence[Similar]) -> Iterator[str]:
    """One line for each version that is a part of a folder, or has it as a part."""
    yield from (f"  {enclosing(one)}" for one in similar if one.relation is not Relation.NEAR)


def question(found: SimilarFound, *, screen: Screen) -> Iterator[str]:
    """What is asked before a copy is saved; the last line is where the answer is typed."""
    best, *others = found.similar
    yield f"This is {sameness(best)}."
    yield from _differing(best, width=screen.width)
    if best.renamed:
        yield f"  > {count_of(best.renamed, 'file')} under another name"
    for other in others:
        said = sameness(other) if other.relation is Relation.NEAR else enclosing(other)
        yield f"  Also: {said}"
    if found.newest != best.ref:
        yield f"  The newest is {found.newest}: what is new in it is not here."
    yield ""
    name = parse(best.ref).name
    answers = (
        (NEXT, f"save as the next version of {name}", f"({found.next_version})"),
        (SEPARATE, "save as a separate dataset", f"({found.separate})"),
    )
    width = max(len(text) for _, text, _ in answers)
    yield from (f"  {key}  {text:<{width}}   {ref}" for key, text, ref in answers)
    yield f"  {LIST}  list all differences"
    yield f"  {NOTHING}  do nothing"


def usual(found: SimilarFound) -> str:
    """The answer of who only presses Enter. Never the one that would leave out what others did."""
    return NEXT if found.newest == found.similar[0].ref else SEPARATE


def _differing(of: Similar, *, width: int) -> Iterator[str]:
    """Three lines: how many files differ in which way, and as many names as there is room for."""
    rows = (
        (f"+ {count_of(of.added, 'file')} only here", of.added, of.added_first),
        (
            f"~ {count_of(of.modified, 'file differs', 'files differ')}",
            of.modified,
            of.modified_first,
        ),
        (f"- {count_of(of.removed, 'file')} only in {of.ref}", of.removed, of.removed_first),
    )
    column = max(len(text) for text, _, _ in rows) + 3
    for text, count, first in rows:
        yield f"  {text:<{column}}{_named(first, count, width=width - column - 2)}".rstrip()


def _named(first: Sequence[str], count: int, *, width: int) -> str:
    """`a.csv, b.csv, …`: the first names, one at least."""
    said = ""
    for shown, path in enumerate(first):
        rest = ", …" if shown + 1 < count else ""
        longer = f"{said}, {printable(path)}" if said else printable(path)
        if said and cell_width(longer + rest) > width:
            return f"{said}, …"
        said = longer
    return f"{said}, …" if len(first) < count else said


def status_lines(similar: Sequence[Similar], *, screen: Screen, typed: str) -> Iterator[str]:
    """What `status` says of a folder that datacat did not make."""
    for one in similar:
        if one.relation is not Relation.NEAR:
            yield f"  {enclosing(one)}"
            continue
        saved = f"{printable(one.author)}, {human_age(one.created_at, screen.now)}"
        yield f"  {percent(one)}% the same as {one.ref} ({saved}): {_difference(one)}"
    yield f"  See:  datacat diff {similar[0].ref} {typed}"


def _difference(of: Similar) -> str:
    """`24 files only here, 72 differ`."""
    said = [
        (of.added, "only here"),
        (of.modified, "differ" if of.modified != 1 else "differs"),
        (of.removed, f"only in {of.ref}"),
        (of.renamed, "under another name"),
    ]
    parts = [f"{count:,} {words}" for count, words in said if count]
    if not parts:
        return "the same files"
    first = next(count for count, _ in said if count)
    head, _, tail = parts[0].partition(" ")
    return ", ".join([f"{head} {'file' if first == 1 else 'files'} {tail}", *parts[1:]])
