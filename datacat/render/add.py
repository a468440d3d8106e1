"""What `add` says: what is saved now, what was there already, and what to do next."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

from datacat.catalog.best import best_so_far
from datacat.errors import InvalidInput
from datacat.model import AddResult, Code, Relation, Scalar, Version
from datacat.organise.edit import EditRequest
from datacat.refs import normalise_name, parse
from datacat.render.similar import notes
from datacat.render.terminal import Screen
from datacat.text import count_of, human_age, human_bytes, printable, without_version_words

SKIPPED_SHOWN = 5


def summary(
    result: AddResult, *, screen: Screen, path: str, earlier: Sequence[Version]
) -> Iterator[str]:
    """The lines after an add. `earlier` are older versions, to say how the metrics moved."""
    version = result.version
    if not result.created:
        yield from _nothing_new(result, screen=screen, path=path)
        return
    yield _saved(result)
    if result.kept:
        yield _kept(result)
    if result.skipped:
        yield f"  skipped {result.skipped_count:,}: {_skipped(result.skipped, screen.verbose > 0)}"
    if version.sources or version.code:
        yield "  " + "      ".join(_origins(version))
    yield from _metrics(version, earlier)
    yield from notes(result.similar)
    if result.dry_run:
        yield "Nothing was saved (dry run)."
        return
    yield from _next_step(result, path)


def became_copy(result: AddResult) -> bool:
    """Whether a folder that is nearly a version was saved as something else."""
    near = [one for one in result.similar if one.relation is Relation.NEAR]
    return result.created and result.first and bool(near)


def _saved(result: AddResult) -> str:
    version = result.version
    verb = "Would save" if result.dry_run else "Saved"
    total, new = human_bytes(version.bytes), human_bytes(version.new_bytes)
    is_output = bool(version.sources or version.params or version.metrics)
    if result.first or version.base is None or is_output:
        line = f"{verb} {version.ref}: {count_of(version.files, 'file')}, {total}"
        known = version.bytes - version.new_bytes - result.repeated_bytes
        old = [f"{human_bytes(known)} already in the store"] if known > 0 else []
        twice = [f"{human_bytes(result.repeated_bytes)} repeated"] if result.repeated_bytes else []
        if old or twice:
            return f"{line}  ({', '.join([f'{new} new', *old, *twice])})"
        return f"{line}."
    changes = version.changes
    return (
        f"{verb} {version.ref}: {changes.added:,} added, {changes.modified:,} changed,"
        f" {changes.removed:,} removed. {new} new of {total}."
    )


def _kept(result: AddResult) -> str:
    version = result.version
    changes = version.changes
    pulled = version.files - result.kept - changes.added + changes.removed
    base = parse(version.base) if version.base else None
    where = f"v{base.number}" if base and base.number else "the version you pulled"
    return (
        f"  You pulled {pulled:,} of {count_of(pulled + result.kept, 'file')};"
        f" the other {result.kept:,} stay as they are in {where}."
    )


def _skipped(names: Sequence[str], everything: bool) -> str:
    """`.DS_Store, .ipynb_checkpoints/ (2)`: what was left out, the first few."""
    shown = names if everything else names[:SKIPPED_SHOWN]
    more = len(names) - len(shown)
    return printable(", ".join(shown)) + (f" and {more:,} more" if more else "")


def _origins(version: Version) -> Iterator[str]:
    if version.sources:
        yield f"made from  {printable(', '.join(version.sources))}"
    if version.code:
        yield f"code  {code_text(version.code)}"


def code_text(code: Code) -> str:
    """`seg @ 4f2c1aa, uncommitted changes`."""
    name = code.repo.rstrip("/").replace("\\", "/").rpartition("/")[2]
    name = name.rpartition(":")[2].removesuffix(".git") or code.repo
    dirty = ", uncommitted changes" if code.dirty else ""
    return printable(f"{name} @ {code.commit[:7]}{dirty}")


def scalar_text(value: Scalar) -> str:
    """A parameter or metric as it is typed: `0.912`, `true`, `adam`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return printable(str(value))


def _metrics(version: Version, earlier: Sequence[Version]) -> Iterator[str]:
    # As the catalog knows it, which values are good may have been said of an older version.
    version = next((v for v in earlier if v.number == version.number), version)
    older = [v for v in earlier if v.number < version.number]
    for name, value in version.metrics.items():
        text = f"  {printable(name)} {scalar_text(value)}"
        before = [v for v in older if name in v.metrics]
        if before:
            newest = max(before, key=lambda v: v.number)
            was = f"v{newest.number} was {scalar_text(newest.metrics[name])}"
            best = best_so_far(version, name, before)
            text += f" (best so far; {was})" if best else f" ({was})"
        yield text


def _next_step(result: AddResult, path: str) -> Iterator[str]:
    version = result.version
    short = _short_name(version.name, path)
    if short and result.first and not became_copy(result):
        yield (
            f"hint: versions are kept for you; a short name like '{short}' ages better"
            f" (--name {short})."
        )
    elif version.base and not result.first and not (version.params or version.metrics):
        yield f"See it:  datacat diff {version.base} {version.ref}"
    else:
        yield f"Teammates run:  datacat pull {version.name}"


def _short_name(name: str, path: str) -> str | None:
    """A name without what counts versions by hand, if the folder's or this one has any of it."""
    folder = os.path.basename(os.path.abspath(path))
    # `data (1)` became `data-1`, in which nobody can see it any more.
    short = without_version_words(folder if _normalised(folder) == name else name)
    return _normalised(short) if short else None


def _normalised(text: str) -> str | None:
    try:
        return normalise_name(text)
    except InvalidInput:
        return None


def _nothing_new(result: AddResult, *, screen: Screen, path: str) -> Iterator[str]:
    version = result.version
    saved = f"{printable(version.author)}, {human_age(version.created_at, screen.now)}"
    yield f"Nothing to add: this is exactly {version.ref} ({saved})."
    if result.newest and result.newest != version.ref:
        yield (
            f"  The newest is {result.newest}."
            f"     What changed since:  datacat diff {version.ref} {result.newest}"
        )
        again = f"datacat add {screen.typed(path)} --name {version.name} --new-version"
        yield f"  Make it the newest anyway:  {again}"
    yield from _unsaved(result, typed=screen.typed(path))


def _unsaved(result: AddResult, *, typed: str) -> Iterator[str]:
    """The same bytes, but other numbers: what would be lost, and how to keep it."""
    version, unsaved = result.version, result.unsaved
    if not unsaved:
        return
    lost = {**unsaved.params, **unsaved.metrics}
    # A direction alone is given with the value that it is about.
    metrics = {**{k: version.metrics.get(k) for k in unsaved.better}, **unsaved.metrics}
    what = [f"{printable(key)} {scalar_text(value)}" for key, value in lost.items()]
    what += [f"{printable(key)}:{better}" for key, better in unsaved.better.items()]
    what += [f"made from {source}" for source in unsaved.sources]
    yield f"  Not saved with it: {', '.join(what)}"
    if not unsaved.sources:
        edit = EditRequest(
            ref=version.ref, params=unsaved.params, metrics=metrics, better=unsaved.better
        )
        yield f"  Say it of {version.ref}:  {printable(edit.typed())}"
    again = f"datacat add {typed} --name {version.name} --new-version …"
    yield f"  Keep this run as a version of its own:  {again}"


def pairs_text(values: Mapping[str, Scalar]) -> str:
    """`lr 0.0003   epochs 80`."""
    return "   ".join(f"{printable(key)} {scalar_text(value)}" for key, value in values.items())
