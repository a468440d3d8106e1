"""The trash: a record moves versions there, another brings them back; no byte is touched.

What somebody still needs is not removed without `force`. The plan decides that, and it holds in the
slot of the log that the record takes: if the dataset changed in between, the plan is looked at
again.
"""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from datacat import refs
from datacat.catalog.fold import Fold
from datacat.catalog.query import CatalogQuery
from datacat.catalog.record import Envelope, VersionRemove, VersionRestore
from datacat.catalog.references import gone_error
from datacat.catalog.snapshot import Snapshot
from datacat.copies import working_copies
from datacat.errors import Conflict, DatacatError, InvalidInput, Refused
from datacat.maintenance.du import only_held_by
from datacat.model import Copy, Removal, Restored, Version
from datacat.opened import OpenedStore, Watch
from datacat.organise.permission import check_permission
from datacat.text import printable

NUMBERS_MAX = 10_000
"""Versions that one record removes or restores: a limit of the format."""

RECENT_DAYS = 30
"""Who pulled a version so lately may still work with it."""

NEEDED_SHOWN = 10
"""Reasons that a refusal lists; further ones are counted."""

TRIES = 10
"""A dataset that changes so often while it is removed is not to be removed now."""

Confirm = Callable[[Removal], bool]
"""Asked between plan and record: whether to go on."""


class _ChangedMeanwhileError(Exception):
    """The dataset is not any more what the plan was made for."""


@dataclass(frozen=True, slots=True)
class _Group:
    """The versions of one dataset that are to go, and the words that mean them."""

    name: str
    words: tuple[str, ...]
    versions: tuple[Version, ...]
    whole: bool

    @property
    def names(self) -> tuple[str, ...]:
        """What brings them back."""
        return (self.name,) if self.whole else tuple(v.ref for v in self.versions)


def remove(
    store: OpenedStore,
    words: Sequence[str],
    *,
    force: bool,
    dry_run: bool,
    measure: bool,
    confirm: Confirm | None,
    watch: Watch,
) -> Removal:
    """Move to the trash what `words` mean; a bare name is the dataset with all its versions.

    `measure` also says what gc will free: for that it reads every list of files. Raises `NotFound`,
    and before anything is done `Refused` (`still_needed`, `not_yours`) unless `force`; `Conflict`
    when somebody saves to the dataset meanwhile, `OutcomeUnknown`.
    """
    snapshot = store.catalog.sync()
    query = CatalogQuery(snapshot, store=store.backend.url)
    groups = _groups(query, words)
    going = {version.ref for group in groups for version in group.versions}
    needed = _checked(store, query, groups, going, force=force)
    days = timedelta(days=store.info.trash_days)
    removal = Removal(
        names=tuple(name for group in groups for name in group.names),
        datasets=tuple(group.name for group in groups if group.whole),
        versions=tuple(version for group in groups for version in group.versions),
        until=store.client.now().replace(microsecond=0) + days,
        needed_by=needed,
    )
    if measure:
        removal = replace(removal, frees_bytes=only_held_by(store, query, going, watch=watch))
    if dry_run or not (confirm is None or confirm(removal)):
        return removal
    gone: list[str] = []
    for group in groups:
        try:
            _remove(store, snapshot, group, going, force=force)
        except DatacatError as error:
            if gone:
                error.hint = " ".join(
                    filter(None, [error.hint, f"In the trash now: {', '.join(gone)}."])
                )
                error.commands = (*error.commands, shlex.join(["datacat", "restore", *gone]))
            raise
        gone += group.names
    return replace(removal, done=True)


def _groups(query: CatalogQuery, words: Sequence[str]) -> list[_Group]:
    """What is meant, by dataset. Raises `NotFound`; `InvalidInput` for a file of a version."""
    found: dict[str, dict[int, Version]] = {}
    said: dict[str, list[str]] = {}
    for word in words:
        versions = _meant(query, word)
        name = versions[0].name
        found.setdefault(name, {}).update((v.number, v) for v in versions)
        said.setdefault(name, []).append(word)
    return [
        _Group(
            name,
            tuple(said[name]),
            tuple(versions[number] for number in sorted(versions)),
            whole=len(versions) == query.dataset(name).versions,
        )
        for name, versions in found.items()
    ]


def _meant(query: CatalogQuery, word: str) -> list[Version]:
    """The versions outside the trash that one word stands for, at least one."""
    ref = _reference(word)
    if _is_whole(word):
        return query.versions(query.dataset(ref.name).name)
    return [query.resolve(ref)]


def _reference(word: str) -> refs.Ref:
    ref = refs.parse(word)
    if ref.path is not None:
        raise InvalidInput(
            f"'{printable(word)}' is a file; what is removed and restored are versions",
            kind="not_a_version",
            hint="A version without the file is made by saving a copy without it.",
        )
    return ref


def _is_whole(word: str) -> bool:
    """True for `cmr`, False for `cmr@v3` and also for `cmr@latest`."""
    return "@" not in word


def _checked(
    store: OpenedStore,
    query: CatalogQuery,
    groups: Sequence[_Group],
    going: Collection[str],
    *,
    force: bool,
) -> tuple[str, ...]:
    """Who still needs any of it. Raises `Refused` when that, or whose it is, forbids to go on."""
    forced = shlex.join(["datacat", "rm", *(w for group in groups for w in group.words), "--force"])
    for group in groups:
        check_permission(
            ", ".join(group.names[:NEEDED_SHOWN]),
            user=store.client.user,
            owner=query.dataset(group.name).owner,
            authors={version.author for version in group.versions},
            again=forced,
            force=force,
        )
    pulled = _pulled_lately(store, query)
    needed = tuple(
        itertools.chain.from_iterable(_needed_by(query, g, going, pulled) for g in groups)
    )
    if needed and not force:
        lines = [f"  {reason}" for reason in needed[:NEEDED_SHOWN]]
        if len(needed) > NEEDED_SHOWN:
            lines.append(f"  and {len(needed) - NEEDED_SHOWN:,} more")
        subject = ", ".join(name for group in groups for name in group.names[:NEEDED_SHOWN])
        raise Refused(
            "\n".join([f"{subject} is still needed; nothing was moved to the trash:", *lines]),
            kind="still_needed",
            commands=[f"{forced}   (do it anyway)"],
        )
    return needed


def _pulled_lately(store: OpenedStore, query: CatalogQuery) -> list[Copy]:
    """The copies that other people pulled in the last weeks, as far as they share that."""
    since = store.client.now() - timedelta(days=RECENT_DAYS)
    return [
        copy
        for copy in working_copies(store, query)
        if copy.user != store.client.user and copy.pulled_at is not None and copy.pulled_at >= since
    ]


def _needed_by(
    query: CatalogQuery, group: _Group, going: Collection[str], pulled: Sequence[Copy]
) -> Iterator[str]:
    """Sentences about who needs versions that are `going`, apart from others that are."""
    for version in group.versions:
        for alias in version.aliases:
            yield f"{version.ref} is {group.name}@{alias}"
    numbers = [version.number for version in group.versions]
    for ref, number in query.made_from(group.name, numbers):
        if ref not in going:
            yield f"{ref} was made from {refs.version_ref(group.name, number)}"
    there = {version.ref for version in group.versions}
    for copy in pulled:
        if copy.ref in there:
            yield f"{copy.user} pulled {copy.ref} on {copy.pulled_at:%Y-%m-%d} to {copy.place}"


def _remove(
    store: OpenedStore, snapshot: Snapshot, group: _Group, going: Collection[str], *, force: bool
) -> None:
    """Commit the removal of one group, planned from `snapshot`."""
    numbers = [version.number for version in group.versions]
    for count, batch in enumerate(_batches(numbers)):
        if count:  # and not after the last: once it is removed, nothing may say that it failed
            snapshot = store.catalog.sync()
        for _ in range(TRIES):
            try:
                _commit(store, snapshot, group.name, batch)
                break
            except _ChangedMeanwhileError:
                snapshot = store.catalog.sync()
                _check_again(store, snapshot, group, batch, going, force=force)
        else:
            raise Conflict(f"{group.name} keeps changing; try again", kind="changed_meanwhile")


def _commit(store: OpenedStore, snapshot: Snapshot, name: str, numbers: tuple[int, ...]) -> None:
    identity = CatalogQuery(snapshot).identity(name)

    def make(fold: Fold, envelope: Envelope) -> VersionRemove:
        if fold.changed_since_base(identity):
            raise _ChangedMeanwhileError
        return VersionRemove(**envelope, dataset=name, numbers=numbers)

    store.commit_on_reserve(make, start=snapshot)


def _check_again(
    store: OpenedStore,
    snapshot: Snapshot,
    group: _Group,
    batch: Sequence[int],
    going: Collection[str],
    *,
    force: bool,
) -> None:
    """Raise unless what was planned and agreed to is still the same, and still permitted."""
    query = CatalogQuery(snapshot, store=store.backend.url)
    planned = {version.number for version in group.versions}
    there = {version.number for version in query.versions(group.name)}
    saved = there - planned if group.whole else set()
    if saved or not there.issuperset(batch):
        what = "somebody saved to it" if saved else "somebody removed a part of it"
        raise Conflict(
            f"{group.name} changed meanwhile: {what}",
            kind="changed_meanwhile",
            commands=["datacat ls", shlex.join(["datacat", "rm", *group.words])],
        )
    _checked(store, query, [group], going, force=force)


def _batches(numbers: Sequence[int]) -> Iterator[tuple[int, ...]]:
    for start in range(0, len(numbers), NUMBERS_MAX):
        yield tuple(numbers[start : start + NUMBERS_MAX])


def restore(store: OpenedStore, words: Sequence[str]) -> Restored:
    """Bring back from the trash what `words` mean; a bare name is all of a dataset that is there.

    Raises `NotFound`, also (`version_gone`) for what gc has taken: then nothing comes back.
    """
    snapshot = store.catalog.sync()
    query = CatalogQuery(snapshot, store=store.backend.url)
    wanted: dict[str, dict[int, Version]] = {}
    already: list[str] = []
    for word in words:
        trashed = _in_the_trash(query, word)
        if not trashed:
            already.append(query.find(_reference(word)).ref if "@" in word else word)
        for version in trashed:
            wanted.setdefault(version.name, {})[version.number] = version
    back: list[Version] = []
    for versions in wanted.values():
        for numbers in _batches(sorted(versions)):
            back += _restore(store, [versions[number] for number in numbers])
    return Restored(tuple(back), tuple(dict.fromkeys(already)))


def _in_the_trash(query: CatalogQuery, word: str) -> list[Version]:
    """What one word means and `restore` can bring back; nothing if that is not in the trash."""
    ref = _reference(word)
    if _is_whole(word):
        trashed = query.trashed(ref.name)
        if not trashed:
            query.dataset(ref.name)  # says so if all of it is gone for good
        return trashed
    version = query.find(ref)
    if version.trashed_at is not None and query.is_gone(version):
        raise gone_error(version, whole=False)
    return [version] if version.trashed_at is not None else []


def _restore(store: OpenedStore, versions: Sequence[Version]) -> list[Version]:
    """Commit it for versions of one dataset; those that somebody else did not bring back first."""
    name = versions[0].name
    back: list[Version] = []

    def make(fold: Fold, envelope: Envelope) -> VersionRestore:
        for version in versions:
            if fold.is_gone(name, version.number):
                raise gone_error(version, whole=False)
        back[:] = [v for v in versions if fold.is_trashed(name, v.number)]
        if not back:
            raise _ChangedMeanwhileError
        return VersionRestore(
            **envelope, dataset=name, numbers=tuple(version.number for version in back)
        )

    try:
        store.commit(make)
    except _ChangedMeanwhileError:
        return []
    return [replace(version, trashed_at=None, trashed_by=None) for version in back]
