"""The fold: from records to the catalog, one record at a time.

`catalog = fold(records)` is a pure function of the records' bytes: no clock, no setting and no
client decides anything. A record that breaks a rule is void: it keeps its slot and changes
nothing. Every rule is in a `_check_…` method, every effect in the `_do_…` method of that name.

A `Fold` lies over a base (`Rows`: the local database, or nothing) and keeps what the records
after it change, so the same code rebuilds a catalog in batches and decides a race in memory.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from datacat.catalog.overlay import BrokenRuleError, Overlay, named_files
from datacat.catalog.record import (
    AliasSet,
    ContainersCondemn,
    ContainersSwept,
    DatasetEdit,
    DatasetRename,
    ObjectQuarantine,
    ObjectRelocate,
    Record,
    StoreCreate,
    VersionAdd,
    VersionRemove,
    VersionRestore,
    Void,
)
from datacat.catalog.record_parts import Origin, Values
from datacat.catalog.rows import AliasRow, DatasetRow, VersionKey, VersionState


class Applied(msgspec.Struct, frozen=True):
    """A record took effect: on which dataset, and with which number if it is about one version."""

    dataset_id: int | None = None
    suffix: str = ""
    detail: str = ""


class Fold(Overlay):
    """The catalog after a base and the records applied here. Used by one thread."""

    _at: datetime
    """The time that the record being applied tells, in UTC."""

    # Applying

    def verdict(self, seq: int, record: Record | Void) -> Void | None:
        """Why this record would be void as the next one, None when it would take effect."""
        if isinstance(record, Void):
            return record
        try:
            self._check(seq, record)
        except BrokenRuleError as broken:
            return Void(str(broken))
        return None

    def apply(self, seq: int, record: Record | Void) -> Applied | Void:
        """Fold the next record in. Records must come in order, without a gap."""
        if seq != self.head + 1:
            raise ValueError(f"record {seq} does not follow {self.head}")
        verdict = self.verdict(seq, record)
        self.head = seq
        if isinstance(record, Void):
            self.changes.records.append((seq, *[None] * 9, record.reason))
            return record
        self._at = record.at.replace(tzinfo=None)
        applied = Applied() if verdict else self._do(seq, record)
        if verdict is None:
            self._txids[record.txid] = True
            row = self._datasets.get(applied.dataset_id or 0)
            if row is not None:
                row.updated_at = self._at
        self.changes.records.append(
            (
                seq,
                record.txid,
                type(record).__struct_config__.tag,
                self._at,
                record.by,
                record.host,
                record.client,
                applied.dataset_id,
                applied.suffix,
                applied.detail,
                verdict.reason if verdict else None,
            )
        )
        return verdict or applied

    def _check(self, seq: int, record: Record) -> None:
        if record.seq != seq:
            raise BrokenRuleError(f"says that it is record {record.seq}")
        if isinstance(record, StoreCreate) != (seq == 1):
            raise BrokenRuleError("the first record, and no other, is store.create")
        if self._took_effect(record.txid):
            raise BrokenRuleError(f"transaction {record.txid} is there twice")
        match record:
            case VersionAdd():
                self._check_add(record)
            case VersionRemove():
                self._check_trash(record, trashed=False)
            case VersionRestore():
                self._check_trash(record, trashed=True)
            case AliasSet():
                self._check_alias(record)
            case DatasetEdit():
                row = self._dataset(record.dataset)
                if record.number is not None:
                    self._version(row, record.number)
            case DatasetRename():
                self._check_rename(record)
            case ObjectRelocate():
                self._check_relocate(record)

    def _do(self, seq: int, record: Record) -> Applied:
        match record:
            case StoreCreate():
                applied = Applied(suffix=record.name)
            case VersionAdd():
                applied = self._do_add(seq, record)
            case VersionRemove() | VersionRestore():
                applied = self._do_trash(seq, record)
            case AliasSet():
                applied = self._do_alias(seq, record)
            case DatasetEdit():
                applied = self._do_edit(record)
            case DatasetRename():
                applied = self._do_rename(seq, record)
            case ContainersCondemn() | ContainersSwept():
                applied = self._do_condemn(seq, record)
            case ObjectQuarantine():
                applied = self._do_quarantine(seq, record)
            case ObjectRelocate():
                applied = self._do_relocate(seq, record)
            case _:
                raise TypeError(f"no rule for {type(record).__name__}")
        return applied

    # version.add

    def _check_add(self, record: VersionAdd) -> None:
        expected = self.next_number(record.dataset)
        if record.number != expected:
            raise BrokenRuleError(f"the next version is v{expected}, not v{record.number}")
        if record.base_version is not None and record.base_version >= expected:
            raise BrokenRuleError(f"there is no base v{record.base_version}")
        for source in record.sources:
            name, _, number = source.rpartition("@v")
            _must(int(number) < self.next_number(name), f"there is no source {source}")
        if record.segments and max(record.segments) >= record.seq:
            raise BrokenRuleError("its content lies in records that do not exist yet")
        self._refuse_condemned(named_files(record))

    def _refuse_condemned(self, keys: list[str]) -> None:
        if self._any_condemned:
            self._load_condemned(keys)
            gone = [key for key in keys if self._condemned[key]]
            _must(not gone, f"refers to {', '.join(gone)}, which was condemned")

    def _do_add(self, seq: int, record: VersionAdd) -> Applied:
        row = self.resolve(record.dataset) or self._new_dataset(seq, record)
        self.changes.datasets[row.id] = row
        key = (row.id, record.number)
        row.next_number = record.number + 1
        if record.description is not None:
            row.description = record.description
        state = VersionState(manifest_key=record.manifest.key, message=record.message)
        self._states[key] = state
        self.changes.versions[key] = (record, state)
        self._add_segments(seq, record)
        for ordinal, source in enumerate(record.sources):
            name, _, number = source.rpartition("@v")
            made_from = self._dataset(name)
            self.changes.sources.append((*key, ordinal, made_from.id, int(number)))
        if record.params:
            self.changes.params[key] = dict(record.params)
        if record.metrics:
            self.changes.metrics[key] = dict(record.metrics)
        for tag in record.tags:
            self.changes.tags[row.id, tag] = True
        for metric, better in (record.better or {}).items():
            self.changes.directions[row.id, metric] = better
        for alias in record.aliases:
            self._set_alias(row.id, alias, record.number, seq=seq, by=record.by)
        origin = record.origin if isinstance(record.origin, Origin) else None
        detail = f"{origin.ref} of {origin.by}: {record.message}" if origin else record.message
        return Applied(row.id, f"@v{record.number}", detail)

    def _add_segments(self, seq: int, record: VersionAdd | ObjectRelocate) -> None:
        for kind, segment in (("chunks", record.chunks), ("recipes", record.recipes)):
            if segment is not None:
                self.changes.segments.append(
                    (seq, kind, segment.key, segment.size, segment.digest, segment.rows)
                )

    def _new_dataset(self, seq: int, record: VersionAdd) -> DatasetRow:
        row = DatasetRow(
            id=seq,
            name=record.dataset,
            description="",
            owner=record.by,
            created_at=self._at,
            created_by=record.by,
            updated_at=self._at,
            next_number=1,
        )
        self._datasets[seq] = row
        self._add_name(seq, row)
        return row

    # version.remove, version.restore

    def _check_trash(self, record: VersionRemove | VersionRestore, *, trashed: bool) -> None:
        row = self._dataset(record.dataset)
        _must(len(set(record.numbers)) == len(record.numbers), "names a version twice")
        for number in record.numbers:
            state = self._version(row, number)
            ref = f"{row.name}@v{number}"
            if not trashed:
                _must(state.trashed_seq is None, f"{ref} is in the trash already")
                continue
            _must(state.trashed_seq is not None, f"{ref} is not in the trash")
            self._load_condemned([state.manifest_key])
            _must(not self._condemned[state.manifest_key], f"{ref} is gone for good")

    def _do_trash(self, seq: int, record: VersionRemove | VersionRestore) -> Applied:
        row = self._dataset(record.dataset)
        reason = None
        for number in record.numbers:
            state = self._changing(row.id, number)
            state.trashed_seq = state.trashed_at = state.trashed_by = state.trash_reason = None
            if isinstance(record, VersionRemove):
                reason = record.reason
                state.trashed_seq, state.trashed_at = seq, self._at
                state.trashed_by, state.trash_reason = record.by, reason
        self.changes.datasets[row.id] = row
        if len(record.numbers) == 1:
            return Applied(row.id, f"@v{record.numbers[0]}", reason or "")
        listed = ", ".join(f"v{number}" for number in record.numbers[:20])
        return Applied(row.id, "", f"{listed}: {reason}" if reason else listed)

    # alias.set

    def _check_alias(self, record: AliasSet) -> None:
        row = self._dataset(record.dataset)
        if record.number is None:
            known = self._alias(row.id, record.alias) is not None
            _must(known, f"{row.name} has no alias {record.alias}")
            return
        state = self._version(row, record.number)
        _must(state.trashed_seq is None, f"{row.name}@v{record.number} is in the trash")

    def _do_alias(self, seq: int, record: AliasSet) -> Applied:
        row = self._dataset(record.dataset)
        self.changes.datasets[row.id] = row
        number = record.number
        self._set_alias(row.id, record.alias, number, seq=seq, by=record.by)
        detail = "removed" if number is None else f"→ v{number}"
        return Applied(row.id, f"@{record.alias}", detail)

    def _set_alias(
        self, identity: int, alias: str, number: int | None, *, seq: int, by: str
    ) -> None:
        row = None
        if number is not None:
            row = AliasRow(number=number, seq=seq, set_at=self._at, set_by=by)
        self._aliases[identity, alias] = self.changes.aliases[identity, alias] = row

    # dataset.edit, dataset.rename

    def _do_edit(self, record: DatasetEdit) -> Applied:
        row = self._dataset(record.dataset)
        self.changes.datasets[row.id] = row
        said = []
        if record.description is not None:
            row.description = record.description
            said.append("description")
        if record.owner is not None:
            said.append(f"owner {row.owner} → {record.owner}")
            row.owner = record.owner
        for tag in record.remove_tags:
            self.changes.tags[row.id, tag] = False
            said.append(f"tag -{tag}")
        for tag in record.add_tags:
            self.changes.tags[row.id, tag] = True
            said.append(f"tag +{tag}")
        for metric, better in (record.better or {}).items():
            self.changes.directions[row.id, metric] = better
            said.append(f"{metric}: {better or 'neither'} is better")
        if record.number is None:
            return Applied(row.id, "", ", ".join(said))
        key = (row.id, record.number)
        if record.message is not None:
            self._changing(*key).message = record.message
            said.append("message")
        self._edit_values(self.changes.params, key, record.params)
        self._edit_values(self.changes.metrics, key, record.metrics)
        said += [*record.params, *record.metrics]
        return Applied(row.id, f"@v{record.number}", ", ".join(said))

    def _edit_values(
        self, changed: dict[VersionKey, Values], key: VersionKey, edits: Values
    ) -> None:
        """Merge `edits`, in which null takes a value away."""
        if not edits:
            return
        values = changed.setdefault(key, {})
        for name, value in edits.items():
            if value is None and key in self.changes.versions:
                values.pop(name, None)
            else:
                values[name] = value

    def _check_rename(self, record: DatasetRename) -> None:
        row = self._dataset(record.dataset)
        taken = self.resolve(record.new_name)
        _must(taken is None or taken.id == row.id, f"the name {record.new_name} is taken")
        _must(record.new_name != row.name, f"it is called {row.name} already")

    def _do_rename(self, seq: int, record: DatasetRename) -> Applied:
        row = self._dataset(record.dataset)
        self.changes.datasets[row.id] = row
        former, row.name = row.name, record.new_name
        if self._ids[row.name] is None:
            self._add_name(seq, row)
        return Applied(row.id, "", f"was {former}")

    def _add_name(self, seq: int, row: DatasetRow) -> None:
        self._ids[row.name] = row.id
        self.changes.names.append((row.name, row.id, seq))

    # containers.condemn, containers.swept

    def _do_condemn(self, seq: int, record: ContainersCondemn | ContainersSwept) -> Applied:
        self._load_condemned(record.names)
        for name in record.names:
            if isinstance(record, ContainersSwept):
                if self._condemned[name]:
                    self.changes.swept[name] = seq
            elif not self._condemned[name]:
                self._condemned[name] = self._any_condemned = True
                self.changes.condemned[name] = seq
        return Applied(detail=f"{len(record.names)} files")

    # object.quarantine, object.relocate

    def _do_quarantine(self, seq: int, record: ObjectQuarantine) -> Applied:
        for place in record.places:
            for chunk in (None,) if place.chunks is None else place.chunks:
                digest = None if chunk is None else bytes.fromhex(chunk.partition(":")[2])
                self.changes.quarantined.append((place.name, digest, seq))
        return Applied(detail=f"{len(record.places)} files")

    def _check_relocate(self, record: ObjectRelocate) -> None:
        for moved in record.manifests:
            state = self._version(self._dataset(moved.dataset), moved.number)
            self._load_condemned([state.manifest_key])
            gone = self._condemned[state.manifest_key]
            _must(not gone, f"{moved.dataset}@v{moved.number} is gone for good")
        self._refuse_condemned(named_files(record))

    def _do_relocate(self, seq: int, record: ObjectRelocate) -> Applied:
        self._add_segments(seq, record)
        self.changes.relocations.append((seq, record.session))
        for moved in record.manifests:
            row = self._dataset(moved.dataset)
            state = self._version(row, moved.number)
            state.manifest_key = moved.manifest.key
            self.changes.manifests[row.id, moved.number] = moved.manifest
        rows = record.chunks.rows if record.chunks else 0
        return Applied(detail=f"{rows} pieces, {len(record.manifests)} lists of files")


def _must(holds: bool, reason: str) -> None:
    if not holds:
        raise BrokenRuleError(reason)
