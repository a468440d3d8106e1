"""Wrong ways to upload and to delete: clients with one part replaced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from unittest import mock

from datacat import layout
from datacat.backend import Stat
from datacat.catalog.fold import Fold
from datacat.catalog.record import VersionAdd
from datacat.catalog.record_parts import StoredFile
from datacat.errors import DatacatError
from tests.faults.interleaving.collector import Collector
from tests.faults.interleaving.outline import Outline
from tests.faults.interleaving.replayed import FoldedLog, Live
from tests.faults.interleaving.world import World

DAY_SECONDS = 86_400
NO_SESSION = "0" * 32

# What is uploaded


class OverwritingWrites(World):
    """Storage whose write is a plain PUT: names that are never used twice do not notice."""

    def write(self, key: str, data: bytes | bytearray | memoryview) -> None:
        self.replace(key, bytes(data))


class OneSession(Outline):
    """The session id is always the same; that of the transaction is not."""

    def _session(self, dataset: str, files: Mapping[str, bytes]) -> VersionAdd:
        with mock.patch.object(self.desk, "new_id", return_value=NO_SESSION):
            return super()._session(dataset, files)


class NamesByContent(Outline):
    """Containers are named by their content alone, so that whoever comes second need not write."""

    def upload(self, name: str, data: bytes, session: str) -> str:
        key = layout.whole(name, NO_SESSION)
        if self.backend.stat(key) is None:
            self.backend.write(key, data)
        return key


class DedupByExists(Outline):
    """Asks storage whether the content is there, instead of the catalog."""

    def upload(self, name: str, data: bytes, session: str) -> str:
        folder = layout.whole(name, session).rpartition("/")[0] + "/"
        for stat in self.backend.keys(folder):
            if stat.key.startswith(f"{folder}{name}-"):
                return stat.key
        return super().upload(name, data, session)


class CleansUp(Outline):
    """Deletes its uploads when the commit fails, also when it does not know whether it did."""

    def publish(self, dataset: str, files: Any, session: str, *rest: Any) -> VersionAdd:
        try:
            return super().publish(dataset, files, session, *rest)
        except DatacatError:
            for folder in (layout.MANIFESTS, layout.SEGMENTS, layout.WHOLE):
                for stat in list(self.backend.keys(folder)):
                    if session in stat.key:
                        self.backend.delete(stat.key)
            raise


class RecordFirst(Outline):
    """Writes the record, then the manifest that it names."""

    def manifest(self, files: Mapping[str, bytes], session: str) -> StoredFile:
        with mock.patch.object(self.backend, "write", self._keep):
            return super().manifest(files, session)

    def _keep(self, key: str, data: bytes) -> None:
        self._kept = (key, data)

    def publish(self, *arguments: Any) -> VersionAdd:
        record = super().publish(*arguments)
        self.backend.write(*self._kept)
        return record


# What is deleted


class ForgetsToRecheck(Outline):
    """Does not look for what was condemned between its plan and its commit."""

    def recheck(self, fold: Fold, used: set[str]) -> None:
        pass


class NoCondemnRecord(Collector):
    """Deletes what it found unneeded, without a record that forbids to refer to it."""

    leaves_a_record = False

    def condemn(self, names: list[str], start: FoldedLog) -> None:
        pass

    def is_safe(self, live: Live, doomed: set[str]) -> bool:
        return True


class NoCondemnButLooksAgain(NoCondemnRecord):
    """The same, but looks once more just before it deletes."""

    def is_safe(self, live: Live, doomed: set[str]) -> bool:
        return Collector.is_safe(self, live, doomed)


class CondemnsAnOldPlan(Collector):
    """Condemns in a later slot than the one it planned for, and does not look again."""

    def check_head(self, fold: Fold, planned: int) -> None:
        pass

    def is_safe(self, live: Live, doomed: set[str]) -> bool:
        return True


class TrustsItsClock(NoCondemnButLooksAgain):
    """Takes what is older than a day, by its own clock, for what nobody is about to refer to."""

    def is_young(self, stat: Stat) -> bool:
        return self.desk.now().timestamp() - stat.modified_ns / 1e9 < DAY_SECONDS


class SkipsUnreadable(Collector):
    """Goes on when it cannot read a manifest: that version will not need much."""

    def needed_by(self, live: Live, ref: str) -> set[str]:
        try:
            return super().needed_by(live, ref)
        except DatacatError:
            return set()


class IgnoresRestores(Collector):
    """Sweeps what was condemned before, whatever is needed by now, and condemns only containers."""

    def candidates(self) -> set[str]:
        return {key for key in super().candidates() if key.startswith(layout.WHOLE)}

    def is_safe(self, live: Live, doomed: set[str]) -> bool:
        return True
