"""Contents in containers of their own: many are written before the first is made durable."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from datacat.backend.posix import PosixBackend
from datacat.backend.posix_staged import PosixStaged
from datacat.digest import checksums
from datacat.errors import StorageError
from datacat.progress import StopSignal
from datacat.transfer.journal import Journal, adopt, whole_row
from datacat.transfer.whole import OPEN_FILES, WholeContainers
from tests.unit.objects.shelf import blake, session

CONTENTS = [(blake(data), data) for data in (b"%d" % n * 700 for n in range(600))]


class Watched(PosixBackend):
    """Knows how many temporaries are open, and how many were at most. One of them may fail."""

    fails_at: int | None = None
    open_most = 0
    published = 0

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._staged: list[PosixStaged] = []

    def stage(self) -> PosixStaged:
        staged = super().stage()
        self._staged = [one for one in self._staged if one.fd >= 0] + [staged]
        self.open_most = max(self.open_most, len(self._staged))
        return staged

    def _publish(self, staged: PosixStaged, key: str) -> None:
        if self.published == self.fails_at:
            raise StorageError("the drive is gone", kind="storage_failed")
        super()._publish(staged, key)
        self.published += 1


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Watched]:
    backend = Watched(tmp_path / "store")
    backend.initialise(["tmp/", "whole/"], group=None, shared=False)
    yield backend
    assert not os.listdir(tmp_path / "store" / "tmp")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal.begin(tmp_path / "journals", session(1))
    yield journal
    journal.close()


@pytest.fixture
def whole(backend: Watched, journal: Journal) -> WholeContainers:
    return WholeContainers(
        backend,
        algorithm="blake3",
        session=session(1),
        journal=journal,
        listener=lambda event: None,
        stop=StopSignal(),
    )


@pytest.mark.parametrize("jobs", [2, 8, 10_000])
def test_each_thread_keeps_its_share_of_files_open(
    backend: Watched, whole: WholeContainers, jobs: int
) -> None:
    rows = whole.store(CONTENTS, jobs=jobs)
    assert backend.open_most == max(1, OPEN_FILES // jobs)
    assert rows == [
        whole_row(row[2], digest, len(data), checksums(data))
        for row, (digest, data) in zip(rows, CONTENTS, strict=True)
    ]
    assert [backend.read(row[2]) for row in rows] == [data for _, data in CONTENTS]


def test_what_was_stored_before_a_failure_is_found_again(
    backend: Watched, journal: Journal, whole: WholeContainers, tmp_path: Path
) -> None:
    backend.fails_at = 200
    with pytest.raises(StorageError, match="the drive is gone"):
        whole.store(CONTENTS, jobs=2)
    journal.close()
    found = adopt(tmp_path / "journals", backend)
    assert [row[0] for row in found.rows] == [digest for digest, _ in CONTENTS[:200]]
    for one in found.journals:
        one.close()
