"""Clients in full: people who use the real verbs on real folders."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

from datacat.errors import Corrupt, DatacatError, OutcomeUnknown, Refused
from datacat.model import Layout, Periods
from datacat.opened import Client
from datacat.store import Store
from tests.faults.interleaving import facts
from tests.faults.interleaving.oracle import onlooker
from tests.faults.interleaving.outline import TOO_BUSY
from tests.faults.interleaving.process import Actor, Desk
from tests.faults.interleaving.replayed import Live
from tests.faults.interleaving.world import EPOCH_SECONDS, World

MARKER = ".datacat"

AT_ONCE = Periods(trash=timedelta(0), uploads=timedelta(seconds=-1))
"""Without any grace: not even what was uploaded in this moment is left alone."""


class Person:
    """Somebody with a store, a cache and folders of their own below `desk.folder`."""

    def __init__(self, desk: Desk, *, registers: bool = True) -> None:
        self.desk = desk
        self.store = Store.on(
            desk.backend,
            client=Client(
                user=desk.actor.name.rstrip("+"),
                host="hub",
                cache_dir=desk.folder / "cache",
                jobs=1,
                activity=registers,
                now=desk.now,
                new_id=desk.new_id,
            ),
        )

    def add(
        self, dataset: str, files: Mapping[str, bytes], *, layout: Layout | None = None
    ) -> None:
        """Save a folder with these files, over what was pulled there if anything was."""
        root = write_files(self.desk.folder / dataset, files)
        trying = facts.Trying(dataset, facts.tree_of(read_files(root)))
        self.desk.tell(trying)
        try:
            result = self.store.add(root, name=dataset, layout=layout)
        except OutcomeUnknown as error:
            doubt = error.kind != TOO_BUSY
            self.desk.tell(facts.InDoubt(trying) if doubt else facts.NotSaved(trying, error.kind))
        except DatacatError as error:
            self.desk.tell(facts.NotSaved(trying, error.kind))
        else:
            self.desk.tell(facts.Saved(trying, result.version.ref, known=not result.created))

    def pull(self, ref: str) -> None:
        """Get a version into the folder of its dataset, and say what arrived.

        gc without any grace may take what the plan of a pull wanted to read: a new plan, then, has
        to find the version, or that it is gone.
        """
        root = self.desk.folder / ref.partition("@")[0]
        for last in (False, True):
            try:
                result = self.store.pull(ref, dest=root, force=True)
            except Corrupt as error:
                if last:
                    self.desk.tell(facts.Unreadable(ref, error.message))
            except DatacatError:
                return  # it is not there, or storage does not answer
            else:
                if not result.others:
                    self.desk.tell(facts.Seen(result.ref, facts.tree_of(read_files(root))))
                return

    def pull_all(self) -> None:
        """Get the newest version of everything that is listed."""
        for dataset in self.store.ls().datasets:
            self.pull(dataset.name)

    def remove(self, ref: str) -> None:
        """Put a version into the trash."""
        self.desk.tell(facts.Removing(ref))
        try:
            self.store.rm([ref], force=True)
        except DatacatError:
            return

    def restore(self, ref: str) -> None:
        """Take a version out of the trash."""
        try:
            self.store.restore([ref])
        except DatacatError:
            return
        self.desk.tell(facts.Restored(ref))

    def collect(self, periods: Periods = AT_ONCE) -> None:
        """Free what nothing needs."""
        try:
            self.store.gc(periods=periods)
        except Refused as error:
            if error.kind == "gc_unsafe":  # two ways to count what is needed disagree: a bug
                self.desk.tell(facts.Broken(error.message))
        except DatacatError:
            return


def person(
    name: str, work: Callable[[Person], object], *, registers: bool = True, skew_seconds: int = 0
) -> Actor:
    """Somebody who does this. `registers`: lets the team know of their working copies."""

    def script(desk: Desk) -> None:
        desk.folder.mkdir(parents=True, exist_ok=True)
        work(Person(desk, registers=registers))

    return Actor(name, script, skew_seconds)


def write_files(root: Path, files: Mapping[str, bytes]) -> Path:
    """`root` with these files and no others, and times that are always the same."""
    for path in read_files(root).keys() - files.keys():
        (root / path).unlink()
    for path, data in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        os.utime(file, (EPOCH_SECONDS, EPOCH_SECONDS))
    return root


def read_files(root: Path) -> dict[str, bytes]:
    """The files of a folder, without what datacat notes there."""
    files = {}
    for file in sorted(root.rglob("*")):
        path = file.relative_to(root)
        if file.is_file() and path.parts[0] != MARKER:
            files[path.as_posix()] = file.read_bytes()
    return files


def content(seed: int, size: int) -> bytes:
    """Bytes that do not compress, the same for the same seed."""
    return random.Random(seed).randbytes(size)


def pulled_by_somebody_new(world: World, _live: Live, ref: str) -> facts.Tree:
    """What a client without a cache gets."""
    with tempfile.TemporaryDirectory() as folder:
        desk = onlooker(world)
        client = Client(user="new", host="hub", cache_dir=Path(folder) / "cache", jobs=1)
        with Store.on(desk.backend, client=client) as store:
            store.pull(ref, dest=Path(folder) / "copy")
        return facts.tree_of(read_files(Path(folder) / "copy"))
