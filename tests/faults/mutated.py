"""Hurt a store in every way, and see what a client makes of it: run as a process of its own.

    python -m tests.faults.mutated FOLDER FIRST COUNT

makes a store in FOLDER, hurts it COUNT times beginning with the seed FIRST, and prints for each a
line of JSON: what was done, what each command said, and what went wrong. Memory is limited, and a
store that keeps the client busy for too long ends the process with the stacks of its threads.
"""

from __future__ import annotations

import faulthandler
import json
import random
import resource
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from datacat.digest import digest_of
from datacat.errors import DatacatError
from datacat.store import Store
from tests.faults.damaged import Tree, kind_of
from tests.faults.mutable import MutableStore, make_mutable, regular_files
from tests.faults.mutations import ACCIDENTS, FORGERIES, MUTATIONS

ADDRESS_SPACE = 6 << 30
"""Bytes of address space; of memory a client takes far less, but threads reserve more."""

RESIDENT_MAX = 700 << 20
"""Peak memory of a process that looked at many stores."""

SECONDS_MAX = 10.0
"""CPU time of one command on one store: a hundred times what it takes when nothing is wrong."""

HANG_SECONDS = 300
"""Wall time of all commands on one store, on a machine that does other things as well."""


@dataclass
class Report:
    """What happened with one mutated store."""

    seed: int
    how: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    client: str = ""
    said: dict[str, str] = field(default_factory=dict)
    """Of each command: `exact`, or the kind of the error."""
    wrong: list[str] = field(default_factory=list)
    slowest: float = 0.0
    resident: int = 0


class Trial:
    """One client with one mutated store."""

    def __init__(self, store: MutableStore, report: Report, copies: dict[str, Path]) -> None:
        self.scene = store
        self.report = report
        self.copies = copies
        self.touched = store.changed()
        self.forged = any(how in _FORGED for how in report.how)
        only_data = {kind_of(key) for key in self.touched if key in store.files} <= {
            "pack",
            "whole",
        }
        self.only_data = only_data and all(key in store.files for key in report.keys)

    def wrong(self, what: str) -> None:
        self.report.wrong.append(what)

    @contextmanager
    def asking(self, what: str) -> Iterator[None]:
        """What may come out of a command: nothing, or an error of ours that says what is wrong."""
        began = time.process_time()
        self.report.said[what] = "exact"
        try:
            yield
        except DatacatError as error:
            self.report.said[what] = error.kind
            self._judge(what, error)
        except Exception:  # noqa: BLE001 - whatever it is, it is what we look for
            self.report.said[what] = "TRACEBACK"
            self.wrong(f"{what}: {traceback.format_exc()[-1500:]}")
        took = time.process_time() - began
        self.report.slowest = max(self.report.slowest, round(took, 2))
        if took > SECONDS_MAX:
            self.wrong(f"{what} took {took:.1f} s")

    def _judge(self, what: str, error: DatacatError) -> None:
        text = f"{error.message} {error.hint}"
        if error.exit_code != 5 and error.kind not in self._allowed():
            self.wrong(f"{what}: {type(error).__name__} {error.kind}: {text}")
        keys = [*self.report.keys, *self.touched]
        paths = [path for tree in self.scene.versions.values() for path in tree]
        lists = [f"the list of {ref}" for ref in self.scene.versions]
        if (
            not any(name in text for name in (*keys, *paths, *lists))
            and error.kind not in _NAMELESS
        ):
            self.wrong(f"{what}: names nothing: {error.kind}: {text}")

    def _allowed(self) -> set[str]:
        kinds = {kind_of(key) for key in self.report.keys if key in self.scene.files}
        allowed: set[str] = set()
        if "store" in kinds:
            allowed |= {"not_a_store", "no_store", "format_too_new"}
        if "manifest" in kinds and self.forged:
            # Where it says something that this disk or this operating system cannot hold.
            allowed |= {"no_space", "write_failed", "case_collision", "path_not_representable"}
        if "record" in kinds:
            allowed |= {"storage_failed"}
        if self.scene.keys["record"][-1] in self.touched:
            # The newest record is the only one whose absence cannot be seen.
            allowed |= _NEVER_WAS
        return allowed

    def pull(self, store: Store, ref: str, *, all_lost: bool) -> bool:
        """True if it failed. Whatever it says, no byte of it is wrong."""
        expected = self.scene.versions[ref]
        out = self.scene.fresh("out")
        failed = True
        with self.asking(f"pull {ref}"):
            store.pull(ref, dest=out)
            failed = False
        found = regular_files(out) if out.is_dir() else {}
        if self.scene.seqs[ref] in self.scene.other_trees:
            self._assert_named(ref, found)
            shutil.rmtree(out, ignore_errors=True)
            return failed
        for path, data in found.items():
            if expected.get(path) != data:
                self.wrong(f"pull {ref}: wrong bytes in {path[:200]}")
        if not failed and found.keys() != expected.keys():
            self.wrong(f"pull {ref}: said nothing, but {expected.keys() ^ found.keys()}")
        if failed and (out / ".datacat" / "copy.json").exists():
            self.wrong(f"pull {ref}: failed, but it counts as pulled")
        if failed and not all_lost:
            self.wrong(f"pull {ref} failed: {self.report.said[f'pull {ref}']}")
        shutil.rmtree(out, ignore_errors=True)
        if failed and self.only_data:
            self._assert_served(ref, expected.keys() - found.keys())
        # Of what the newest record said nobody can know any more.
        return failed and self.report.said[f"pull {ref}"] not in _NEVER_WAS

    def _assert_named(self, ref: str, found: Tree) -> None:
        """A version that lists something else: its files are what it lists, or not there."""
        known = {
            digest_of("blake3", data) for t in self.scene.versions.values() for data in t.values()
        }
        known |= {digest_of("blake3", b"")}
        for path, data in found.items():
            if digest_of("blake3", data) not in known:
                self.wrong(f"pull {ref}: bytes that nobody saved in {path[:200]}")

    def _assert_served(self, ref: str, absent: Iterable[str]) -> None:
        """Of damaged containers only that is lost which lies in them."""
        lost = self.scene.lost(self.touched)
        tree = self.scene.versions[ref]
        intact = [path for path in absent if digest_of("blake3", tree[path]) not in lost]
        if intact:
            self.wrong(f"pull {ref}: not served though intact: {intact}")

    def may_fail(self, ref: str) -> bool:
        """Whether a version may be hurt by what was done."""
        scene = self.scene
        for key in self.touched:
            if key not in scene.files:
                continue
            kind = kind_of(key)
            if kind == "manifest" and self._seq_of(key) != scene.seqs[ref]:
                continue
            if kind == "segment" and self._seq_of(key) not in scene.drawn_on[ref]:
                continue
            if kind == "record" and self.forged and len(self.report.how) == 1:
                continue  # a valid log
            return True
        return False

    def _seq_of(self, key: str) -> int:
        return self.scene.described[key]

    def run(self, *, warm: Path | None, remote: bool) -> None:
        scene = self.scene
        store: Store | None = None
        with self.asking("open"):
            store = scene.client(like=warm, remote=remote)
        if store is None:
            return
        with self.asking("ls"):
            store.ls()
        harmed = False
        for ref in self._chosen():
            harmed |= self.pull(store, ref, all_lost=self.may_fail(ref))
        self.verify(store, harmed=harmed)
        turn = self.report.seed // 7 % 4
        if turn < 2:
            self.copy(store)
        elif turn == 2:
            with self.asking("du"):
                store.du()
        else:
            self.look(store)
        store.close()

    def _chosen(self) -> list[str]:
        """A version that may be hurt and one that may not, if there are; all of them at times."""
        chance = random.Random(self.report.seed)
        refs = list(self.scene.versions)
        if self.report.seed % 16 == 0:
            return refs
        chance.shuffle(refs)
        hurt = [ref for ref in refs if self.may_fail(ref)]
        return [*hurt[:2], *[ref for ref in refs if ref not in hurt][:1]]

    def look(self, store: Store) -> None:
        for name in ("scans", "maps"):
            with self.asking(f"show {name}"):
                store.show(name, readme=True)
        for ref in self.scene.versions:
            with self.asking(f"files {ref}"):
                list(store.files(ref))

    def verify(self, store: Store, *, harmed: bool) -> None:
        with self.asking("verify"):
            (result,) = store.verify(everything=True)
            noticed = [*result.damaged, *result.missing]
            if noticed:
                self.report.said["verify"] = f"{len(noticed)} named"[-5:]
            if harmed and not noticed:
                self.wrong("verify: all is well, but a pull failed")

    def copy(self, store: Store) -> None:
        """What somebody does who pulled before: look at it, edit it, save it, get it again."""
        ref, source = "scans@v3", self.copies["scans@v3"]
        copy = self.scene.fresh("copy")
        shutil.copytree(source, copy, symlinks=True)
        edit = copy / "a.raw"
        data = edit.read_bytes()
        edit.write_bytes(data[:3000] + b"edited" + data[3000:])
        (copy / "sub" / "b.raw").write_bytes((copy / "sub" / "b.raw").read_bytes() + b"longer")
        (copy / "new.txt").write_bytes(b"new\n" * 300)
        with self.asking("status"):
            (entry,) = store.status([copy])
            if (entry.ref, entry.state) != (ref, "changed"):
                self.wrong(f"status: {entry.ref} {entry.state}")
        with self.asking("diff"):
            paths = sorted(change.path for change in store.diff(str(copy)).changes)
            same = self.scene.seqs[ref] not in self.scene.other_trees
            if same and paths != ["a.raw", "new.txt", "sub/b.raw"]:
                self.wrong(f"diff: {paths}")
        with self.asking("diff versions"):
            store.diff("scans@v1", "scans@v4")
        expected = regular_files(copy)
        made = ""
        with self.asking("add"):
            made = store.add(copy, name="edited", new=True, message="edited").version.ref
        if made:
            out = self.scene.fresh("again")
            with self.asking("pull again"):
                store.pull(made, dest=out)
                if regular_files(out) != expected:
                    self.wrong("pull again: not what was saved")
            if not regular_files(out).items() <= expected.items():
                self.wrong("pull again: wrong bytes")


_NEVER_WAS = {"dataset_not_found", "version_not_found"}
_NAMELESS = {
    *_NEVER_WAS,
    "log_altered",
    "no_space",
    "store_unreachable",
    "no_store",
    "not_a_store",
}
_FORGED = {mutation.__name__ for mutation in FORGERIES}


def hurt(store: MutableStore, seed: int, report: Report) -> None:
    """One or two mutations. A log that was broken is not forged afterwards."""
    chance = random.Random(seed)
    chosen = [MUTATIONS[seed % len(MUTATIONS)]]
    if chance.random() < 0.25:
        chosen.append(chance.choice(ACCIDENTS))
    for mutation in chosen:
        report.how.append(mutation.__name__)
        report.keys += sorted(mutation(store, chance))


def peak_bytes() -> int:
    """The most memory this process held; getrusage would count what started it too."""
    status = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in status if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def main(folder: Path, first: int, count: int, emit: Callable[[Report], None]) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    scene = make_mutable(folder)
    store = scene.client()
    copies = {"scans@v3": folder / "copy-scans"}
    store.pull("scans@v3", dest=copies["scans@v3"])
    warm = folder / "warm"
    for ref in scene.versions:
        store.pull(ref, dest=scene.fresh("out"))
    store.close()
    shutil.copytree(scene.root / "scratch" / "cache-1", warm)
    scene.restore()
    for seed in range(first, first + count):
        report = Report(seed)
        faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
        hurt(scene, seed, report)
        client = seed % 7
        report.client = {3: "warm", 5: "remote"}.get(client, "cold")
        trial = Trial(scene, report, copies)
        trial.run(warm=warm if client == 3 else None, remote=client == 5)
        scene.restore()
        faulthandler.cancel_dump_traceback_later()
        report.resident = peak_bytes()
        if report.resident > RESIDENT_MAX:
            report.wrong.append(f"{report.resident >> 20} MiB of memory")
        emit(report)


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        int(sys.argv[2]),
        int(sys.argv[3]),
        lambda report: print(json.dumps(asdict(report)), flush=True),
    )
