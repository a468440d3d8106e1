"""What the store takes on disk, and what is wrong with what is stored."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from datacat.model.display import Displayed


class VerifyLevel(StrEnum):
    """How deep `verify` looks at a store; each level includes those before it.

    `LOG`: every record, in both of its copies, and how each continues the one before. `FILES`: that
    every file of the store is there, with its size. `CONTENT`: every stored byte is read.
    """

    LOG = "log"
    FILES = "files"
    CONTENT = "content"


@dataclass(frozen=True, slots=True)
class Damage:
    """A damaged or missing thing, in the user's words: which file of which version.

    Without a `ref` the path is that of a file of the store itself.
    """

    ref: str | None
    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class VerifyResult(Displayed):
    """What `verify` read and what was wrong with it.

    `checked` and `bytes` are of the files of versions; of the levels that read none, of the records
    of the log or the files of the store. `resumed` of them were read before, by a verify that was
    interrupted.
    """

    target: str
    checked: int
    bytes: int
    seconds: float
    damaged: tuple[Damage, ...]
    missing: tuple[Damage, ...]
    level: VerifyLevel = VerifyLevel.CONTENT
    resumed: int = 0

    @property
    def ok(self) -> bool:
        return not self.damaged and not self.missing


@dataclass(frozen=True, slots=True)
class DatasetDiskUse:
    """What one dataset takes: `only_here_bytes` is what deleting it would free.

    Content that several datasets have counts in `on_disk_bytes` of each of them.
    """

    name: str
    versions: int
    logical_bytes: int
    on_disk_bytes: int
    only_here_bytes: int


@dataclass(frozen=True, slots=True)
class DiskUse(Displayed):
    """What a store takes. `on_disk_bytes`, `trash_bytes` and `unused_bytes` are all of it.

    `logical_bytes` is the size of all versions as files. `on_disk_bytes` is the content that they
    are read from and the catalog, `catalog_bytes`. What was saved is made up of content that files
    share (`same_files_bytes`), parts that different files share (`same_parts_bytes`) and
    compression, less the catalog; each may be negative where it costs more than it saves.
    `unused_bytes` belongs to no version: adds that run or did not finish, and what gc can free.
    `free_bytes` is left on the storage, None where that is not known.
    """

    versions: int
    logical_bytes: int
    on_disk_bytes: int
    catalog_bytes: int
    same_files_bytes: int
    same_parts_bytes: int
    compression_bytes: int
    trash_versions: int
    trash_bytes: int
    unused_bytes: int
    free_bytes: int | None
    datasets: tuple[DatasetDiskUse, ...]

    @property
    def saved_bytes(self) -> int:
        return self.logical_bytes - self.on_disk_bytes


class CheckState(StrEnum):
    """`NOTE` is worth knowing and stops nothing; `FAIL` is what to mend."""

    OK = "ok"
    NOTE = "note"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that `doctor` looked at. `fix` says what to do about it, with commands to paste;
    `fixed` that it was done."""

    id: str
    state: CheckState
    message: str
    fix: str | None = None
    fixed: bool = False


@dataclass(frozen=True, slots=True)
class Diagnosis(Displayed):
    """What `doctor` found, in the order in which it looked."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        return not self.count(CheckState.FAIL)

    def count(self, state: CheckState) -> int:
        """How many checks came out so."""
        return sum(check.state is state for check in self.checks)
