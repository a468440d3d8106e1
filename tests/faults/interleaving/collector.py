"""A collector in outline: the protocol of gc, with the real log, fold and commit."""

from __future__ import annotations

import json

from datacat import layout
from datacat.backend import Stat
from datacat.catalog.fold import Fold
from datacat.catalog.record import ContainersCondemn, ContainersSwept, Envelope
from datacat.errors import DatacatError
from tests.faults.interleaving import facts
from tests.faults.interleaving.outline import TRIES, Outline
from tests.faults.interleaving.replayed import FoldedLog, Live

COLLECTED = (layout.MANIFESTS, layout.SEGMENTS, layout.WHOLE)


class OvertakenError(Exception):
    """Somebody appended a record since the plan was made: plan again."""


class Collector(Outline):
    """Deletes what no version needs. Its parts can be replaced by bad ones."""

    def collect(self) -> None:
        """One collection. Whatever fails, nothing more is deleted."""
        try:
            self._collect()
        except DatacatError:
            return

    def _collect(self) -> None:
        for _ in range(TRIES):
            start = self.follow()
            live = Live.at(start)
            needed = self.needed(live, live.listed())
            names = sorted(self.candidates() - needed - live.condemned)
            try:
                if names:
                    self.condemn(names, start)
            except OvertakenError:
                continue
            break
        else:
            return
        self.sweep(set(names) if not self.leaves_a_record else None)

    leaves_a_record = True

    def candidates(self) -> set[str]:
        """What lies there; not what is too young, by the storage's own clock."""
        return {
            stat.key
            for folder in COLLECTED
            for stat in self.backend.keys(folder)
            if not self.is_young(stat)
        }

    def is_young(self, stat: Stat) -> bool:
        """Nothing is: an upload period only saves work."""
        return False

    def needed(self, live: Live, refs: list[str]) -> set[str]:
        """All that these versions refer to. What cannot be read ends the collection."""
        needed: set[str] = set()
        for ref in refs:
            needed |= self.needed_by(live, ref)
        return needed

    def needed_by(self, live: Live, ref: str) -> set[str]:
        """Manifest, segments and containers of one version, as its readers find them."""
        record = live.versions[ref]
        listing = json.loads(self.backend.read(record.manifest.key))
        places = self.places(live, record)
        return {
            record.manifest.key,
            *live.segments_of(record.seq, record),
            *(places[name] for name in listing.values()),
        }

    def condemn(self, names: list[str], start: FoldedLog) -> None:
        """The record that forbids everybody to refer to these names, in the very next slot."""

        def make(fold: Fold, envelope: Envelope) -> ContainersCondemn:
            self.check_head(fold, start.seq)
            return ContainersCondemn(**envelope, names=tuple(names))

        self.commit(make, start)

    def check_head(self, fold: Fold, planned: int) -> None:
        if fold.head != planned:
            raise OvertakenError

    def sweep(self, unrecorded: set[str] | None) -> None:
        """Delete what was condemned, by whoever, and is needed by nobody: looked up once more."""
        start = self.follow()
        live = Live.at(start)
        doomed = unrecorded if unrecorded is not None else live.condemned - live.swept
        if not self.is_safe(live, doomed):
            self.desk.tell(facts.Unreadable("(nothing)", "gc condemned what is needed"))
            return
        for name in sorted(doomed):
            self.backend.delete(name)
        if doomed and unrecorded is None:

            def make(_fold: Fold, envelope: Envelope) -> ContainersSwept:
                return ContainersSwept(**envelope, names=tuple(sorted(doomed)))

            self.commit(make, start)

    def is_safe(self, live: Live, doomed: set[str]) -> bool:
        """Whether no version that is listed needs any of it."""
        return doomed.isdisjoint(self.needed(live, live.listed()))
