"""What a reference means, and what to say when it means nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from datacat import refs, text
from datacat.catalog import answers
from datacat.catalog.snapshot import Snapshot
from datacat.errors import InvalidInput, NotFound
from datacat.model import Version
from datacat.sql import Row


class References:
    """References resolved in one snapshot. `store` is what people call the store, for messages."""

    def __init__(self, snapshot: Snapshot, *, store: str = "") -> None:
        self._connection = snapshot.connection
        self._store = store

    def resolve(self, ref: refs.Ref) -> Version:
        """The version that a reference means; without a version the newest.

        Raises `NotFound` saying what there is instead (`dataset_not_found`, `version_not_found`,
        `version_trashed`, `version_gone`); `InvalidInput` for an ambiguous hash.
        """
        identity, name = self._identity(ref.name)
        version = self._found(identity, self._number(identity, name, ref))
        if version.trashed_at is not None:
            raise self._not_there(version, whole=ref.is_latest)
        return version

    def find(self, ref: refs.Ref) -> Version:
        """The version that a reference means, also one in the trash or beyond. As `resolve`."""
        identity, name = self._identity(ref.name)
        return self._found(identity, self._number(identity, name, ref))

    def is_gone(self, version: Version) -> bool:
        """Whether gc took this version: it cannot be restored."""
        return bool(
            self._all(
                "select 1 from fold.versions v join fold.datasets d on d.id = v.dataset_id"
                " join fold.condemned c on c.name = v.manifest_key"
                " where d.name = $1 and v.number = $2",
                [version.name, version.number],
            )
        )

    def current_name(self, name: str) -> str | None:
        """What the dataset that has or had this name is called now; None when nobody has."""
        found = self._all(
            "select d.name from fold.dataset_names n"
            " join fold.datasets d on d.id = n.dataset_id where n.name = $1",
            [name],
        )
        return str(found[0][0]) if found else None

    def current_names(self, names: Iterable[str]) -> dict[str, str]:
        """What the datasets that have or had these names are called now; unknown ones are left
        out."""
        found = self._all(
            "select n.name, d.name from fold.dataset_names n"
            " join fold.datasets d on d.id = n.dataset_id"
            " where n.name in (select unnest($1::varchar[]))",
            [list(names)],
        )
        return dict(found)

    def find_version(self, name: str, number: int) -> Version | None:
        """A version, also one in the trash; None when it never was."""
        identity, _ = self._identity(name)
        found = self._versions("dataset_id = $1 and number = $2", [identity, number])
        return found[0] if found else None

    def newest(self, name: str) -> Version | None:
        """The newest version of a dataset outside the trash, None when all are in it."""
        identity, _ = self._identity(name)
        found = self._versions(
            "dataset_id = $1 and number = (select max(number) from fold.versions"
            " where dataset_id = $1 and trashed_seq is null)",
            [identity],
        )
        return found[0] if found else None

    def next_number(self, name: str) -> int:
        """The number that the next version of a dataset gets; 1 when there is no such dataset."""
        found = self._all(
            "select d.next_number from fold.dataset_names n"
            " join fold.datasets d on d.id = n.dataset_id where n.name = $1",
            [name],
        )
        return int(found[0][0]) if found else 1

    def _identity(self, name: str) -> tuple[int, str]:
        found = self._all(
            "select d.id, d.name from fold.dataset_names n"
            " join fold.datasets d on d.id = n.dataset_id where n.name = $1",
            [name],
        )
        if found:
            return found[0][0], found[0][1]
        meant = text.closest(name, (row[0] for row in self._all("select name from datasets")))
        place = f" in the store {self._store}" if self._store else ""
        raise NotFound(
            f"no dataset named '{name}'{place}",
            kind="dataset_not_found",
            hint=f"Did you mean '{meant}'?" if meant else None,
            commands=["datacat ls"],
        )

    def _number(self, identity: int, name: str, ref: refs.Ref) -> int:
        """The number that a reference means; the version may be in the trash."""
        if ref.is_latest:
            # With every version in the trash, the newest of those: resolve says who put it there.
            return int(
                self._all(
                    "select coalesce(max(number) filter (where trashed_seq is null), max(number))"
                    " from fold.versions where dataset_id = $1",
                    [identity],
                )[0][0]
            )
        if ref.alias is not None:
            found = self._all(
                "select number from fold.aliases where dataset_id = $1 and alias = $2",
                [identity, ref.alias],
            )
            if found:
                return int(found[0][0])
        if ref.number is not None:
            found = self._all(
                "select number from fold.versions where dataset_id = $1 and number = $2",
                [identity, ref.number],
            )
            if found:
                return ref.number
        if ref.hash_prefix is not None:
            number = self._by_hash(identity, name, ref.hash_prefix)
            if number is not None:
                return number
        raise self._no_version(identity, name, ref)

    def _by_hash(self, identity: int, name: str, prefix: str) -> int | None:
        """The newest version whose hash begins so; one outside the trash if there is one."""
        found = self._all(
            """
            select number, tree from fold.versions
            where dataset_id = $1 and starts_with(split_part(tree, ':', 2), $2)
            order by trashed_seq is not null, number desc
            """,
            [identity, prefix],
        )
        if len({tree for _, tree in found}) > 1:
            listed = " or ".join(f"v{number}" for number in sorted(n for n, _ in found))
            raise InvalidInput(
                f"{name}@{prefix} could be {listed}",
                kind="ambiguous_hash",
                hint="Give more digits of the hash.",
                commands=[f"datacat log {name}"],
            )
        return int(found[0][0]) if found else None

    def _no_version(self, identity: int, name: str, ref: refs.Ref) -> NotFound:
        numbers = [
            row[0]
            for row in self._all(
                "select number from fold.versions"
                " where dataset_id = $1 and trashed_seq is null order by number",
                [identity],
            )
        ]
        aliases = self._all(
            "select alias, version from aliases where name = $1 order by alias", [name]
        )
        pointers = ", ".join(f"{alias} → v{number}" for alias, number in aliases[:10])
        there = text_of_numbers(numbers) + (f" ({pointers})" if pointers else "")
        if ref.number is not None:
            asked, meant = f"v{ref.number}", None
        else:
            asked = f"version '{ref.alias or ref.hash_prefix}'"
            meant = text.closest(asked[9:-1], (alias for alias, _ in aliases))
        return NotFound(
            f"{name} has no {asked}; {there}",
            kind="version_not_found",
            hint=f"Did you mean '{name}@{meant}'?" if meant else None,
            commands=[f"datacat log {name}"],
        )

    def _found(self, identity: int, number: int) -> Version:
        return self._versions("dataset_id = $1 and number = $2", [identity, number])[0]

    def _not_there(self, version: Version, *, whole: bool) -> NotFound:
        """What to say about a version in the trash or beyond, or (`whole`) about its dataset."""
        return (gone_error if self.is_gone(version) else trashed_error)(version, whole=whole)

    def _versions(self, condition: str, parameters: Sequence[object]) -> list[Version]:
        return [
            answers.version_of(row)
            for row in self._all(answers.VERSIONS.format(condition=condition), parameters)
        ]

    def _all(self, statement: str, parameters: Sequence[object] = ()) -> list[Row]:
        return self._connection.cursor().execute(statement, list(parameters)).fetchall()


def text_of_numbers(numbers: Sequence[int]) -> str:
    """`versions are v1 to v4`, `versions are v1, v3`, `its only version is v2`."""
    if not numbers:
        return "all its versions are in the trash"
    if len(numbers) == 1:
        return f"its only version is v{numbers[0]}"
    if numbers[-1] - numbers[0] == len(numbers) - 1 and len(numbers) > 2:
        return f"versions are v{numbers[0]} to v{numbers[-1]}"
    shown = [f"v{number}" for number in numbers[-20:]]
    return "versions are " + ("… " if len(numbers) > 20 else "") + ", ".join(shown)


def trashed_error(version: Version, *, whole: bool) -> NotFound:
    """What to say about a version in the trash, or (`whole`) about a dataset that is there."""
    ref = version.name if whole else version.ref
    when = f"{version.trashed_at:%Y-%m-%d}" if version.trashed_at else "some time ago"
    return NotFound(
        f"{ref} is in the trash: {version.trashed_by} put it there on {when}",
        kind="version_trashed",
        commands=[f"datacat restore {ref}"],
    )


def gone_error(version: Version, *, whole: bool) -> NotFound:
    """The same of what gc took: nothing can bring it back."""
    return NotFound(
        f"{version.name if whole else version.ref} is gone for good: {version.trashed_by} removed"
        " it, and gc freed its space",
        kind="version_gone",
        commands=[f"datacat log {version.name}" if not whole else "datacat ls"],
    )
