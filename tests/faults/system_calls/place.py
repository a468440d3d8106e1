"""A store that commands are watched on, and what must be true of it after each of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from datacat.digest import digest_of
from datacat.errors import NotFound
from datacat.model import Parameters
from datacat.store import Store
from tests.conftest import make_client
from tests.faults.system_calls.watched import Fault, Watched, Watcher
from tests.trees import Tree, read_tree, without_times

CODES = {0, 1, 4, 7}
"""What a command may return on a drive that fails: done, failed, not permitted, outcome unknown."""

SIZES = Parameters(
    small_bytes=4096,
    pack_bytes=32_000,
    chunk_min_bytes=1024,
    chunk_mean_bytes=4096,
    chunk_max_bytes=16_384,
)
"""So that files of some kilobytes are kept in each of the ways."""


PULLED = 5
"""Datasets whose newest versions are pulled at last; all that is stored is read in any case."""


class WrongError(AssertionError):
    """A promise that was broken."""


@dataclass
class Known:
    """What people were told of one dataset: the content of each version, and which are away."""

    trees: list[Tree] = field(default_factory=list)
    trashed: set[int] = field(default_factory=set)
    gone: set[int] = field(default_factory=set)

    @property
    def live(self) -> list[int]:
        """The numbers that must be listed, newest first."""
        away = self.trashed | self.gone
        return [n for n in range(len(self.trees), 0, -1) if n not in away]


class Place:
    """A store, alice whose commands meet faults, and carol who looks what is there."""

    def __init__(self, folder: Path, *, jobs: int = 1, store: Path | None = None) -> None:
        self.folder = folder
        self.path = store or folder / "store"
        client = make_client(folder, "init")
        Store.create(str(self.path), client=client, parameters=SIZES).close()
        self.carol = Store.open(str(self.path), client=make_client(folder, "carol"))
        self.home = folder / "alice"
        self.alice = Watcher(
            self.home, {"DATACAT_STORE": str(self.path), "DATACAT_JOBS": str(jobs)}
        )
        self.known: dict[str, Known] = {}
        self._strangers = 0

    def close(self) -> None:
        self.carol.close()
        self.alice.close()

    def watch(self, *arguments: str, fault: Fault) -> Watched:
        """Alice's command, with its fault, until the store can be looked at."""
        return self.alice.watch(*arguments, fault=fault)

    def saved(self, name: str, tree: Tree) -> None:
        """Somebody was told that this is the next version of `name`."""
        self.known.setdefault(name, Known()).trees.append(tree)

    @property
    def acknowledged(self) -> int:
        """How many versions people were told of."""
        return sum(len(one.trees) for one in self.known.values())

    # What must hold

    def check_answer(self, ended: Watched) -> None:
        """A documented exit code, a sentence for whatever failed, and no traceback."""
        code, out, err = ended.code, ended.ended.out, ended.ended.err
        if ended.ended.killed:
            return
        if "Traceback" in err or "a bug in datacat" in err:
            raise WrongError(f"a traceback: {err[-2000:]}")
        if code not in CODES:
            raise WrongError(f"exit code {code}: {err}")
        if code and (out or "Error: " not in err):
            raise WrongError(f"exit code {code} with {out!r}, {err!r}")

    def check(self, name: str, pending: Tree | None = None) -> bool:
        """What is listed of `name` is what people were told, and perhaps `pending` too.

        Returns whether it is there; from then on it has to be.
        """
        known = self.known.setdefault(name, Known())
        there = self._numbers(name)
        came = pending is not None and there[:1] == [len(known.trees) + 1]
        if came and pending is not None:
            known.trees.append(pending)
        if there != known.live:
            raise WrongError(f"{name} has {there}, and should have {known.live}")
        if came:
            self._check_list(f"{name}@v{there[0]}", known.trees[there[0] - 1])
        return came

    def _numbers(self, name: str, store: Store | None = None) -> list[int]:
        try:
            return [version.number for version in (store or self.carol).versions(name)]
        except NotFound:
            return []

    def _check_list(self, ref: str, tree: Tree, store: Store | None = None) -> None:
        listed = {one.path: one.hash for one in (store or self.carol).files(ref)}
        wanted = {path: digest_of("blake3", one.content).hex() for path, one in tree.items()}
        if listed != wanted:
            raise WrongError(f"{ref} lists other files than were saved")

    def check_all(self) -> None:
        """Every version that anybody was told of, read back by somebody new."""
        self._strangers += 1
        home = self.folder / f"stranger-{self._strangers}"
        with Store.open(str(self.path), client=make_client(home, "dora")) as dora:
            for name, known in self.known.items():
                if self._numbers(name, dora) != known.live:
                    raise WrongError(f"{name}: {self._numbers(name, dora)}, not {known.live}")
                for number in known.live:
                    self._check_list(f"{name}@v{number}", known.trees[number - 1], dora)
            for result in dora.verify(everything=True):
                if not result.ok:
                    raise WrongError(f"verify: {result.damaged} {result.missing}")
            for name in sorted(self.known)[:: len(self.known) // PULLED + 1]:
                known = self.known[name]
                for number in known.live[:2]:
                    copy = home / f"{name}-{number}"
                    dora.pull(f"{name}@v{number}", dest=copy)
                    if without_times(read_tree(copy)) != without_times(known.trees[number - 1]):
                        raise WrongError(f"{name}@v{number} reads otherwise")
