"""What content is read from is chosen in bounded memory, however many commits there were."""

from __future__ import annotations

from pathlib import Path

import pytest

from datacat.backend.memory import MemoryBackend
from datacat.digest import file_checksum
from datacat.objects import parts as parts_module
from datacat.objects.index import Index, Segment, prepare
from datacat.objects.parts import choose_parts
from datacat.sql import Workspace
from tests.unit.objects.shelf import Shelf, blake, some_rows

COMMITS = 400


@pytest.mark.parametrize("merge", [False, True])
def test_many_commits_that_nobody_has_merged_yet(tmp_path: Path, merge: bool) -> None:
    """As a fresh cache finds them: each commit is a file. All of them say the same, so that the
    lists are tiny and only their number counts."""
    shelf = Shelf(MemoryBackend())
    chunks = some_rows(2, 5)
    made = blake(b"all five of them")
    recipe = [(made, ordinal, row[0]) for ordinal, row in enumerate(chunks)]
    segments = [
        fetched
        for one in (shelf.segment(2, chunks), shelf.segment(2, recipe, "recipes"))
        for fetched in repeated(shelf, tmp_path, one)
    ]
    with Workspace() as workspace:
        workspace.execute("set memory_limit = '32MiB'")
        Index(shelf.backend, tmp_path).attach(workspace, segments, merge=merge)
        prepare(workspace, barred=[], barred_segments=[])
        seqs = "count(distinct seq), min(seq), max(seq)"
        for relation in ("chunks", "recipes"):
            told = workspace.row(f"select count(*), {seqs} from {relation}")
            assert told == (5 * COMMITS, COMMITS, 2, COMMITS + 1)
        workspace.execute("create table needed (digest blob)")
        workspace.load("needed", [(made,), (chunks[0][0],)])
        choose_parts(workspace, "needed", into="parts")
        parts = workspace.all("select * from parts order by object = $1, ordinal", [made])
    assert parts == [
        (chunks[0][0], 0, chunks[0][0], None),
        *((made, ordinal, chunk, 2) for _, ordinal, chunk in recipe),
    ]


def repeated(shelf: Shelf, folder: Path, one: Segment) -> list[Segment]:
    """The same segment once for each commit, as if each had been fetched to `folder`."""
    data = shelf.backend.read(one.file.key)
    first = folder / "first"
    first.write_bytes(data)
    checksum = file_checksum(first)
    seqs = range(2, COMMITS + 2)
    for seq in seqs:
        (folder / f"{seq}-{seq}-{checksum}.{one.relation}.parquet").write_bytes(data)
    first.unlink()
    return [Segment(seq, one.relation, one.file) for seq in seqs]


def test_in_slices_the_same_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Content as a chunk, by several recipes of which some lack a chunk, and nowhere."""
    with Workspace() as workspace:
        workspace.execute(
            """
            create table every_recipe as
            select unhex(sha256('object ' || made)) as object, ordinal,
                   unhex(sha256('chunk ' || made || ordinal || seq)) as chunk, seq
            from range(60) m(made), range(3) o(ordinal), range(2, 6) s(seq)
            """
        )
        workspace.execute(
            """
            create table places as
            select distinct chunk as digest from every_recipe where hash(object, seq) % 3 > 0
            union all
            select distinct object from every_recipe where hash(object) % 4 = 0
            """
        )
        workspace.execute(
            """
            create table content as
            select distinct object as digest from every_recipe
            union all select unhex(sha256('nowhere ' || n)) from range(9) t(n)
            """
        )
        found = []
        for number, rows in enumerate([parts_module.ROWS_AT_ONCE, 100, 7]):
            monkeypatch.setattr(parts_module, "ROWS_AT_ONCE", rows)
            into = f"parts {number}"
            choose_parts(workspace, "content", into=into, chunks="places", recipes="every_recipe")
            found.append(workspace.all(f'select * from "{into}" order by all'))
    assert len({row[0] for row in found[0]}) == 69
    assert found[0] == found[1] == found[2]
