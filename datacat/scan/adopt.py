"""Adopt a group of copies: the first becomes a version, the others share its bytes from then on.

First the version is saved, then the undo file, durable; only then is a file replaced, each by one
rename and after it was compared byte by byte (`exchange`). Whatever is interrupted at whatever
point, every path leads to all of its bytes. The first copy stays as it is.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from datacat.catalog.query import CatalogQuery
from datacat.copies import Registration, register, withdraw
from datacat.errors import DatacatError, Failed, InvalidInput, NotFound
from datacat.model import Adoption, CopyGroup, Kept, Layout, LinkMode, Version
from datacat.opened import OpenedStore, Watch
from datacat.progress import Advanced, Finished, Started
from datacat.scan.exchange import CAN_EXCHANGE, KeptError, Target, exchange
from datacat.scan.find import ScanRequest, survey_folders
from datacat.scan.mounts import may_share_blocks
from datacat.scan.recognise import identify
from datacat.scan.targets import Targets, find_targets
from datacat.scan.undo import KEPT_MAX, Head, line_of, temporary_name, write_undo
from datacat.sql import Workspace
from datacat.text import printable
from datacat.transfer.executor import batched, run_bounded, threads
from datacat.working_copy.request import SaveRequest
from datacat.working_copy.save import save

GROUP_DIGITS_MIN = 4
TASK_FILES = 64


@dataclass(frozen=True, slots=True)
class AdoptRequest:
    """Adopt `group` (its id, or the path of one of its copies) of what `scan` finds.

    `name` is the dataset to save the first copy to, if it is no version yet. `link` says how the
    others are replaced; `AUTO` is the safest that can be had. `undo` is the file to write. Unless
    `execute`, nothing is changed.
    """

    scan: ScanRequest
    group: str
    undo: Path
    name: str | None = None
    link: LinkMode = LinkMode.AUTO
    execute: bool = False


@dataclass
class _Done:
    """What happened to the files so far."""

    how: dict[LinkMode, int] = field(default_factory=dict)
    bytes: int = 0
    kept: list[Kept] = field(default_factory=list)
    kept_total: int = 0

    def add(self, target: Target, outcome: LinkMode | str) -> None:
        if isinstance(outcome, LinkMode):
            self.how[outcome] = self.how.get(outcome, 0) + 1
            self.bytes += target.size
            return
        self.kept_total += 1
        if len(self.kept) < KEPT_MAX:
            self.kept.append(Kept(os.fsdecode(target.path), outcome))


def adopt(store: OpenedStore, request: AdoptRequest, watch: Watch) -> Adoption:
    """Adopt one group of copies, or say what that would do.

    Raises what `scan` raises, `NotFound` (`group_not_found`), `InvalidInput` (`ambiguous_group`),
    `Failed` (`adopt_not_supported`, `write_failed`), and what saving a version raises.
    """
    if not CAN_EXCHANGE:
        raise Failed(
            "files cannot be replaced safely on this system",
            kind="adopt_not_supported",
            hint="Run it on the server of the drive, or on a Linux machine that mounts it.",
        )
    with Workspace() as workspace:
        survey = survey_folders(workspace, store, request.scan, watch)
        group = _chosen(survey.groups, request.group)
        first = Path(group.paths[0].path)
        query = CatalogQuery(store.catalog.sync(), store=store.backend.url)
        version = identify(store, query, first, ignore=request.scan.ignore, watch=watch)
        created = version is None
        if version is None:
            version = _saved(store, request, first, watch)
        # Not in the store yet: which files it would keep whole is not known.
        targets = find_targets(
            workspace, store, group, None if created and not request.execute else version
        )
        work = _Work(store, request, group, version, created=created, watch=watch)
        return work.run(targets) if request.execute else work.look(targets)


def _chosen(groups: list[CopyGroup], wanted: str) -> CopyGroup:
    path = os.path.abspath(wanted)
    found = [g for g in groups if any(place.path == path for place in g.paths)]
    if not found and len(wanted) >= GROUP_DIGITS_MIN:
        found = [g for g in groups if g.id.startswith(wanted.lower())]
    if not found:
        raise NotFound(
            f"no group '{printable(wanted)}' among {len(groups):,}",
            kind="group_not_found",
            hint="Give the id of a group from the same scan, or the path of one of its copies.",
        )
    if len(found) > 1:
        raise InvalidInput(
            f"'{printable(wanted)}' is {len(found)} groups: {', '.join(g.id for g in found)}",
            kind="ambiguous_group",
            hint="Give the path of one of the copies.",
        )
    return found[0]


def _saved(store: OpenedStore, request: AdoptRequest, first: Path, watch: Watch) -> Version:
    """The first copy as a version: saved now, or what it would be."""
    shares = may_share_blocks(first.stat().st_dev)
    wanted = SaveRequest(
        path=first,
        name=request.name,
        message="adopted by scan",
        dry_run=not request.execute,
        # Only what is kept whole can be linked to.
        layout=None if shares or request.link is LinkMode.REFLINK else Layout.WHOLE,
        ignore=tuple(request.scan.ignore),
    )
    return save(store, wanted, watch).version


class _Work:
    """Replacing the files of one group."""

    def __init__(
        self,
        store: OpenedStore,
        request: AdoptRequest,
        group: CopyGroup,
        version: Version,
        *,
        created: bool,
        watch: Watch,
    ) -> None:
        self._store = store
        self._request = request
        self._group = group
        self._version = version
        self._created = created
        self._watch = watch
        self._token = store.client.new_id()

    def look(self, targets: Targets) -> Adoption:
        """What would be done, as far as it can be told without doing it."""
        done = _Done()
        for target in targets:
            done.add(target, self._expected(target))
        return self._result(targets, done, None)

    def run(self, targets: Targets) -> Adoption:
        """Write the undo file, then replace the files."""
        head = Head(
            store=self._store.backend.url,
            store_id=self._store.info.id,
            group=self._group.id,
            ref=self._version.ref,
            token=self._token,
        )
        lines = (line for target in targets for line in line_of(target, **targets.kept_as(target)))
        write_undo(self._request.undo, head, lines)
        modes = self._modes()
        done = _Done()
        files, size = targets.total
        self._watch.listener(Started("Replacing", files_total=files, bytes_total=size))
        jobs = self._store.client.jobs
        with threads(jobs) as executor:
            for outcomes in run_bounded(
                executor,
                lambda batch: [(target, self._replace(target, modes)) for target in batch],
                batched(targets, TASK_FILES),
                jobs=jobs,
                stop=self._watch.stop,
            ):
                for target, outcome in outcomes:
                    done.add(target, outcome)
                    self._watch.listener(Advanced(1, target.size))
        if LinkMode.SYMLINK in modes and not done.how.get(LinkMode.SYMLINK):
            with suppress(DatacatError):  # one too many keeps what nobody needs, and no more
                withdraw(self._store, self._token)
        self._watch.listener(Finished("Replacing"))
        return self._result(targets, done, str(self._request.undo))

    def _replace(self, target: Target, modes: tuple[LinkMode, ...]) -> LinkMode | str:
        self._watch.stop.check()
        try:
            return exchange(target, temporary_name(self._token), modes=modes, stop=self._watch.stop)
        except KeptError as error:
            return str(error)
        except DatacatError:
            raise
        except OSError as error:
            return (error.strerror or str(error)).lower()

    def _modes(self) -> tuple[LinkMode, ...]:
        """What is tried, in this order. Symbolic links only once gc knows of them."""
        asked = self._request.link
        if asked is LinkMode.REFLINK:
            return (LinkMode.REFLINK,)
        if asked is LinkMode.HARDLINK:
            return (LinkMode.HARDLINK,)
        registered = self._register()
        if asked is LinkMode.SYMLINK:
            return (LinkMode.SYMLINK,) if registered else ()
        last = (LinkMode.SYMLINK,) if registered else ()
        return (LinkMode.REFLINK, LinkMode.HARDLINK, *last)

    def _register(self) -> bool:
        """Let gc know that this version is linked to, before the first link is there.

        Without a place: there is no marker there, so it would be taken for a copy that is gone.
        """
        try:
            register(
                self._store,
                Registration(
                    id=self._token,
                    name=self._version.name,
                    version=self._version.number,
                    linked=True,
                    partial=False,
                    last_seen=self._store.client.now().replace(microsecond=0),
                ),
            )
        except DatacatError:
            return False
        return True

    def _expected(self, target: Target) -> LinkMode | str:
        """How a file will probably be replaced."""
        asked = self._request.link
        if asked in (LinkMode.AUTO, LinkMode.REFLINK) and may_share_blocks(target.device):
            return LinkMode.REFLINK
        if asked is LinkMode.REFLINK:
            return "the file system cannot share blocks between files"
        whole = target.container is not None or (
            self._created and target.size >= self._store.info.parameters.small_bytes
        )
        if not whole:
            return "is not kept whole in the store, so that it cannot be linked to"
        if asked is not LinkMode.AUTO:
            return asked
        local = self._store.local_path
        same = local is not None and local.stat().st_dev == target.device
        return LinkMode.HARDLINK if same else LinkMode.SYMLINK

    def _result(self, targets: Targets, done: _Done, undo: str | None) -> Adoption:
        stored = self._version.stored_bytes or self._version.new_bytes if self._created else 0
        files, size = targets.total
        return Adoption(
            group=self._group.id,
            ref=self._version.ref,
            created=self._created,
            first=self._group.paths[0].path,
            files=files,
            bytes=size,
            reflinked=done.how.get(LinkMode.REFLINK, 0),
            hardlinked=done.how.get(LinkMode.HARDLINK, 0),
            symlinked=done.how.get(LinkMode.SYMLINK, 0),
            freed_bytes=done.bytes,
            stored_bytes=stored,
            kept=tuple(done.kept),
            kept_total=done.kept_total,
            undo=undo,
            dry_run=not self._request.execute,
        )
