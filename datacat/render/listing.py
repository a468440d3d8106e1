"""What `ls` shows: datasets, their versions as a tree, or the files of one version."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from datacat.model import Dataset, FileInfo, FoundFile, Listing, Version
from datacat.render.table import Column, draw, print_table
from datacat.render.terminal import Screen, as_json
from datacat.render.versions import version_columns
from datacat.text import count_of, human_age, human_bytes, printable, rfc3339

VERSIONS_NAMED = 5


def short_version(ref: str | None) -> str:
    """`v4` of `cmr@v4`; `-` for a dataset whose versions are all in the trash."""
    return ref.partition("@")[2] if ref else "-"


def _aliases(dataset: Dataset) -> str:
    return ", ".join(f"{alias} → {number}" for alias, number in dataset.aliases.items())


def dataset_columns(screen: Screen, *, wide: bool) -> list[Column[Dataset]]:
    """The columns of `ls`, least needed ones ranked to go first on a narrow terminal."""
    columns: list[Column[Dataset]] = [
        Column("NAME", lambda d: d.name),
        Column("VERSION", lambda d: short_version(d.latest)),
        Column("OWNER", lambda d: d.owner, spare=2),
        Column("SIZE", lambda d: human_bytes(d.bytes), lambda d: str(d.bytes), right=True, spare=1),
        Column(
            "UPDATED",
            lambda d: human_age(d.updated_at, screen.now),
            lambda d: rfc3339(d.updated_at),
            spare=3,
        ),
    ]
    if wide:
        columns += [
            Column("FILES", lambda d: f"{d.files:,}", lambda d: str(d.files), right=True, spare=5),
            Column("IN USE BY", lambda d: ", ".join(d.in_use_by), spare=6),
            Column("TAGS", lambda d: ", ".join(d.tags), spare=7),
            Column("ALIASES", _aliases, spare=8),
        ]
    columns.append(
        Column(
            "DESCRIPTION",
            lambda d: d.description or d.last_message,
            lambda d: d.description,
            flexible=True,
            spare=4,
        )
    )
    return columns


def print_datasets(screen: Screen, datasets: Sequence[Dataset], *, wide: bool) -> None:
    """The table of datasets; with `-q` only their names."""
    if screen.quiet:
        screen.answers_of(dataset.name for dataset in datasets)
    elif datasets or not screen.answer_tty:
        print_table(screen, dataset_columns(screen, wide=wide), datasets)


def print_tree(
    screen: Screen, datasets: Sequence[Dataset], versions: Mapping[str, Sequence[Version]]
) -> None:
    """Each dataset with its versions below; in a pipe one line for each version."""
    if not screen.answer_tty:
        every = [version for dataset in datasets for version in versions[dataset.name]]
        named: Column[Version] = Column("NAME", lambda v: v.name)
        print_table(screen, [named, *version_columns(screen)], every)
        return
    for dataset in datasets:
        title = [dataset.name, human_bytes(dataset.bytes)]
        title += [printable(t) for t in (dataset.owner, dataset.description) if t]
        screen.answer(f"{screen.strong(title[0])}  {'  '.join(title[1:])}")
        lines = draw(
            version_columns(screen),
            versions[dataset.name],
            screen=screen,
            header=False,
            indent="  ",
        )
        screen.answers_of(lines)


def totals(listing: Listing, *, place: str, query: str | None, filtered: bool) -> str:
    """The line below the table, for standard error."""
    if listing.datasets_total == 0:
        return f"No datasets yet in {printable(place)}.  Add the first:  datacat add ./folder"
    if not listing.datasets:
        return _nothing_matches(listing, query)
    shown = len(listing.datasets)
    counted = count_of(listing.datasets_total, "dataset")
    if filtered and shown != listing.datasets_total:
        return f"{shown:,} of {counted}"
    versions = count_of(listing.versions_total, "version")
    return f"{counted}, {versions}, {human_bytes(listing.stored_bytes)} on disk"


def _nothing_matches(listing: Listing, query: str | None) -> str:
    among = f"among {count_of(listing.datasets_total, 'dataset')}"
    if query is None:
        return f"Nothing matches {among}."
    meant = f" Did you mean '{printable(listing.suggestion)}'?" if listing.suggestion else ""
    return f"Nothing matches '{printable(query)}' {among}.{meant}"


def file_lines(screen: Screen, files: Iterable[FileInfo]) -> Iterator[str]:
    """A line for each file; a version may have a million, so that they are not collected."""
    header = not (screen.quiet or screen.answer_tty)
    # The titles come with the first file: before it, the version may turn out not to exist.
    for file in files:
        if header:
            yield "PATH\tBYTES\tHASH"
            header = False
        name = printable(file.path)
        if screen.quiet:
            yield name
        elif screen.answer_tty:
            yield f"{human_bytes(file.bytes):>9}  {name}"
        else:
            yield f"{name}\t{file.bytes}\t{file.hash}"


def found_lines(screen: Screen, files: Iterable[FoundFile]) -> Iterator[str]:
    """A line for each file that was found, with the versions that hold it, as they come."""
    header = not (screen.quiet or screen.answer_tty)
    for file in files:
        if header:
            yield "VERSIONS\tPATH\tBYTES\tHASH"
            header = False
        name = printable(file.path)
        if screen.quiet:
            yield f"{file.refs[-1]}/{name}"
        elif screen.answer_tty:
            yield f"{human_bytes(file.bytes):>9}  {version_range(file)}  {name}"
        else:
            yield f"{','.join(file.refs)}\t{name}\t{file.bytes}\t{file.hash}"


def count_lines(screen: Screen, lines: Iterable[str]) -> int:
    """Write lines of an answer as they come; how many there were."""
    count = 0
    for line in lines:
        screen.answer(line)
        count += 1
    screen.answers.flush()
    return count


def version_range(file: FoundFile) -> str:
    """`cmr@v1`, `cmr@v1 to v4`, `cmr@v1, v3`, `cmr@v1, v3 and 7 more`."""
    first, *more = file.versions
    text = f"{file.name}@v{first}"
    if not more:
        return text
    if more[-1] - first == len(more) and len(more) > 1:
        return f"{text} to v{more[-1]}"
    named = "".join(f", v{number}" for number in more[:VERSIONS_NAMED])
    left = len(more) - VERSIONS_NAMED
    return f"{text}{named} and {left} more" if left > 0 else text + named


def json_array(documents: Iterable[object]) -> Iterator[str]:
    """A JSON array of any length, an element a line."""
    opening = "["
    for document in documents:
        yield opening + as_json(document)
        opening = ","
    yield "[]" if opening == "[" else "]"
