"""The overlay: what a fold knows beyond its base, and how it looks things up, in sets.

Every look-up goes to what the records applied here changed, then to the base. `prefetch` asks
the base for a whole batch at once; what it misses is asked for one by one, so it is never wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from datacat.catalog.record import (
    AliasSet,
    DatasetEdit,
    DatasetRename,
    ObjectRelocate,
    Record,
    VersionAdd,
    VersionRemove,
    VersionRestore,
    Void,
)
from datacat.catalog.record_parts import Values
from datacat.catalog.rows import (
    AliasRow,
    Changes,
    DatasetRow,
    Nothing,
    Rows,
    VersionKey,
    VersionState,
)


class BrokenRuleError(Exception):
    """A catalog rule that a record breaks; becomes the `reason` of its `Void`."""


class Overlay:
    """A base and the changes over it. Used by one thread."""

    def __init__(self, base: Rows | None = None) -> None:
        self._base: Rows = base if base is not None else Nothing()
        self._ids: dict[str, int | None] = {}
        self._datasets: dict[int, DatasetRow] = {}
        self._states: dict[VersionKey, VersionState | None] = {}
        self._aliases: dict[tuple[int, str], AliasRow | None] = {}
        self._txids: dict[str, bool] = {}
        self._condemned: dict[str, bool] = {}
        self.head = self._base.head
        self.changes = Changes()
        self._any_condemned = self._base.any_condemned

    # Questions

    def resolve(self, name: str) -> DatasetRow | None:
        """The dataset that has or had this name, None when nobody has."""
        if name not in self._ids:
            self._load_datasets([name])
        identity = self._ids[name]
        return None if identity is None else self._datasets[identity]

    def next_number(self, name: str) -> int:
        """The number that the next version under `name` must have: 1 for a new name."""
        row = self.resolve(name)
        return 1 if row is None else row.next_number

    def newest(self, name: str) -> int | None:
        """The newest version outside the trash, None when there is none."""
        row = self.resolve(name)
        if row is not None:
            for number in range(row.next_number - 1, 0, -1):
                state = self._state(row.id, number)
                if state is not None and state.trashed_seq is None:
                    return number
        return None

    def alias(self, name: str, alias: str) -> AliasRow | None:
        """Where an alias of the dataset `name` points, None when it is not set."""
        row = self.resolve(name)
        return None if row is None else self._alias(row.id, alias)

    def message(self, name: str, number: int) -> str | None:
        """What is said about a version, None when there is no such version."""
        state = self._state_of(name, number)
        return None if state is None else state.message

    def is_trashed(self, name: str, number: int) -> bool:
        """Whether this version exists and is in the trash."""
        state = self._state_of(name, number)
        return state is not None and state.trashed_seq is not None

    def is_gone(self, name: str, number: int) -> bool:
        """Whether gc took this version, so that it cannot be restored."""
        state = self._state_of(name, number)
        if state is None:
            return False
        self._load_condemned([state.manifest_key])
        return self._condemned[state.manifest_key]

    def tags_since_base(self, name: str) -> dict[str, bool]:
        """Tags of a dataset that the records applied here added (True) or removed (False)."""
        row = self.resolve(name)
        return (
            {}
            if row is None
            else {t: on for (i, t), on in self.changes.tags.items() if i == row.id}
        )

    def values_since_base(self, name: str, number: int) -> tuple[Values, Values]:
        """Params and metrics of a version that the records applied here set; None: removed."""
        row = self.resolve(name)
        key = (0 if row is None else row.id, number)
        return self.changes.params.get(key, {}), self.changes.metrics.get(key, {})

    def directions_since_base(self, name: str) -> dict[str, str | None]:
        """For metrics of a dataset whether `min` or `max` is better, as far as the records applied
        here said so; None: it is not known any more."""
        row = self.resolve(name)
        found = self.changes.directions.items()
        return {} if row is None else {key: better for (i, key), better in found if i == row.id}

    def condemned_since_base(self) -> frozenset[str]:
        """Names on shared storage that were condemned by the records applied here."""
        return frozenset(self.changes.condemned)

    def quarantined_since_base(self) -> frozenset[str]:
        """Containers and segments that the records applied here call damaged, wholly or in part."""
        return frozenset(str(name) for name, *_ in self.changes.quarantined)

    def changed_since_base(self, identity: int) -> bool:
        """Whether the records applied here are about this dataset, or made something from it."""
        return identity in self.changes.datasets or any(
            source == identity for *_, source, _ in self.changes.sources
        )

    def drain(self, *, keep_datasets: bool = False) -> Changes:
        """The changes so far, to be written to the base; this fold goes on, and knows them.

        With `keep_datasets` the rows of datasets are left for a later drain: nearly every record
        changes one, so a long fold would write the same rows with each batch.
        """
        changes, self.changes = self.changes, Changes()
        if keep_datasets:
            self.changes.datasets, changes.datasets = changes.datasets, {}
        return changes

    def prefetch(self, records: Iterable[Record | Void]) -> None:
        """Load what these records will look up, with a few queries over sets. Changes nothing."""
        if not self._base.head:
            return
        known = [record for record in records if isinstance(record, Record)]
        self._load_txids([record.txid for record in known])
        names: set[str] = set()
        for record in known:
            if isinstance(record, VersionAdd):
                names.update(source.rpartition("@v")[0] for source in record.sources)
            if isinstance(record, DatasetRename):
                names.add(record.new_name)
            name = getattr(record, "dataset", None)
            if name is not None:
                names.add(name)
        self._load_datasets(sorted(names))
        states: set[VersionKey] = set()
        aliases: set[tuple[int, str]] = set()
        keys: set[str] = set()
        for record in known:
            if isinstance(record, VersionAdd | ObjectRelocate) and self._any_condemned:
                keys.update(named_files(record))
            identity = self._ids.get(getattr(record, "dataset", ""))
            if identity is None:
                continue
            if isinstance(record, VersionRemove | VersionRestore):
                states.update((identity, number) for number in record.numbers)
            elif isinstance(record, AliasSet | DatasetEdit) and record.number is not None:
                states.add((identity, record.number))
            elif isinstance(record, AliasSet):
                aliases.add((identity, record.alias))
        self._load_states(sorted(states))
        self._load_aliases(sorted(aliases))
        self._load_condemned(sorted(keys))

    # Looking up, for the rules

    def _dataset(self, name: str) -> DatasetRow:
        row = self.resolve(name)
        if row is None:
            raise BrokenRuleError(f"there is no dataset {name}")
        return row

    def _version(self, row: DatasetRow, number: int) -> VersionState:
        state = self._state(row.id, number) if number < row.next_number else None
        if state is None:
            raise BrokenRuleError(f"{row.name} has no v{number}")
        return state

    def _state(self, identity: int, number: int) -> VersionState | None:
        key = (identity, number)
        if key not in self._states:
            self._load_states([key])
        return self._states[key]

    def _state_of(self, name: str, number: int) -> VersionState | None:
        row = self.resolve(name)
        return None if row is None else self._state(row.id, number)

    def _changing(self, identity: int, number: int) -> VersionState:
        """The state of a version that exists, marked as changed."""
        state = self._state(identity, number)
        if state is None:
            raise KeyError((identity, number))
        if (identity, number) not in self.changes.versions:
            self.changes.states[identity, number] = state
        return state

    def _alias(self, identity: int, alias: str) -> AliasRow | None:
        key = (identity, alias)
        if key not in self._aliases:
            self._load_aliases([key])
        return self._aliases[key]

    def _load_datasets(self, names: Sequence[str]) -> None:
        missing = [name for name in names if name not in self._ids]
        found = self._base.datasets(missing) if missing and self._base.head else {}
        for name in missing:
            row = found.get(name)
            self._ids[name] = row.id if row else None
            if row:
                # Two names of one dataset share one row: it may have changed here already.
                self._datasets.setdefault(row.id, row)

    def _load_states(self, keys: Sequence[VersionKey]) -> None:
        missing = [key for key in keys if key not in self._states]
        found = self._base.versions(missing) if missing and self._base.head else {}
        for key in missing:
            self._states[key] = found.get(key)

    def _load_aliases(self, keys: Sequence[tuple[int, str]]) -> None:
        missing = [key for key in keys if key not in self._aliases]
        found = self._base.aliases(missing) if missing and self._base.head else {}
        for key in missing:
            self._aliases[key] = found.get(key)

    def _took_effect(self, txid: str) -> bool:
        if self._base.head and txid not in self._txids:
            self._load_txids([txid])
        return self._txids.get(txid, False)

    def _load_txids(self, txids: Sequence[str]) -> None:
        missing = [txid for txid in txids if txid not in self._txids]
        found = self._base.txids(missing) if missing and self._base.head else set()
        for txid in missing:
            self._txids[txid] = txid in found

    def _load_condemned(self, names: Sequence[str]) -> None:
        missing = [name for name in names if name not in self._condemned]
        found = self._base.condemned(missing) if missing and self._base.any_condemned else set()
        for name in missing:
            self._condemned[name] = name in found


def named_files(record: VersionAdd | ObjectRelocate) -> list[str]:
    """The files on shared storage that a record refers to by name."""
    if isinstance(record, VersionAdd):
        manifests = [record.manifest]
    else:
        manifests = [moved.manifest for moved in record.manifests]
    return [f.key for f in (*manifests, record.chunks, record.recipes) if f is not None]
