"""Change what is said of a dataset, or of one of its versions. Content never changes."""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from msgspec import UNSET

from datacat import refs
from datacat.catalog.fold import Fold
from datacat.catalog.query import CatalogQuery
from datacat.catalog.record import DatasetEdit, Envelope
from datacat.catalog.rows import DatasetRow
from datacat.config.keys import USER_LENGTH_MAX
from datacat.errors import InvalidInput, NotFound
from datacat.model import Better, Dataset, Edit, EditResult, Scalar, Version
from datacat.opened import OpenedStore
from datacat.organise.decision import dataset_now, decide
from datacat.organise.permission import check_permission
from datacat.text import closest, printable


@dataclass(frozen=True, slots=True, kw_only=True)
class EditRequest:
    """Edit what `ref` names: a dataset, or with a version that version.

    None leaves a fact as it is. `params` and `metrics` are merged into those of the version; None
    takes a value away. `better` says of metrics which values are good, in all versions.
    """

    ref: str
    description: str | None = None
    owner: str | None = None
    tags: tuple[str, ...] = ()
    untags: tuple[str, ...] = ()
    message: str | None = None
    params: Mapping[str, Scalar] = field(default_factory=dict)
    metrics: Mapping[str, Scalar] = field(default_factory=dict)
    better: Mapping[str, Better] = field(default_factory=dict)
    force: bool = False

    def typed(self) -> str:
        """The command that asks for this, as it is typed."""
        words = ["datacat", "edit", self.ref]
        for option, text in (
            ("--description", self.description),
            ("--owner", self.owner),
            ("-m", self.message),
        ):
            words += [option, text] if text is not None else []
        for option, listed in (("--tag", self.tags), ("--untag", self.untags)):
            words += [word for tag in listed for word in (option, tag)]
        for option, values in (("--param", self.params), ("--metric", self.metrics)):
            for key, value in values.items():
                text = value if isinstance(value, str) else json.dumps(value)
                if option == "--metric" and key in self.better:
                    text += f":{self.better[key]}"
                words += [option, f"{key}={text}"]
        return shlex.join(words)


def edit(store: OpenedStore, request: EditRequest) -> EditResult:
    """Change facts; what is so already is left alone, and if all is, nothing is written.

    Raises `InvalidInput` (texts, tags, a fact of versions without a version and the other way
    round), `NotFound`, `Refused` (`not_yours`).
    """
    snapshot = store.catalog.sync()
    query = CatalogQuery(snapshot, store=store.backend.url)
    asked = _Asked.of(query, request)

    def make(fold: Fold, envelope: Envelope) -> tuple[DatasetEdit | None, tuple[Edit, ...]]:
        row = dataset_now(fold, asked.dataset.name)
        version = asked.version
        check_permission(
            refs.version_ref(row.name, version.number) if version else row.name,
            user=store.client.user,
            owner=row.owner,
            authors={version.author if version else row.created_by},
            again=f"{request.typed()} --force",
            force=request.force,
        )
        edits = tuple(asked.edits(fold, row))
        return _record(envelope, row, version, edits, asked) if edits else None, edits

    _, edits = decide(store, make, start=snapshot)
    now = CatalogQuery(store.catalog.sync(), store=store.backend.url)
    version = asked.version
    return EditResult(
        dataset=now.dataset(asked.dataset.name),
        version=now.find_version(version.name, version.number) if version else None,
        edits=edits,
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request that makes sense, and the dataset and version as the snapshot knows them."""

    request: EditRequest
    dataset: Dataset
    version: Version | None
    owner: str | None
    tags: frozenset[str]
    untags: frozenset[str]

    @classmethod
    def of(cls, query: CatalogQuery, request: EditRequest) -> _Asked:
        ref = refs.parse(request.ref)
        refs.check_texts(request.description, request.owner, request.message)
        version = query.resolve(ref)
        dataset = query.dataset(version.name)
        _check_parts(request, ref, version)
        tags = frozenset(refs.check_tag(tag) for tag in request.tags)
        untags = frozenset(refs.check_tag(tag) for tag in request.untags)
        if both := sorted(tags & untags):
            raise InvalidInput(f"'{both[0]}' is in --tag and in --untag", kind="usage")
        _check_tags_there(dataset, untags)
        owner = None if request.owner is None else _owner(request.owner)
        return cls(request, dataset, None if ref.is_latest else version, owner, tags, untags)

    def edits(self, fold: Fold, row: DatasetRow) -> Iterator[Edit]:
        """What would change just before the slot."""
        request, version = self.request, self.version
        for what, before, after in (
            ("owner", row.owner, self.owner),
            ("description", row.description, request.description),
        ):
            if after is not None and after != before:
                yield Edit(what, before, after)
        since = fold.tags_since_base(row.name)
        before_tags = (set(self.dataset.tags) | _keys(since, True)) - _keys(since, False)
        after_tags = (before_tags - self.untags) | self.tags
        if after_tags != before_tags:
            yield Edit("tags", ", ".join(sorted(before_tags)), ", ".join(sorted(after_tags)))
        if version is None:
            return
        said = fold.message(row.name, version.number)
        if request.message is not None and request.message != said:
            yield Edit("message", said, request.message)
        new = fold.values_since_base(row.name, version.number)
        for what, known, edited, asked in (
            ("param", version.params, new[0], request.params),
            ("metric", version.metrics, new[1], request.metrics),
        ):
            there = {k: v for k, v in {**known, **edited}.items() if edited.get(k, 0) is not None}
            for key, value in asked.items():
                # True == 1 == 1.0, but they are written differently.
                differs = value is None or repr(there[key]) != repr(value) if key in there else True
                if differs and (value is not None or key in there):
                    yield Edit(what, there.get(key), value, key)
        directions = {**version.better, **fold.directions_since_base(row.name)}
        for metric, better in request.better.items():
            if directions.get(metric) != better:
                yield Edit("better", directions.get(metric), better, metric)


def _record(
    envelope: Envelope,
    row: DatasetRow,
    version: Version | None,
    edits: Collection[Edit],
    asked: _Asked,
) -> DatasetEdit:
    """Only what changes is in the record: the team's feed tells what it says."""
    request = asked.request
    changed = {edit.what for edit in edits}
    return DatasetEdit(
        **envelope,
        dataset=row.name,
        description=request.description if "description" in changed else None,
        owner=asked.owner if "owner" in changed else None,
        add_tags=tuple(sorted(asked.tags)) if "tags" in changed else (),
        remove_tags=tuple(sorted(asked.untags)) if "tags" in changed else (),
        number=version.number if version else None,
        message=request.message if "message" in changed else None,
        params={edit.key: edit.after for edit in edits if edit.what == "param"},
        metrics={edit.key: edit.after for edit in edits if edit.what == "metric"},
        better={key: better.value for key, better in request.better.items()}
        if "better" in changed
        else UNSET,
    )


def _keys(flags: Mapping[str, bool], value: bool) -> set[str]:
    return {key for key, flag in flags.items() if flag is value}


def _check_parts(request: EditRequest, ref: refs.Ref, version: Version) -> None:
    """A dataset has description, tags and owner; a version message, parameters and metrics."""
    of_dataset = request.description is not None or request.owner is not None
    of_dataset = of_dataset or bool(request.tags or request.untags)
    of_version = request.message is not None or bool(
        request.params or request.metrics or request.better
    )
    if ref.path is not None:
        raise InvalidInput(
            "a file has nothing to edit; versions and datasets have",
            kind="usage",
            commands=[f"datacat edit {version.ref} -m TEXT"],
        )
    if not (of_dataset or of_version):
        raise InvalidInput(
            "nothing to change was given", kind="usage", commands=["datacat edit --help"]
        )
    if of_version and ref.is_latest:
        raise InvalidInput(
            "message, parameters and metrics belong to one version; name it",
            kind="usage",
            hint=f"The newest is {version.ref}:",
            commands=[f"datacat edit {version.ref} -m TEXT"],
        )
    if of_dataset and not ref.is_latest:
        raise InvalidInput(
            "description, tags and owner belong to the dataset, not to one version",
            kind="usage",
            commands=[f"datacat edit {version.name} --tag T"],
        )


def _check_tags_there(dataset: Dataset, untags: Collection[str]) -> None:
    """A tag that is not there was mistyped."""
    for tag in sorted(set(untags) - set(dataset.tags)):
        meant = closest(tag, dataset.tags)
        there = ", ".join(dataset.tags) or "none"
        raise NotFound(
            f"{dataset.name} has no tag '{tag}'; its tags: {there}",
            kind="tag_not_found",
            hint=f"Did you mean '{meant}'?" if meant else None,
        )


def _owner(name: str) -> str:
    """`name` if a person can be called so."""
    name = name.strip()
    if name and name.isprintable() and len(name) <= USER_LENGTH_MAX:
        return name
    raise InvalidInput(
        f"'{printable(name)[:80]}' cannot be an owner",
        kind="bad_owner",
        hint=f"An owner is a user's name, of at most {USER_LENGTH_MAX} characters.",
    )
