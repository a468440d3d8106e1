"""What `show` says: one dataset, or one version of it, on one screen."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from datacat.model import Copy, Shown, Version
from datacat.render.add import code_text, pairs_text, scalar_text
from datacat.render.listing import short_version
from datacat.render.log import day_name
from datacat.render.table import Column, draw
from datacat.render.terminal import Screen
from datacat.render.versions import version_columns
from datacat.text import count_of, human_age, human_bytes, printable, rfc3339

LABEL_CELLS = 9
USED_BY_SHOWN = 2
CONTENTS_SHOWN = 4
COPIES_SHOWN = 10


def print_shown(screen: Screen, shown: Shown) -> None:
    """The page for a person, or `key<TAB>value` lines for a pipe."""
    if screen.answer_tty:
        screen.answers_of(_page(screen, shown))
    else:
        screen.answers_of(f"{printable(key)}\t{printable(value)}" for key, value in pairs(shown))


def _page(screen: Screen, shown: Shown) -> Iterator[str]:
    dataset, version = shown.dataset, shown.version
    name = version.ref if shown.one_version else dataset.name
    yield f"{screen.strong(name)}    {printable(dataset.description)}".rstrip()
    for label, text in _facts(screen, shown):
        yield f"  {label:<{LABEL_CELLS}} {text}"
    yield from _in_use(screen, shown)
    if shown.version_list:
        yield ""
        yield from draw(
            version_columns(screen), shown.version_list, screen=screen, header=False, indent="  "
        )
        if (older := dataset.versions - len(shown.version_list)) > 0 and not shown.one_version:
            yield f"  … {older:,} older:  datacat log {dataset.name}"
    if shown.readme and screen.verbose:
        yield ""
        yield from (f"  {printable(line)}" for line in shown.readme.splitlines())
    yield ""
    yield f"  datacat pull {version.ref}"


def _facts(screen: Screen, shown: Shown) -> Iterator[tuple[str, str]]:
    dataset, version = shown.dataset, shown.version
    label = "version" if shown.one_version else "newest"
    when = human_age(version.created_at, screen.now)
    message = f': "{printable(version.message)}"' if version.message else ""
    yield label, f"v{version.number}, {printable(version.author)}, {when}{message}"
    if shown.one_version and dataset.latest and dataset.latest != version.ref:
        yield "newest", short_version(dataset.latest)
    tags = f"tags     {printable(', '.join(dataset.tags))}" if dataset.tags else ""
    yield "owner", f"{printable(dataset.owner):<24} {tags}".rstrip()
    size = f"{count_of(version.files, 'file')}, {human_bytes(version.bytes)}"
    aliases = ", ".join(f"{alias} → {number}" for alias, number in dataset.aliases.items())
    yield "size", f"{size:<24} {'aliases  ' + printable(aliases) if aliases else ''}".rstrip()
    if shown.contents:
        yield "contents", _contents(shown)
    if sources := _sources(version):
        yield "made from", printable(", ".join(sources))
    if version.origin:
        by, when = version.origin.copied_by, human_age(version.origin.copied_at, screen.now)
        yield "copied", printable(f"by {by}, {when}, from another store: {version.origin.ref}")
    if version.params:
        yield "params", pairs_text(version.params)
    if version.metrics:
        yield "metrics", _metrics(shown)
    if version.code:
        yield "code", code_text(version.code)
    if version.added_from:
        yield "from", printable(version.added_from)
    if shown.used_by:
        first = ", ".join(shown.used_by[:USED_BY_SHOWN])
        rest = len(shown.used_by) - USED_BY_SHOWN
        yield "used by", printable(first) + (f" and {rest} more" if rest > 0 else "")


def _sources(version: Version) -> tuple[str, ...]:
    """What it was made from, also what only the store has that it was copied from."""
    elsewhere = version.origin.sources if version.origin else ()
    return (*version.sources, *(f"{source} (in another store)" for source in elsewhere))


def _in_use(screen: Screen, shown: Shown) -> Iterator[str]:
    """Who has it where, and when that was last so."""
    columns: list[Column[Copy]] = [
        Column("", lambda copy: copy.user or ""),
        Column("", lambda copy: short_version(copy.ref), spare=1),
        Column("", lambda copy: copy.place or "", flexible=True, spare=2),
        Column("", lambda copy: _seen(copy, screen.now)),
    ]
    label = f"  {'in use':<{LABEL_CELLS}} "
    lines = draw(
        columns,
        shown.in_use[:COPIES_SHOWN],
        screen=screen,
        header=False,
        indent=" " * len(label),
    )
    for number, line in enumerate(lines):
        yield label + line[len(label) :] if number == 0 else line
    if (rest := len(shown.in_use) - COPIES_SHOWN) > 0:
        yield " " * len(label) + f"… {count_of(rest, 'more copy', 'more copies')}"


def _seen(copy: Copy, now: datetime) -> str:
    """`today`, for it is renewed once a day; `not seen` when its folder is not there any more."""
    if copy.gone:
        return "not seen"
    day = day_name(copy.last_seen, now)
    return day if day in ("today", "yesterday") else human_age(copy.last_seen, now)


def _metrics(shown: Shown) -> str:
    """`dice 0.912 (best)   seconds 81`."""
    return "   ".join(
        pairs_text({key: value}) + (" (best)" if key in shown.best else "")
        for key, value in shown.version.metrics.items()
    )


def _contents(shown: Shown) -> str:
    """`4,823 .nii.gz 18.5 GB · 12 .csv 96.4 MB · README.md`."""
    kinds = shown.contents[:CONTENTS_SHOWN]
    parts = [
        printable(kind.name)
        if kind.name
        else f"{kind.files:,} {printable(kind.suffix)} {human_bytes(kind.bytes)}"
        for kind in kinds
    ]
    rest = shown.version.files - sum(kind.files for kind in kinds)
    return " · ".join(parts) + (f" · {rest:,} more" if rest else "")


def pairs(shown: Shown) -> Iterator[tuple[str, str]]:
    """The same facts for a program: one key and one value a line, bytes and UTC."""
    dataset, version = shown.dataset, shown.version
    yield "ref", version.ref
    yield "name", dataset.name
    yield "description", dataset.description
    yield "owner", dataset.owner
    yield "tags", ",".join(dataset.tags)
    yield "aliases", ",".join(f"{alias}={number}" for alias, number in dataset.aliases.items())
    yield "newest", dataset.latest or ""
    yield "versions", str(dataset.versions)
    yield "hash", version.hash
    yield "message", version.message
    yield "author", version.author
    yield "created_at", rfc3339(version.created_at)
    yield "files", str(version.files)
    yield "bytes", str(version.bytes)
    yield "base", version.base or ""
    yield "made_from", ",".join(version.sources)
    yield "used_by", ",".join(shown.used_by)
    if version.origin:
        yield "origin.store", version.origin.store
        yield "origin.ref", version.origin.ref
        yield "origin.sources", ",".join(version.origin.sources)
        yield "copied_by", version.origin.copied_by
        yield "copied_at", rfc3339(version.origin.copied_at)
    for key, value in version.params.items():
        yield f"param.{key}", scalar_text(value)
    for key, value in version.metrics.items():
        yield f"metric.{key}", scalar_text(value)
    if shown.best:
        yield "best", ",".join(shown.best)
    if version.code:
        yield "code.repo", version.code.repo
        yield "code.commit", version.code.commit
        yield "code.dirty", scalar_text(version.code.dirty)
    if version.added_from:
        yield "added_from", version.added_from
    for copy in shown.in_use:
        yield "in_use", f"{copy.user} {copy.ref} {copy.place}"
