"""What `add` says: what is saved now, what was there already, and what to do next."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from datacat.model import AddResult, ChangeKind, Code, Diff, Scalar, Version
from datacat.refs import parse
from datacat.render.terminal import Screen
from datacat.text import count_of, human_age, human_bytes, printable, without_version_words

SKIPPED_SHOWN = 5
EXAMPLES_SHOWN = 2
_COUNT = re.compile(r" \(([\d,]+)\)$")
LOWER_IS_BETTER = ("loss", "error", "err", "mae", "mse", "rmse", "wer", "perplexity", "hd95")
"""Metrics with such a word in their name improve downwards; all others upwards."""


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
        yield f"  skipped {skipped_total(result):,}: {_skipped(result.skipped, screen.verbose > 0)}"
    if version.sources or version.code:
        yield "  " + "      ".join(_origins(version))
    yield from _metrics(version, earlier)
    if result.dry_run:
        yield "Nothing was saved (dry run)."
        return
    yield from _next_step(result)


def _saved(result: AddResult) -> str:
    version = result.version
    verb = "Would save" if result.dry_run else "Saved"
    total, new = human_bytes(version.bytes), human_bytes(version.new_bytes)
    is_output = bool(version.sources or version.params or version.metrics)
    if result.first or version.base is None or is_output:
        line = f"{verb} {version.ref}: {count_of(version.files, 'file')}, {total}"
        if version.new_bytes < version.bytes:
            old = human_bytes(version.bytes - version.new_bytes)
            return f"{line}  ({new} new, {old} already in the store)"
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


def skipped_total(result: AddResult) -> int:
    """How many things were left out: a name may say in brackets how often it was met."""
    counts = (_COUNT.search(name) for name in result.skipped)
    return sum(int(match[1].replace(",", "")) if match else 1 for match in counts)


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
    for name, value in version.metrics.items():
        text = f"  {printable(name)} {scalar_text(value)}"
        before = [v for v in earlier if name in v.metrics and v.number < version.number]
        if before:
            newest = max(before, key=lambda v: v.number)
            was = f"v{newest.number} was {scalar_text(newest.metrics[name])}"
            best = is_best(name, value, [v.metrics[name] for v in before])
            text += f" (best so far; {was})" if best else f" ({was})"
        yield text


def is_best(name: str, value: Scalar, others: Sequence[Scalar]) -> bool:
    """True when `value` is better than each number in `others`, by what the metric's name says."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    numbers = [o for o in others if isinstance(o, (int, float)) and not isinstance(o, bool)]
    words = name.lower().replace("-", "_").replace(".", "_").replace("/", "_").split("_")
    lower = any(word in words for word in LOWER_IS_BETTER)
    return bool(numbers) and all(value < n if lower else value > n for n in numbers)


def _next_step(result: AddResult) -> Iterator[str]:
    version = result.version
    if result.first and (short := without_version_words(version.name)):
        yield (
            f"hint: versions are kept for you; a short name like '{short}' ages better"
            f" (--name {short})."
        )
    elif version.base and not result.first and not (version.params or version.metrics):
        yield f"See it:  datacat diff {version.base} {version.ref}"
    else:
        yield f"Teammates run:  datacat pull {version.name}"


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


def near_duplicate(result: AddResult, diff: Diff, *, name: str) -> Iterator[str]:
    """The question about a folder that is nearly a known version, up to its choices.

    `diff` is from that version to the folder; `name` is the new dataset's name otherwise.
    """
    similar = result.similar[0]
    total = result.version
    same_files = total.files - diff.added - diff.modified - diff.renamed
    same_bytes = round(total.bytes * similar.same_bytes_ratio)
    yield (
        f"This is {percent(similar.same_bytes_ratio)} the same as {similar.ref}"
        f" ({max(0, same_files):,} of {count_of(total.files, 'file')},"
        f" {human_bytes(same_bytes)} of {human_bytes(total.bytes)})."
    )
    for mark, count, kind, words in (
        ("+", diff.added, ChangeKind.ADDED, ("file only here", "files only here")),
        ("~", diff.modified, ChangeKind.MODIFIED, ("file differs", "files differ")),
        ("-", diff.removed, ChangeKind.REMOVED, (f"file only in {similar.ref}",) * 2),
    ):
        noun = words[0] if count == 1 else words[1].replace("file only in", "files only in")
        paths = [c.path for c in diff.changes if c.change is kind][:EXAMPLES_SHOWN]
        examples = printable(", ".join(paths)) + (", …" if count > len(paths) else "")
        yield f"  {mark} {f'{count:,} {noun}':<22} {examples if paths else ''}".rstrip()
    yield ""
    base = parse(similar.ref)
    yield f"  1  save as the next version of {base.name}"
    yield f"  2  save as a separate dataset  ({name}@v1)"
    yield "  3  list all differences"
    yield "  q  do nothing"


def percent(ratio: float) -> str:
    """`98%`; never 100% for what is not the same."""
    return f"{min(99, int(ratio * 100))}%" if ratio < 1 else "100%"


def pairs_text(values: Mapping[str, Scalar]) -> str:
    """`lr 0.0003   epochs 80`."""
    return "   ".join(f"{printable(key)} {scalar_text(value)}" for key, value in values.items())
