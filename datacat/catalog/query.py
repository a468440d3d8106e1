"""Questions about the catalog, answered from one snapshot in SQL, as facts from `model.py`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from datacat import refs, text
from datacat.catalog import answers
from datacat.catalog.ancestry import Ancestry
from datacat.catalog.identities import Identities
from datacat.catalog.record_parts import StoredFile
from datacat.catalog.relatives import Relatives
from datacat.errors import InvalidInput, NotFound
from datacat.model import AliasInfo, Dataset, Listing, LogEntry, Version

SORT_KEYS = {"name": "name", "updated": "updated_at", "size": "bytes"}
USED = "used"
"""The order by who used a dataset last: the registrations of working copies know it."""
"""What `datasets` sorts by, and the column it stands for."""

_USABLE_SEGMENT = """
    not exists (from fold.condemned c where c.name = s.key)
    and not exists (from fold.quarantined q where q.name = s.key)
"""


@dataclass(frozen=True, slots=True)
class SegmentFile:
    """A part of the index on shared storage; `kind` is chunks or recipes."""

    seq: int
    kind: str
    file: StoredFile
    rows: int


@dataclass(frozen=True, slots=True)
class KeptVersion:
    """A version whose content must stay: its dataset, the record that added it, its file list."""

    dataset: str
    number: int
    seq: int
    trashed: bool
    tree: str
    bytes: int
    manifest: StoredFile

    @property
    def ref(self) -> str:
        return refs.version_ref(self.dataset, self.number)


class CatalogQuery(Ancestry, Relatives, Identities):
    """Questions about one snapshot; those about references and sources are those of its bases."""

    # Versions

    def versions(self, name: str) -> list[Version]:
        """The versions of a dataset outside the trash, newest first. Raises `NotFound`."""
        identity, _ = self._identity(name)
        return self._versions("dataset_id = $1 and trashed_seq is null", [identity])

    def every_version(self) -> list[Version]:
        """Every version outside the trash, newest first."""
        return self._versions("trashed_seq is null", [])

    def trashed(self, name: str) -> list[Version]:
        """The versions of a dataset that `restore` can bring back, newest first."""
        identity, _ = self._identity(name)
        return self._versions(
            "dataset_id = $1 and trashed_seq is not null"
            " and not exists (from fold.condemned n where n.name = manifest_key)",
            [identity],
        )

    def version_by_tree(self, tree_hash: str, *, name: str | None = None) -> Version | None:
        """The version with exactly this content: of `name` if it has one, and the newest."""
        found = self._versions("split_part(tree, ':', 2) = $1 and trashed_seq is null", [tree_hash])
        own = self._names_of(name) if name else ()
        return next((v for v in found if v.name in own), found[0] if found else None)

    def _names_of(self, name: str) -> Sequence[str]:
        try:
            return (self._identity(name)[1],)
        except NotFound:
            return ()

    def identity(self, name: str) -> int:
        """The stable id of the dataset that has or had this name. Raises `NotFound`."""
        return self._identity(name)[0]

    def made_from(self, name: str, numbers: Collection[int]) -> list[tuple[str, int]]:
        """Versions outside the trash that were made from one of these, newest first, each with
        the number of that one."""
        found = self._all(
            """
            select distinct d.name || '@v' || v.number as ref, s.source_number, v.seq
            from fold.sources s
            join fold.versions v on v.dataset_id = s.dataset_id and v.number = s.number
            join fold.datasets d on d.id = s.dataset_id
            where s.source_id = $1
                and s.source_number in (select unnest($2::bigint[]))
                and v.trashed_seq is null
            order by v.seq desc, s.source_number
            """,
            [self.identity(name), list(numbers)],
        )
        return [(ref, number) for ref, number, _ in found]

    def used_by(self, name: str, *, number: int | None = None) -> list[str]:
        """References of versions that were made from this dataset or version, newest first."""
        identity, _ = self._identity(name)
        found = self._all(
            """
            select d.name || '@v' || v.number
            from fold.sources s
            join fold.versions v on v.dataset_id = s.dataset_id and v.number = s.number
            join fold.datasets d on d.id = s.dataset_id
            where s.source_id = $1
                and ($2::bigint is null or s.source_number = $2::bigint)
                and v.trashed_seq is null
            group by d.name, v.number, v.seq
            order by v.seq desc
            """,
            [identity, number],
        )
        return [row[0] for row in found]

    # Datasets

    def dataset(self, name: str) -> Dataset:
        """One dataset by any of its names. Raises `NotFound`, also when all of it is trashed."""
        identity, _ = self._identity(name)
        found = self._datasets("id = $1", [identity])
        if not found:
            raise self._not_there(self._versions("dataset_id = $1", [identity])[0], whole=True)
        return found[0]

    def datasets(
        self,
        query: str | None = None,
        *,
        owner: str | None = None,
        tags: Sequence[str] = (),
        since: datetime | None = None,
        sort: str = "updated",
        descending: bool | None = None,
        limit: int | None = None,
        trash: bool = False,
    ) -> Listing:
        """What the team has. Every word of `query` must occur, without case, in a dataset's name,
        description, tags, owner, aliases or last message, or be an old name of it.

        With `trash`, datasets with versions in the trash: `versions` counts those, and the sizes
        are of the newest of them. Raises `InvalidInput` for an unknown `sort`.
        """
        if sort not in SORT_KEYS:
            raise InvalidInput(
                f"cannot sort by '{sort}'",
                kind="bad_sort",
                hint=f"Known: {', '.join((*SORT_KEYS, USED))}.",
            )
        down = sort != "name" if descending is None else descending
        conditions, parameters = ["true"], list[object]()

        def where(condition: str, value: object) -> None:
            parameters.append(value)
            conditions.append(condition.replace("?", f"${len(parameters)}"))

        for word in (query or "").lower().split():
            where(
                "(contains(lower(concat_ws(chr(10), name, description, owner, message,"
                " array_to_string(tags, chr(10)), array_to_string(flatten(aliases), chr(10)))), ?)"
                " or id in (select dataset_id from fold.dataset_names n where n.name = ?))",
                word,
            )
        if owner is not None:
            where("owner = ?", owner)
        for tag in tags:
            where("list_contains(tags, ?)", tag.lower())
        if since is not None:
            where("updated_at >= ?::timestamp", since.astimezone(UTC).replace(tzinfo=None))
        found = self._datasets(
            " and ".join(conditions),
            parameters,
            order=f"{SORT_KEYS[sort]} {'desc' if down else 'asc'}, name",
            limit=limit,
            trash=trash,
        )
        datasets_total, versions_total, stored = self._all(answers.TOTALS)[0]
        return Listing(
            datasets=tuple(found),
            datasets_total=datasets_total,
            versions_total=versions_total,
            stored_bytes=stored,
            suggestion=self._suggestion(query) if query and not found else None,
            renamed=self._renamed(query.lower()) if query else None,
        )

    def _renamed(self, word: str) -> str | None:
        """The name of today of the dataset that was called `word`."""
        now = self.current_name(word)
        return None if now == word else now

    def _suggestion(self, query: str) -> str | None:
        words = self._all(
            "select name from datasets union select tag from tags union select owner from datasets"
        )
        return text.closest(query, (row[0] for row in words))

    def _datasets(
        self,
        condition: str,
        parameters: Sequence[object],
        *,
        order: str = "name",
        limit: int | None = None,
        trash: bool = False,
    ) -> list[Dataset]:
        statement = answers.DATASETS.format(
            null_if_live="not null" if trash else "null",
            only_restorable=answers.RESTORABLE if trash else "",
            condition=condition,
            order=order,
            limit="" if limit is None else f"limit {int(limit)}",
        )
        return [answers.dataset_of(row) for row in self._all(statement, parameters)]

    def aliases(self, name: str) -> list[AliasInfo]:
        """The aliases of a dataset whose versions are not in the trash, by name."""
        _, current = self._identity(name)
        found = self._all(
            "select name, alias, ref, set_at, set_by from aliases where name = $1 order by alias",
            [current],
        )
        return [
            AliasInfo(now, alias, ref, answers.utc(at), by) for now, alias, ref, at, by in found
        ]

    def people(self) -> list[str]:
        """Everybody who did something, by name."""
        found = self._all("select distinct person from fold.records where void is null order by 1")
        return [row[0] for row in found]

    # History

    def log(self, name: str) -> list[Version]:
        """The history of one dataset: its versions, newest first."""
        return self.versions(name)

    def feed(
        self,
        *,
        user: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
    ) -> list[LogEntry]:
        """What the team did, newest first, under the names that datasets have today."""
        found = self._all(
            f"""
            select happened_at, person, host, action, ref, detail
            from activity
            where ($1::varchar is null or person = $1)
                and ($2::timestamp is null or happened_at >= $2)
            order by seq desc
            {"" if limit is None else f"limit {int(limit)}"}
            """,
            [user, None if since is None else since.astimezone(UTC).replace(tzinfo=None)],
        )
        return [
            LogEntry(
                at=answers.utc(at), user=person, host=host, action=action, ref=ref, detail=detail
            )
            for at, person, host, action, ref, detail in found
        ]

    # Where content lies

    def manifest_of(self, version: Version) -> StoredFile:
        """The manifest of a version."""
        identity, _ = self._identity(version.name)
        key, size, digest = self._all(
            "select manifest_key, manifest_size, manifest_digest from fold.versions"
            " where dataset_id = $1 and number = $2",
            [identity, version.number],
        )[0]
        return StoredFile(key=key, size=size, digest=digest)

    def manifests(self) -> list[StoredFile]:
        """The lists of files of all versions outside the trash, each content once."""
        found = self._all(
            """
            select arg_min(manifest_key, seq), arg_min(manifest_size, seq), manifest_digest
            from fold.versions where trashed_seq is null
            group by manifest_digest order by min(seq)
            """
        )
        return [StoredFile(key=key, size=size, digest=digest) for key, size, digest in found]

    def kept(self) -> list[KeptVersion]:
        """Every version whose content the store keeps, also those in the trash: one dataset after
        the other, its oldest version first.

        Without those that gc condemned: their manifests may be gone.
        """
        return [
            KeptVersion(
                *(name, number, seq, trashed, tree, size),
                StoredFile(key=key, size=length, digest=digest),
            )
            for name, number, seq, trashed, tree, size, key, length, digest in self._all(
                f"""
                select d.name, v.number, v.seq, v.trashed_seq is not null, v.tree, v.bytes,
                    v.manifest_key, v.manifest_size, v.manifest_digest
                from fold.versions v
                join fold.datasets d on d.id = v.dataset_id
                {answers.RESTORABLE}
                order by v.dataset_id, v.seq
                """
            )
        ]

    def segments(self, version: Version | None = None) -> list[SegmentFile]:
        """The parts of the index that hold a version's content, or all of them, oldest first.

        Without those that gc condemned or that are quarantined: they may be gone. What was
        relocated may hold content of any version.
        """
        if version is None:
            found = self._all(
                f"select * from fold.segments s where {_USABLE_SEGMENT} order by seq, kind"
            )
        else:
            identity, _ = self._identity(version.name)
            found = self._all(
                f"""
                select s.*
                from fold.segments s, fold.versions v
                where v.dataset_id = $1 and v.number = $2
                    and {_USABLE_SEGMENT}
                    and (
                        s.seq = v.seq
                        or s.seq in (select seq from fold.relocations)
                        or case when v.segments is null then s.seq < v.seq
                            else list_contains(v.segments, s.seq) end
                    )
                order by s.seq, s.kind
                """,
                [identity, version.number],
            )
        return [
            SegmentFile(seq, kind, StoredFile(key=key, size=size, digest=digest), rows)
            for seq, kind, key, size, digest, rows in found
        ]

    def barred_segments(self) -> list[tuple[int, str]]:
        """The parts of the index that gc condemned or that are quarantined: the seq of the record
        that added each, and its kind."""
        found = self._all(
            f"select s.seq, s.kind from fold.segments s where not ({_USABLE_SEGMENT})"
            " order by s.seq, s.kind"
        )
        return [(seq, kind) for seq, kind in found]

    def quarantined(self) -> list[tuple[str, bytes | None]]:
        """What is damaged: containers and segments, each with a chunk of it or None for all."""
        return [
            (name, chunk)
            for name, chunk in self._all(
                "select distinct name, chunk from fold.quarantined order by name, chunk"
            )
        ]

    def relocations(self) -> list[int]:
        """The records whose parts of the index count for every version."""
        return [row[0] for row in self._all("select seq from fold.relocations order by seq")]

    def condemned(self) -> Iterator[str]:
        """Every container that gc condemned: what lies there must not be read or referred to."""
        rows = self._connection.cursor().execute("select name from fold.condemned")
        while batch := rows.fetchmany(10_000):
            yield from (row[0] for row in batch)

    def condemned_among(self, names: Iterable[str]) -> set[str]:
        """Those of these names on shared storage that gc condemned."""
        found = self._all(
            "select name from fold.condemned where name in (select unnest($1::varchar[]))",
            [list(names)],
        )
        return {row[0] for row in found}
